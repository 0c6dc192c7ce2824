/* recurrent: T steps of a net that shares its weights,
 *
 *   z_1 = f(E x - b),   z_{t+1} = f(E x + S z_t - b)   up to z_T
 *
 * (Rolfe & LeCun 2013, section 2: relu, E and S free; LISTA, Gregor & LeCun
 * 2010: shrink). T counts every use of f, so S acts T - 1 times. E x is the
 * same in every step and computed once.
 *
 * Training goes backwards through all steps (BPTT). With d_t the gradient on
 * the sum of step t: dz_{t-1} = S' d_t, and the sums over steps
 *   dE = (sum_t d_t) x',   dS = sum_{t>1} d_t z_{t-1}'
 * become one product each, since the tape keeps the steps side by side.
 */
#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/model/encoder/units.h"
#include "lib/model/solver.h"

#include <stdio.h>
#include <string.h>

/* Bound of the norm of E's rows, times T: keeps the implied step small enough
 * that aligned units do not explain the input twice (paper, footnote). */
static const float row_bound = 1.25f;

static enum err_code configure(struct layer *l, const struct json *encoder,
                               const char *where, struct params *params,
                               struct err *e)
{
    l->encoder.steps = 11;
    if (json_get_size(encoder, where, "steps", 1, ENCODER_MAX_STEPS,
                      &l->encoder.steps, e) ||
        units_configure(l, encoder, where, params, e))
        return e->code;

    float T = (float)l->encoder.steps;
    l->enc.kind->limit(&l->enc, OPERATOR_ROWS, row_bound / T);
    l->enc.weight->rate = l->encoder.bias->rate = 1.0f / T;

    char name[64];
    snprintf(name, sizeof name, "layers.%zu.encoder.recurrent", l->index);
    if (l->rec.kind->declare(&l->rec, params, name, e))
        return e->code;
    l->rec.weight->rate = 1.0f / (T > 1 ? T - 1 : 1);
    return ERR_OK;
}

/* The step that units which overlap much can bear: from 2 / lambda_max(D'D) on
 * a code would grow with each step. */
static float stable_step(const struct layer *l, float step)
{
    const struct solver solver = {.method = SOLVER_ISTA};
    size_t bytes = solver_scratch_bytes(&solver, l, 1);
    struct arena scratch;
    arena_init(&scratch, SIZE_MAX);
    float L = arena_reserve(&scratch, bytes)
                  ? solver_step_bound(&solver, l, &scratch)
                  : 0;
    arena_fini(&scratch);
    return step * L < 2 ? step : 1 / L;
}

/* A few steps of ISTA with a small step, from which learning departs. */
static void start(struct layer *l, struct rng *rng)
{
    float step = row_bound / (float)l->encoder.steps;
    units_start(l);
    if (l->dec.kind) {
        step = stable_step(l, step);
        l->enc.kind->start_adjoint(&l->enc, &l->dec, step);
        l->rec.kind->start_residual(&l->rec, &l->dec, step);
    } else {
        l->enc.kind->start(&l->enc, rng, NULL, 0, 0);
    }
}

/* The steps after the first, of some rows of B: z and h as the first step left
 * them, ex and a (rows,n). */
static void run_steps(const struct layer *l, const struct tape *tape, float *z,
                      float *h, const float *ex, float *a, size_t rows,
                      size_t B, struct arena *scratch)
{
    size_t next = tape->keep ? B * layer_units(l) : 0;
    for (size_t t = 1; t < tape->steps; t++) {
        l->rec.kind->apply(&l->rec, a, ex, z, rows, scratch);
        z += next;
        h = h ? h + next : NULL;
        units_forward(l, z, h, a, rows, scratch);
    }
}

/* Where a row takes no longer by itself it goes through all steps before the
 * next row: its sums and its code then never leave the first cache. */
static void forward(const struct layer *l, struct tape *tape, const float *x,
                    size_t B, size_t steps, struct arena *scratch)
{
    size_t n = layer_units(l);
    struct arena_mark mark = arena_mark(scratch);
    float *ex = arena_take(scratch, B * n, sizeof *ex);
    float *a = arena_take(scratch, B * n, sizeof *a);
    float *z = tape->z, *h = tape->h;

    tape->steps = steps;
    l->enc.kind->apply(&l->enc, ex, NULL, x, B, scratch);
    units_forward(l, z, h, ex, B, scratch);
    bool by_row = l->rec.kind->by_row && l->rec.kind->by_row(&l->rec, z, B);
    size_t rows = by_row ? 1 : B;
    for (size_t b = 0; b < B; b += rows)
        run_steps(l, tape, z + b * n, h ? h + b * n : NULL, ex + b * n, a, rows,
                  B, scratch);
    arena_rewind(scratch, mark);
}

/* Through the steps from the last to the first: d (steps,B,n) gets the
 * gradient on each step's sum, total (B,n) their sum. */
static void backward_steps(const struct layer *l, float *grads,
                           const struct tape *tape, float *d, float *total,
                           float *dz, size_t B, struct arena *scratch)
{
    size_t size = B * layer_units(l);
    for (size_t t = tape->steps; t-- > 0;) {
        const float *h = tape->h ? tape->h + t * size : NULL;
        float *dt = d + t * size;
        units_backward(l, grads, dt, dz, tape->z + t * size, h, B, scratch);
        vec_add(total, dt, 1.0f, size);
        if (t == 0)
            break;
        memset(dz, 0, size * sizeof *dz);
        l->rec.kind->adjoint(&l->rec, dz, dt, B, scratch);
    }
}

static void backward(const struct layer *l, float *grads,
                     const struct tape *tape, float *dz, float *dx,
                     const float *x, size_t B, struct arena *scratch)
{
    size_t size = B * layer_units(l), T = tape->steps;
    struct arena_mark mark = arena_mark(scratch);
    float *d = arena_take(scratch, T * size, sizeof *d);
    float *total = arena_zeroed(scratch, size, sizeof *total);

    backward_steps(l, grads, tape, d, total, dz, B, scratch);
    if (grads) {
        l->enc.kind->gradient(&l->enc, grads + l->enc.weight->offset, total, x,
                              B, scratch);
        if (T > 1)
            l->rec.kind->gradient(&l->rec, grads + l->rec.weight->offset,
                                  d + size, tape->z, (T - 1) * B, scratch);
    }
    if (dx)
        l->enc.kind->adjoint(&l->enc, dx, total, B, scratch);
    arena_rewind(scratch, mark);
}

static int emit(const struct layer *l, struct graph *g, int x)
{
    int ex = l->enc.kind->emit(&l->enc, g, x);
    int z = units_emit(l, g, ex);
    for (size_t t = 1; t < l->encoder.steps; t++) {
        int sz = l->rec.kind->emit(&l->rec, g, z);
        z = units_emit(l, g, g->apply(g, GRAPH_ADD, sz, ex));
    }
    return z;
}

static size_t scratch_bytes(const struct layer *l, size_t B, size_t steps)
{
    return l->enc.kind->scratch_bytes(&l->enc, B) +
           l->rec.kind->scratch_bytes(&l->rec, steps * B) +
           (steps + 2) * B * layer_units(l) * sizeof(float) +
           units_scratch_bytes(l) + 8 * MEM_ALIGN;
}

const struct encoder_kind encoder_recurrent = {
    .name = "recurrent",
    .help = "T steps of a net that shares its weights",
    .settings = (const char *const[]){"nonlinearity", "steps", "gain", NULL},
    .recurrent = true,
    .configure = configure,
    .start = start,
    .forward = forward,
    .backward = backward,
    .emit = emit,
    .scratch_bytes = scratch_bytes,
};
