/* ISTA and FISTA for many rows at a time: two products a step for all rows that
 * still run. Rows that have finished leave, the others close up.
 *
 * The image of z, D z, is kept beside z, so that that of the point
 * y = z + b (z - z_before) costs no product, and neither does the test of L:
 * the quadratic that the step minimises lies over E if |D (z' - y)|^2 <= L |z'
 * - y|^2. With the Gram matrix the image is D'D z instead and x is D'x: their
 * difference is the slope itself, and a row costs what its units that are on
 * do.
 */
#include "lib/model/solver_parts.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/model/solver_gram.h"

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
    size_t m; /* numbers of an image: of D z, or with the Gram matrix D'D z */
    struct row *rows;
    float *x, *known;           /* (running,m); known NULL: all is */
    float *z, *other;           /* (running,n) the code; before, then after */
    float *image, *other_image; /* (running,m) of these */
    float *y, *y_image;         /* the point that the step leaves from */
    float *residual;            /* (running,m) */
    uint32_t *on;               /* (n) */
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

/* y, its image and (x - image)/L of every row. */
static void look_ahead(struct block *k)
{
    size_t n = k->p->n, m = k->m;
    for (size_t b = 0; b < k->running; b++) {
        const struct row *row = &k->rows[b];
        float *y_image = k->y_image + b * m;
        extrapolate(k->y + b * n, k->z + b * n, k->other + b * n, row->momentum,
                    n);
        extrapolate(y_image, k->image + b * m, k->other_image + b * m,
                    row->momentum, m);
        solve_residual(k->residual + b * m, k->x + b * m, y_image,
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

/* other = y less the slope / L. */
static void descend(struct block *k)
{
    const struct operator *dec = &k->p->l->dec;
    size_t size = k->running * k->p->n;
    memcpy(k->other, k->y, size * sizeof *k->y);
    if (k->p->gram)
        vec_add(k->other, k->residual, 1.0f, size);
    else
        dec->kind->adjoint(dec, k->other, k->residual, k->running,
                           k->p->scratch);
}

static void find_images(struct block *k)
{
    const struct operator *dec = &k->p->l->dec;
    size_t n = k->p->n;
    if (k->p->gram)
        for (size_t b = 0; b < k->running; b++)
            gram_apply(k->other_image + b * n, k->p->gram, k->other + b * n,
                       k->on, n);
    else
        dec->kind->apply(dec, k->other_image, NULL, k->other, k->running,
                         k->p->scratch);
}

/* `other` and `other_image` become the code after the step. */
static void step(struct block *k)
{
    look_ahead(k);
    descend(k);
    if (k->step == 0)
        find_scale(k, k->other);
    shrink(k, k->other);
    find_images(k);
}

/* ---- what became of it, row by row ---- */

/* Products of float32 differ by this share; D z' - D y may be nothing else. */
static const double rounding = 4e-6;

/* |D z| of a code and its image. */
static double drawn_size(const struct block *k, const float *z,
                         const float *image)
{
    if (!k->p->gram)
        return vec_norm(image, k->m);
    double square = vec_dot(z, image, k->m);
    return square > 0 ? sqrt(square) : 0;
}

/* Whether L was too small for this step, of which y and y_image hold the way.
 * Then L grows and the row stays where it was. */
static bool refuse_step(struct block *k, size_t b, double moved)
{
    size_t n = k->p->n, m = k->m;
    struct row *row = &k->rows[b];
    double drawn = drawn_size(k, k->y + b * n, k->y_image + b * m);
    double size = drawn_size(k, k->other + b * n, k->other_image + b * m);
    double L = (double)row->L;
    if (!(moved > 0 && drawn > 1.001 * sqrt(L) * moved + rounding * size))
        return false;
    double wanted = 1.05 * drawn * drawn / (moved * moved);
    row->L = (float)(wanted < 4 * L ? wanted : 4 * L);
    row->t = 1;
    row->momentum = 0;
    memcpy(k->other + b * n, k->z + b * n, n * sizeof *k->z);
    memcpy(k->other_image + b * m, k->image + b * m, m * sizeof *k->image);
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
    size_t n = k->p->n, m = k->m;
    struct row *row = &k->rows[b];
    float *z = k->other + b * n, *y = k->y + b * n;
    if (!isfinite(row->scale) || !isfinite(row->L)) {
        solve_give_up(z, n);
        return true;
    }
    vec_add(y, z, -1.0f, n);
    vec_add(k->y_image + b * m, k->other_image + b * m, -1.0f, m);
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
    size_t kept = 0, n = k->p->n, m = k->m;
    for (size_t b = 0; b < k->running; b++) {
        if (k->rows[b].done)
            continue;
        k->rows[kept] = k->rows[b];
        move_row(k->x, kept, b, m);
        move_row(k->known, kept, b, m);
        move_row(k->z, kept, b, n);
        move_row(k->other, kept, b, n);
        move_row(k->image, kept, b, m);
        move_row(k->other_image, kept, b, m);
        move_row(k->state, kept, b, k->kept);
        kept++;
    }
    k->running = kept;
}

/* ---- a block of rows ---- */

static void begin(struct block *k, size_t first, size_t rows)
{
    const struct solve *p = k->p;
    const struct operator *dec = &p->l->dec;
    size_t n = p->n, m = k->m;
    k->running = rows;
    for (size_t b = 0; b < rows; b++)
        k->rows[b] = (struct row){.index = first + b, .L = p->L, .t = 1};
    if (p->gram) {
        memset(k->x, 0, rows * n * sizeof *k->x);
        dec->kind->adjoint(dec, k->x, p->x + first * p->m, rows, p->scratch);
    } else {
        memcpy(k->x, p->x + first * m, rows * m * sizeof *k->x);
    }
    if (k->known)
        memcpy(k->known, p->tape->known + first * m,
               rows * m * sizeof *k->known);
    memset(k->z, 0, rows * n * sizeof *k->z);
    memset(k->other, 0, rows * n * sizeof *k->other);
    memset(k->image, 0, rows * m * sizeof *k->image);
    memset(k->other_image, 0, rows * m * sizeof *k->other_image);
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
        swap(&k->image, &k->other_image);
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
    size_t rows = p->B < BLOCK ? p->B : BLOCK, n = p->n;
    size_t m = p->gram ? n : p->m;
    struct arena_mark mark = arena_mark(p->scratch);
    struct block k = {
        .p = p,
        .m = m,
        .rows = arena_take(p->scratch, rows, sizeof *k.rows),
        .x = take(p, rows, m),
        .known = p->tape->known ? take(p, rows, m) : NULL,
        .z = take(p, rows, n),
        .other = take(p, rows, n),
        .image = take(p, rows, m),
        .other_image = take(p, rows, m),
        .y = take(p, rows, n),
        .y_image = take(p, rows, m),
        .residual = take(p, rows, m),
        .on = arena_take(p->scratch, n, sizeof *k.on),
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
    size_t n = layer_units(l), m = layer_inputs(l);
    size_t image = gram_helps(l) && n > m ? n : m;
    size_t numbers = 3 * n + 6 * image + prox_state(l);
    return n * sizeof(uint32_t) +
           rows * (numbers * sizeof(float) + sizeof(struct row)) +
           l->dec.kind->scratch_bytes(&l->dec, rows) +
           (s->kind->prox_bytes ? s->kind->prox_bytes(s, rows) : 0) +
           14 * MEM_ALIGN;
}
