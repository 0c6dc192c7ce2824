/* The loss of a batch and its gradient, from the top of the stack down. */
#include "lib/train/loss.h"

#include "lib/data/dataset.h"
#include "lib/math/kernels.h"
#include "lib/train/loss_parts.h"

#include <math.h>
#include <string.h>

float *loss_take(struct run *r, size_t n, struct err *e)
{
    float *x = arena_take(r->memory, n, sizeof *x);
    if (!x)
        err_set(e, ERR_NO_MEMORY, "loss of %zu rows", r->B);
    return x;
}

float *loss_zeros(struct run *r, size_t n, struct err *e)
{
    float *x = loss_take(r, n, e);
    if (x)
        memset(x, 0, n * sizeof *x);
    return x;
}

float *loss_grads(const struct run *r, size_t layer)
{
    return r->w->fixed[layer] ? NULL : r->grads;
}

/* The lowest layer that learns, the number of layers if none does. */
static size_t lowest_learner(const struct run *r)
{
    size_t i = 0;
    while (i < r->m->n_layers && !loss_grads(r, i))
        i++;
    return i;
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

/* From d (B,classes) into grads and dz (B,n) of the top code; each may be NULL:
 * not wanted. */
static enum err_code classifier_down(struct run *r, float *grads, float *dz,
                                     const float *d, struct err *e)
{
    const struct classifier *c = &r->m->classifier;
    const struct structure *s = &model_top(r->m)->structure;
    struct layer_pass *lp = &r->pass.layers[r->m->n_layers - 1];
    float *into = dz, *dh = NULL;
    if (dz && !(dh = loss_take(r, r->B * c->inputs, e)))
        return e->code;
    if (dz && c->pooled && !(into = loss_zeros(r, r->B * c->inputs, e)))
        return e->code;
    classifier_backward(c, grads, into, d, r->pass.h, r->pass.norm, r->B, dh);
    if (dz && c->pooled)
        s->kind->pool_backward(s, dz, into, lp->z, lp->v, r->B);
    return ERR_OK;
}

/* Adds the classifier's part to grads and to dz (B,n) of the top code; each may
 * be NULL: not wanted. */
static enum err_code classify(struct run *r, float *dz, float *grads,
                              float scale, struct loss_sums *sums,
                              double *total, struct err *e)
{
    if (model_classify(r->m, &r->pass, r->memory, e))
        return e->code;
    float *d = loss_zeros(r, r->B * r->m->classifier.classes, e);
    if (!d)
        return e->code;
    *total = cross_entropy(r, r->pass.probabilities, scale, d, sums);
    return dz || grads ? classifier_down(r, grads, dz, d, e) : ERR_OK;
}

/* ---- from the top down ---- */

/* Where the gradient on what the encoder gave is added up: dz itself, or a
 * place of its own. NULL: no memory. */
static float *given_slope(struct run *r, const struct layer *l, float *dz,
                          struct err *e)
{
    if (!l->structure.kind->code)
        return dz;
    return loss_zeros(r, r->B * layer_outputs(l), e);
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
    if (!arena_reserve(r->memory, kind->scratch_bytes(l, r->B, lp->tape.steps) +
                                      operator_gradient_bytes(&l->enc) +
                                      operator_gradient_bytes(&l->rec)))
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
    *dz = loss_zeros(r, r->B * layer_units(below), e);
    if (!*dz)
        return e->code;
    below->structure.kind->pool_backward(&below->structure, *dz, dx, lp->z,
                                         lp->v, r->B);
    return ERR_OK;
}

/* How far a gradient is led down. */
struct descent {
    size_t lowest; /* the last layer that it goes through */
    float *dx;     /* (B,inputs) of layer 0, or NULL */
    bool own;      /* the layers' own terms count too */
    bool learn;    /* parameters get theirs */
};

/* One layer's share; *dz (B,n), NULL where no gradient is wanted, becomes that
 * on the code of the layer below. */
static enum err_code backward_layer(struct run *r, size_t i, float **dz,
                                    const struct descent *d, struct err *e)
{
    const struct layer *l = &r->m->layers[i];
    const struct layer_pass *lp = &r->pass.layers[i];
    struct slopes to = {.dz = *dz, .dx = i == 0 ? d->dx : NULL};
    if (*dz && i > d->lowest &&
        !(to.dx = loss_zeros(r, r->B * layer_inputs(l), e)))
        return e->code;
    if (*dz && !(to.d_given = given_slope(r, l, *dz, e)))
        return e->code;
    if (d->own && !r->w->silent[i] && loss_layer_terms(r, i, &to, e))
        return e->code;
    if (*dz &&
        encoder_backward(r, l, lp, &to, d->learn ? loss_grads(r, i) : NULL, e))
        return e->code;
    *dz = NULL;
    if (i == 0 || !to.dx)
        return ERR_OK;
    return down_one(r, &r->m->layers[i - 1], &r->pass.layers[i - 1], to.dx, dz,
                    e);
}

/* From dz of the top code (NULL: no gradient is wanted) down the stack. */
static enum err_code backward(struct run *r, float *dz, const struct descent *d,
                              struct err *e)
{
    for (size_t i = r->m->n_layers; i-- > 0;)
        if ((dz || d->own) && backward_layer(r, i, &dz, d, e))
            return e->code;
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

/* The worse rows beside those of the pass. */
static enum err_code find_adversary(struct run *r, float *x, struct err *e)
{
    size_t inputs = model_inputs(r->m);
    double value;
    float *dz = loss_zeros(r, r->B * layer_units(model_top(r->m)), e);
    struct descent d = {.dx = loss_zeros(r, r->B * inputs, e)};
    if (!dz || !d.dx || classify(r, dz, NULL, 1.0f, NULL, &value, e) ||
        backward(r, dz, &d, e))
        return e->code;
    memcpy(x, r->pass.x, r->B * inputs * sizeof *x);
    step_uphill(x, d.dx, r->w->adversarial_radius, r->B, inputs);
    return ERR_OK;
}

static enum err_code adversarial(struct run *r, struct err *e)
{
    struct descent d = {.lowest = lowest_learner(r), .learn = true};
    size_t n = r->m->n_layers;
    double value = 0;
    float *x = loss_take(r, r->B * model_inputs(r->m), e), *dz = NULL;
    if (!x || find_adversary(r, x, e))
        return e->code;
    if (d.lowest < n &&
        !(dz = loss_zeros(r, r->B * layer_units(model_top(r->m)), e)))
        return e->code;
    if (encode_again(r, x, e) ||
        classify(r, dz, loss_grads(r, n), r->w->adversarial * r->scale, NULL,
                 &value, e))
        return e->code;
    r->sums->total += (double)r->w->adversarial * value;
    return backward(r, dz, &d, e);
}

/* ---- all of it ---- */

static enum err_code run(struct run *r, const float *x, struct err *e)
{
    struct layer_pass *lp = &r->pass.layers[r->m->n_layers - 1];
    struct model_options options = {.learn = true, .noise = r->noise};
    struct descent d = {
        .lowest = lowest_learner(r), .own = true, .learn = true};
    size_t n = r->m->n_layers, size = r->B * layer_units(model_top(r->m));
    bool learn = r->w->classification != 0.0f;
    float *dz = NULL;
    double value = 0;
    if (model_encode(r->m, &r->pass, x, r->B, &options, r->memory, e))
        return e->code;
    r->sums->rows += r->B;
    r->sums->active += (double)nonzeros_count(lp->z, size);
    if (d.lowest < n && !(dz = loss_zeros(r, size, e)))
        return e->code;
    if (r->m->classifier.present && r->labels) {
        if (classify(r, learn ? dz : NULL, learn ? loss_grads(r, n) : NULL,
                     r->w->classification * r->scale, r->sums, &value, e))
            return e->code;
        r->sums->classification += value;
        r->sums->total += (double)r->w->classification * value;
    }
    return backward(r, dz, &d, e);
}

struct model loss_model(const struct model *m, const struct loss_weights *w)
{
    size_t n = m->n_layers;
    bool classes = w->classification != 0.0f || w->adversarial != 0.0f;
    while (!classes && n > 1 && w->silent[n - 1])
        n--;
    return model_lowest(m, n);
}

enum err_code loss_run(const struct model *m, const struct loss_weights *w,
                       const struct loss_rows *rows, float scale, float *grads,
                       struct loss_sums *sums, struct arena *memory,
                       struct err *e)
{
    struct model part = loss_model(m, w);
    struct run r = {.m = &part,
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
    if (!code && w->adversarial != 0.0f && part.classifier.present &&
        rows->labels)
        code = adversarial(&r, e);
    arena_rewind(memory, mark);
    return code;
}
