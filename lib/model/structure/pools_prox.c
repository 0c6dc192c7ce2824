/* The proximal step of weighted groups: argmin_z 1/2 |z - u|^2 + t Omega(z),
 * Omega(z) = sum_g |W_g^(1/2) z_g|.
 *
 * One group (W_g its weights w): with q = |W^(-1/2) u|, z = 0 if q <= t, else
 *     z_i = u_i v / (v + t w_i),   v = |W^(1/2) z|,
 * where v is the root of 1/sqrt(s(v)) = 1, s(v) = sum_i w_i u_i^2 /
 * (v + t w_i)^2: the secular equation, written as it is nearly linear (More &
 * Sorensen 1983), so that Newton's method takes a few steps; with equal weights
 * it is linear, z = u (1 - t sqrt(w) / |u|). Disjoint groups are done one by
 * one.
 *
 * Overlapping groups go through the dual (Jenatton et al. 2011, section 3):
 * z = u - sum_g zeta_g, each zeta_g on its group's units and at most t long,
 * |W^(-1/2) zeta_g| <= t. In turn each group gets the best zeta_g while the
 * others stay, which is the formula above for u less the others' zeta. Sweeps
 * over all groups lower the dual's distance to its optimum; for nested groups
 * in order of size the first arrives there.
 */
#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/math/lanes.h"
#include "lib/model/structure/pools.h"

#include <assert.h>
#include <math.h>

enum {
    MOST_SWEEPS = 1000, /* of a step that has no state to go on from */
    MOST_NEWTON = 30
};

/* A group whose dual is no longer than this times its bound is off: what is
 * left of it is the distance of the dual from its optimum. */
static const float off_limit = 1.001f;

/* 16 rows at work; what is not r is for overlapping groups. */
struct tile {
    const struct pools *p;
    float t;
    lanes *u;       /* (units) */
    lanes *r;       /* (units) u less all zeta */
    lanes *zeta;    /* (entries) */
    lane_mask *off; /* (n) groups that the last sweep left at 0 */
    lanes *z;       /* (units) the code that r stands for */
};

/* ---- one group ---- */

struct visit {
    lanes *restrict r;
    lanes *restrict zeta; /* the group's own; NULL: it is 0 */
    const int64_t *indices;
    const float *w, *inverse;
    size_t count;
    float t;
};

/* Equal weights, w each. */
static inline void shrink_even(const struct visit *a, float w, lane_mask *off)
{
    lanes square = {0}, bound = LANES_ALL(a->t * sqrtf(w));
    for (size_t k = 0; k < a->count; k++) {
        lanes x = a->r[a->indices[k]];
        if (a->zeta)
            x += a->zeta[k];
        a->r[a->indices[k]] = x;
        square += x * x;
    }
    LANES_SQRT(square);
    lanes cut = LANES_PICK(square > bound, bound / square, LANES_ALL(1.0f));
    *off = square <= off_limit * bound;
    for (size_t k = 0; k < a->count; k++) {
        lanes x = a->r[a->indices[k]], part = cut * x;
        if (a->zeta)
            a->zeta[k] = part;
        a->r[a->indices[k]] = x - part;
    }
}

/* One of Newton's steps for v where `on`; what it changed in *change. Sums that
 * overflow make v NaN, which the code then shows. */
static inline void newton(const struct visit *a, lanes *v, const lane_mask *on,
                          lanes *change)
{
    lanes s = {0}, slope = {0}, old = *v;
    for (size_t k = 0; k < a->count; k++) {
        lanes x = a->r[a->indices[k]];
        lanes inverse = 1.0f / (old + a->t * a->w[k]);
        lanes part = x * inverse;
        part *= a->w[k] * part;
        s += part;
        slope += part * inverse;
    }
    lanes root = s;
    LANES_SQRT(root);
    *v = old + s * (root - 1.0f) / slope;
    *v = LANES_KEEP(*on & ~(*v <= 0.0f), *v);
    *change = *v - old;
}

static inline bool still(const lanes *change, const lanes *v)
{
    lane_mask moved = *change * *change > 1e-12f * *v * *v;
    int32_t any = 0;
    for (size_t b = 0; b < LANES; b++)
        any |= moved[b];
    return any == 0;
}

/* Any weights, and at most so many of Newton's steps. They begin at the v that
 * the group had, but no lower than |W^(1/2) u| less t times the largest weight,
 * which the root is not below either: far below it, where t is small, float32
 * does not hold s. The secular equation being concave, each step ends at or
 * below the root, so that the signs of r are safe; one that is cut short is
 * mended at the next visit. */
static inline void shrink_uneven(const struct visit *a, size_t steps,
                                 lane_mask *off)
{
    lanes dual = {0}, v = {0}, whole = {0}, change;
    float heaviest = 0;
    for (size_t k = 0; k < a->count; k++) {
        lanes x = a->r[a->indices[k]];
        if (a->zeta) {
            v += a->w[k] * x * x;
            x += a->zeta[k];
        }
        a->r[a->indices[k]] = x;
        whole += a->w[k] * x * x;
        dual += x * x * a->inverse[k];
        heaviest = a->w[k] > heaviest ? a->w[k] : heaviest;
    }
    LANES_SQRT(dual);
    LANES_SQRT(v);
    LANES_SQRT(whole);
    lane_mask on = dual > a->t;
    *off = dual <= off_limit * a->t;
    whole -= a->t * heaviest;
    v = LANES_KEEP(on, LANES_PICK(v > whole, v, whole));
    for (size_t i = 0; i < steps; i++) {
        newton(a, &v, &on, &change);
        if (still(&change, &v))
            break;
    }
    for (size_t k = 0; k < a->count; k++) {
        lanes x = a->r[a->indices[k]];
        lanes left = x * v / (v + a->t * a->w[k]);
        if (a->zeta)
            a->zeta[k] = x - left;
        a->r[a->indices[k]] = left;
    }
}

/* Every group once. */
KERNEL_CLONES
static void sweep(const struct tile *a, size_t newton_steps)
{
    const struct pools *p = a->p;
    lane_mask unused;
    for (size_t g = 0; g < p->n; g++) {
        size_t first = (size_t)p->indptr[g];
        struct visit visit = {
            .r = a->r,
            .zeta = a->zeta ? a->zeta + first : NULL,
            .indices = p->indices + first,
            .w = p->weights + first,
            .inverse = p->inverse + first,
            .count = (size_t)p->indptr[g + 1] - first,
            .t = a->t,
        };
        lane_mask *off = a->off ? a->off + g : &unused;
        if (p->even[g] > 0.0f)
            shrink_even(&visit, p->even[g], off);
        else
            shrink_uneven(&visit, newton_steps, off);
    }
}

/* ---- overlapping groups ---- */

/* The code is r, but 0 where a group is off, and where r has not the sign of u
 * as the minimum has it. */
KERNEL_CLONES
static void read_code(const struct tile *a)
{
    const struct pools *p = a->p;
    for (size_t i = 0; i < p->units; i++) {
        lane_mask off = a->r[i] * a->u[i] <= 0.0f;
        for (uint32_t k = p->unit_first[i]; k < p->unit_first[i + 1]; k++)
            off |= a->off[p->unit_group[k]];
        a->z[i] = LANES_KEEP(~off, a->r[i]);
    }
}

/* How far z is from the optimum at most: the energy of z less the dual's,
 * 1/2 |z - r|^2 + sum_g (t v_g(z) - zeta_g z_g). */
KERNEL_CLONES
static void duality_gap(const struct tile *a, lanes *gap)
{
    const struct pools *p = a->p;
    lanes sum = {0};
    for (size_t i = 0; i < p->units; i++) {
        lanes d = a->z[i] - a->r[i];
        sum += 0.5f * d * d;
    }
    for (size_t g = 0; g < p->n; g++) {
        lanes square = {0}, product = {0};
        for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
            lanes z = a->z[p->indices[k]];
            square += p->weights[k] * z * z;
            product += a->zeta[k] * z;
        }
        LANES_SQRT(square);
        sum += a->t * square - product;
    }
    *gap = sum;
}

/* zeta times `factor`, and r = u less all zeta. */
KERNEL_CLONES
static void subtract_all(const struct tile *a, const lanes *factor)
{
    const struct pools *p = a->p;
    for (size_t k = 0; k < pools_entries(p); k++) {
        a->zeta[k] *= *factor;
        a->r[p->indices[k]] -= a->zeta[k];
    }
}

/* Each unit shares itself out among its groups, which take what they may. */
static void start_by_shares(const struct tile *a)
{
    const struct pools *p = a->p;
    const lanes one = LANES_ALL(1.0f);
    for (size_t g = 0; g < p->n; g++) {
        lanes dual = {0};
        for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
            int64_t i = p->indices[k];
            float share = p->weights[k] / p->unit_sum[i];
            a->zeta[k] = share * a->r[i];
            dual += a->zeta[k] * a->zeta[k] * p->inverse[k];
        }
        LANES_SQRT(dual);
        lanes cut = LANES_PICK(dual > a->t, a->t / dual, LANES_ALL(1.0f));
        for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++)
            a->zeta[k] *= cut;
    }
    subtract_all(a, &one);
}

/* Sweeps until every row is near enough; each keeps what it had when it first
 * was, so that it does not depend on the others. */
static void solve(const struct tile *a, lanes *best)
{
    lanes limit = {0}, gap;
    lane_mask done = {0};
    for (size_t i = 0; i < a->p->units; i++)
        limit += 0.5f * POOLS_GAP * a->r[i] * a->r[i];
    start_by_shares(a);
    for (size_t s = 0; s < MOST_SWEEPS; s++) {
        int32_t all = -1;
        sweep(a, MOST_NEWTON);
        read_code(a);
        duality_gap(a, &gap);
        lane_mask fresh = ~done;
        for (size_t i = 0; i < a->p->units; i++)
            best[i] = LANES_PICK(fresh, a->z[i], best[i]);
        done |= gap <= limit;
        for (size_t b = 0; b < LANES; b++)
            all &= done[b];
        if (all)
            break;
    }
    memcpy(a->z, best, a->p->units * sizeof *best);
}

/* A sweep from where the last step ended. state keeps zeta and the t that it
 * was made for, as t may change from one step to the next. */
static void go_on(const struct tile *a, float *state, size_t B)
{
    const struct pools *p = a->p;
    size_t entries = pools_entries(p);
    float t[LANES] = {0};
    lanes change;
    lanes_load(a->zeta, state, entries + 1, B, entries + 1);
    memcpy(t, a->zeta + entries, sizeof t);
    for (size_t b = 0; b < LANES; b++)
        t[b] = t[b] > 0.0f ? a->t / t[b] : 0.0f;
    memcpy(&change, t, sizeof t);
    subtract_all(a, &change);
    sweep(a, 1);
    read_code(a);
    a->zeta[entries] = LANES_ALL(a->t);
    lanes_store(state, entries + 1, a->zeta, B, entries + 1);
}

void pools_prox(const struct structure *s, float *z, const float *u, float step,
                size_t B, float *state, struct arena *scratch)
{
    const struct pools *p = s->kind->pools(s);
    struct arena_mark mark = arena_mark(scratch);
    size_t entries = pools_entries(p), n = p->units;
    struct tile a = {.p = p, .t = step * s->lambda};
    lanes *best = NULL;
    if (!(a.t > 0.0f)) {
        memmove(z, u, B * n * sizeof *z);
        return;
    }
    a.r = arena_take(scratch, n, sizeof *a.r);
    if (!p->disjoint) {
        a.u = arena_take(scratch, n, sizeof *a.u);
        a.zeta = arena_take(scratch, entries + 1, sizeof *a.zeta);
        a.off = arena_take(scratch, p->n, sizeof *a.off);
        a.z = arena_take(scratch, n, sizeof *a.z);
        best = arena_take(scratch, n, sizeof *best);
        assert(a.u && a.zeta && a.off && a.z && best);
    }
    assert(a.r);
    for (size_t b = 0; b < B; b += LANES) {
        size_t rows = B - b < LANES ? B - b : LANES;
        lanes_load(a.r, u + b * n, n, rows, n);
        if (a.u)
            memcpy(a.u, a.r, n * sizeof *a.u);
        if (p->disjoint)
            sweep(&a, MOST_NEWTON);
        else if (state)
            go_on(&a, state + b * (entries + 1), rows);
        else
            solve(&a, best);
        lanes_store(z + b * n, n, p->disjoint ? a.r : a.z, rows, n);
    }
    arena_rewind(scratch, mark);
}

size_t pools_prox_bytes(const struct structure *s, size_t B)
{
    const struct pools *p = s->kind->pools(s);
    size_t tile = p->units;
    if (B == 0)
        return 0;
    if (!p->disjoint)
        tile += 3 * p->units + p->n + pools_entries(p) + 1;
    return tile * sizeof(lanes) + 5 * MEM_ALIGN;
}

size_t pools_prox_state(const struct structure *s)
{
    const struct pools *p = s->kind->pools(s);
    return p->disjoint ? 0 : pools_entries(p) + 1;
}
