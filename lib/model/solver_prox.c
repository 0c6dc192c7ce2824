/* ISTA and FISTA for many rows at a time: two products a step for all rows that
 * still run. Rows that have finished leave, the others close up.
 *
 * D z is kept beside z, so that D y of the point y = z + b (z - z_before) costs
 * no product, and neither does the test of L: the quadratic that the step
 * minimises lies over E if |D (z' - y)|^2 <= L |z' - y|^2.
 */
#include "lib/model/solver_parts.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"

#include <math.h>
#include <string.h>

/* Rows that are run together: enough for a matrix product, few enough for the
 * caches. */
enum { BLOCK = 64 };

struct row {
    size_t index; /* in the batch */
    float L;
    float scale;    /* max|D'x| */
    float t;        /* of the momentum's series */
    float momentum; /* b of the next step */
    bool done;
};

/* Rows b < running have their place b in each array. */
struct block {
    const struct solve *p;
    size_t running, step;
    struct row *rows;
    float *x, *known;           /* (running,m); known NULL: all is */
    float *z, *other;           /* (running,n) the code; before, then after */
    float *drawn, *other_drawn; /* (running,m) D of these */
    float *y, *y_drawn;         /* the point that the step leaves from */
    float *residual;            /* (running,m) */
    float *state; /* (running,kept) of the structure's prox; NULL: none */
    size_t kept;
};

/* ---- one step ---- */

KERNEL_CLONES
static void extrapolate(float *restrict y, const float *restrict z,
                        const float *restrict before, float momentum, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = z[i] + momentum * (z[i] - before[i]);
}

/* y, D y and (x - D y)/L of every row. */
static void look_ahead(struct block *k)
{
    size_t n = k->p->n, m = k->p->m;
    for (size_t b = 0; b < k->running; b++) {
        const struct row *row = &k->rows[b];
        float *y_drawn = k->y_drawn + b * m;
        extrapolate(k->y + b * n, k->z + b * n, k->other + b * n, row->momentum,
                    n);
        extrapolate(y_drawn, k->drawn + b * m, k->other_drawn + b * m,
                    row->momentum, m);
        solve_residual(k->residual + b * m, k->x + b * m, y_drawn,
                       k->known ? k->known + b * m : NULL, 1 / row->L, m);
    }
}

/* z (running,n) = prox(z), rows of the same L in one call. */
static void shrink(struct block *k, float *z)
{
    const struct structure *structure = &k->p->l->structure;
    size_t n = k->p->n;
    if (k->p->s->nonnegative)
        for (size_t i = 0; i < k->running * n; i++)
            z[i] = z[i] > 0.0f ? z[i] : 0.0f;
    for (size_t b = 0, end; b < k->running; b = end) {
        float L = k->rows[b].L;
        for (end = b + 1; end < k->running && k->rows[end].L == L;)
            end++;
        structure->kind->prox(structure, z + b * n, z + b * n, 1 / L, end - b,
                              k->state ? k->state + b * k->kept : NULL,
                              k->p->scratch);
    }
}

/* The first step leaves from 0, so what it goes to is D'x / L. A scale that is
 * not finite makes the row give up. */
static void find_scale(struct block *k, const float *u)
{
    size_t n = k->p->n;
    for (size_t b = 0; b < k->running; b++) {
        struct row *row = &k->rows[b];
        row->scale =
            vec_finite(u + b * n, n) ? row->L * vec_largest(u + b * n, n) : NAN;
    }
}

/* `other` and `other_drawn` become the code after the step. */
static void step(struct block *k)
{
    const struct operator *dec = &k->p->l->dec;
    struct arena *scratch = k->p->scratch;
    look_ahead(k);
    memcpy(k->other, k->y, k->running * k->p->n * sizeof *k->y);
    dec->kind->adjoint(dec, k->other, k->residual, k->running, scratch);
    if (k->step == 0)
        find_scale(k, k->other);
    shrink(k, k->other);
    dec->kind->apply(dec, k->other_drawn, NULL, k->other, k->running, scratch);
}

/* ---- what became of it, row by row ---- */

/* Products of float32 differ by this share; D z' - D y may be nothing else. */
static const double rounding = 4e-6;

/* Whether L was too small for this step, of which y and y_drawn hold the way.
 * Then L grows and the row stays where it was. */
static bool refuse_step(struct block *k, size_t b, double moved)
{
    size_t n = k->p->n, m = k->p->m;
    struct row *row = &k->rows[b];
    double drawn = vec_norm(k->y_drawn + b * m, m);
    double size = vec_norm(k->other_drawn + b * m, m);
    double L = (double)row->L;
    if (!(moved > 0 && drawn > 1.001 * sqrt(L) * moved + rounding * size))
        return false;
    double wanted = 1.05 * drawn * drawn / (moved * moved);
    row->L = (float)(wanted < 4 * L ? wanted : 4 * L);
    row->t = 1;
    row->momentum = 0;
    memcpy(k->other + b * n, k->z + b * n, n * sizeof *k->z);
    memcpy(k->other_drawn + b * m, k->drawn + b * m, m * sizeof *k->drawn);
    return true;
}

/* The momentum of the next step; none where it led uphill: the way back,
 * y - z', has a part along z' - z. */
static void gather_momentum(struct block *k, size_t b)
{
    size_t n = k->p->n;
    struct row *row = &k->rows[b];
    const float *way_back = k->y + b * n;
    if (k->p->s->method != SOLVER_FISTA)
        return;
    if (vec_dot(way_back, k->other + b * n, n) >
        vec_dot(way_back, k->z + b * n, n)) {
        row->t = 1;
        row->momentum = 0;
        return;
    }
    float t = (1 + sqrtf(1 + 4 * row->t * row->t)) / 2;
    row->momentum = (row->t - 1) / t;
    row->t = t;
}

/* Whether the row is done. */
static bool judge(struct block *k, size_t b)
{
    size_t n = k->p->n, m = k->p->m;
    struct row *row = &k->rows[b];
    float *z = k->other + b * n, *y = k->y + b * n;
    if (!isfinite(row->scale) || !isfinite(row->L)) {
        solve_give_up(z, n);
        return true;
    }
    vec_add(y, z, -1.0f, n);
    vec_add(k->y_drawn + b * m, k->other_drawn + b * m, -1.0f, m);
    if (refuse_step(k, b, vec_norm(y, n)))
        return false;
    gather_momentum(k, b);
    return row->L * vec_largest(y, n) <= k->p->s->tolerance * row->scale;
}

static void swap(float **a, float **b)
{
    float *c = *a;
    *a = *b;
    *b = c;
}

static void move_row(float *x, size_t to, size_t from, size_t n)
{
    if (x && to != from)
        memcpy(x + to * n, x + from * n, n * sizeof *x);
}

/* Rows that are done leave. */
static void close_up(struct block *k)
{
    size_t kept = 0, n = k->p->n, m = k->p->m;
    for (size_t b = 0; b < k->running; b++) {
        if (k->rows[b].done)
            continue;
        k->rows[kept] = k->rows[b];
        move_row(k->x, kept, b, m);
        move_row(k->known, kept, b, m);
        move_row(k->z, kept, b, n);
        move_row(k->other, kept, b, n);
        move_row(k->drawn, kept, b, m);
        move_row(k->other_drawn, kept, b, m);
        move_row(k->state, kept, b, k->kept);
        kept++;
    }
    k->running = kept;
}

/* ---- a block of rows ---- */

static void begin(struct block *k, size_t first, size_t rows)
{
    const struct solve *p = k->p;
    size_t n = p->n, m = p->m;
    k->running = rows;
    for (size_t b = 0; b < rows; b++)
        k->rows[b] = (struct row){.index = first + b, .L = p->L, .t = 1};
    memcpy(k->x, p->x + first * m, rows * m * sizeof *k->x);
    if (k->known)
        memcpy(k->known, p->tape->known + first * m,
               rows * m * sizeof *k->known);
    memset(k->z, 0, rows * n * sizeof *k->z);
    memset(k->other, 0, rows * n * sizeof *k->other);
    memset(k->drawn, 0, rows * m * sizeof *k->drawn);
    memset(k->other_drawn, 0, rows * m * sizeof *k->other_drawn);
    if (k->state)
        memset(k->state, 0, rows * k->kept * sizeof *k->state);
}

static void run_block(struct block *k)
{
    const struct solve *p = k->p;
    for (k->step = 0; k->running > 0; k->step++) {
        bool some_done = false, end = k->step + 1 == p->s->steps;
        step(k);
        for (size_t b = 0; b < k->running; b++) {
            struct row *row = &k->rows[b];
            row->done = judge(k, b) || end;
            some_done = some_done || row->done;
            solve_store(p, row->index, k->step, k->other + b * p->n, row->done);
        }
        swap(&k->z, &k->other);
        swap(&k->drawn, &k->other_drawn);
        if (some_done)
            close_up(k);
    }
}

static float *take(const struct solve *p, size_t rows, size_t n)
{
    return arena_take(p->scratch, rows * n, sizeof(float));
}

/* Numbers a row that the structure's prox wants kept between steps. */
static size_t prox_state(const struct layer *l)
{
    const struct structure *s = &l->structure;
    return s->kind->prox_state ? s->kind->prox_state(s) : 0;
}

void solve_prox(const struct solve *p)
{
    size_t kept = prox_state(p->l);
    size_t rows = p->B < BLOCK ? p->B : BLOCK, n = p->n, m = p->m;
    struct arena_mark mark = arena_mark(p->scratch);
    struct block k = {
        .p = p,
        .rows = arena_take(p->scratch, rows, sizeof *k.rows),
        .x = take(p, rows, m),
        .known = p->tape->known ? take(p, rows, m) : NULL,
        .z = take(p, rows, n),
        .other = take(p, rows, n),
        .drawn = take(p, rows, m),
        .other_drawn = take(p, rows, m),
        .y = take(p, rows, n),
        .y_drawn = take(p, rows, m),
        .residual = take(p, rows, m),
        .state = kept ? take(p, rows, kept) : NULL,
        .kept = kept,
    };
    for (size_t first = 0; first < p->B; first += rows) {
        begin(&k, first, p->B - first < rows ? p->B - first : rows);
        run_block(&k);
    }
    arena_rewind(p->scratch, mark);
}

size_t solve_prox_bytes(const struct layer *l, size_t B)
{
    const struct structure *s = &l->structure;
    size_t rows = B < BLOCK ? B : BLOCK;
    size_t numbers = 3 * layer_units(l) + 6 * layer_inputs(l) + prox_state(l);
    return rows * (numbers * sizeof(float) + sizeof(struct row)) +
           l->dec.kind->scratch_bytes(&l->dec, rows) +
           (s->kind->prox_bytes ? s->kind->prox_bytes(s, rows) : 0) +
           13 * MEM_ALIGN;
}
