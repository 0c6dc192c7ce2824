/* l1: each unit pays for itself, lambda * sum_i |z_i|.
 *
 * Prox: soft threshold, z = sign(u) max(0, |u| - step lambda) (ISTA; Beck &
 * Teboulle 2009).
 */
#include "lib/model/structure/singles.h"

#include <math.h>

static enum err_code configure(struct structure *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e)
{
    (void)params;
    double lambda = 0;
    if (json_get_number(j, where, "lambda", 0, 1e6, &lambda, e))
        return e->code;
    s->lambda = (float)lambda;
    s->pooled = s->code;
    return ERR_OK;
}

static double value(const struct structure *s, const float *z, size_t B)
{
    double sum = 0;
    size_t count = B * space_size(&s->code);
    for (size_t i = 0; i < count; i++)
        sum += (double)fabsf(z[i]);
    return (double)s->lambda * sum;
}

static void gradient(const struct structure *s, float *dz, const float *z,
                     size_t B, float scale)
{
    size_t count = B * space_size(&s->code);
    float slope = scale * s->lambda;
    for (size_t i = 0; i < count; i++)
        dz[i] += slope * singles_sign(z[i]);
}

static void prox(const struct structure *s, float *z, const float *u,
                 float step, size_t B, float *state, struct arena *scratch)
{
    (void)state, (void)scratch;
    size_t count = B * space_size(&s->code);
    float threshold = step * s->lambda;
    for (size_t i = 0; i < count; i++) {
        float size = fabsf(u[i]) - threshold;
        z[i] = size > 0.0f ? copysignf(size, u[i]) : 0.0f;
    }
}

static float threshold(const struct structure *s, const float *z, size_t i)
{
    (void)z;
    (void)i;
    return s->lambda;
}

const struct structure_kind structure_l1 = {
    .name = "l1",
    .help = "each unit pays lambda |z|",
    .settings = (const char *const[]){"lambda", NULL},
    .heads = 1,
    .shares = true,
    .configure = configure,
    .value = value,
    .gradient = gradient,
    .prox = prox,
    .threshold = threshold,
    .pool = singles_pool,
    .pool_backward = singles_pool_backward,
    .unpool = singles_unpool,
    .prune = singles_prune,
    .emit_pool = singles_emit_pool,
    .emit_unpool = singles_emit_unpool,
    .layout = singles_layout,
};
