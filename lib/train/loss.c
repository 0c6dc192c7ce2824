/* The loss of a batch and its gradient, from the top of the stack down. */
#include "lib/train/loss.h"

#include "lib/data/dataset.h"
#include "lib/math/kernels.h"

#include <math.h>
#include <string.h>

/* One batch on its way: everything that the parts below share. */
struct run {
    const struct model *m;
    const struct loss_weights *w;
    const int32_t *labels;
    size_t B;
    uint64_t noise;
    float scale;
    float *grads;
    struct loss_sums *sums;
    struct arena *memory;
    struct pass pass;
};

static float *take(struct run *r, size_t n, struct err *e)
{
    float *x = arena_zeroed(r->memory, n, sizeof *x);
    if (!x)
        err_set(e, ERR_NO_MEMORY, "loss of %zu rows", r->B);
    return x;
}

static bool labelled(const struct run *r, size_t b)
{
    return r->labels && r->labels[b] >= 0 &&
           (size_t)r->labels[b] < r->m->classifier.classes;
}

/* ---- classification ---- */

/* -log p of the right class, and scale * (p - onehot) into d (B,classes). */
static double cross_entropy(const struct run *r, const float *p, float scale,
                            float *d, struct loss_sums *sums)
{
    size_t k = r->m->classifier.classes;
    double total = 0;
    for (size_t b = 0; b < r->B; b++) {
        const float *pb = p + b * k;
        if (!labelled(r, b))
            continue;
        size_t y = (size_t)r->labels[b], best = 0;
        for (size_t i = 0; i < k; i++) {
            d[b * k + i] = scale * (pb[i] - (i == y ? 1.0f : 0.0f));
            if (pb[i] > pb[best])
                best = i;
        }
        total -= log((double)pb[y] > 1e-30 ? (double)pb[y] : 1e-30);
        if (sums) {
            sums->labelled++;
            sums->wrong += best != y;
        }
    }
    return total;
}

/* Adds the classifier's part to dz (B,n) of the top code. */
static enum err_code classify(struct run *r, float *dz, float *grads,
                              float scale, struct loss_sums *sums,
                              double *total, struct err *e)
{
    const struct classifier *c = &r->m->classifier;
    const struct layer *top = model_top(r->m);
    struct layer_pass *lp = &r->pass.layers[r->m->n_layers - 1];
    if (model_classify(r->m, &r->pass, r->memory, e))
        return e->code;
    float *d = take(r, r->B * c->classes, e);
    float *dh = take(r, r->B * c->inputs, e);
    if (!d || !dh)
        return e->code;
    *total = cross_entropy(r, r->pass.probabilities, scale, d, sums);
    if (!dz)
        return ERR_OK;
    float *into = dz;
    if (c->pooled && !(into = take(r, r->B * c->inputs, e)))
        return e->code;
    classifier_backward(c, grads, into, d, r->pass.h, r->pass.norm, r->B, dh);
    if (c->pooled)
        top->structure.kind->pool_backward(&top->structure, dz, into, lp->z,
                                           lp->v, r->B);
    return ERR_OK;
}

/* ---- one layer's own terms ---- */

/* Adds 1/2 ||D z - x||^2 to the sums and its gradient to those of D, to dz
 * (B,n) and to dx (B,in), of which each may be NULL: not wanted. */
static enum err_code reconstruct(struct run *r, const struct layer *l,
                                 const float *x, const float *z, float *dz,
                                 float *dx, struct err *e)
{
    size_t size = r->B * layer_inputs(l);
    float weight = r->w->reconstruction * r->scale;
    float *residual = take(r, size, e);
    if (!residual)
        return e->code;
    if (!arena_reserve(r->memory, l->dec.kind->scratch_bytes(&l->dec, r->B)))
        return err_set(e, ERR_NO_MEMORY, "loss of %zu rows", r->B);
    l->dec.kind->apply(&l->dec, residual, z, r->B, r->memory);
    vec_add(residual, x, -1.0f, size);
    double value = 0.5 * vec_dot(residual, residual, size);
    r->sums->reconstruction += value;
    r->sums->total += (double)r->w->reconstruction * value;
    if (!r->grads)
        return ERR_OK;
    vec_scale(residual, weight, size);
    l->dec.kind->gradient(&l->dec, r->grads + l->dec.weight->offset, residual,
                          z, r->B, r->memory);
    if (dz)
        l->dec.kind->adjoint(&l->dec, dz, residual, r->B, r->memory);
    if (dx)
        vec_add(dx, residual, -1.0f, size);
    return ERR_OK;
}

/* Where the gradients on a layer's code, on what the encoder gave (the same
 * where that is the code) and on its input are added up. NULL: not wanted. */
struct slopes {
    float *dz, *d_given, *dx;
};

static enum err_code add_terms(struct run *r, const struct layer *l,
                               const float *x, const float *z,
                               const float *given, const struct slopes *to,
                               struct err *e)
{
    const struct structure *s = &l->structure;
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
    if (r->grads && s->kind->learn)
        s->kind->learn(s, r->grads, given, r->B, weight);
    return ERR_OK;
}

/* The code that the phase's target finds; NULL: no memory. */
static const float *target_code(struct run *r, const struct layer *l,
                                const float *x, struct err *e)
{
    const struct solver *s = &r->w->target;
    struct tape tape = {.z = take(r, r->B * layer_units(l), e)};
    if (!tape.z)
        return NULL;
    if (!arena_reserve(r->memory, solver_scratch_bytes(s, l, r->B))) {
        err_set(e, ERR_NO_MEMORY, "codes of %zu rows to learn from", r->B);
        return NULL;
    }
    solver_run(s, l, 0, &tape, x, r->B, r->memory);
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
    float *away = target ? take(r, size, e) : NULL;
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

static enum err_code layer_terms(struct run *r, const struct layer *l,
                                 const struct layer_pass *lp,
                                 const struct slopes *to, struct err *e)
{
    if (r->w->predict != 0.0f && l->dec.kind && l->encoder.kind->backward)
        return predict(r, l, lp, to->dz, e);
    return add_terms(r, l, lp->x, lp->z, lp->given, to, e);
}

/* Where the gradient on what the encoder gave is added up: dz itself, or a
 * place of its own. NULL: no memory. */
static float *given_slope(struct run *r, const struct layer *l, float *dz,
                          struct err *e)
{
    if (!l->structure.kind->code)
        return dz;
    return take(r, r->B * layer_outputs(l), e);
}

/* From the code through the encoder, into grads (or not) and dx (or not). */
static enum err_code encoder_backward(struct run *r, const struct layer *l,
                                      const struct layer_pass *lp,
                                      const struct slopes *from, float *grads,
                                      struct err *e)
{
    const struct encoder_kind *kind = l->encoder.kind;
    const struct structure *s = &l->structure;
    if (!kind->backward)
        return ERR_OK;
    if (s->kind->code)
        s->kind->code_backward(s, from->d_given, from->dz, lp->given, lp->noise,
                               r->B);
    if (!arena_reserve(r->memory, kind->scratch_bytes(l, r->B, lp->tape.steps)))
        return err_set(e, ERR_NO_MEMORY, "loss of %zu rows", r->B);
    kind->backward(l, grads, &lp->tape, from->d_given, from->dx, lp->x, r->B,
                   r->memory);
    return ERR_OK;
}

/* What dx (B,up) of the layer above is on this layer's code. */
static enum err_code down_one(struct run *r, const struct layer *below,
                              const struct layer_pass *lp, float *dx,
                              float **dz, struct err *e)
{
    *dz = dx;
    if (below->up == UP_CODE)
        return ERR_OK;
    *dz = take(r, r->B * layer_units(below), e);
    if (!*dz)
        return e->code;
    below->structure.kind->pool_backward(&below->structure, *dz, dx, lp->z,
                                         lp->v, r->B);
    return ERR_OK;
}

/* From dz of the top code down through all layers. `own` says whether each
 * layer's own terms count; dx (B,inputs) of the lowest may be NULL. */
static enum err_code backward(struct run *r, float *dz, bool own, float *grads,
                              float *dx_out, struct err *e)
{
    for (size_t i = r->m->n_layers; i-- > 0;) {
        const struct layer *l = &r->m->layers[i];
        const struct layer_pass *lp = &r->pass.layers[i];
        struct slopes to = {.dz = dz, .dx = dx_out};
        if (i > 0 && !(to.dx = take(r, r->B * layer_inputs(l), e)))
            return e->code;
        if (!(to.d_given = given_slope(r, l, dz, e)))
            return e->code;
        if (own && layer_terms(r, l, lp, &to, e))
            return e->code;
        if (encoder_backward(r, l, lp, &to, grads, e))
            return e->code;
        if (i > 0 && down_one(r, &r->m->layers[i - 1], &r->pass.layers[i - 1],
                              to.dx, &dz, e))
            return e->code;
    }
    return ERR_OK;
}

/* ---- the adversarial term (Goodfellow et al. 2015, with an L2 ball) ---- */

/* x + radius * g/||g||, row by row, in the preprocessed space. */
static void step_uphill(float *x, const float *g, float radius, size_t B,
                        size_t m)
{
    for (size_t b = 0; b < B; b++) {
        double norm = vec_norm(g + b * m, m);
        if (norm > 0)
            vec_add(x + b * m, g + b * m, (float)((double)radius / norm), m);
    }
}

/* Codes of preprocessed rows: the model without its preprocessing. */
static enum err_code encode_again(struct run *r, const float *x, struct err *e)
{
    struct model plain = *r->m;
    struct model_options options = {.learn = true, .noise = r->noise};
    plain.preprocess.n = 0;
    return model_encode(&plain, &r->pass, x, r->B, &options, r->memory, e);
}

static enum err_code adversarial(struct run *r, struct err *e)
{
    size_t inputs = model_inputs(r->m);
    size_t units = layer_units(model_top(r->m));
    double value = 0;
    float *dz = take(r, r->B * units, e);
    float *dx = take(r, r->B * inputs, e);
    if (!dz || !dx || classify(r, dz, NULL, 1.0f, NULL, &value, e) ||
        backward(r, dz, false, NULL, dx, e))
        return e->code;
    float *x = take(r, r->B * inputs, e);
    if (!x)
        return e->code;
    memcpy(x, r->pass.x, r->B * inputs * sizeof *x);
    step_uphill(x, dx, r->w->adversarial_radius, r->B, inputs);
    memset(dz, 0, r->B * units * sizeof *dz);
    if (encode_again(r, x, e) ||
        classify(r, r->grads ? dz : NULL, r->grads,
                 r->w->adversarial * r->scale, NULL, &value, e))
        return e->code;
    r->sums->total += (double)r->w->adversarial * value;
    return r->grads ? backward(r, dz, false, r->grads, NULL, e) : ERR_OK;
}

/* ---- all of it ---- */

static enum err_code run(struct run *r, const float *x, struct err *e)
{
    const struct layer *top = model_top(r->m);
    struct layer_pass *lp = &r->pass.layers[r->m->n_layers - 1];
    struct model_options options = {.learn = true, .noise = r->noise};
    size_t size = r->B * layer_units(top);
    double value = 0;
    if (model_encode(r->m, &r->pass, x, r->B, &options, r->memory, e))
        return e->code;
    r->sums->rows += r->B;
    r->sums->active += (double)nonzeros_count(lp->z, size);
    float *dz = r->grads ? take(r, size, e) : NULL;
    if (r->grads && !dz)
        return e->code;
    if (r->m->classifier.present && r->labels) {
        bool learn = r->w->classification != 0.0f && r->grads;
        if (classify(r, learn ? dz : NULL, r->grads,
                     r->w->classification * r->scale, r->sums, &value, e))
            return e->code;
        r->sums->classification += value;
        r->sums->total += (double)r->w->classification * value;
    }
    if (r->grads)
        return backward(r, dz, true, r->grads, NULL, e);
    static const struct slopes none = {0};
    for (size_t i = 0; i < r->m->n_layers; i++)
        if (layer_terms(r, &r->m->layers[i], &r->pass.layers[i], &none, e))
            return e->code;
    return ERR_OK;
}

enum err_code loss_run(const struct model *m, const struct loss_weights *w,
                       const struct loss_rows *rows, float scale, float *grads,
                       struct loss_sums *sums, struct arena *memory,
                       struct err *e)
{
    struct run r = {.m = m,
                    .w = w,
                    .labels = rows->labels,
                    .B = rows->B,
                    .noise = rows->noise,
                    .scale = scale,
                    .grads = grads,
                    .sums = sums,
                    .memory = memory};
    struct arena_mark mark = arena_mark(memory);
    enum err_code code = run(&r, rows->x, e);
    if (!code && w->adversarial != 0.0f && m->classifier.present &&
        rows->labels)
        code = adversarial(&r, e);
    arena_rewind(memory, mark);
    return code;
}
