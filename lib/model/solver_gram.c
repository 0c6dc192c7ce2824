/* Coordinate descent by G: the slope of every unit, q = D'x - G z, is kept. A
 * unit that moves costs one row of G; the units that are on, between two looks
 * at all, a small matrix of their own that stays in the nearest cache.
 */
#include "lib/model/solver_gram.h"

#include "lib/base/mem.h"
#include "lib/math/blas.h"
#include "lib/math/kernels.h"
#include "lib/math/simd/simd.h"
#include "lib/model/solver_parts.h"

#include <math.h>
#include <string.h>

/* 2 MiB: what a processor's second cache holds, or nearly. */
enum { MOST_NUMBERS = 512 * 1024 };

/* ---- the matrix ---- */

bool gram_helps(const struct layer *l)
{
    size_t n = layer_units(l);
    return l->dec.kind && l->dec.kind->columns && n <= MOST_NUMBERS / n;
}

bool gram_make(float *gram, const struct layer *l, struct arena *scratch)
{
    size_t n = layer_units(l), m = layer_inputs(l);
    struct arena_mark mark = arena_mark(scratch);
    const float *atoms = l->dec.kind->columns(&l->dec, scratch);
    blas_gemm(gram, BLAS_PLAIN, atoms, BLAS_TRANSPOSED, atoms, n, n, m, 1, 0);
    arena_rewind(scratch, mark);
    return vec_finite(gram, n * n);
}

size_t gram_scratch_bytes(const struct layer *l)
{
    return (l->dec.packed ? 0 : layer_units(l) * layer_inputs(l)) *
               sizeof(float) +
           MEM_ALIGN;
}

size_t gram_apply(float *out, const float *gram, const float *z, uint32_t *on,
                  size_t n)
{
    size_t count = simd->nonzeros(on, z, n);
    memset(out, 0, n * sizeof *out);
    simd->columns_add(out, gram, on, count, z, n);
    return count;
}

/* ---- a row under way ---- */

struct descent {
    const struct solve *p;
    float *x;     /* (n) D'x */
    float *z;     /* (n) */
    float *q;     /* (n) slopes, D'x - G z */
    float *image; /* (n) G z */
    float *few;   /* (count,stride) rows and columns of G of the units on */
    float *few_q; /* (stride) */
    uint32_t *on; /* (n) */
    size_t count, stride;
    float still; /* what a sweep may change at its end */
};

static bool begin(struct descent *d, size_t row)
{
    const struct solve *p = d->p;
    const struct operator *dec = &p->l->dec;
    memset(d->x, 0, p->n * sizeof *d->x);
    dec->kind->adjoint(dec, d->x, p->x + row * p->m, 1, p->scratch);
    memset(d->z, 0, p->n * sizeof *d->z);
    d->count = 0;
    d->still = fmaxf(p->s->tolerance, SOLVE_FINEST) * vec_largest(d->x, p->n);
    return vec_finite(d->x, p->n);
}

/* The slopes from z, which the steps have changed one by one: rounding does not
 * add up. */
static void find_slopes(struct descent *d)
{
    size_t n = d->p->n;
    d->count = gram_apply(d->image, d->p->gram, d->z, d->on, n);
    memcpy(d->q, d->x, n * sizeof *d->q);
    vec_add(d->q, d->image, -1.0f, n);
}

/* The unit's minimum while the others stay, given its slope. */
static float best(const struct descent *d, size_t i, float slope)
{
    const struct structure *s = &d->p->l->structure;
    float old = d->z[i], curvature = d->p->gram[i * d->p->n + i];
    float a = slope + curvature * old;
    /* Most units stay off under the least threshold, without what the others
     * would add to it; an atom that draws nothing does so too. */
    if (!(curvature > 0.0f) || (old == 0.0f && fabsf(a) <= s->lambda))
        return old;
    return solve_minimum(a, s->kind->threshold(s, d->z, i), curvature,
                         d->p->s->nonnegative);
}

/* ---- sweeps; each tells the largest change of a unit's slope by itself ----
 */

static float sweep_all(struct descent *d)
{
    size_t n = d->p->n;
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        const float *column = d->p->gram + i * n;
        float old = d->z[i], z = best(d, i, d->q[i]);
        if (z == old)
            continue;
        d->z[i] = z;
        vec_add(d->q, column, old - z, n);
        largest = fmaxf(largest, fabsf(z - old) * column[i]);
    }
    return largest;
}

/* Lists the units that are on, and gathers what they need of G and q. */
static void gather(struct descent *d)
{
    size_t n = d->p->n;
    d->count = simd->nonzeros(d->on, d->z, n);
    d->stride = (d->count + 15) / 16 * 16;
    for (size_t k = 0; k < d->count; k++) {
        const float *column = d->p->gram + d->on[k] * n;
        float *to = d->few + k * d->stride;
        for (size_t j = 0; j < d->count; j++)
            to[j] = column[d->on[j]];
        memset(to + d->count, 0, (d->stride - d->count) * sizeof *to);
        d->few_q[k] = d->q[d->on[k]];
    }
}

static float sweep_few(struct descent *d)
{
    float largest = 0;
    for (size_t k = 0; k < d->count; k++) {
        const float *column = d->few + k * d->stride;
        size_t i = d->on[k];
        float old = d->z[i], z = best(d, i, d->few_q[k]);
        if (z == old)
            continue;
        d->z[i] = z;
        vec_add(d->few_q, column, old - z, d->stride);
        largest = fmaxf(largest, fabsf(z - old) * column[k]);
    }
    return largest;
}

static void solve_row(struct descent *d, size_t row)
{
    const struct solve *p = d->p;
    bool whole = true, last = false;
    size_t partial = 0;
    if (!begin(d, row)) {
        solve_give_up(d->z, p->n);
        solve_store(p, row, 0, d->z, true);
        return;
    }
    for (size_t t = 0; !last; t++) {
        float change;
        if (whole) {
            find_slopes(d);
            change = sweep_all(d);
            gather(d);
            partial = 0;
        } else {
            change = sweep_few(d);
            partial++;
        }
        bool still = change <= d->still;
        last = (whole && still) || t + 1 == p->s->steps;
        solve_store(p, row, t, d->z, last);
        whole = still || partial == SOLVE_MOST_PARTIAL;
    }
}

void solve_descent_gram(const struct solve *p)
{
    struct arena_mark mark = arena_mark(p->scratch);
    size_t n = p->n, most = (n + 15) / 16 * 16;
    struct descent d = {
        .p = p,
        .x = arena_take(p->scratch, n, sizeof *d.x),
        .z = arena_take(p->scratch, n, sizeof *d.z),
        .q = arena_take(p->scratch, n, sizeof *d.q),
        .image = arena_take(p->scratch, n, sizeof *d.image),
        .few = arena_take(p->scratch, n * most, sizeof *d.few),
        .few_q = arena_zeroed(p->scratch, most, sizeof *d.few_q),
        .on = arena_take(p->scratch, n, sizeof *d.on),
    };
    for (size_t b = 0; b < p->B; b++)
        solve_row(&d, b);
    arena_rewind(p->scratch, mark);
}

size_t solve_descent_gram_bytes(const struct layer *l)
{
    size_t n = layer_units(l), most = (n + 15) / 16 * 16;
    if (!gram_helps(l))
        return 0;
    return (n * most + most + 5 * n) * sizeof(float) +
           l->dec.kind->scratch_bytes(&l->dec, 1) + 8 * MEM_ALIGN;
}
