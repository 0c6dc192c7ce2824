/* lateral: units that inhibit each other pay for being on together (Gregor,
 * Szlam & LeCun 2011). A row's value, with S symmetric, not negative and 0 on
 * the diagonal:
 *
 *   lambda sum_i |z_i| + 1/2 sum_ij S_ij |z_i| |z_j|
 *
 * S is given, or learned by ascent: where two units are still on together S_ij
 * grows, until they part, while rows keep their sum. The value is not convex
 * and has no simple prox; but for one unit it is |z_i| times a threshold, the
 * inhibition that the others send it:
 *
 *   lambda + sum_j S_ij |z_j|
 *
 * All below goes through this sum, and only for units that are on.
 */
#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/model/structure/inhibition.h"
#include "lib/model/structure/singles.h"

#include <math.h>
#include <stdio.h>

/* How much an S_ij may grow by learning, where no bound is told. */
static const double default_growth = 5;

struct lateral {
    struct inhibition start;
    struct param *inhibition; /* S (n,n) */
    float *sums;              /* (n) of its rows */
};

/* ---- life ---- */

static enum err_code read_policy(const struct lateral *own, struct param *p,
                                 const struct json *j, const char *where,
                                 struct err *e)
{
    bool learned = false;
    double strength = (double)own->start.strength;
    double bound = default_growth * strength;
    if (json_get_bool(j, where, "learned", &learned, e) ||
        json_get_number(j, where, "bound", 0, 1e9, &bound, e))
        return e->code;
    if (bound < strength)
        return err_set(e, ERR_INVALID,
                       "%s.bound: must be at least the strength (%.9g), not "
                       "%.9g",
                       where, strength, bound);
    if (learned && strength <= 0)
        return err_set(e, ERR_INVALID,
                       "%s.strength: must be over 0 where S is learned", where);
    p->rate = learned ? 1.0f : 0.0f;
    p->sign = -1;
    p->project = inhibition_project;
    p->bound = (float)bound;
    p->sums = own->sums;
    return ERR_OK;
}

static enum err_code configure(struct structure *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e)
{
    static const char *const always[] = {"kind", "lambda", "learned", "bound",
                                         NULL};
    size_t n = space_size(&s->code);
    double lambda = 0;
    char name[64];
    struct lateral *own = s->own = mem_array(1, sizeof *own);
    if (!own)
        return err_set(e, ERR_NO_MEMORY, "%s", where);
    s->pooled = s->code;
    if (json_get_number(j, where, "lambda", 0, 1e6, &lambda, e) ||
        inhibition_read(&own->start, n, j, where, always, e))
        return e->code;
    s->lambda = (float)lambda;
    snprintf(name, sizeof name, "layers.%zu.structure.inhibition", s->layer);
    own->inhibition = params_add(params, name, 2, (size_t[]){n, n},
                                 (enum param_axis[]){AXIS_CODE, AXIS_CODE}, e);
    if (!own->inhibition)
        return e->code;
    own->sums = mem_array(n, sizeof *own->sums);
    if (!own->sums)
        return err_set(e, ERR_NO_MEMORY, "%s: %zu units", where, n);
    inhibition_sums(&own->start, own->sums);
    return read_policy(own, own->inhibition, j, where, e);
}

static void fini(struct structure *s)
{
    struct lateral *own = s->own;
    if (!own)
        return;
    inhibition_fini(&own->start);
    mem_free(own->sums);
    mem_free(own);
}

static void start(struct structure *s)
{
    struct lateral *own = s->own;
    inhibition_fill(&own->start, own->inhibition->value);
}

static enum err_code check(const struct structure *s, struct err *e)
{
    const struct lateral *own = s->own;
    return inhibition_check(own->inhibition, e);
}

/* ---- the value ---- */

static float inhibition_of(const struct structure *s, const float *z, size_t i)
{
    const struct lateral *own = s->own;
    size_t n = space_size(&s->code);
    return vec_dot_sizes(own->inhibition->value + i * n, z, n);
}

static float threshold(const struct structure *s, const float *z, size_t i)
{
    return s->lambda + inhibition_of(s, z, i);
}

static double value(const struct structure *s, const float *z, size_t B)
{
    size_t n = space_size(&s->code);
    double sum = 0;
    for (const float *row = z; row < z + B * n; row += n)
        for (size_t i = 0; i < n; i++)
            if (row[i] != 0.0f)
                sum += (double)fabsf(row[i]) *
                       ((double)s->lambda +
                        0.5 * (double)inhibition_of(s, row, i));
    return sum;
}

static void gradient(const struct structure *s, float *dz, const float *z,
                     size_t B, float scale)
{
    size_t n = space_size(&s->code);
    for (size_t b = 0; b < B; b++)
        for (size_t i = 0; i < n; i++)
            if (z[b * n + i] != 0.0f)
                dz[b * n + i] += scale * singles_sign(z[b * n + i]) *
                                 threshold(s, z + b * n, i);
}

/* out += factor |z_i| |z|; with the product of sizes taken first, what S_ij
 * and S_ji get is the same to the bit. */
KERNEL_CLONES
static void add_pairs(float *restrict out, const float *restrict z, float size,
                      float factor, size_t n)
{
    for (size_t j = 0; j < n; j++)
        out[j] += factor * (size * fabsf(z[j]));
}

static void learn(const struct structure *s, float *grads, const float *z,
                  size_t B, float scale)
{
    const struct lateral *own = s->own;
    size_t n = space_size(&s->code);
    float *dS = grads + own->inhibition->offset;
    if (own->inhibition->rate == 0.0f)
        return;
    for (const float *row = z; row < z + B * n; row += n)
        for (size_t i = 0; i < n; i++)
            if (row[i] != 0.0f)
                add_pairs(dS + i * n, row, fabsf(row[i]), 0.5f * scale, n);
}

/* ---- fewer units, and the picture ---- */

static void close(const struct structure *s, bool *keep)
{
    const struct lateral *own = s->own;
    inhibition_close(&own->start, keep);
}

static enum err_code prune(const struct structure *s, struct json *j,
                           const bool *keep, bool *groups, struct err *e)
{
    const struct lateral *own = s->own;
    if (singles_prune(s, j, keep, groups, e))
        return e->code;
    return inhibition_prune(&own->start, j, keep, e);
}

static enum err_code layout(const struct structure *s, struct layout *out,
                            struct arena *memory, struct err *e)
{
    const struct lateral *own = s->own;
    return inhibition_layout(&own->start, out, memory, e);
}

const struct structure_kind structure_lateral = {
    .name = "lateral",
    .help = "units inhibit each other, as told or as learned",
    .settings =
        (const char *const[]){"lambda", "strength", "pattern", "learned",
                              "bound", "branching", "parents", "near", "far",
                              "height", "width", NULL},
    .heads = 1,
    .configure = configure,
    .fini = fini,
    .start = start,
    .check = check,
    .value = value,
    .gradient = gradient,
    .learn = learn,
    .threshold = threshold,
    .pool = singles_pool,
    .pool_backward = singles_pool_backward,
    .unpool = singles_unpool,
    .close = close,
    .prune = prune,
    .emit_pool = singles_emit_pool,
    .emit_unpool = singles_emit_unpool,
    .layout = layout,
};
