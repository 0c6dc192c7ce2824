/* local_contrast: each pixel by how much the pixels around it deviate from 0,
 *
 *   y = x / max(sqrt(g * x^2), floor)
 *
 * g * being a Gaussian mean of deviation sigma over the picture, mirrored at
 * its edges, and over its channels. What is faint in one part of a picture then
 * counts as much as what is strong in another (after a step that takes means
 * away: Jarrett, Kavukcuoglu, Ranzato & LeCun 2009). `floor` is the deviation
 * under which there is nothing to see, in the numbers of the step before.
 *
 * There is no way back, for nobody keeps the deviations: a drawing stays even
 * in contrast.
 */
#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/model/preprocess_kind.h"

#include <math.h>
#include <string.h>

enum { MAX_SIGMA = 32, RADIUS = 3 }; /* of the mean, in sigmas */

static enum err_code configure(struct preprocess_step *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e)
{
    (void)params;
    double sigma = 4, floor = 0.3;
    if (json_get_number(j, where, "sigma", 0.3, MAX_SIGMA, &sigma, e) ||
        json_get_number(j, where, "floor", 1e-6, 1e6, &floor, e))
        return e->code;
    s->sigma = (float)sigma;
    s->floor = (float)floor;
    return ERR_OK;
}

/* Half of the Gaussian's weights, from the middle on; returns how many more
 * than the middle there are to each side. */
static size_t set_weights(float weights[RADIUS * MAX_SIGMA + 1], float sigma)
{
    size_t radius = (size_t)ceilf(RADIUS * sigma);
    double sum = 0;
    for (size_t k = 0; k <= radius; k++) {
        double at = (double)k / (double)sigma;
        weights[k] = (float)exp(-at * at / 2);
        sum += (k ? 2 : 1) * (double)weights[k];
    }
    vec_scale(weights, (float)(1 / sum), radius + 1);
    return radius;
}

/* Where i lies in n pixels that are mirrored at both ends, again and again. */
static size_t mirrored(ptrdiff_t i, size_t n)
{
    size_t period = 2 * n;
    size_t at =
        i < 0 ? period - 1 - (size_t)(-i - 1) % period : (size_t)i % period;
    return at < n ? at : period - 1 - at;
}

/* out (length,across) = in blurred along the first axis. */
static void blur(float *out, const float *in, size_t length, size_t across,
                 const float *weights, size_t radius)
{
    memset(out, 0, length * across * sizeof *out);
    for (size_t i = 0; i < length; i++)
        for (ptrdiff_t k = -(ptrdiff_t)radius; k <= (ptrdiff_t)radius; k++)
            vec_add(out + i * across,
                    in + mirrored((ptrdiff_t)i + k, length) * across,
                    weights[k < 0 ? -k : k], across);
}

/* x (H,W) = its Gaussian mean; room of the same size. Rows are columns for
 * a while, so that both ways add whole lines. */
static void blur_both(const struct preprocess_step *s, float *x, float *room)
{
    float weights[RADIUS * MAX_SIGMA + 1];
    size_t radius = set_weights(weights, s->sigma);
    size_t h = s->in.height, w = s->in.width;
    blur(room, x, h, w, weights, radius);
    transpose(x, room, h, w);
    blur(room, x, w, h, weights, radius);
    transpose(x, room, w, h);
}

/* One picture: x (C,H,W). */
static void even_out(const struct preprocess_step *s, float *x, float *square,
                     float *room)
{
    size_t n = s->in.height * s->in.width, C = s->in.channels;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t c = 0; c < C; c++)
            sum += (double)x[c * n + i] * (double)x[c * n + i];
        square[i] = (float)(sum / (double)C);
    }
    blur_both(s, square, room);
    for (size_t i = 0; i < n; i++) {
        float size = sqrtf(square[i]);
        for (size_t c = 0; c < C; c++)
            x[c * n + i] /= size > s->floor ? size : s->floor;
    }
}

static void apply(const struct preprocess_step *s, float *x, float *scale,
                  size_t B, size_t m, struct arena *scratch)
{
    (void)scale;
    struct arena_mark mark = arena_mark(scratch);
    float *square = arena_take(scratch, m, sizeof *square);
    float *room = arena_take(scratch, m, sizeof *room);
    for (size_t b = 0; b < B; b++)
        even_out(s, x + b * m, square, room);
    arena_rewind(scratch, mark);
}

static void undo(const struct preprocess_step *s, float *x, const float *scale,
                 size_t B, size_t m, struct arena *scratch)
{
    (void)s;
    (void)x;
    (void)scale;
    (void)B;
    (void)m;
    (void)scratch;
}

static size_t scratch_bytes(size_t B, size_t m)
{
    (void)B;
    return 2 * (m * sizeof(float) + MEM_ALIGN);
}

/* The Gaussian mean of n pixels in a line, as a matrix (n,n). */
static const float *blur_matrix(const struct preprocess_step *s,
                                struct graph *g, size_t n)
{
    float weights[RADIUS * MAX_SIGMA + 1];
    size_t radius = set_weights(weights, s->sigma), count;
    if (!mem_mul(n, n, &count))
        return NULL;
    float *matrix = arena_take(g->memory, count, sizeof *matrix);
    float *identity = arena_zeroed(g->memory, count, sizeof *identity);
    if (!matrix || !identity)
        return NULL;
    for (size_t i = 0; i < n; i++)
        identity[i * n + i] = 1;
    blur(matrix, identity, n, n, weights, radius);
    return matrix;
}

static const float *mean_matrix(struct graph *g, size_t n)
{
    float *matrix = arena_take(g->memory, n * n, sizeof *matrix);
    for (size_t i = 0; matrix && i < n * n; i++)
        matrix[i] = 1.0f / (float)n;
    return matrix;
}

static int emit(const struct preprocess_step *s, struct graph *g, int x,
                int *scale)
{
    (void)scale;
    static const size_t one = 1;
    const struct graph_axis channels = {"preprocess.mean_of_channels",
                                        mean_matrix(g, s->in.channels)};
    const struct graph_axis rows = {"preprocess.blur_rows",
                                    blur_matrix(s, g, s->in.height)};
    const struct graph_axis columns = {"preprocess.blur_columns",
                                       blur_matrix(s, g, s->in.width)};
    if (!channels.matrix || !rows.matrix || !columns.matrix)
        return GRAPH_NONE;
    int square = g->apply(g, GRAPH_MULTIPLY, x, x);
    square = graph_along_axes(g, square, &s->in, channels, rows, columns);
    int size = g->apply(g, GRAPH_SQRT, square, GRAPH_NONE);
    size = g->apply(g, GRAPH_MAX, size,
                    g->constant(g, "preprocess.floor", &s->floor, 1, &one));
    return g->apply(g, GRAPH_DIVIDE, x, size);
}

static int emit_undo(const struct preprocess_step *s, struct graph *g, int x,
                     int scale)
{
    (void)s;
    (void)g;
    (void)scale;
    return x;
}

const struct preprocess_kind preprocess_contrast = {
    .name = "local_contrast",
    .settings = (const char *const[]){"sigma", "floor", NULL},
    .mixes = true,
    .configure = configure,
    .apply = apply,
    .undo = undo,
    .scratch_bytes = scratch_bytes,
    .emit = emit,
    .emit_undo = emit_undo,
};
