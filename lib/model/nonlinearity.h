/* Nonlinearity f of a unit: z = f(a, b) with a = E x + S z and the unit's own
 * b, which is an offset for most and a threshold for `shrink`.
 *
 * Each derivative can be told from the output alone, so training keeps codes
 * and no sums.
 */
#ifndef SPARSED_MODEL_NONLINEARITY_H
#define SPARSED_MODEL_NONLINEARITY_H

#include "lib/model/graph.h"

#include <stdbool.h>
#include <stddef.h>

struct nonlinearity {
    const char *name;
    bool onto;  /* gives every real number */
    bool rests; /* where z is 0, no gradient passes */
    /* z (B,n) = f(a, b), a (B,n), b (n); z may be a. */
    void (*apply)(float *z, const float *a, const float *b, size_t B, size_t n);
    /* da (B,n) = dz * df/da; db (n) += sum over rows of dz * df/db. z is what
     * apply gave; da may be dz. */
    void (*backward)(float *da, float *db, const float *dz, const float *z,
                     size_t B, size_t n);
    /* The value f(a, b) for the graph's values a and b. */
    int (*emit)(struct graph *g, int a, int b);
};

/* NULL if there is none of that name. */
const struct nonlinearity *nonlinearity_find(const char *name);

/* All of them, NULL at the end. */
extern const struct nonlinearity *const nonlinearities[];

#endif
