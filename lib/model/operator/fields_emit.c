/* Unfold, weigh, fold. */
#include "lib/model/operator/fields_emit.h"

#include "lib/base/mem.h"
#include "lib/math/convolution.h"

/* The maps of the unfolded picture: sheet, place among those that share the
 * field, tap. */
struct unfolded {
    size_t taps, share, maps;
    size_t rows, columns; /* of fields */
};

static struct unfolded unfolded_of(const struct fields *f)
{
    struct unfolded u = {.taps =
                             f->channels * f->kernel_height * f->kernel_width,
                         .share = f->share,
                         .rows = f->rows / f->share,
                         .columns = f->columns / f->share};
    u.maps = f->sheets * u.share * u.share * u.taps;
    return u;
}

/* Zeros; NULL where the product overflows or memory is out. */
static float *zeros(struct graph *g, size_t a, size_t b)
{
    size_t n;
    return mem_mul(a, b, &n) ? arena_zeroed(g->memory, n, sizeof(float)) : NULL;
}

/* Map m is tap m % taps of its field. */
static int emit_unfolding(const struct fields *f, struct graph *g, int x,
                          bool reversed)
{
    struct unfolded u = unfolded_of(f);
    struct convolution *c = arena_take(g->memory, 1, sizeof *c);
    float *w = zeros(g, u.maps, u.taps);
    if (!c || !w)
        return GRAPH_NONE;
    for (size_t m = 0; m < u.maps; m++)
        w[m * u.taps + m % u.taps] = 1;
    *c = (struct convolution){.channels = f->channels,
                              .height = f->height,
                              .width = f->width,
                              .maps = u.maps,
                              .rows = u.rows,
                              .columns = u.columns,
                              .kernel_height = f->kernel_height,
                              .kernel_width = f->kernel_width,
                              .stride = f->stride,
                              .padding_y = f->padding,
                              .padding_x = f->padding};
    const size_t dims[] = {u.maps, f->channels, f->kernel_height,
                           f->kernel_width};
    return g->convolve(g, x, g->constant(g, "unfolding", w, 4, dims), c,
                       reversed);
}

/* The sheets as a picture, of which each map has one place in each block of
 * share x share. */
static int emit_folding(const struct fields *f, struct graph *g, int x,
                        bool reversed)
{
    struct unfolded u = unfolded_of(f);
    size_t block = u.share * u.share;
    struct convolution *c = arena_take(g->memory, 1, sizeof *c);
    float *w = zeros(g, u.maps, f->sheets * block);
    if (!c || !w)
        return GRAPH_NONE;
    for (size_t m = 0; m < u.maps; m++)
        w[m * f->sheets * block + m / u.taps] = 1;
    *c = (struct convolution){.channels = f->sheets,
                              .height = f->rows,
                              .width = f->columns,
                              .maps = u.maps,
                              .rows = u.rows,
                              .columns = u.columns,
                              .kernel_height = u.share,
                              .kernel_width = u.share,
                              .stride = u.share};
    const size_t dims[] = {u.maps, f->sheets, u.share, u.share};
    return g->convolve(g, x, g->constant(g, "folding", w, 4, dims), c,
                       reversed);
}

/* The weight of each unit for each tap, (maps,rows,columns). */
static int emit_weights(const struct fields *f, const struct param *weight,
                        struct graph *g, int x)
{
    struct unfolded u = unfolded_of(f);
    float *out = zeros(g, u.maps, u.rows * u.columns), *at = out;
    if (!out)
        return GRAPH_NONE;
    for (size_t m = 0; m < u.maps; m++) {
        size_t tap = m % u.taps, place = m / u.taps % (u.share * u.share);
        size_t sheet = m / u.taps / (u.share * u.share);
        for (size_t i = 0; i < u.rows; i++)
            for (size_t j = 0; j < u.columns; j++) {
                size_t y = (i * u.share + place / u.share) % f->cell_rows;
                size_t z = (j * u.share + place % u.share) % f->cell_columns;
                size_t unit = (sheet * f->cell_rows + y) * f->cell_columns + z;
                *at++ = weight->value[unit * u.taps + tap];
            }
    }
    const size_t n = u.maps * u.rows * u.columns;
    return g->apply(g, GRAPH_MULTIPLY, x,
                    g->constant(g, weight->name, out, 1, &n));
}

int fields_emit(const struct fields *f, const struct param *weight,
                struct graph *g, int x, bool reversed)
{
    x = reversed ? emit_folding(f, g, x, false)
                 : emit_unfolding(f, g, x, false);
    x = emit_weights(f, weight, g, x);
    return reversed ? emit_unfolding(f, g, x, true)
                    : emit_folding(f, g, x, true);
}
