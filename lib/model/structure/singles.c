/* v = |z|, one pool a unit. */
#include "lib/model/structure/singles.h"

#include "lib/model/structure/places.h"

#include <math.h>
#include <string.h>

void singles_pool(const struct structure *s, float *v, const float *z, size_t B)
{
    size_t count = B * space_size(&s->code);
    for (size_t i = 0; i < count; i++)
        v[i] = fabsf(z[i]);
}

void singles_pool_backward(const struct structure *s, float *dz,
                           const float *dv, const float *z, const float *v,
                           size_t B)
{
    (void)v;
    size_t count = B * space_size(&s->code);
    for (size_t i = 0; i < count; i++)
        dz[i] += dv[i] * singles_sign(z[i]);
}

void singles_unpool(const struct structure *s, float *out, const float *wanted,
                    const float *z, const float *v, size_t B)
{
    (void)v;
    size_t count = B * space_size(&s->code);
    for (size_t i = 0; i < count; i++)
        out[i] = wanted[i] * singles_sign(z[i]);
}

enum err_code singles_prune(const struct structure *s, struct json *j,
                            const bool *keep, bool *groups, struct err *e)
{
    (void)j, (void)e;
    memcpy(groups, keep, space_size(&s->code) * sizeof *groups);
    return ERR_OK;
}

int singles_emit_pool(const struct structure *s, struct graph *g, int z)
{
    (void)s;
    return g->apply(g, GRAPH_ABS, z, GRAPH_NONE);
}

int singles_emit_unpool(const struct structure *s, struct graph *g, int wanted,
                        int z, int v)
{
    (void)s, (void)v;
    return g->apply(g, GRAPH_MULTIPLY, wanted,
                    g->apply(g, GRAPH_SIGN, z, GRAPH_NONE));
}

enum err_code singles_layout(const struct structure *s, struct layout *out,
                             struct arena *memory, struct err *e)
{
    return places_on_cell(out, &s->cell, &s->code, memory, e);
}
