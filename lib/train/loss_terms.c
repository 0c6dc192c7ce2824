/* One layer's own terms: how well its code draws what it saw, what the code
 * costs, how near it is to the code that a solver finds.
 */
#include "lib/math/kernels.h"
#include "lib/train/loss_parts.h"

#include <string.h>

/* Whether all that comes of the gradient on the code is what passes through the
 * units that are on. */
static bool only_where_on(const struct layer *l)
{
    const struct encoder *enc = &l->encoder;
    return l->dec.kind->adjoint_at && enc->f && enc->f->rests && !enc->gain &&
           !l->structure.kind->code;
}

/* Adds 1/2 ||D z - x||^2 to the sums and its gradient to those of D, to dz
 * (B,n) and to dx (B,in), of which each may be NULL: not wanted. */
static enum err_code reconstruct(struct run *r, const struct layer *l,
                                 const float *x, const float *z, float *dz,
                                 float *dx, struct err *e)
{
    size_t size = r->B * layer_inputs(l);
    float *grads = loss_grads(r, l->index);
    struct arena_mark mark = arena_mark(r->memory);
    float *residual = loss_take(r, size, e);
    if (!residual)
        return e->code;
    if (!arena_reserve(r->memory, l->dec.kind->scratch_bytes(&l->dec, r->B) +
                                      operator_gradient_bytes(&l->dec)))
        return err_set(e, ERR_NO_MEMORY, "loss of %zu rows", r->B);
    l->dec.kind->apply(&l->dec, residual, NULL, z, r->B, r->memory);
    vec_add(residual, x, -1.0f, size);
    double value = 0.5 * vec_dot(residual, residual, size);
    r->sums->reconstruction += value;
    r->sums->total += (double)r->w->reconstruction * value;
    vec_scale(residual, r->w->reconstruction * r->scale, size);
    if (grads)
        l->dec.kind->gradient(&l->dec, grads + l->dec.weight->offset, residual,
                              z, r->B, r->memory);
    if (dz && only_where_on(l))
        l->dec.kind->adjoint_at(&l->dec, dz, z, residual, r->B, r->memory);
    else if (dz)
        l->dec.kind->adjoint(&l->dec, dz, residual, r->B, r->memory);
    if (dx)
        vec_add(dx, residual, -1.0f, size);
    arena_rewind(r->memory, mark);
    return ERR_OK;
}

static enum err_code add_terms(struct run *r, const struct layer *l,
                               const float *x, const float *z,
                               const float *given, const struct slopes *to,
                               struct err *e)
{
    const struct structure *s = &l->structure;
    float *grads = loss_grads(r, l->index);
    float weight = r->w->structure * r->scale;
    if (l->dec.kind && r->w->reconstruction != 0.0f &&
        reconstruct(r, l, x, z, to->dz, to->dx, e))
        return e->code;
    if (r->w->structure == 0.0f)
        return ERR_OK;
    double value = s->kind->value(s, given, r->B);
    r->sums->structure += value;
    r->sums->total += (double)r->w->structure * value;
    if (to->d_given)
        s->kind->gradient(s, to->d_given, given, r->B, weight);
    if (grads && s->kind->learn)
        s->kind->learn(s, grads, given, r->B, weight);
    return ERR_OK;
}

/* The code that the phase's target finds; NULL: no memory. */
static const float *target_code(struct run *r, const struct layer *l,
                                const float *x, struct err *e)
{
    const struct solver *s = &r->w->target;
    struct tape tape = {.z = loss_zeros(r, r->B * layer_units(l), e)};
    if (!tape.z)
        return NULL;
    if (!arena_reserve(r->memory, solver_scratch_bytes(s, l, r->B))) {
        err_set(e, ERR_NO_MEMORY, "codes of %zu rows to learn from", r->B);
        return NULL;
    }
    solver_run(s, l, NULL, &tape, x, r->B, r->memory);
    return tape.z;
}

/* The terms of z*, and predict 1/2 ||z - z*||^2 with its gradient into dz. */
static enum err_code predict(struct run *r, const struct layer *l,
                             const struct layer_pass *lp, float *dz,
                             struct err *e)
{
    static const struct slopes none = {0};
    size_t size = r->B * layer_units(l);
    const float *target = target_code(r, l, lp->x, e);
    float *away = target ? loss_take(r, size, e) : NULL;
    if (!away || add_terms(r, l, lp->x, target, target, &none, e))
        return e->code;
    memcpy(away, lp->z, size * sizeof *away);
    vec_add(away, target, -1.0f, size);
    double value = 0.5 * vec_dot(away, away, size);
    r->sums->predict += value;
    r->sums->total += (double)r->w->predict * value;
    if (dz)
        vec_add(dz, away, r->w->predict * r->scale, size);
    return ERR_OK;
}

enum err_code loss_layer_terms(struct run *r, size_t layer,
                               const struct slopes *to, struct err *e)
{
    const struct layer *l = &r->m->layers[layer];
    const struct layer_pass *lp = &r->pass.layers[layer];
    if (r->w->predict != 0.0f && l->dec.kind && l->encoder.kind->backward)
        return predict(r, l, lp, to->dz, e);
    return add_terms(r, l, lp->x, lp->z, lp->given, to, e);
}
