/* Pools: weighted groups of units, what structures with company are made of:
 * v_j = sqrt(sum_{i in P_j} w_ji z_i^2).
 *
 * Groups may overlap, and need not cover all units. They are kept as the model
 * file shows them: CSR, one row a group.
 */
#ifndef SPARSED_MODEL_STRUCTURE_POOLS_H
#define SPARSED_MODEL_STRUCTURE_POOLS_H

#include "lib/model/structure/structure.h"

#include <stdint.h>

#define POOLS_MAX_GROUPS ((size_t)1 << 13)
#define POOLS_MAX_ENTRIES ((size_t)1 << 20)

struct pools {
    size_t units, n;  /* n groups over `units` units */
    int64_t *indptr;  /* (n + 1) */
    int64_t *indices; /* (indptr[n]) units, rising within a group */
    float *weights;   /* (indptr[n]) over 0 */

    /* ---- what pools_finish makes of them ---- */
    bool disjoint;        /* no unit is in two groups */
    float *even;          /* (n) the weight, if a group has but one; else 0 */
    float *inverse;       /* (indptr[n]) 1 / weights */
    uint32_t *unit_first; /* (units + 1) into the two below */
    uint32_t *unit_group; /* (indptr[n]) a unit's groups, rising */
    float *unit_weight;   /* (indptr[n]) */
    float *unit_sum;      /* (units) of the weights; 0: in no group */
};

/* Room for n groups of together `entries` units; indptr is all 0. ERR_INVALID
 * (no group), ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err_code pools_init(struct pools *p, size_t units, size_t n,
                         size_t entries, struct err *e) ERR_CHECKED;
/* To be called once the groups are filled in. ERR_NO_MEMORY. */
enum err_code pools_finish(struct pools *p, struct err *e) ERR_CHECKED;
/* Accepts zeroed pools. */
void pools_fini(struct pools *p);

static inline size_t pools_entries(const struct pools *p)
{
    return (size_t)p->indptr[p->n];
}

/* ---- as the members of a structure's table that are called so; the pools are
 * what its `pools` gives ---- */

/* lambda sum_j v_j, and its gradient: lambda z_i sum_j w_ji / v_j, of which a
 * group with v_j = 0 has no part. */
double pools_value(const struct structure *s, const float *z, size_t B);
void pools_gradient(const struct structure *s, float *dz, const float *z,
                    size_t B, float scale);
void pools_pool(const struct structure *s, float *v, const float *z, size_t B);
void pools_pool_backward(const struct structure *s, float *dz, const float *dv,
                         const float *z, const float *v, size_t B);
/* Each unit times the mean of wanted_j / v_j over its groups, weighted by w_ji;
 * a unit without group stays. What pool gave is undone exactly. */
void pools_unpool(const struct structure *s, float *out, const float *wanted,
                  const float *z, const float *v, size_t B);
/* Their constants are from g->memory. */
int pools_emit_pool(const struct structure *s, struct graph *g, int z);
int pools_emit_unpool(const struct structure *s, struct graph *g, int wanted,
                      int z, int v);

/* The proximal step (pools_prox.c), exact for disjoint groups. Overlapping
 * ones: with state, one step of those that a solver takes; without, until the
 * duality gap is below POOLS_GAP * 1/2 |u|^2. */
#define POOLS_GAP 1e-6f
void pools_prox(const struct structure *s, float *z, const float *u, float step,
                size_t B, float *state, struct arena *scratch);
size_t pools_prox_bytes(const struct structure *s, size_t B);
size_t pools_prox_state(const struct structure *s);

#endif
