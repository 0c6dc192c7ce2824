/* sparsed render: the atoms of a model as a PNG.
 */
#include "lib/base/file.h"
#include "lib/model/render.h"
#include "server/command.h"
#include "server/load.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_PNG_BYTES ((size_t)1 << 30)

struct arguments {
    const char *model, *out;
    size_t layer, zoom;
    int view; /* enum render_view */
};

static const char *const views[] = {
    [RENDER_ATOMS] = "atoms", [RENDER_ORIENTATION] = "orientation", NULL};

static const struct setting table[] = {
    {.name = "out",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, out),
     .value = "FILE.png",
     .help = "where to write the picture"},
    {.name = "layer",
     .type = SETTING_COUNT,
     .offset = offsetof(struct arguments, layer),
     .max = MODEL_MAX_LAYERS - 1,
     .value = "N",
     .help = "whose atoms, from 0; by default the top layer's"},
    {.name = "zoom",
     .type = SETTING_COUNT,
     .offset = offsetof(struct arguments, zoom),
     .min = 1,
     .max = 64,
     .value = "N",
     .help = "pixels of the picture for one of the input's"},
    {.name = "view",
     .type = SETTING_CHOICE,
     .offset = offsetof(struct arguments, view),
     .standard = "atoms",
     .value = "VIEW",
     .help = "atoms, or a colour for the way that each one's stripes run",
     .choices = views},
    {0},
};

static enum err_code write_picture(const struct image *image, const char *path,
                                   struct err *e)
{
    struct buf png;

    buf_init(&png, MAX_PNG_BYTES);
    enum err_code code = image_encode_png(&png, image, e);
    if (code == ERR_OK && buf_failed(&png))
        code = err_set(e, ERR_NO_MEMORY, "%s: no memory for the picture", path);
    if (code == ERR_OK)
        code = file_replace(path, png.data, png.length, e);
    buf_fini(&png);
    return code;
}

static enum err_code render(struct arguments *args, struct err *e)
{
    char path[PATH_MAX];
    struct image image = {.pixels = NULL};
    struct render_pinwheels found = {.map = false};
    struct model *m = load_model(args->model, path, sizeof path, e);

    if (m == NULL)
        return e->code;
    enum err_code code = load_layer(m, &args->layer, e);
    if (code == ERR_OK) {
        struct render_options options = {.layer = args->layer,
                                         .view = (enum render_view)args->view,
                                         .zoom = args->zoom};
        code = render_atoms(m, &options, &image, &found, e);
    }
    if (code == ERR_OK)
        code = write_picture(&image, args->out, e);
    if (code == ERR_OK)
        printf("%s: %zu x %zu pixels\n", args->out, image.width, image.height);
    if (code == ERR_OK && found.map)
        printf("pinwheels: %zu positive, %zu negative\n", found.positive,
               found.negative);
    image_fini(&image);
    model_free(m);
    return code;
}

static int run(int argc, char **argv)
{
    static const char *const what[] = {"MODEL"};
    struct arguments args = {.layer = SIZE_MAX};
    struct err e;

    if (settings_read_flags(table, &args, argc, argv, what, &args.model, 1,
                            &e) != ERR_OK)
        return command_refuse(&command_render, e.msg);
    if (args.out == NULL)
        return command_refuse(&command_render, "--out is missing");
    if (render(&args, &e) != ERR_OK)
        return command_fail(&command_render, &e);
    return COMMAND_DONE;
}

const struct command command_render = {
    .name = "render",
    .usage = "MODEL --out FILE.png [--layer N] [--zoom N] [--view VIEW]",
    .help = "draws the atoms of a model",
    .run = run,
    .settings = table,
};
