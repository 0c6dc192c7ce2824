/* dense: every output unit is joined to every input unit, y = W x with W
 * (out, in) row-major. Permuting the input changes nothing (Rolfe & LeCun
 * 2013, section 2).
 *
 * For serving, the columns are packed one after another: a product with an
 * input that is mostly zeros then reads only the columns that it needs.
 */
#include "lib/base/mem.h"
#include "lib/math/blas.h"
#include "lib/math/kernels.h"
#include "lib/math/outer.h"
#include "lib/math/product.h"
#include "lib/model/operator/operator.h"

#include <string.h>

static size_t outputs(const struct operator *op)
{
    return space_size(&op->out);
}

static size_t inputs(const struct operator *op)
{
    return space_size(&op->in);
}

static enum err_code shape(struct operator_shape *out, const struct space *in,
                           const struct json *layer, const char *where,
                           struct err *e)
{
    (void)in;
    size_t units = 0;
    if (json_get_size(layer, where, "units", 1, 65536, &units, e))
        return e->code;
    if (units == 0)
        return err_set(e, ERR_INVALID, "%s.units: missing", where);
    *out = (struct operator_shape){.code = space_vector(units),
                                   .cell = space_vector(units)};
    return ERR_OK;
}

static enum err_code declare(struct operator *op, struct params *params,
                             const char *name, struct err *e)
{
    enum param_axis out = AXIS_CODE, in = AXIS_CODE;
    if (op->role == OPERATOR_ENCODES)
        in = AXIS_INPUT;
    else if (op->role == OPERATOR_DECODES)
        out = AXIS_INPUT;
    /* Units of several heads do not stand one for one. */
    if (outputs(op) > space_size(&op->shape.cell) &&
        op->role == OPERATOR_ENCODES)
        out = AXIS_FIXED;
    op->weight =
        params_add(params, name, 2, (size_t[]){outputs(op), inputs(op)},
                   (enum param_axis[]){out, in}, e);
    return op->weight ? ERR_OK : e->code;
}

static void limit(struct operator *op, enum operator_side side, float bound)
{
    op->weight->bound = bound;
    op->weight->project =
        side == OPERATOR_ROWS ? param_limit_rows : param_limit_columns;
}

/* ---- starting values ---- */

static void column_norm_1(float *w, size_t m, size_t n, size_t column)
{
    double sum = 0;
    for (size_t r = 0; r < m; r++)
        sum += (double)w[r * n + column] * (double)w[r * n + column];
    float factor = sum > 0 ? (float)(1.0 / __builtin_sqrt(sum)) : 0.0f;
    for (size_t r = 0; r < m; r++)
        w[r * n + column] *= factor;
}

static void start(struct operator *op, struct rng *rng, const float *samples,
                  size_t n_samples, float lean)
{
    size_t m = outputs(op), n = inputs(op);
    float *w = op->weight->value;
    for (size_t c = 0; c < n; c++) {
        for (size_t r = 0; r < m; r++)
            w[r * n + c] = rng_uniform(rng, -1, 1);
        column_norm_1(w, m, n, c);
        if (n_samples == 0 || lean == 0.0f)
            continue;
        const float *sample = samples + rng_below(rng, n_samples) * m;
        for (size_t r = 0; r < m; r++)
            w[r * n + c] += lean * sample[r];
        column_norm_1(w, m, n, c);
    }
}

static void start_adjoint(struct operator *op, const struct operator *other,
                          float scale)
{
    transpose(op->weight->value, other->weight->value, outputs(other),
              inputs(other));
    vec_scale(op->weight->value, scale, other->weight->count);
    memset(op->weight->value + other->weight->count, 0,
           (op->weight->count - other->weight->count) * sizeof(float));
}

static void start_residual(struct operator *op, const struct operator *other,
                           float scale)
{
    size_t m = outputs(other), n = inputs(other);
    float *w = op->weight->value;
    const float *d = other->weight->value;
    blas_gemm(w, BLAS_TRANSPOSED, d, BLAS_PLAIN, d, n, n, m, -scale, 0);
    for (size_t i = 0; i < n; i++)
        w[i * n + i] += 1.0f;
}

static enum err_code resize(struct json *layer, size_t kept, struct err *e)
{
    if (kept == 0)
        return err_set(e, ERR_INVALID, "no unit is left");
    json_set(layer, "units", json_new_number((double)kept));
    return ERR_OK;
}

/* ---- running ---- */

static enum err_code prepare(struct operator *op, struct err *e)
{
    if (!op->packed)
        op->packed = mem_array(op->weight->count, sizeof(float));
    if (!op->packed)
        return err_set(e, ERR_NO_MEMORY, "%s: packed copy", op->weight->name);
    transpose(op->packed, op->weight->value, outputs(op), inputs(op));
    return ERR_OK;
}

static void unprepare(struct operator *op)
{
    mem_free(op->packed);
    op->packed = NULL;
}

static void apply(const struct operator *op, float *y, const float *base,
                  const float *x, size_t B, struct arena *scratch)
{
    (void)scratch;
    size_t n_out = outputs(op), n_in = inputs(op);
    vec_start(y, base, B * n_out);
    if (op->packed)
        product_add(y, x, op->packed, B, n_in, n_out);
    else
        blas_gemm(y, BLAS_PLAIN, x, BLAS_TRANSPOSED, op->weight->value, B,
                  n_out, n_in, 1, 1);
}

static bool by_row(const struct operator *op, const float *x, size_t B)
{
    return op->packed && product_is_sparse(x, B, inputs(op));
}

static void adjoint(const struct operator *op, float *dx, const float *dy,
                    size_t B, struct arena *scratch)
{
    (void)scratch;
    product_add(dx, dy, op->weight->value, B, outputs(op), inputs(op));
}

static void adjoint_at(const struct operator *op, float *dx, const float *z,
                       const float *dy, size_t B, struct arena *scratch)
{
    if (by_row(op, z, B))
        product_add_at(dx, z, dy, op->packed, B, inputs(op), outputs(op));
    else
        adjoint(op, dx, dy, B, scratch);
}

static void gradient(const struct operator *op, float *dw, const float *dy,
                     const float *x, size_t B, struct arena *scratch)
{
    outer_add(dw, dy, x, outputs(op), inputs(op), B, scratch);
}

static const float *columns(const struct operator *op, struct arena *scratch)
{
    if (op->packed)
        return op->packed;
    float *all = arena_take(scratch, op->weight->count, sizeof *all);
    transpose(all, op->weight->value, outputs(op), inputs(op));
    return all;
}

static int emit(const struct operator *op, struct graph *g, int x)
{
    return g->apply(g, GRAPH_PRODUCT, x, param_emit(op->weight, g));
}

static size_t gradient_bytes(const struct operator *op)
{
    return outer_scratch_bytes(outputs(op), inputs(op));
}

static size_t scratch_bytes(const struct operator *op, size_t B)
{
    (void)op, (void)B;
    return 0;
}

const struct operator_kind operator_dense = {
    .name = "dense",
    .help = "every unit is joined to every input",
    .settings = (const char *const[]){"units", NULL},
    .shape = shape,
    .declare = declare,
    .limit = limit,
    .start = start,
    .start_adjoint = start_adjoint,
    .start_residual = start_residual,
    .resize = resize,
    .prepare = prepare,
    .unprepare = unprepare,
    .apply = apply,
    .by_row = by_row,
    .adjoint = adjoint,
    .adjoint_at = adjoint_at,
    .gradient = gradient,
    .columns = columns,
    .emit = emit,
    .gradient_bytes = gradient_bytes,
    .scratch_bytes = scratch_bytes,
};
