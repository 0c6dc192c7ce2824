/* sparsed export: a model as a file of another kind, the same function for
 * other runtimes.
 */
#include "lib/model/model_file.h"
#include "lib/model/model_onnx.h"
#include "server/command.h"
#include "server/load.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *model, *out, *outputs;
    int format;
};

static const char *const formats[] = {"onnx", NULL};

static const struct setting table[] = {
    {.name = "format",
     .type = SETTING_CHOICE,
     .offset = offsetof(struct arguments, format),
     .standard = "onnx",
     .value = "NAME",
     .help = "of the file",
     .choices = formats},
    {.name = "out",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, out),
     .value = "FILE.onnx",
     .help = "where to write it"},
    {.name = "outputs",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, outputs),
     .value = "LIST",
     .help = "of code,groups,reconstruction,probabilities; by default all that "
             "the model has"},
    {0},
};

/* What the folders of .../NAME/VERSION/model.safetensors say of the model, or
 * the file's own name without its ending. Writes into path. */
static void find_name(char *path, struct model_onnx_options *options)
{
    char *file = strrchr(path, '/');
    if (file != NULL && strcmp(file + 1, MODEL_FILE_NAME) == 0) {
        *file = 0;
        char *folder = strrchr(path, '/');
        options->version =
            model_version_number(folder != NULL ? folder + 1 : path);
        if (options->version > 0 && folder != NULL) {
            *folder = 0;
            folder = strrchr(path, '/');
        }
        file = folder;
    }
    options->name = file != NULL ? file + 1 : path;
    char *ending = strrchr(options->name, '.');
    if (ending != NULL && strcmp(ending, ".safetensors") == 0)
        *ending = 0;
}

static enum err_code read_outputs(const char *list, unsigned *outputs,
                                  struct err *e)
{
    *outputs = 0;
    for (const char *at = list; at != NULL && *at != 0;) {
        size_t length = strcspn(at, ",");
        size_t i = 0;
        while (i < MODEL_OUTPUTS &&
               (strlen(model_output_names[i]) != length ||
                strncmp(at, model_output_names[i], length) != 0))
            i++;
        if (i == MODEL_OUTPUTS)
            return err_set(e, ERR_INVALID,
                           "--outputs: '%.*s' is none of code, groups, "
                           "reconstruction, probabilities",
                           (int)(length > 40 ? 40 : length), at);
        *outputs |= 1u << i;
        at += length + (at[length] == ',');
    }
    return list != NULL && *outputs == 0
               ? err_set(e, ERR_INVALID, "--outputs: names none")
               : ERR_OK;
}

static enum err_code export(const struct arguments *args,
                            struct model_onnx_options *options, struct err *e) {
    char path[PATH_MAX], whole[PATH_MAX];
    struct model *m = load_model(args->model, path, sizeof path, e);

    if (m == NULL) return e->code;
    find_name(realpath(path, whole) != NULL ? whole : path, options);
    enum err_code code = model_save_onnx(m, args->out, options, e);
    if (code == ERR_OK) printf("%s: %s\n", args->out, options->name);
    model_free(m);
    return code;
}

static int run(int argc, char **argv)
{
    static const char *const what[] = {"MODEL"};
    struct arguments args = {.out = NULL};
    struct model_onnx_options options = {.version = 0};
    struct err e;

    if (settings_read_flags(table, &args, argc, argv, what, &args.model, 1,
                            &e) != ERR_OK)
        return command_refuse(&command_export, e.msg);
    if (args.out == NULL)
        return command_refuse(&command_export, "--out is missing");
    if (read_outputs(args.outputs, &options.outputs, &e) != ERR_OK)
        return command_refuse(&command_export, e.msg);
    if (export(&args, &options, &e) != ERR_OK)
        return command_fail(&command_export, &e);
    return COMMAND_DONE;
}

const struct command command_export = {
    .name = "export",
    .usage = "MODEL --out FILE.onnx [--format onnx] [--outputs LIST]",
    .help = "writes a model for other runtimes",
    .run = run,
    .settings = table,
};
