/* Coordinate descent, row after row: everything of a row lies in the nearest
 * caches, and most sweeps only go over the few units that are on.
 *
 * A sweep over all units, then sweeps over those that are on until they stand
 * still (or for so long that others had better be asked), then one over all to
 * see whether others want to come on.
 */
#include "lib/model/solver_parts.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/math/simd/simd.h"

#include <math.h>
#include <string.h>

struct descent {
    const struct solve *p;
    const float *columns; /* (n,m) atoms */
    float *curvature;     /* (n) |d_i|^2 over the inputs that are known */
    float *z;             /* (n) */
    float *r;             /* (m) known * (x - D z) */
    float *drawn;         /* (m) */
    uint32_t *all, *on;   /* (n) units */
    const float *x;       /* (m) of the row */
    const float *known;   /* (m), or NULL */
    float still;          /* what a sweep may change at its end */
};

/* ---- one row's facts ---- */

static void find_curvature(struct descent *d)
{
    size_t m = d->p->m;
    for (size_t i = 0; i < d->p->n; i++) {
        const float *atom = d->columns + i * m, *masked = atom;
        if (d->known) {
            for (size_t j = 0; j < m; j++)
                d->drawn[j] = d->known[j] != 0.0f ? atom[j] : 0.0f;
            masked = d->drawn;
        }
        d->curvature[i] = (float)vec_dot(masked, masked, m);
    }
}

/* From z, which the steps have changed one by one: rounding does not add up. */
static void find_residual(struct descent *d)
{
    size_t m = d->p->m, count = simd->nonzeros(d->on, d->z, d->p->n);
    memset(d->drawn, 0, m * sizeof *d->drawn);
    simd->columns_add(d->drawn, d->columns, d->on, count, d->z, m);
    solve_residual(d->r, d->x, d->drawn, d->known, 1.0f, m);
}

/* z = 0, and what the end is measured by; false if products overflow. */
static bool begin(struct descent *d, size_t row)
{
    const struct operator *dec = &d->p->l->dec;
    size_t n = d->p->n;
    d->x = d->p->x + row * d->p->m;
    d->known = solve_known(d->p, row);
    if (d->known || row == 0)
        find_curvature(d);
    memset(d->z, 0, n * sizeof *d->z);
    find_residual(d);
    dec->kind->adjoint(dec, d->z, d->r, 1, d->p->scratch);
    bool finite = vec_finite(d->z, n) && vec_finite(d->curvature, n);
    float tolerance = d->p->s->tolerance;
    d->still = fmaxf(tolerance, SOLVE_FINEST) * vec_largest(d->z, n);
    memset(d->z, 0, n * sizeof *d->z);
    return finite;
}

/* ---- sweeps ---- */

/* Sets unit i to its minimum; the change of its gradient by that. */
static float set_unit(struct descent *d, size_t i)
{
    const struct structure *s = &d->p->l->structure;
    size_t m = d->p->m;
    const float *atom = d->columns + i * m;
    float old = d->z[i], curvature = d->curvature[i];
    if (!(curvature > 0.0f)) /* an atom that draws nothing stays off */
        return 0;
    float a = (float)vec_dot(atom, d->r, m) + curvature * old;
    /* Most units stay off under the least threshold, without what the others
     * would add to it. */
    if (old == 0.0f && fabsf(a) <= s->lambda)
        return 0;
    float z = solve_minimum(a, s->kind->threshold(s, d->z, i), curvature,
                            d->p->s->nonnegative);
    if (z == old)
        return 0;
    d->z[i] = z;
    vec_add(d->r, atom, old - z, m);
    for (size_t j = 0; d->known && j < m; j++)
        d->r[j] = d->known[j] != 0.0f ? d->r[j] : 0.0f;
    return fabsf(z - old) * curvature;
}

static float sweep(struct descent *d, const uint32_t *units, size_t count)
{
    float largest = 0;
    for (size_t k = 0; k < count; k++) {
        float change = set_unit(d, units[k]);
        largest = change > largest ? change : largest;
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
            find_residual(d);
            change = sweep(d, d->all, p->n);
            partial = 0;
        } else {
            change = sweep(d, d->on, simd->nonzeros(d->on, d->z, p->n));
            partial++;
        }
        bool still = change <= d->still;
        last = (whole && still) || t + 1 == p->s->steps;
        solve_store(p, row, t, d->z, last);
        whole = still || partial == SOLVE_MOST_PARTIAL;
    }
}

void solve_descent(const struct solve *p)
{
    const struct operator *dec = &p->l->dec;
    struct arena_mark mark = arena_mark(p->scratch);
    struct descent d = {
        .p = p,
        .columns = dec->kind->columns(dec, p->scratch),
        .curvature = arena_take(p->scratch, p->n, sizeof *d.curvature),
        .z = arena_take(p->scratch, p->n, sizeof *d.z),
        .r = arena_take(p->scratch, p->m, sizeof *d.r),
        .drawn = arena_take(p->scratch, p->m, sizeof *d.drawn),
        .all = arena_take(p->scratch, p->n, sizeof *d.all),
        .on = arena_take(p->scratch, p->n, sizeof *d.on),
    };
    for (size_t i = 0; i < p->n; i++)
        d.all[i] = (uint32_t)i;
    for (size_t b = 0; b < p->B; b++)
        solve_row(&d, b);
    arena_rewind(p->scratch, mark);
}

size_t solve_descent_bytes(const struct layer *l)
{
    size_t n = layer_units(l), m = layer_inputs(l);
    size_t atoms = l->dec.packed ? 0 : n * m;
    return (atoms + 4 * n + 2 * m) * sizeof(float) +
           l->dec.kind->scratch_bytes(&l->dec, 1) + 10 * MEM_ALIGN;
}
