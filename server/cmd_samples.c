/* sparsed samples: the store's samples for operators: how many there are, in
 * from data sets, out into files. It works beside a running daemon.
 */
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/engine/repository.h"
#include "lib/model/model_file.h"
#include "lib/store/database.h"
#include "server/command.h"
#include "server/config.h"
#include "server/load.h"
#include "server/samples_files.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_RESULT_BYTES ((size_t)256 << 20)
#define MAX_WAITING_BYTES ((size_t)1 << 30)
#define URL_BYTES (PATH_MAX + 32)

struct arguments {
    struct config config; /* first: its rows are shared */
    const char *model, *data, *out;
    int split;
    bool unlabelled, all, json;
};

static const struct setting table[] = {
    LOAD_DATA_SETTING(struct arguments),
    LOAD_SPLIT_SETTING(struct arguments),
    {.name = "unlabelled",
     .type = SETTING_FLAG,
     .offset = offsetof(struct arguments, unlabelled),
     .help = "import: leave labels out"},
    {.name = "out",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, out),
     .value = "FILE.npz|FOLDER",
     .help = "export: x and y (texts, empty without a label), or "
             "FOLDER/LABEL/ID.png"},
    {.name = "all",
     .type = SETTING_FLAG,
     .offset = offsetof(struct arguments, all),
     .help = "count: every model that has samples"},
    {.name = "json",
     .type = SETTING_FLAG,
     .offset = offsetof(struct arguments, json),
     .help = "count: JSON on stdout"},
    {.name = "models",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, config.models),
     .value = "DIR",
     .help = "folder of models, as for serve"},
    {CONFIG_DATA_DIR_SETTING},
    {CONFIG_STORE_SETTING},
    {CONFIG_MAX_SAMPLES_SETTING},
    {CONFIG_MAX_LABELS_SETTING},
    {0},
};

/* ---- what it works on ---- */

/* The model of that name in the repository: shape, range, class names. */
static struct model *find_model(const struct arguments *args, struct err *e)
{
    char folder[PATH_MAX], path[PATH_MAX];

    if (file_join(folder, sizeof folder, args->config.models, args->model, e) !=
        ERR_OK)
        return NULL;
    struct model *m = load_model(folder, path, sizeof path, e);
    if (m == NULL)
        err_wrap(e, "model %.64s of --models", args->model);
    return m;
}

/* For reading, what is there; it is not made. */
static struct database *open_reader(const struct arguments *args, struct err *e)
{
    char url[URL_BYTES];

    if (config_store_url(&args->config, url, sizeof url, e) != ERR_OK)
        return NULL;
    struct database *db = database_open(url, DATABASE_READ, e);
    if (db != NULL && database_begin(db, e) == ERR_OK)
        return db;
    database_close(db);
    return NULL;
}

static void close_reader(struct database *db)
{
    if (db != NULL)
        database_rollback(db);
    database_close(db);
}

/* ---- count ---- */

struct counting {
    struct database *db;
    struct buf *out;
    bool json;
    size_t n;
    struct err e;
};

static void print_json(struct buf *b, const char *model,
                       const struct samples_counts *c)
{
    buf_text(b, "{\"model\":");
    buf_json_text(b, model);
    buf_printf(b,
               ",\"total\":%llu,\"stored\":%llu,\"evicted\":%llu,"
               "\"labels\":{",
               (unsigned long long)c->total, (unsigned long long)c->stored,
               (unsigned long long)c->evicted);
    for (size_t i = 0; i < c->n_labels; i++) {
        buf_text(b, i > 0 ? "," : "");
        buf_json_text(b, c->labels[i].name);
        buf_printf(b, ":%llu", (unsigned long long)c->labels[i].stored);
    }
    buf_printf(b, "},\"unlabelled\":%llu}", (unsigned long long)c->unlabelled);
}

static void print_text(struct buf *b, const char *model,
                       const struct samples_counts *c)
{
    buf_printf(
        b, "%s: %llu samples, %llu more were given up for want of room\n",
        model, (unsigned long long)c->stored, (unsigned long long)c->evicted);
    for (size_t i = 0; i < c->n_labels; i++)
        buf_printf(b, "  %-20s %10llu, %llu held out\n", c->labels[i].name,
                   (unsigned long long)c->labels[i].stored,
                   (unsigned long long)c->labels[i].held_out);
    buf_printf(b, "  %-20s %10llu\n", "(no label)",
               (unsigned long long)c->unlabelled);
}

static bool count_model(void *arg, const char *model)
{
    struct counting *counting = arg;
    struct samples_counts c;

    if (samples_count(counting->db, model, &c, &counting->e) != ERR_OK)
        return false;
    if (counting->json) {
        buf_text(counting->out, counting->n > 0 ? "," : "");
        print_json(counting->out, model, &c);
    } else {
        print_text(counting->out, model, &c);
    }
    counting->n++;
    samples_counts_fini(&c);
    return true;
}

static enum err_code count_all(struct counting *counting,
                               const struct arguments *args, struct err *e)
{
    struct buf *b = counting->out;

    if (!args->all) {
        count_model(counting, args->model);
    } else {
        buf_text(b, args->json ? "{\"models\":[" : "");
        if (samples_models(counting->db, count_model, counting, e) != ERR_OK)
            return e->code;
        buf_text(b, args->json ? "]}" : counting->n == 0 ? "no samples\n" : "");
    }
    if (counting->e.code != ERR_OK)
        *e = counting->e;
    else if (buf_failed(b))
        counting->e.code = err_set(e, ERR_NO_MEMORY, "the result is too long");
    return counting->e.code;
}

static enum err_code count(const struct arguments *args, struct err *e)
{
    struct buf out;
    struct counting counting = {
        .db = open_reader(args, e), .out = &out, .json = args->json};

    if (counting.db == NULL)
        return e->code;
    buf_init(&out, MAX_RESULT_BYTES);
    enum err_code code = count_all(&counting, args, e);
    if (code == ERR_OK)
        printf("%s%s", out.data, args->json ? "\n" : "");
    buf_fini(&out);
    close_reader(counting.db);
    return code;
}

/* ---- import ---- */

static struct dataset *load_rows(const struct arguments *args,
                                 const struct model *m, struct err *e)
{
    struct dataset_want want = {
        .split = args->split == DATASET_TRAIN ? DATASET_TRAIN : DATASET_TEST,
        .rank = m->input_rank};

    memcpy(want.shape, m->input_shape, sizeof m->input_shape);
    return dataset_load(args->data, &want, e);
}

static struct store *open_store(const struct arguments *args, struct err *e)
{
    char url[URL_BYTES];
    const struct store_settings settings = {
        .url = url, .max_waiting = 1, .max_waiting_bytes = MAX_WAITING_BYTES};

    if (config_store_url(&args->config, url, sizeof url, e) != ERR_OK ||
        config_make_data_dir(&args->config, e) != ERR_OK)
        return NULL;
    return store_open(&settings, e);
}

static enum err_code bring_in(const struct arguments *args, struct err *e)
{
    const struct samples_limits limits = {
        .max_samples = args->config.max_samples,
        .max_labels = args->config.max_labels};
    struct dataset *d = NULL;
    struct store *s = NULL;
    size_t done = 0;
    struct model *m = find_model(args, e);

    if (m != NULL)
        d = load_rows(args, m, e);
    if (d != NULL)
        s = open_store(args, e);
    enum err_code code =
        s == NULL ? e->code
                  : samples_import(s, args->model, m, d, args->unlabelled,
                                   &limits, &done, e);
    if (s != NULL)
        printf("%s: %zu samples imported\n", args->model, done);
    store_close(s);
    dataset_free(d);
    model_free(m);
    return code;
}

/* ---- export ---- */

static bool is_archive(const char *path)
{
    size_t length = strlen(path);

    return length > 4 && strcmp(path + length - 4, ".npz") == 0;
}

static enum err_code write_out(const struct arguments *args, struct err *e)
{
    struct model *m = NULL;
    size_t done = 0, left = 0;
    enum err_code code = ERR_OK;
    struct database *db = open_reader(args, e);

    if (db == NULL)
        return e->code;
    if (is_archive(args->out)) {
        code = samples_export_npz(db, args->model, args->out, &done, e);
    } else {
        m = find_model(args, e);
        code = m == NULL ? e->code
                         : samples_export_folder(db, args->model, m, args->out,
                                                 &done, &left, e);
    }
    if (code == ERR_OK)
        printf("%s: %zu samples\n", args->out, done);
    if (code == ERR_OK && left > 0)
        fprintf(stderr,
                "sparsed samples: %zu without a label are left out; a .npz "
                "has them\n",
                left);
    model_free(m);
    close_reader(db);
    return code;
}

/* ---- the command ---- */

static const struct {
    const char *name;
    enum err_code (*run)(const struct arguments *args, struct err *e);
    size_t needs; /* offset of the text that must be given, or 0 */
    const char *refusal;
} actions[] = {
    {"count", count, 0, NULL},
    {"import", bring_in, offsetof(struct arguments, data), "--data is missing"},
    {"export", write_out, offsetof(struct arguments, out), "--out is missing"},
};

#define ACTIONS (sizeof actions / sizeof *actions)

static bool has_flag(int argc, char **argv, const char *flag)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], flag) == 0)
            return true;
    }
    return false;
}

/* Environment and defaults as for serve, then the flags. argv[0] is the
 * action. */
static enum err_code read_arguments(struct arguments *args, size_t action,
                                    int argc, char **argv, struct err *e)
{
    static const char *const what[] = {"MODEL"};
    bool all = actions[action].run == count && has_flag(argc, argv, "--all");

    settings_standard(table, args);
    if (config_load(&args->config, 1, argv, environ, e) != ERR_OK ||
        settings_read_flags(table, args, argc, argv, what, &args->model,
                            all ? 0 : 1, e) != ERR_OK)
        return e->code;
    if (args->model != NULL &&
        !repository_name_ok(args->model, strlen(args->model)))
        return err_set(e, ERR_INVALID, "MODEL: '%.64s' is no model's name",
                       args->model);
    size_t needs = actions[action].needs;
    if (needs != 0 && *(const char **)((char *)args + needs) == NULL)
        return err_set(e, ERR_INVALID, "%s", actions[action].refusal);
    return ERR_OK;
}

static int run(int argc, char **argv)
{
    struct arguments args = {0};
    size_t action = 0;
    struct err e;

    while (action < ACTIONS &&
           (argc < 2 || strcmp(argv[1], actions[action].name) != 0))
        action++;
    if (action == ACTIONS)
        return command_refuse(&command_samples,
                              "say count, import or export first");
    int result = COMMAND_DONE;
    if (read_arguments(&args, action, argc - 1, argv + 1, &e) != ERR_OK)
        result = command_refuse(&command_samples, e.msg);
    else if (actions[action].run(&args, &e) != ERR_OK)
        result = command_fail(&command_samples, &e);
    config_fini(&args.config);
    return result;
}

const struct command command_samples = {
    .name = "samples",
    .usage = "count MODEL|--all [--json]\n"
             "       sparsed samples import MODEL --data PATH [--split "
             "train|test] [--unlabelled]\n"
             "       sparsed samples export MODEL --out FILE.npz|FOLDER",
    .help = "counts, imports or exports what the store keeps",
    .run = run,
    .words = (const char *const[]){"count", "import", "export", NULL},
    .starts_itself = true, /* nothing is computed */
    .settings = table,
};
