/* sparsed remember: a model that was trained before files kept anything for
 * later training gets the settings of its training and rows of its data, as
 * `train` writes them now. What it computes stays the same.
 */
#include "lib/model/model_file.h"
#include "lib/train/keep.h"
#include "server/command.h"
#include "server/load.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define AS_THE_RECIPE_SAYS SIZE_MAX

struct arguments {
    const char *files[2]; /* MODEL, RECIPE */
    const char *data, *out;
    size_t rows;
};

static const struct setting table[] = {
    LOAD_DATA_SETTING(struct arguments),
    {.name = "out",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, out),
     .value = "FILE",
     .help = "the model file to write; MODEL's own may be replaced"},
    {.name = "rows",
     .type = SETTING_COUNT,
     .offset = offsetof(struct arguments, rows),
     .max = REHEARSAL_MAX_ROWS,
     .value = "N",
     .help = "rows to keep at most, instead of the recipe's number"},
    {0},
};

static enum err_code add(struct model *m, const struct arguments *args,
                         struct err *e)
{
    struct dataset *d = NULL;
    struct recipe *r = recipe_load(args->files[1], e);
    enum err_code code = r ? ERR_OK : e->code;
    if (!code && args->rows != AS_THE_RECIPE_SAYS)
        recipe_keep_rows(r, args->rows);
    if (!code && !(d = load_recipe_data(r, args->data, DATASET_TRAIN, e)))
        code = e->code;
    if (!code)
        code = keep_add_later(m, r, d, e);
    dataset_free(d);
    recipe_free(r);
    return code;
}

static enum err_code remember(const struct arguments *args, struct err *e)
{
    char path[PATH_MAX];
    struct model *m = load_model(args->files[0], path, sizeof path, e);
    if (!m)
        return e->code;
    enum err_code code = add(m, args, e);
    if (!code)
        code = model_save(m, args->out, e);
    if (!code)
        printf("%s: %zu rows, %zu of them held out\n", args->out,
               m->rehearsal.n, rehearsal_held_out(&m->rehearsal));
    model_free(m);
    return code;
}

static int run(int argc, char **argv)
{
    static const char *const what[] = {"MODEL", "RECIPE"};
    struct arguments args = {.rows = AS_THE_RECIPE_SAYS};
    struct err e;
    if (settings_read_flags(table, &args, argc, argv, what, args.files, 2, &e))
        return command_refuse(&command_remember, e.msg);
    if (!args.data || !args.out)
        return command_refuse(&command_remember, !args.data
                                                     ? "--data is missing"
                                                     : "--out is missing");
    return remember(&args, &e) ? command_fail(&command_remember, &e)
                               : COMMAND_DONE;
}

const struct command command_remember = {
    .name = "remember",
    .usage = "MODEL RECIPE --data PATH --out FILE [--rows N]",
    .help = "gives a trained model what it needs to go on learning",
    .run = run,
    .settings = table,
};
