/* Singles: units without company. Every unit is its own pool, v = |z|, any of
 * them may go, and they lie on a near-square sheet. What structures without
 * groups fill their tables with.
 */
#ifndef SPARSED_MODEL_STRUCTURE_SINGLES_H
#define SPARSED_MODEL_STRUCTURE_SINGLES_H

#include "lib/model/structure/structure.h"

/* The sign of z, and at 0 the subgradient 0: a unit that is off has no reason
 * to move. */
static inline float singles_sign(float z)
{
    return z > 0.0f ? 1.0f : z < 0.0f ? -1.0f : 0.0f;
}

/* As the members of a structure's table that are called so. */
void singles_pool(const struct structure *s, float *v, const float *z,
                  size_t B);
void singles_pool_backward(const struct structure *s, float *dz,
                           const float *dv, const float *z, const float *v,
                           size_t B);
void singles_unpool(const struct structure *s, float *out, const float *wanted,
                    const float *z, const float *v, size_t B);
enum err_code singles_prune(const struct structure *s, struct json *j,
                            const bool *keep, bool *groups, struct err *e);
int singles_emit_pool(const struct structure *s, struct graph *g, int z);
int singles_emit_unpool(const struct structure *s, struct graph *g, int wanted,
                        int z, int v);
enum err_code singles_layout(const struct structure *s, struct layout *out,
                             struct arena *memory, struct err *e);

#endif
