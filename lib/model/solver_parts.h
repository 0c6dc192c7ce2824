/* What the files of the solver share. */
#ifndef SPARSED_MODEL_SOLVER_PARTS_H
#define SPARSED_MODEL_SOLVER_PARTS_H

#include "lib/model/solver.h"

#include <float.h>
#include <stdint.h>

/* A batch under way. */
struct solve {
    const struct solver *s;
    const struct layer *l;
    struct tape *tape;
    const float *x;
    size_t B, m, n; /* rows, inputs, units */
    float L;
    const float *gram; /* (n,n), or NULL: steps go through D */
    uint32_t *taken;   /* (B) steps that each row took */
    struct arena *scratch;
};

/* Hands in z (n), the code of `row` after step `t` (from 0); `last` if it is
 * the row's code. */
void solve_store(const struct solve *p, size_t row, size_t t, const float *z,
                 bool last);

/* The marks of a row's inputs (m), or NULL where all are known. */
static inline const float *solve_known(const struct solve *p, size_t row)
{
    return p->tape->known ? p->tape->known + row * p->m : NULL;
}

/* r (m) = factor (x - drawn), 0 where x is not known (NULL: all is). */
void solve_residual(float *r, const float *x, const float *drawn,
                    const float *known, float factor, size_t m);

/* The row has numbers that no step can mend. */
void solve_give_up(float *z, size_t n);

void solve_prox(const struct solve *p);
size_t solve_prox_bytes(const struct layer *l, size_t B);
void solve_descent(const struct solve *p);
size_t solve_descent_bytes(const struct layer *l);
void solve_descent_gram(const struct solve *p);
size_t solve_descent_gram_bytes(const struct layer *l);

/* The unit's minimum, given a, the slope at z_i = 0 while the others stay. */
float solve_minimum(float a, float cut, float curvature, bool nonnegative);

/* Sweeps over the units that are on, at most, between two over all. */
#define SOLVE_MOST_PARTIAL 20

/* Finer than this share of max|D'x| float32 does not tell gradients apart. */
#define SOLVE_FINEST (4 * FLT_EPSILON)

#endif
