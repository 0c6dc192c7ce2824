/* whiten_filter: whitening for pictures too large for a matrix of all pixels.
 * Neighbouring pixels of photographs are alike: their amplitudes fall with the
 * frequency f (cycles a pixel). So frequencies are raised, up to a cut-off over
 * which there is mostly noise (Olshausen & Field 1997, with power 1):
 *
 *   r(f) = (f/cutoff)^power exp(-(f/cutoff)^4)
 *
 * The picture is mirrored at its edges: then a filter is a product of each
 * frequency with a number in the discrete cosine transform (DCT-II),
 *
 *   y = R' (r * (R x C')) C
 *
 * for each channel, R and C being the orthonormal transforms of columns and
 * rows. r is scaled so that the rows that a model starts from have a mean
 * square of 1. What r makes 0 is lost, the mean above all; where it is small,
 * going all the way back would raise every error of a drawing as much. So
 *
 *   back = r / (r^2 + epsilon^2 max(r)^2)
 *
 * with the mean of those rows put back: a drawing has the frequencies that the
 * filter passes, and not the others.
 */
#include "lib/base/mem.h"
#include "lib/math/blas.h"
#include "lib/math/kernels.h"
#include "lib/model/preprocess_kind.h"

#include <math.h>
#include <string.h>

#define MAX_SIDE 1024 /* four matrices of 4 MiB */

static enum err_code declare(struct preprocess_step *s, struct params *params,
                             struct err *e)
{
    static const enum param_axis fixed[] = {AXIS_FIXED, AXIS_FIXED};
    const size_t h = s->in.height, w = s->in.width;
    const struct {
        struct param **at;
        const char *name;
        size_t rank, dims[2];
    } tensors[] = {{&s->mean, "preprocess.mean", 1, {s->in.channels}},
                   {&s->rows, "preprocess.rows", 2, {h, h}},
                   {&s->columns, "preprocess.columns", 2, {w, w}},
                   {&s->whiten, "preprocess.whiten", 2, {h, w}},
                   {&s->unwhiten, "preprocess.unwhiten", 2, {h, w}}};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        struct param *p = params_add(params, tensors[i].name, tensors[i].rank,
                                     tensors[i].dims, fixed, e);
        if (!p)
            return e->code;
        p->rate = 0;
        *tensors[i].at = p;
    }
    return ERR_OK;
}

static enum err_code configure(struct preprocess_step *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e)
{
    double cutoff = 0.4, power = 1, epsilon = 0.1;
    char text[SPACE_TEXT];
    if (json_get_number(j, where, "cutoff", 0.01, 1, &cutoff, e) ||
        json_get_number(j, where, "power", 0.1, 8, &power, e) ||
        json_get_number(j, where, "epsilon", 1e-6, 1, &epsilon, e))
        return e->code;
    if (s->in.height > MAX_SIDE || s->in.width > MAX_SIDE)
        return err_set(e, ERR_TOO_LARGE,
                       "%s: takes pictures of at most %d a side, the input is "
                       "%s",
                       where, MAX_SIDE, space_text(text, &s->in));
    if (s->in.height < 2 || s->in.width < 2)
        return err_set(e, ERR_SHAPE,
                       "%s: filters pictures ([height,width] or "
                       "[channels,height,width], 2 or more a side), the input "
                       "is %s",
                       where, space_text(text, &s->in));
    s->cutoff = (float)cutoff;
    s->power = (float)power;
    s->epsilon = (float)epsilon;
    return declare(s, params, e);
}

/* ---- the transform ---- */

/* t (n,n): row k is the cosine with k half turns over n pixels, of norm 1. */
static void set_cosines(float *t, size_t n)
{
    const double pi = 3.14159265358979323846;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < n; i++)
            t[k * n + i] =
                (float)(sqrt((k ? 2.0 : 1.0) / (double)n) *
                        cos(pi * (double)k * ((double)i + 0.5) / (double)n));
}

/* x (planes,H,W) to its frequencies; room of the same size. */
static void to_frequencies(const struct preprocess_step *s, float *x,
                           size_t planes, float *room)
{
    size_t h = s->in.height, w = s->in.width;
    blas_gemm(room, BLAS_PLAIN, x, BLAS_TRANSPOSED, s->columns->value,
              planes * h, w, w, 1, 0);
    for (size_t p = 0; p < planes; p++)
        blas_gemm(x + p * h * w, BLAS_PLAIN, s->rows->value, BLAS_PLAIN,
                  room + p * h * w, h, w, h, 1, 0);
}

static void from_frequencies(const struct preprocess_step *s, float *x,
                             size_t planes, float *room)
{
    size_t h = s->in.height, w = s->in.width;
    for (size_t p = 0; p < planes; p++)
        blas_gemm(room + p * h * w, BLAS_TRANSPOSED, s->rows->value, BLAS_PLAIN,
                  x + p * h * w, h, w, h, 1, 0);
    blas_gemm(x, BLAS_PLAIN, room, BLAS_PLAIN, s->columns->value, planes * h, w,
              w, 1, 0);
}

/* Each plane's frequencies times those of a filter (H,W). */
static void filter(const struct preprocess_step *s, const struct param *by,
                   float *x, size_t planes, struct arena *scratch)
{
    struct arena_mark mark = arena_mark(scratch);
    size_t n = s->in.height * s->in.width;
    float *room = arena_take(scratch, planes * n, sizeof *room);
    to_frequencies(s, x, planes, room);
    for (size_t p = 0; p < planes; p++)
        for (size_t i = 0; i < n; i++)
            x[p * n + i] *= by->value[i];
    from_frequencies(s, x, planes, room);
    arena_rewind(scratch, mark);
}

/* ---- learning ---- */

static double response(const struct preprocess_step *s, size_t i, size_t k)
{
    double across = (double)k / (double)(2 * s->in.width);
    double down = (double)i / (double)(2 * s->in.height);
    double f = sqrt(across * across + down * down) / (double)s->cutoff;
    return pow(f, (double)s->power) * exp(-f * f * f * f);
}

/* The filter, its size still as in the formula, and the transforms. */
static void set_filter(const struct preprocess_step *s)
{
    set_cosines(s->rows->value, s->in.height);
    set_cosines(s->columns->value, s->in.width);
    for (size_t i = 0; i < s->in.height; i++)
        for (size_t k = 0; k < s->in.width; k++)
            s->whiten->value[i * s->in.width + k] = (float)response(s, i, k);
}

/* The mean of each channel, and the mean square of what the filter makes of
 * the rows; the transform keeps sums of squares. 0 for what rounding alone
 * leaves. `row` and `room` (m). */
static double measure(const struct preprocess_step *s, const float *x, size_t n,
                      float *row, float *room)
{
    size_t pixels = s->in.height * s->in.width, C = s->in.channels;
    double squares = 0, whole = 0;
    for (size_t c = 0; c < C; c++) {
        double sum = 0;
        for (size_t b = 0; b < n; b++)
            for (size_t i = 0; i < pixels; i++)
                sum += (double)x[(b * C + c) * pixels + i];
        s->mean->value[c] = (float)(sum / (double)(n * pixels));
    }
    for (size_t b = 0; b < n; b++) {
        memcpy(row, x + b * C * pixels, C * pixels * sizeof *row);
        to_frequencies(s, row, C, room);
        for (size_t i = 0; i < C * pixels; i++) {
            double y = (double)row[i] * (double)s->whiten->value[i % pixels];
            squares += y * y;
            whole += (double)row[i] * (double)row[i];
        }
    }
    if (squares <= 1e-11 * whole)
        return 0;
    return squares / (double)(n * C * pixels);
}

static void set_back(const struct preprocess_step *s)
{
    const float *r = s->whiten->value;
    double noise =
        (double)s->epsilon * (double)vec_largest(r, s->whiten->count);
    for (size_t i = 0; i < s->whiten->count; i++)
        s->unwhiten->value[i] =
            (float)((double)r[i] /
                    ((double)r[i] * (double)r[i] + noise * noise));
}

static enum err_code start(const struct preprocess_step *s, const float *x,
                           size_t n, size_t m, struct err *e)
{
    float *row = mem_array(m, sizeof *row), *room = mem_array(m, sizeof *room);
    double square = 0;
    if (row && room && n > 0) {
        set_filter(s);
        square = measure(s, x, n, row, room);
    }
    bool memory = row && room;
    mem_free(row);
    mem_free(room);
    if (!memory)
        return err_set(e, ERR_NO_MEMORY, "a filter for %zu inputs", m);
    if (!(square > 0) || !isfinite(square))
        return err_set(e, ERR_SHAPE,
                       "the filter leaves nothing of the %zu rows to start "
                       "from, by which its size is set: %s",
                       n, n ? "are they all of one shade?" : "there are none");
    vec_scale(s->whiten->value, (float)(1 / sqrt(square)), s->whiten->count);
    set_back(s);
    return ERR_OK;
}

/* ---- running ---- */

static void apply(const struct preprocess_step *s, float *x, float *scale,
                  size_t B, size_t m, struct arena *scratch)
{
    (void)scale;
    (void)m;
    filter(s, s->whiten, x, B * s->in.channels, scratch);
}

static void undo(const struct preprocess_step *s, float *x, const float *scale,
                 size_t B, size_t m, struct arena *scratch)
{
    (void)scale;
    size_t pixels = s->in.height * s->in.width;
    filter(s, s->unwhiten, x, B * s->in.channels, scratch);
    for (size_t i = 0; i < B * m; i++)
        x[i] += s->mean->value[i / pixels % s->in.channels];
}

static size_t scratch_bytes(size_t B, size_t m)
{
    return B * m * sizeof(float) + MEM_ALIGN;
}

/* The orthonormal matrix (n,n) the other way. */
static const float *transposed(const struct param *p, struct graph *g)
{
    size_t n = p->dims[0];
    float *out = arena_take(g->memory, n * n, sizeof *out);
    if (out)
        transpose(out, p->value, n, n);
    return out;
}

static int emit_filter(const struct preprocess_step *s, struct graph *g, int x,
                       const struct param *by)
{
    size_t m = space_size(&s->in);
    float *factors = arena_take(g->memory, m, sizeof *factors);
    const float *rows = transposed(s->rows, g);
    const float *columns = transposed(s->columns, g);
    const struct graph_axis as_it_is = {NULL, NULL};
    if (!factors || !rows || !columns)
        return GRAPH_NONE;
    for (size_t i = 0; i < m; i++)
        factors[i] = by->value[i % by->count];
    x = graph_along_axes(
        g, x, &s->in, as_it_is,
        (struct graph_axis){s->rows->name, s->rows->value},
        (struct graph_axis){s->columns->name, s->columns->value});
    x = g->apply(g, GRAPH_MULTIPLY, x,
                 g->constant(g, by->name, factors, 1, &m));
    return graph_along_axes(g, x, &s->in, as_it_is,
                            (struct graph_axis){s->rows->name, rows},
                            (struct graph_axis){s->columns->name, columns});
}

static int emit(const struct preprocess_step *s, struct graph *g, int x,
                int *scale)
{
    (void)scale;
    return emit_filter(s, g, x, s->whiten);
}

static int emit_undo(const struct preprocess_step *s, struct graph *g, int x,
                     int scale)
{
    (void)scale;
    size_t m = space_size(&s->in), pixels = s->in.height * s->in.width;
    float *mean = arena_take(g->memory, m, sizeof *mean);
    if (!mean)
        return GRAPH_NONE;
    for (size_t i = 0; i < m; i++)
        mean[i] = s->mean->value[i / pixels];
    x = emit_filter(s, g, x, s->unwhiten);
    return g->apply(g, GRAPH_ADD, x,
                    g->constant(g, s->mean->name, mean, 1, &m));
}

const struct preprocess_kind preprocess_filter = {
    .name = "whiten_filter",
    .settings = (const char *const[]){"cutoff", "power", "epsilon", NULL},
    .learns = true,
    .mixes = true,
    .configure = configure,
    .start = start,
    .apply = apply,
    .undo = undo,
    .scratch_bytes = scratch_bytes,
    .emit = emit,
    .emit_undo = emit_undo,
};
