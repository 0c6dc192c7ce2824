/* l1: each unit pays for itself, lambda * sum_i |z_i|; every unit is its own
 * pool, so v = |z|.
 *
 * Prox: soft threshold, z = sign(u) max(0, |u| - step lambda) (ISTA; Beck &
 * Teboulle 2009). Units have no order: the layout is a near-square grid.
 */
#include "lib/math/kernels.h"
#include "lib/model/structure/structure.h"

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

/* At 0 the subgradient 0: a unit that is off has no reason to move. */
static float sign(float x)
{
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
}

static void gradient(const struct structure *s, float *dz, const float *z,
                     size_t B, float scale)
{
    size_t count = B * space_size(&s->code);
    float slope = scale * s->lambda;
    for (size_t i = 0; i < count; i++)
        dz[i] += slope * sign(z[i]);
}

static void prox(const struct structure *s, float *z, const float *u,
                 float step, size_t B, struct arena *scratch)
{
    (void)scratch;
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

static void pool(const struct structure *s, float *v, const float *z, size_t B)
{
    size_t count = B * space_size(&s->code);
    for (size_t i = 0; i < count; i++)
        v[i] = fabsf(z[i]);
}

static void pool_backward(const struct structure *s, float *dz, const float *dv,
                          const float *z, const float *v, size_t B)
{
    (void)v;
    size_t count = B * space_size(&s->code);
    for (size_t i = 0; i < count; i++)
        dz[i] += dv[i] * sign(z[i]);
}

static void unpool(const struct structure *s, float *out, const float *wanted,
                   const float *z, const float *v, size_t B)
{
    (void)v;
    size_t count = B * space_size(&s->code);
    for (size_t i = 0; i < count; i++)
        out[i] = wanted[i] * sign(z[i]);
}

static int emit_pool(const struct structure *s, struct graph *g, int z)
{
    (void)s;
    return g->apply(g, GRAPH_ABS, z, GRAPH_NONE);
}

static int emit_unpool(const struct structure *s, struct graph *g, int wanted,
                       int z, int v)
{
    (void)s, (void)v;
    return g->apply(g, GRAPH_MULTIPLY, wanted,
                    g->apply(g, GRAPH_SIGN, z, GRAPH_NONE));
}

static enum err_code layout(const struct structure *s, struct layout *out,
                            struct arena *memory, struct err *e)
{
    size_t n = space_size(&s->code);
    size_t across = (size_t)ceil(sqrt((double)n));
    *out = (struct layout){
        .width = (float)across,
        .height = (float)((n + across - 1) / across),
        .places = arena_take(memory, n, sizeof *out->places),
    };
    if (!out->places)
        return err_set(e, ERR_NO_MEMORY, "layout of %zu units", n);
    for (size_t i = 0; i < n; i++)
        out->places[i] = (struct layout_place){.x = (float)(i % across),
                                               .y = (float)(i / across)};
    return ERR_OK;
}

const struct structure_kind structure_l1 = {
    .name = "l1",
    .help = "each unit pays lambda |z|",
    .settings = (const char *const[]){"lambda", NULL},
    .heads = 1,
    .configure = configure,
    .value = value,
    .gradient = gradient,
    .prox = prox,
    .threshold = threshold,
    .pool = pool,
    .pool_backward = pool_backward,
    .unpool = unpool,
    .emit_pool = emit_pool,
    .emit_unpool = emit_unpool,
    .layout = layout,
};
