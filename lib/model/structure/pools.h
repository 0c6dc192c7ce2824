/* Pools: weighted groups of units, what the structures groups and tree are
 * made of: v_j = sqrt(sum_{i in P_j} w_ji z_i^2).
 *
 * Groups may overlap, and need not cover all units. They are kept as the model
 * file shows them: CSR, one row a group.
 */
#ifndef SPARSED_MODEL_STRUCTURE_POOLS_H
#define SPARSED_MODEL_STRUCTURE_POOLS_H

#include "lib/model/structure/structure.h"

#include <stdint.h>

#define POOLS_MAX_ENTRIES ((size_t)1 << 24)

struct pools {
    size_t units, n;  /* n groups over `units` units */
    int64_t *indptr;  /* (n + 1) */
    int64_t *indices; /* (indptr[n]) units, rising within a group */
    float *weights;   /* (indptr[n]) over 0 */
};

/* Room for n groups of together `entries` units; indptr is all 0. ERR_INVALID
 * (no group), ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err_code pools_init(struct pools *p, size_t units, size_t n,
                         size_t entries, struct err *e) ERR_CHECKED;
/* Accepts zeroed pools. */
void pools_fini(struct pools *p);

static inline size_t pools_entries(const struct pools *p)
{
    return (size_t)p->indptr[p->n];
}

#endif
