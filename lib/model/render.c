/* All atoms of a layer in one picture. */
#include "lib/model/render.h"

#include "lib/model/atoms.h"
#include "lib/model/pinwheels.h"
#include "lib/model/tile.h"

#include <math.h>

static const struct colour ground = {{32, 32, 32}}; /* darker than zero */
static const struct colour edge_grey = {{112, 112, 112}};
static const size_t readable_side = 56;
static const size_t wheel_side = 96;

/* A picture in the making. */
struct sheet {
    struct atoms atoms;
    struct space picture; /* of one atom */
    enum render_view view;
    struct layout layout;
    float *angle, *selectivity; /* (atoms) of the map, or NULL */
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

static void draw_tile(const struct sheet *s, size_t i, const float *atom)
{
    struct layout_place p = s->layout.places[i];
    struct tile tile = {.image = s->image,
                        .top = (size_t)(p.y * (float)s->step_y) + 1,
                        .left = (size_t)(p.x * (float)s->step_x) + 1,
                        .zoom = s->zoom};
    if (s->view == RENDER_ATOMS) {
        tile_draw_atom(&tile, &s->picture, atom);
        return;
    }
    struct orientation o = orientation_of(atom, &s->picture);
    tile_draw_orientation(&tile, &s->picture, &o);
    s->angle[i] = o.angle;
    s->selectivity[i] = o.selectivity;
}

static enum err_code draw_tiles(const struct sheet *s, struct arena *memory,
                                struct err *e)
{
    size_t batch = atoms_batch(&s->atoms), size = space_size(&s->picture);
    float *atoms = arena_take(memory, batch * size, sizeof *atoms);
    if (!atoms)
        return err_set(e, ERR_NO_MEMORY, "atoms");
    for (size_t first = 0; first < s->atoms.n; first += batch) {
        size_t left = s->atoms.n - first, count = left < batch ? left : batch;
        if (atoms_draw(&s->atoms, first, count, atoms, memory, e))
            return e->code;
        for (size_t i = 0; i < count; i++)
            draw_tile(s, first + i, atoms + i * size);
    }
    return ERR_OK;
}

/* Where the corners of four tiles meet; past the last ones, on the rim. */
static enum err_code draw_pinwheels(const struct sheet *s,
                                    struct render_pinwheels *found,
                                    struct arena *memory, struct err *e)
{
    const struct layout *l = &s->layout;
    struct pinwheels all;
    double x_step = (double)s->step_x, y_step = (double)s->step_y;
    double side = fmax(5, 0.3 * fmin(x_step, y_step));
    if (pinwheels_find(&all, s->angle, s->selectivity, l->rows, l->columns,
                       l->periodic, memory, e))
        return e->code;
    for (size_t i = 0; i < all.n; i++)
        tile_draw_pinwheel(s->image, (double)(all.list[i].column + 1) * x_step,
                           (double)(all.list[i].row + 1) * y_step, side,
                           all.list[i].positive);
    *found = (struct render_pinwheels){.map = true,
                                       .positive = all.positive,
                                       .negative = all.n - all.positive};
    return ERR_OK;
}

/* ---- sizes ---- */

static void set_zoom(struct sheet *s, size_t zoom)
{
    s->zoom = zoom;
    s->step_x = s->picture.width * zoom + 1;
    s->step_y = s->picture.height * zoom + 1;
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
    size_t h = s->picture.height, w = s->picture.width;
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
        s->view == RENDER_ORIENTATION ? 3 : tile_channels(&s->picture);
    return canvas_init(s->image, (size_t)height, (size_t)width, channels,
                       ground, e);
}

/* ---- all ---- */

static enum err_code find_atoms(struct sheet *s, const struct model *m,
                                const struct render_options *options,
                                struct arena *memory, struct err *e)
{
    if (options->layer >= m->n_layers)
        return err_set(e, ERR_NOT_FOUND, "layer %zu: there are %zu",
                       options->layer, m->n_layers);
    const struct structure *structure = &m->layers[options->layer].structure;
    for (size_t i = options->layer + 1; i-- > 0;)
        if (!m->layers[i].dec.kind)
            return err_set(e, ERR_CONFLICT, "layer %zu has no decoder", i);
    if (atoms_init(&s->atoms, m, options->layer, memory, e) ||
        structure->kind->layout(structure, &s->layout, memory, e))
        return e->code;
    s->picture = tile_picture(&s->atoms.space);
    return ERR_OK;
}

/* What the view of orientations needs besides. */
static enum err_code find_map(struct sheet *s,
                              const struct render_options *options,
                              struct arena *memory, struct err *e)
{
    if (!orientation_exists(&s->picture))
        return err_set(e, ERR_CONFLICT,
                       "view orientation: the atoms of layer %zu are no "
                       "pictures of at least 3 x 3, so they have no "
                       "orientation",
                       options->layer);
    size_t quarter = options->max_side / 4;
    s->wheel = quarter > 0 && quarter < wheel_side ? quarter : wheel_side;
    s->angle = arena_take(memory, s->atoms.n, sizeof *s->angle);
    s->selectivity = arena_take(memory, s->atoms.n, sizeof *s->selectivity);
    if (!s->angle || !s->selectivity)
        return err_set(e, ERR_NO_MEMORY, "a map of %zu units", s->atoms.n);
    return ERR_OK;
}

static enum err_code draw_all(const struct sheet *s,
                              struct render_pinwheels *found,
                              struct arena *memory, struct err *e)
{
    draw_edges(s);
    if (draw_tiles(s, memory, e))
        return e->code;
    if (s->view == RENDER_ATOMS)
        return ERR_OK;
    tile_draw_wheel(s->image, s->image->height - s->wheel, 0, s->wheel);
    return s->layout.rows ? draw_pinwheels(s, found, memory, e) : ERR_OK;
}

static enum err_code render(struct sheet *s, const struct model *m,
                            const struct render_options *options,
                            struct render_pinwheels *found,
                            struct arena *memory, struct err *e)
{
    s->view = options->view;
    if (find_atoms(s, m, options, memory, e) ||
        (s->view == RENDER_ORIENTATION && find_map(s, options, memory, e)))
        return e->code;
    choose_zoom(s, options);
    if (init_image(s, options, e))
        return e->code;
    if (draw_all(s, found, memory, e)) {
        image_fini(s->image);
        return e->code;
    }
    return ERR_OK;
}

enum err_code render_atoms(const struct model *m,
                           const struct render_options *options,
                           struct image *out, struct render_pinwheels *found,
                           struct err *e)
{
    struct arena memory;
    struct sheet sheet = {.image = out};
    struct render_pinwheels unasked;
    if (!found)
        found = &unasked;
    *found = (struct render_pinwheels){0};
    arena_init(&memory, (size_t)256 << 20);
    enum err_code code = render(&sheet, m, options, found, &memory, e);
    arena_fini(&memory);
    return code;
}

enum err_code render_row(const struct model *m, const float *row, float low,
                         float high, struct image *out, struct err *e)
{
    struct space picture = tile_picture(&m->input);
    if (canvas_init(out, picture.height, picture.width, tile_channels(&picture),
                    ground, e))
        return e->code;
    tile_draw_row(&(struct tile){.image = out, .zoom = 1}, &picture, row, low,
                  high);
    return ERR_OK;
}
