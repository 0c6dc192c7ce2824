/* Settings, the step's bound, and what the methods share. */
#include "lib/model/solver_parts.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/math/kernels.h"
#include "lib/model/solver_gram.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const char *const method_names[] = {
    [SOLVER_ISTA] = "ista",
    [SOLVER_FISTA] = "fista",
    [SOLVER_DESCENT] = "descent",
};
enum { METHODS = sizeof method_names / sizeof method_names[0] };

const char *const solver_settings[] = {"method", "steps", "tolerance",
                                       "nonnegative", NULL};

/* ---- settings ---- */

static enum err_code find_method(enum solver_method *method, const char *name,
                                 const char *where, struct err *e)
{
    for (size_t i = 0; i < METHODS; i++)
        if (strcmp(method_names[i], name) == 0) {
            *method = (enum solver_method)i;
            return ERR_OK;
        }
    return err_set(e, ERR_INVALID,
                   "%s.method: there is no \"%s\"; there are: %s, %s, %s",
                   where, name, method_names[SOLVER_ISTA],
                   method_names[SOLVER_FISTA], method_names[SOLVER_DESCENT]);
}

static enum err_code check_method(enum solver_method method, const char *where,
                                  const struct operator_kind *op,
                                  const struct structure_kind *structure,
                                  struct err *e)
{
    const char *name = method_names[method];
    if (method != SOLVER_DESCENT && !structure->prox)
        return err_set(e, ERR_INVALID,
                       "%s.method: \"%s\" needs a proximal step, which "
                       "structure \"%s\" does not give: use \"%s\"",
                       where, name, structure->name,
                       method_names[SOLVER_DESCENT]);
    if (method == SOLVER_DESCENT && !structure->threshold)
        return err_set(e, ERR_INVALID,
                       "%s.method: \"%s\" needs a threshold for one unit at a "
                       "time, which structure \"%s\" does not give: use \"%s\"",
                       where, name, structure->name,
                       method_names[SOLVER_FISTA]);
    if (method == SOLVER_DESCENT && !op->columns)
        return err_set(e, ERR_INVALID,
                       "%s.method: \"%s\" needs one atom at a time, which "
                       "operator \"%s\" does not give",
                       where, name, op->name);
    return ERR_OK;
}

enum err_code solver_configure(struct solver *s, const struct json *j,
                               const char *where,
                               const struct operator_kind *op,
                               const struct structure_kind *structure,
                               struct err *e)
{
    const char *name = NULL;
    double tolerance = 1e-4;
    *s = (struct solver){
        .method = structure->prox ? SOLVER_FISTA : SOLVER_DESCENT,
        .steps = 200,
    };
    if (json_get_text(j, where, "method", &name, e) ||
        json_get_size(j, where, "steps", 1, ENCODER_MAX_STEPS, &s->steps, e) ||
        json_get_number(j, where, "tolerance", 0, 1, &tolerance, e) ||
        json_get_bool(j, where, "nonnegative", &s->nonnegative, e) ||
        (name && find_method(&s->method, name, where, e)))
        return e->code;
    s->tolerance = (float)tolerance;
    return check_method(s->method, where, op, structure, e);
}

/* ---- the step's bound ---- */

/* The quotient |D v|^2/|v|^2 rises towards lambda_max from below. It may stop
 * short by some percent where many eigenvalues lie close together; rows that
 * find so make their L larger. */
enum { POWER_STEPS = 64 };
static const double power_still = 1e-4, power_margin = 1.02;

float solver_step_bound(const struct solver *s, const struct layer *l,
                        struct arena *scratch)
{
    const struct operator *dec = &l->dec;
    size_t n = layer_units(l), m = layer_inputs(l);
    struct rng rng = rng_make(1, "power", 0);
    double largest = 0;
    if (s->method == SOLVER_DESCENT)
        return 0;
    struct arena_mark mark = arena_mark(scratch);
    float *v = arena_take(scratch, n, sizeof *v);
    float *drawn = arena_take(scratch, m, sizeof *drawn);
    for (size_t i = 0; i < n; i++)
        v[i] = rng_uniform(&rng, -1, 1);
    for (int k = 0; k < POWER_STEPS; k++) {
        double before = largest, size = vec_norm(v, n);
        if (!(size > 0))
            break;
        vec_scale(v, (float)(1 / size), n);
        dec->kind->apply(dec, drawn, NULL, v, 1, scratch);
        largest = vec_dot(drawn, drawn, m);
        if (!(largest - before > power_still * largest))
            break;
        memset(v, 0, n * sizeof *v);
        dec->kind->adjoint(dec, v, drawn, 1, scratch);
    }
    arena_rewind(scratch, mark);
    /* With D = 0 every step is as good as another. */
    float L = (float)(power_margin * largest);
    return L < FLT_MIN ? 1.0f : L;
}

/* ---- what depends on the weights ---- */

enum err_code solver_prepare(struct solver_weights *w, const struct solver *s,
                             const struct layer *l, struct err *e)
{
    size_t n = layer_units(l);
    struct arena memory;
    arena_init(&memory, SIZE_MAX);
    *w = (struct solver_weights){0};
    if (gram_helps(l))
        w->gram = mem_array(n * n, sizeof *w->gram);
    if ((gram_helps(l) && !w->gram) ||
        !arena_reserve(&memory, solver_scratch_bytes(s, l, 1))) {
        solver_unprepare(w);
        arena_fini(&memory);
        return err_set(e, ERR_NO_MEMORY, "layer %zu: its products", l->index);
    }
    w->L = solver_step_bound(s, l, &memory);
    if (w->gram && !gram_make(w->gram, l, &memory)) {
        mem_free(w->gram);
        w->gram = NULL;
    }
    arena_fini(&memory);
    return ERR_OK;
}

void solver_unprepare(struct solver_weights *w)
{
    mem_free(w->gram);
    *w = (struct solver_weights){0};
}

/* ---- running ---- */

void solve_store(const struct solve *p, size_t row, size_t t, const float *z,
                 bool last)
{
    size_t slice = p->tape->keep ? t * p->B : 0;
    if (last)
        p->taken[row] = (uint32_t)t + 1;
    if (last || p->tape->keep)
        memcpy(p->tape->z + (slice + row) * p->n, z, p->n * sizeof *z);
}

KERNEL_CLONES
void solve_residual(float *restrict r, const float *restrict x,
                    const float *restrict drawn, const float *restrict known,
                    float factor, size_t m)
{
    for (size_t i = 0; i < m; i++)
        r[i] = factor * (x[i] - drawn[i]);
    for (size_t i = 0; known && i < m; i++)
        r[i] = known[i] != 0.0f ? r[i] : 0.0f;
}

float solve_minimum(float a, float cut, float curvature, bool nonnegative)
{
    float size = fabsf(a) - cut;
    if (!(size > 0.0f) || (nonnegative && a < 0.0f))
        return 0.0f;
    return copysignf(size, a) / curvature;
}

void solve_give_up(float *z, size_t n)
{
    for (size_t i = 0; i < n; i++)
        z[i] = NAN;
}

/* Rows that finished before the last one repeat their code. */
static void fill_tape(const struct solve *p)
{
    size_t most = 1, n = p->n, B = p->B;
    for (size_t b = 0; b < B; b++)
        most = p->taken[b] > most ? p->taken[b] : most;
    p->tape->steps = most;
    if (!p->tape->keep)
        return;
    for (size_t b = 0; b < B; b++)
        for (size_t t = p->taken[b]; t < most; t++)
            memcpy(p->tape->z + (t * B + b) * n,
                   p->tape->z + ((t - 1) * B + b) * n, n * sizeof *p->tape->z);
}

static const float *take_gram(const struct layer *l,
                              const struct solver_weights *w,
                              struct arena *scratch)
{
    size_t n = layer_units(l);
    if (w->gram || !gram_helps(l))
        return w->gram;
    float *gram = arena_take(scratch, n * n, sizeof *gram);
    return gram_make(gram, l, scratch) ? gram : NULL;
}

void solver_run(const struct solver *s, const struct layer *l,
                const struct solver_weights *w, struct tape *tape,
                const float *x, size_t B, struct arena *scratch)
{
    static const struct solver_weights nothing;
    struct arena_mark mark = arena_mark(scratch);
    if (!w)
        w = &nothing;
    struct solve p = {
        .s = s,
        .l = l,
        .tape = tape,
        .x = x,
        .B = B,
        .m = layer_inputs(l),
        .n = layer_units(l),
        .L = w->L > 0 ? w->L : solver_step_bound(s, l, scratch),
        .gram = tape->known ? NULL : take_gram(l, w, scratch),
        .taken = arena_take(scratch, B, sizeof *p.taken),
        .scratch = scratch,
    };
    if (s->method != SOLVER_DESCENT)
        solve_prox(&p);
    else if (p.gram)
        solve_descent_gram(&p);
    else
        solve_descent(&p);
    fill_tape(&p);
    arena_rewind(scratch, mark);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t solver_scratch_bytes(const struct solver *s, const struct layer *l,
                            size_t B)
{
    size_t n = layer_units(l);
    size_t own = B * sizeof(uint32_t) + (n + layer_inputs(l)) * sizeof(float) +
                 4 * MEM_ALIGN;
    if (gram_helps(l))
        own += n * n * sizeof(float) + MEM_ALIGN + gram_scratch_bytes(l);
    return own +
           (s->method == SOLVER_DESCENT
                ? larger(solve_descent_bytes(l), solve_descent_gram_bytes(l))
                : solve_prox_bytes(l, B));
}
