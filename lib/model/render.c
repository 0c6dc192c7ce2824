/* Atoms as pictures. */
#include "lib/model/render.h"

#include "lib/data/canvas.h"
#include "lib/model/atoms.h"
#include "lib/model/orientation.h"

#include <math.h>

static const struct colour ground = {{32, 32, 32}}; /* darker than zero */
static const struct colour ink = {{0, 0, 0}};
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

/* ---- tiles ---- */

/* How many picture channels a row of the input's space gives. */
static size_t picture_channels(const struct space *s)
{
    return s->channels == 3 ? 3 : 1;
}

/* A vector that is no picture is drawn as a row of bars of this height. */
static size_t tile_height(const struct model *m)
{
    return m->input_rank == 1 ? 1 : m->input.height;
}

static size_t tile_width(const struct model *m)
{
    return m->input_rank == 1 ? model_inputs(m) : m->input.width;
}

static uint8_t shade(float value, float low, float high)
{
    float share = (value - low) / (high - low);
    if (!(share > 0.0f))
        return 0;
    return share >= 1.0f ? 255 : (uint8_t)(share * 255.0f + 0.5f);
}

/* Puts row (inputs, channels first) at (top, left) of the picture. */
static void draw_row(const struct model *m, struct image *image, size_t top,
                     size_t left, size_t zoom, const float *row, float low,
                     float high)
{
    size_t h = tile_height(m), w = tile_width(m);
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            struct colour colour;
            for (size_t c = 0; c < image->channels; c++)
                colour.part[c] = shade(row[(c * h + y) * w + x], low, high);
            canvas_rectangle(image, top + y * zoom, left + x * zoom, zoom, zoom,
                             colour);
        }
}

/* The grey in the middle is zero. Whitening's way back makes slow waves large,
 * so that atoms have levels of their own behind which their shape is lost:
 * there it is the atom's mean. */
static void draw_atom(const struct sheet *s, size_t top, size_t left,
                      const float *atom)
{
    size_t n = model_inputs(s->m);
    float level = 0, most = 0;
    if (preprocess_mixes(&s->m->preprocess))
        for (size_t i = 0; i < n; i++)
            level += atom[i] / (float)n;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(atom[i] - level));
    if (most == 0.0f)
        most = 1;
    draw_row(s->m, s->image, top, left, s->zoom, atom, level - most,
             level + most);
}

static double smaller_step(const struct sheet *s)
{
    return (double)(s->step_x < s->step_y ? s->step_x : s->step_y);
}

static struct colour colour_of(double angle, double selectivity)
{
    return colour_of_turn(angle / M_PI, selectivity);
}

static double within(double x, double margin, double side)
{
    return fmin(fmax(x, margin), side - margin);
}

/* The tile's colour, and where the atom's energy lies a line along its
 * stripes, the longer the wider they are. */
static void draw_orientation(const struct sheet *s, size_t top, size_t left,
                             const float *atom)
{
    struct orientation o = orientation_of(atom, &s->m->input);
    double zoom = (double)s->zoom, side = smaller_step(s);
    canvas_rectangle(s->image, top, left, s->step_y - 1, s->step_x - 1,
                     colour_of((double)o.angle, (double)o.selectivity));
    if (o.selectivity <= 0.0f)
        return;
    double half =
        within(0.25 * zoom / (double)o.frequency, 0.15 * side, 0.45 * side);
    double x = within(zoom * (double)o.x, half, (double)s->step_x - 1);
    double y = within(zoom * (double)o.y, half, (double)s->step_y - 1);
    double dx = half * cos((double)o.angle), dy = half * sin((double)o.angle);
    x += (double)left;
    y += (double)top;
    canvas_line(s->image, x - dx, y + dy, x + dx, y - dy, fmax(1, 0.05 * side),
                ink);
}

/* ---- the whole picture ---- */

static void draw_edges(const struct sheet *s)
{
    double x_step = (double)s->step_x, y_step = (double)s->step_y;
    double thickness = fmax(1, 0.04 * smaller_step(s));
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
    size_t top = (size_t)(p.y * (float)s->step_y) + 1;
    size_t left = (size_t)(p.x * (float)s->step_x) + 1;
    if (view == RENDER_ORIENTATION)
        draw_orientation(s, top, left, atom);
    else
        draw_atom(s, top, left, atom);
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

/* Each direction from the middle in its own colour, full at the rim; spokes
 * like the lines of the tiles. */
static void draw_wheel(const struct sheet *s)
{
    double radius = 0.5 * (double)s->wheel - 1;
    double x0 = radius + 1, y0 = (double)s->image->height - radius - 1;
    for (double y = y0 - radius; y < y0 + radius; y++)
        for (double x = x0 - radius; x < x0 + radius; x++) {
            double dx = floor(x) + 0.5 - x0, dy = y0 - floor(y) - 0.5;
            double share = hypot(dx, dy) / radius;
            if (share <= 1)
                canvas_rectangle(s->image, (size_t)y, (size_t)x, 1, 1,
                                 colour_of(atan2(dy, dx), share));
        }
    for (int i = 0; i < 16; i++) {
        double dx = radius * cos(i * M_PI / 8), dy = radius * sin(i * M_PI / 8);
        canvas_line(s->image, x0 + 0.6 * dx, y0 - 0.6 * dy, x0 + 0.9 * dx,
                    y0 - 0.9 * dy, fmax(1, 0.03 * radius), ink);
    }
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
    size_t channels = options->view == RENDER_ORIENTATION
                          ? 3
                          : picture_channels(&s->m->input);
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
        draw_wheel(s);
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
    if (canvas_init(out, tile_height(m), tile_width(m),
                    picture_channels(&m->input), ground, e))
        return e->code;
    draw_row(m, out, 0, 0, 1, row, low, high);
    return ERR_OK;
}
