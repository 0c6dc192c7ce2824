/* Atoms as pictures. */
#include "lib/model/render.h"

#include "lib/base/mem.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static const uint8_t background = 32; /* darker than the grey of zero */
static const size_t readable_side = 56;

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
static void draw_tile(const struct model *m, struct image *image, size_t top,
                      size_t left, size_t zoom, const float *row, float low,
                      float high)
{
    size_t h = tile_height(m), w = tile_width(m);
    for (size_t y = 0; y < h * zoom; y++)
        for (size_t x = 0; x < w * zoom; x++)
            for (size_t c = 0; c < image->channels; c++) {
                size_t at = (c * h + y / zoom) * w + x / zoom;
                size_t pixel = (top + y) * image->width + left + x;
                image->pixels[pixel * image->channels + c] =
                    shade(row[at], low, high);
            }
}

static enum err_code make_image(struct image *out, size_t height, size_t width,
                                size_t channels, struct err *e)
{
    if (height > IMAGE_MAX_SIDE || width > IMAGE_MAX_SIDE ||
        height * width > IMAGE_MAX_PIXELS)
        return err_set(e, ERR_TOO_LARGE,
                       "a picture of %zu x %zu: at most %d a side, %zu pixels",
                       height, width, IMAGE_MAX_SIDE, IMAGE_MAX_PIXELS);
    *out =
        (struct image){.height = height, .width = width, .channels = channels};
    out->pixels = mem_array(height * width, channels);
    if (!out->pixels)
        return err_set(e, ERR_NO_MEMORY, "a picture of %zu x %zu", height,
                       width);
    memset(out->pixels, background, height * width * channels);
    return ERR_OK;
}

static float largest_size(const float *x, size_t n)
{
    float top = 0;
    for (size_t i = 0; i < n; i++)
        if (fabsf(x[i]) > top)
            top = fabsf(x[i]);
    return top > 0 ? top : 1.0f;
}

/* One pixel between tiles; zoom so that a tile is readable, within the side
 * that is allowed. */
static size_t choose_zoom(const struct model *m, const struct layout *layout,
                          const struct render_options *options)
{
    size_t h = tile_height(m), w = tile_width(m);
    size_t max_side = options->max_side ? options->max_side : 2048;
    size_t longest = h > w ? h : w;
    size_t zoom =
        options->zoom ? options->zoom : (readable_side + longest - 1) / longest;
    while (zoom > 1 &&
           ((double)layout->width * (double)(w * zoom + 1) > (double)max_side ||
            (double)layout->height * (double)(h * zoom + 1) > (double)max_side))
        zoom--;
    return zoom;
}

static enum err_code draw_atoms(const struct model *m, const struct layer *l,
                                const struct layout *layout, size_t zoom,
                                struct image *out, struct arena *memory,
                                struct err *e)
{
    size_t n = layer_units(l), inputs = model_inputs(m);
    size_t step_x = tile_width(m) * zoom + 1;
    size_t step_y = tile_height(m) * zoom + 1;
    float *code = arena_zeroed(memory, n, sizeof *code);
    float *atom = arena_take(memory, inputs, sizeof *atom);
    if (!code || !atom)
        return err_set(e, ERR_NO_MEMORY, "atoms");
    for (size_t i = 0; i < n; i++) {
        struct layout_place p = layout->places[i];
        code[i] = 1.0f;
        if (model_decode(m, l->index, atom, code, NULL, 1, memory, e))
            return e->code;
        code[i] = 0.0f;
        float top = largest_size(atom, inputs);
        draw_tile(m, out, (size_t)(p.y * (float)step_y) + 1,
                  (size_t)(p.x * (float)step_x) + 1, zoom, atom, -top, top);
    }
    return ERR_OK;
}

static enum err_code render(const struct model *m,
                            const struct render_options *options,
                            struct image *out, struct arena *memory,
                            struct err *e)
{
    struct layout layout;
    if (options->layer >= m->n_layers)
        return err_set(e, ERR_NOT_FOUND, "layer %zu: there are %zu",
                       options->layer, m->n_layers);
    const struct layer *l = &m->layers[options->layer];
    if (!l->dec.kind)
        return err_set(e, ERR_CONFLICT, "layer %zu has no decoder",
                       options->layer);
    if (l->structure.kind->layout(&l->structure, &layout, memory, e))
        return e->code;
    size_t zoom = choose_zoom(m, &layout, options);
    double width =
        ceil((double)layout.width * (double)(tile_width(m) * zoom + 1)) + 1;
    double height =
        ceil((double)layout.height * (double)(tile_height(m) * zoom + 1)) + 1;
    double most =
        options->max_side ? (double)options->max_side : IMAGE_MAX_SIDE;
    if (width > most || height > most)
        return err_set(e, ERR_TOO_LARGE,
                       "a picture of %.0f x %.0f is the smallest: the longest "
                       "side allowed is %.0f",
                       height, width, most);
    if (make_image(out, (size_t)height, (size_t)width,
                   picture_channels(&m->input), e))
        return e->code;
    if (draw_atoms(m, l, &layout, zoom, out, memory, e)) {
        image_fini(out);
        return e->code;
    }
    return ERR_OK;
}

enum err_code render_atoms(const struct model *m,
                           const struct render_options *options,
                           struct image *out, struct err *e)
{
    struct arena memory;
    arena_init(&memory, (size_t)256 << 20);
    enum err_code code = render(m, options, out, &memory, e);
    arena_fini(&memory);
    return code;
}

enum err_code render_row(const struct model *m, const float *row, float low,
                         float high, struct image *out, struct err *e)
{
    if (make_image(out, tile_height(m), tile_width(m),
                   picture_channels(&m->input), e))
        return e->code;
    draw_tile(m, out, 0, 0, 1, row, low, high);
    return ERR_OK;
}
