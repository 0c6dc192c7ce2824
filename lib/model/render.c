/* All atoms of a layer in one picture. */
#include "lib/model/render.h"

#include "lib/model/atoms.h"
#include "lib/model/orientation.h"
#include "lib/model/tile.h"

#include <math.h>

static const struct colour ground = {{32, 32, 32}}; /* darker than zero */
static const struct colour edge_grey = {{112, 112, 112}};
static const size_t readable_side = 56;
static const size_t wheel_side = 96;

/* A picture in the making. */
struct sheet {
    const struct model *m;
    const struct layer *l;
    struct layout layout;
    size_t zoom;
    size_t step_x, step_y; /* from tile to tile: one pixel lies between */
    size_t wheel;          /* side of the colour wheel, 0: none */
    struct image *image;
};

/* ---- the parts ---- */

static void draw_edges(const struct sheet *s)
{
    double x_step = (double)s->step_x, y_step = (double)s->step_y;
    double thickness = fmax(1, 0.04 * fmin(x_step, y_step));
    for (size_t i = 0; i < s->layout.n_edges; i++) {
        struct layout_place from = s->layout.places[s->layout.edges[i].from];
        struct layout_place to = s->layout.places[s->layout.edges[i].to];
        canvas_line(s->image, ((double)from.x + 0.5) * x_step,
                    ((double)from.y + 0.5) * y_step,
                    ((double)to.x + 0.5) * x_step,
                    ((double)to.y + 0.5) * y_step, thickness, edge_grey);
    }
}

static void draw_tile(const struct sheet *s, enum render_view view, size_t unit,
                      const float *atom)
{
    struct layout_place p = s->layout.places[unit];
    struct tile tile = {.image = s->image,
                        .top = (size_t)(p.y * (float)s->step_y) + 1,
                        .left = (size_t)(p.x * (float)s->step_x) + 1,
                        .zoom = s->zoom};
    if (view == RENDER_ORIENTATION)
        tile_draw_orientation(&tile, s->m, atom);
    else
        tile_draw_atom(&tile, s->m, atom);
}

static enum err_code draw_tiles(const struct sheet *s, enum render_view view,
                                struct arena *memory, struct err *e)
{
    size_t n = layer_units(s->l), inputs = model_inputs(s->m);
    size_t batch = atoms_batch(s->m, s->l->index);
    float *atoms = arena_take(memory, batch * inputs, sizeof *atoms);
    if (!atoms)
        return err_set(e, ERR_NO_MEMORY, "atoms");
    for (size_t first = 0; first < n; first += batch) {
        size_t count = n - first < batch ? n - first : batch;
        if (atoms_draw(s->m, s->l->index, first, count, atoms, memory, e))
            return e->code;
        for (size_t i = 0; i < count; i++)
            draw_tile(s, view, first + i, atoms + i * inputs);
    }
    return ERR_OK;
}

/* ---- sizes ---- */

static void set_zoom(struct sheet *s, size_t zoom)
{
    s->zoom = zoom;
    s->step_x = tile_width(s->m) * zoom + 1;
    s->step_y = tile_height(s->m) * zoom + 1;
}

static double sheet_width(const struct sheet *s)
{
    double width = ceil((double)s->layout.width * (double)s->step_x) + 1;
    return fmax(width, (double)s->wheel);
}

static double sheet_height(const struct sheet *s)
{
    return ceil((double)s->layout.height * (double)s->step_y) + 1 +
           (double)s->wheel;
}

/* Zoom so that a tile is readable, within the side that is allowed. */
static void choose_zoom(struct sheet *s, const struct render_options *options)
{
    size_t h = tile_height(s->m), w = tile_width(s->m);
    double max_side = options->max_side ? (double)options->max_side : 2048;
    size_t longest = h > w ? h : w;
    set_zoom(s, options->zoom ? options->zoom
                              : (readable_side + longest - 1) / longest);
    while (s->zoom > 1 &&
           (sheet_width(s) > max_side || sheet_height(s) > max_side))
        set_zoom(s, s->zoom - 1);
}

static enum err_code init_image(const struct sheet *s,
                                const struct render_options *options,
                                struct err *e)
{
    double width = sheet_width(s), height = sheet_height(s);
    double most =
        options->max_side ? (double)options->max_side : IMAGE_MAX_SIDE;
    if (width > most || height > most)
        return err_set(e, ERR_TOO_LARGE,
                       "a picture of %.0f x %.0f is the smallest: the longest "
                       "side allowed is %.0f",
                       height, width, most);
    size_t channels =
        options->view == RENDER_ORIENTATION ? 3 : tile_channels(s->m);
    return canvas_init(s->image, (size_t)height, (size_t)width, channels,
                       ground, e);
}

/* ---- all ---- */

static enum err_code
find_layer(struct sheet *s, const struct render_options *options, struct err *e)
{
    if (options->layer >= s->m->n_layers)
        return err_set(e, ERR_NOT_FOUND, "layer %zu: there are %zu",
                       options->layer, s->m->n_layers);
    s->l = &s->m->layers[options->layer];
    if (!s->l->dec.kind)
        return err_set(e, ERR_CONFLICT, "layer %zu has no decoder",
                       options->layer);
    if (options->view != RENDER_ORIENTATION)
        return ERR_OK;
    if (!orientation_exists(&s->m->input))
        return err_set(e, ERR_CONFLICT,
                       "view orientation: the model's inputs are no pictures "
                       "of at least 3 x 3, so its atoms have no orientation");
    size_t quarter = options->max_side / 4;
    s->wheel = quarter > 0 && quarter < wheel_side ? quarter : wheel_side;
    return ERR_OK;
}

static enum err_code render(struct sheet *s,
                            const struct render_options *options,
                            struct arena *memory, struct err *e)
{
    if (find_layer(s, options, e) ||
        s->l->structure.kind->layout(&s->l->structure, &s->layout, memory, e))
        return e->code;
    choose_zoom(s, options);
    if (init_image(s, options, e))
        return e->code;
    draw_edges(s);
    if (draw_tiles(s, options->view, memory, e)) {
        image_fini(s->image);
        return e->code;
    }
    if (s->wheel)
        tile_draw_wheel(s->image, s->image->height - s->wheel, 0, s->wheel);
    return ERR_OK;
}

enum err_code render_atoms(const struct model *m,
                           const struct render_options *options,
                           struct image *out, struct err *e)
{
    struct arena memory;
    struct sheet sheet = {.m = m, .image = out};
    arena_init(&memory, (size_t)256 << 20);
    enum err_code code = render(&sheet, options, &memory, e);
    arena_fini(&memory);
    return code;
}

enum err_code render_row(const struct model *m, const float *row, float low,
                         float high, struct image *out, struct err *e)
{
    if (canvas_init(out, tile_height(m), tile_width(m), tile_channels(m),
                    ground, e))
        return e->code;
    tile_draw_row(&(struct tile){.image = out, .zoom = 1}, m, row, low, high);
    return ERR_OK;
}
