/* sparsed eval: what a model does on a data set: error rate, reconstruction,
 * active and dead units.
 */
#include "lib/base/buf.h"
#include "lib/train/measure.h"
#include "server/command.h"
#include "server/load.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MAX_RESULT_BYTES ((size_t)1 << 20)

struct arguments {
    const char *model, *data;
    int split;
    size_t threads;
    bool json;
};

static const struct setting table[] = {
    LOAD_DATA_SETTING(struct arguments),
    LOAD_SPLIT_SETTING(struct arguments),
    LOAD_THREADS_SETTING(struct arguments),
    {.name = "json",
     .type = SETTING_FLAG,
     .offset = offsetof(struct arguments, json),
     .help = "one JSON object on stdout"},
    {0},
};

static enum err_code measure(const struct arguments *args,
                             struct measures *measures, struct err *e)
{
    struct dataset *d = NULL;
    struct team *team = NULL;
    char path[PATH_MAX];
    struct model *m = load_model(args->model, path, sizeof path, e);
    enum err_code code = m ? ERR_OK : e->code;
    if (!code && !(d = load_data(m, args->data, args->split, e)))
        code = e->code;
    if (!code && !(team = team_new(args->threads)))
        code = err_set(e, ERR_NO_MEMORY, "%zu threads", args->threads);
    if (!code)
        code = measure_model(m, d, NULL, d->n, team, measures, e);
    team_free(team);
    dataset_free(d);
    model_free(m);
    return code;
}

static enum err_code print_json(const struct measures *m, struct err *e)
{
    struct buf b;
    struct json *j = measures_json(m);
    buf_init(&b, MAX_RESULT_BYTES);
    json_print(&b, j);
    bool failed = buf_failed(&b);
    if (!failed)
        printf("%s\n", b.data);
    json_free(j);
    buf_fini(&b);
    return failed ? err_set(e, ERR_NO_MEMORY, "result") : ERR_OK;
}

static void print_text(const struct measures *m)
{
    double units = (double)m->units;
    printf("rows            %zu\n", m->rows);
    if (m->labelled > 0) {
        printf("error           %.2f %% (%zu of %zu)\n", 100 * m->error,
               m->wrong, m->labelled);
        printf("loss            %.5f\n", m->loss);
    }
    if (!isnan(m->relative_error))
        printf("relative error  %.4f\n", m->relative_error);
    printf("active units    %.1f of %zu (%.1f %%)\n", m->active, m->units,
           100 * m->active / units);
    printf("dead units      %zu (%.1f %%)\n", m->dead,
           100 * (double)m->dead / units);
}

static int run(int argc, char **argv)
{
    static const char *const what[] = {"MODEL"};
    struct arguments args = {.threads = team_processors()};
    struct measures measures;
    struct err e;
    settings_standard(table, &args);
    if (settings_read_flags(table, &args, argc, argv, what, &args.model, 1, &e))
        return command_refuse(&command_eval, e.msg);
    if (!args.data)
        return command_refuse(&command_eval, "--data is missing");
    if (measure(&args, &measures, &e))
        return command_fail(&command_eval, &e);
    if (!args.json)
        print_text(&measures);
    else if (print_json(&measures, &e))
        return command_fail(&command_eval, &e);
    return COMMAND_DONE;
}

const struct command command_eval = {
    .name = "eval",
    .usage = "MODEL --data PATH [--split train|test] [--threads N] [--json]",
    .help = "measures a model on a data set",
    .run = run,
    .settings = table,
};
