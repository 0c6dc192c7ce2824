/* sparsed train: a recipe and a data set become a model file.
 *
 * A checkpoint lies beside the file until it is finished. SIGINT and SIGTERM
 * stop after the batch under way; a second one ends the process at once.
 */
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/model/model_file.h"
#include "lib/train/classes.h"
#include "lib/train/trainer.h"
#include "server/command.h"
#include "server/load.h"
#include "server/train_view.h"

#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_RESULT_BYTES ((size_t)1 << 20)
#define NO_SEED SIZE_MAX

struct arguments {
    const char *recipe, *data, *out;
    size_t seed, threads;
    bool resume, test, json;
};

static const struct setting table[] = {
    LOAD_DATA_SETTING(struct arguments),
    {.name = "out",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, out),
     .value = "MODEL",
     .help = "a .safetensors file, or the folder to put one into"},
    {.name = "seed",
     .type = SETTING_COUNT,
     .offset = offsetof(struct arguments, seed),
     .max = 9007199254740991,
     .value = "N",
     .help = "instead of the recipe's"},
    LOAD_THREADS_SETTING(struct arguments),
    {.name = "resume",
     .type = SETTING_FLAG,
     .offset = offsetof(struct arguments, resume),
     .help = "go on from the checkpoint, if there is one"},
    {.name = "test",
     .type = SETTING_FLAG,
     .offset = offsetof(struct arguments, test),
     .help = "measure the finished model once on the data's test split"},
    {.name = "json",
     .type = SETTING_FLAG,
     .offset = offsetof(struct arguments, json),
     .help = "one JSON object per epoch, and one for the result, on stdout"},
    {0},
};

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number)
{
    (void)number;
    asked_to_stop = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- what goes in ---- */

/* All that a training needs, freed by job_fini. */
struct job {
    struct arguments args;
    struct recipe *recipe;
    struct dataset *data, *test; /* test NULL without --test */
    struct model *model;
    struct train_view view;
    char file[PATH_MAX], checkpoint[PATH_MAX];
    bool kept; /* the checkpoint is this training's, not one it will replace */
};

static enum err_code load_test(struct job *job, struct err *e)
{
    job->test = load_recipe_data(job->recipe, job->args.data, DATASET_TEST, e);
    if (!job->test)
        return err_wrap(e, "--test");
    if (job->test->hash == job->data->hash)
        return err_set(e, ERR_INVALID,
                       "--test: %s has no test split, only the rows to train "
                       "on",
                       job->args.data);
    if (!job->recipe->n_classes && job->data->classes)
        return classes_match(job->test, (const char *const *)job->data->classes,
                             job->data->n_classes, e);
    return ERR_OK;
}

/* --out is a file if it is called like one, else the folder to put it into. */
static enum err_code find_places(struct job *job, struct err *e)
{
    static const char ending[] = ".safetensors";
    const char *out = job->args.out;
    size_t length = strlen(out), n = sizeof ending - 1;
    bool is_file = length > n && strcmp(out + length - n, ending) == 0;
    char folder[PATH_MAX];
    if (length + sizeof MODEL_FILE_NAME + 32 > sizeof folder)
        return err_set(e, ERR_TOO_LARGE, "--out: path too long");
    snprintf(folder, sizeof folder, "%s", out);
    if (is_file) {
        char *slash = strrchr(folder, '/');
        snprintf(job->file, sizeof job->file, "%s", out);
        if (slash)
            *slash = 0;
        if (!slash || slash == folder)
            folder[0] = 0;
    } else if (file_join(job->file, sizeof job->file, out, MODEL_FILE_NAME,
                         e)) {
        return err_wrap(e, "--out");
    }
    snprintf(job->checkpoint, sizeof job->checkpoint, "%.4000s.checkpoint",
             job->file);
    if (folder[0] && file_make_folders(folder, e))
        return err_wrap(e, "--out");
    return ERR_OK;
}

static enum err_code job_init(struct job *job, struct err *e)
{
    job->recipe = recipe_load(job->args.recipe, e);
    if (!job->recipe)
        return e->code;
    job->data = load_recipe_data(job->recipe, job->args.data, DATASET_TRAIN, e);
    if (!job->data || (job->args.test && load_test(job, e)))
        return e->code;
    return find_places(job, e);
}

static void job_fini(struct job *job)
{
    model_free(job->model);
    dataset_free(job->data);
    dataset_free(job->test);
    recipe_free(job->recipe);
}

/* ---- what comes out ---- */

static enum err_code measure_test(struct job *job, struct err *e)
{
    struct measures test;
    struct team *team = team_new(job->args.threads);
    if (!team)
        return err_set(e, ERR_NO_MEMORY, "%zu threads", job->args.threads);
    enum err_code code = measure_model(job->model, job->test, NULL,
                                       job->test->n, team, &test, e);
    if (!code)
        json_set(job->model->metrics, "test", measures_json(&test));
    team_free(team);
    return code;
}

static struct json *result_json(const struct job *job)
{
    struct json *j = json_new_object();
    json_set(j, "model", json_new_text(job->file));
    json_set(j, "metrics", json_copy(job->model->metrics));
    json_set(j, "lineage", json_copy(job->model->lineage));
    return j;
}

static void print_split(const struct json *metrics, const char *name)
{
    const struct json *m = json_get(metrics, name);
    const struct json *error = json_get(m, "error");
    const struct json *drawn = json_get(m, "relative_error");
    if (!m)
        return;
    printf("%s:", name);
    if (error)
        printf(" error %.2f %%,", 100 * json_number(error));
    if (drawn)
        printf(" relative error %.4f,", json_number(drawn));
    printf(" %.1f active units (%.1f %%), %.0f dead\n",
           json_number(json_get(m, "active_units")),
           100 * json_number(json_get(m, "active_share")),
           json_number(json_get(m, "dead_units")));
}

static enum err_code print_result(const struct job *job, struct err *e)
{
    struct buf b;
    struct json *j = result_json(job);
    buf_init(&b, MAX_RESULT_BYTES);
    json_print(&b, j);
    bool failed = buf_failed(&b);
    if (!failed && job->args.json) {
        printf("%s\n", b.data);
    } else if (!failed) {
        printf("model: %s\n", job->file);
        print_split(job->model->metrics, "validation");
        print_split(job->model->metrics, "test");
    }
    json_free(j);
    buf_fini(&b);
    return failed ? err_set(e, ERR_NO_MEMORY, "result") : ERR_OK;
}

static enum err_code finish(struct job *job, struct err *e)
{
    if (job->test && measure_test(job, e))
        return err_wrap(e, "--test");
    if (model_save(job->model, job->file, e))
        return err_wrap(e, "%s", job->file);
    /* Only now: whatever fails before, the training is not lost. */
    unlink(job->checkpoint);
    return print_result(job, e);
}

/* ---- the command ---- */

static void tell_start(struct job *job)
{
    bool there = file_is_regular(job->checkpoint);
    job->kept = there && job->args.resume;
    if (there && !job->args.resume)
        fprintf(stderr,
                "sparsed train: starting over; %s of an earlier run will be "
                "replaced (--resume goes on from it)\n",
                job->checkpoint);
    if (!there && job->args.resume)
        fprintf(stderr, "sparsed train: no %s: starting from the beginning\n",
                job->checkpoint);
}

/* After a run that was broken off. One that diverged would do so again. */
static void tell_rest(const struct job *job, bool diverged)
{
    if (job->kept)
        fprintf(stderr, "sparsed train: the last finished epoch is in %s%s\n",
                job->checkpoint,
                diverged ? ""
                         : "; the same command with --resume goes on from it");
    else
        fprintf(stderr, "sparsed train: no epoch was finished\n");
}

static bool on_progress(void *arg, const struct train_progress *p)
{
    struct job *job = arg;
    job->kept |= p->epoch_done;
    if (!train_view_show(&job->view, p))
        asked_to_stop = 1;
    return !asked_to_stop;
}

static enum err_code train(struct job *job, struct err *e)
{
    struct train_options options = {.threads = job->args.threads,
                                    .seed = job->recipe->seed,
                                    .checkpoint = job->checkpoint,
                                    .resume = job->args.resume,
                                    .progress = on_progress,
                                    .arg = job};
    if (job->args.seed != NO_SEED)
        options.seed = job->args.seed;
    train_view_init(&job->view, job->args.json);
    tell_start(job);
    catch_signals();
    job->model = train_run(job->recipe, job->data, &options, e);
    train_view_end(&job->view);
    return job->model ? finish(job, e) : e->code;
}

static int run(int argc, char **argv)
{
    static const char *const what[] = {"RECIPE"};
    struct job job = {.args = {.seed = NO_SEED, .threads = team_processors()}};
    struct err e;
    if (settings_read_flags(table, &job.args, argc, argv, what,
                            &job.args.recipe, 1, &e))
        return command_refuse(&command_train, e.msg);
    if (!job.args.data || !job.args.out)
        return command_refuse(&command_train, !job.args.data
                                                  ? "--data is missing"
                                                  : "--out is missing");
    if (job.args.threads > TRAIN_MAX_THREADS)
        job.args.threads = TRAIN_MAX_THREADS;
    enum err_code code = job_init(&job, &e);
    if (!code)
        code = train(&job, &e);
    int result = code ? command_fail(&command_train, &e) : COMMAND_DONE;
    if (code && (asked_to_stop || code == ERR_IO || code == ERR_NO_SPACE ||
                 code == ERR_INTERNAL))
        tell_rest(&job, code == ERR_INTERNAL);
    job_fini(&job);
    return result;
}

const struct command command_train = {
    .name = "train",
    .usage = "RECIPE --data PATH --out MODEL [--seed N] [--threads N] "
             "[--resume] [--test] [--json]",
    .help = "trains a model from a recipe",
    .run = run,
    .settings = table,
};
