/* whiten: y = W (x - mean), W = V (Lambda + epsilon mean(Lambda))^(-1/2) V',
 * where V Lambda V' is the covariance of the rows that a model starts from
 * (ZCA: Bell & Sejnowski 1997). Numbers become uncorrelated and keep their
 * place in the picture. The way back is x = W^-1 y + mean.
 *
 * epsilon is the share of the mean eigenvalue under which a direction counts as
 * noise and is no longer raised to the others.
 */
#include "lib/base/mem.h"
#include "lib/math/blas.h"
#include "lib/math/eigen.h"
#include "lib/math/kernels.h"
#include "lib/model/preprocess_kind.h"

#include <math.h>
#include <string.h>

#define MAX_INPUTS 4096 /* two matrices of 64 MiB; eigenvalues in minutes */

static enum err_code configure(struct preprocess_step *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e)
{
    const size_t m = space_size(&s->in);
    static const enum param_axis fixed[] = {AXIS_FIXED, AXIS_FIXED};
    double epsilon = 0.01;
    if (json_get_number(j, where, "epsilon", 1e-6, 100, &epsilon, e))
        return e->code;
    if (m > MAX_INPUTS)
        return err_set(e, ERR_TOO_LARGE,
                       "%s: takes at most %d inputs, there are %zu", where,
                       MAX_INPUTS, m);
    const size_t square[] = {m, m};
    s->epsilon = (float)epsilon;
    s->mean = params_add(params, "preprocess.mean", 1, &m, fixed, e);
    if (s->mean)
        s->whiten =
            params_add(params, "preprocess.whiten", 2, square, fixed, e);
    if (s->whiten)
        s->unwhiten =
            params_add(params, "preprocess.unwhiten", 2, square, fixed, e);
    if (!s->unwhiten)
        return e->code;
    s->mean->rate = s->whiten->rate = s->unwhiten->rate = 0;
    return ERR_OK;
}

/* ---- learning ---- */

static void subtract_mean(const struct preprocess_step *s, float *x, size_t B,
                          size_t m)
{
    for (size_t b = 0; b < B; b++)
        vec_add(x + b * m, s->mean->value, -1.0f, m);
}

static enum err_code find_mean(float *mean, const float *x, size_t n, size_t m,
                               struct err *e)
{
    double *sum = mem_array(m, sizeof *sum);
    if (!sum)
        return err_set(e, ERR_NO_MEMORY, "mean of %zu inputs", m);
    for (size_t b = 0; b < n; b++)
        for (size_t i = 0; i < m; i++)
            sum[i] += (double)x[b * m + i];
    for (size_t i = 0; i < m; i++)
        mean[i] = (float)(sum[i] / (double)n);
    mem_free(sum);
    return ERR_OK;
}

/* The covariance into c (m,m), by blocks of rows: a block's products in single
 * precision, their sum in double. `block` (rows,m) and `product` (m,m) are
 * room. */
static void find_covariance(const struct preprocess_step *s, double *c,
                            const float *x, size_t n, size_t m, float *block,
                            size_t rows, float *product)
{
    memset(c, 0, m * m * sizeof *c);
    for (size_t at = 0; at < n; at += rows) {
        size_t B = n - at < rows ? n - at : rows;
        memcpy(block, x + at * m, B * m * sizeof *block);
        subtract_mean(s, block, B, m);
        blas_gemm(product, BLAS_TRANSPOSED, block, BLAS_PLAIN, block, m, m, B,
                  1.0f / (float)n, 0);
        for (size_t i = 0; i < m * m; i++)
            c[i] += (double)product[i];
    }
    /* The two halves were summed in different orders. */
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < i; j++)
            c[i * m + j] = c[j * m + i] = (c[i * m + j] + c[j * m + i]) / 2;
}

/* out (m,m) = V' diag(roots)^2 V, V (m,m) having eigenvectors as rows. */
static void rebuild(float *out, const double *v, const double *roots, size_t m,
                    float *room)
{
    for (size_t k = 0; k < m; k++)
        for (size_t i = 0; i < m; i++)
            room[k * m + i] = (float)(roots[k] * v[k * m + i]);
    blas_gemm(out, BLAS_TRANSPOSED, room, BLAS_PLAIN, room, m, m, m, 1, 0);
}

static enum err_code find_matrices(const struct preprocess_step *s, double *c,
                                   double *values, size_t m, float *room,
                                   struct err *e)
{
    double mean = 0;
    for (size_t i = 0; i < m; i++)
        mean += c[i * m + i] / (double)m;
    if (!(mean > 0))
        return err_set(e, ERR_SHAPE,
                       "the rows to start from are all the same: there is "
                       "nothing to whiten");
    if (eigen_symmetric(c, values, m, e))
        return err_wrap(e, "whitening");
    for (size_t k = 0; k < m; k++) {
        /* Rounding may leave a zero below zero. */
        double value = fmax(values[k], 0) + (double)s->epsilon * mean;
        values[k] = pow(value, -0.25);
    }
    rebuild(s->whiten->value, c, values, m, room);
    for (size_t k = 0; k < m; k++)
        values[k] = 1 / values[k];
    rebuild(s->unwhiten->value, c, values, m, room);
    return ERR_OK;
}

static enum err_code start(const struct preprocess_step *s, const float *x,
                           size_t n, size_t m, struct err *e)
{
    enum { ROWS = 1024 };
    size_t rows = n < ROWS ? n : ROWS;
    if (n < 2)
        return err_set(e, ERR_SHAPE,
                       "whitening is learned from the rows to start from: "
                       "there are %zu, want 2 or more, better several for "
                       "each of the %zu inputs",
                       n, m);
    double *c = mem_array(m * m, sizeof *c);
    double *values = mem_array(m, sizeof *values);
    float *block = mem_array(rows * m, sizeof *block);
    float *room = mem_array(m * m, sizeof *room);
    enum err_code code = ERR_OK;
    if (!c || !values || !block || !room)
        code = err_set(e, ERR_NO_MEMORY, "whitening of %zu inputs", m);
    if (!code)
        code = find_mean(s->mean->value, x, n, m, e);
    if (!code) {
        find_covariance(s, c, x, n, m, block, rows, room);
        code = find_matrices(s, c, values, m, room, e);
    }
    mem_free(c);
    mem_free(values);
    mem_free(block);
    mem_free(room);
    return code;
}

/* ---- running ---- */

/* x (B,m) = x W, W symmetric. */
static void multiply(float *x, const struct param *w, size_t B, size_t m,
                     struct arena *scratch)
{
    struct arena_mark mark = arena_mark(scratch);
    float *in = arena_take(scratch, B * m, sizeof *in);
    memcpy(in, x, B * m * sizeof *in);
    blas_gemm(x, BLAS_PLAIN, in, BLAS_TRANSPOSED, w->value, B, m, m, 1, 0);
    arena_rewind(scratch, mark);
}

static void apply(const struct preprocess_step *s, float *x, float *scale,
                  size_t B, size_t m, struct arena *scratch)
{
    (void)scale;
    subtract_mean(s, x, B, m);
    multiply(x, s->whiten, B, m, scratch);
}

static void undo(const struct preprocess_step *s, float *x, const float *scale,
                 size_t B, size_t m, struct arena *scratch)
{
    (void)scale;
    multiply(x, s->unwhiten, B, m, scratch);
    for (size_t b = 0; b < B; b++)
        vec_add(x + b * m, s->mean->value, 1.0f, m);
}

static size_t scratch_bytes(size_t B, size_t m)
{
    return B * m * sizeof(float) + MEM_ALIGN;
}

static int emit(const struct preprocess_step *s, struct graph *g, int x,
                int *scale)
{
    (void)scale;
    x = g->apply(g, GRAPH_SUBTRACT, x, param_emit(s->mean, g));
    return g->apply(g, GRAPH_PRODUCT, x, param_emit(s->whiten, g));
}

static int emit_undo(const struct preprocess_step *s, struct graph *g, int x,
                     int scale)
{
    (void)scale;
    x = g->apply(g, GRAPH_PRODUCT, x, param_emit(s->unwhiten, g));
    return g->apply(g, GRAPH_ADD, x, param_emit(s->mean, g));
}

const struct preprocess_kind preprocess_whiten = {
    .name = "whiten",
    .settings = (const char *const[]){"epsilon", NULL},
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
