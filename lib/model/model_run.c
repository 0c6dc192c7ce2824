/* A model at work: codes, pools, classes, reconstructions, explanations. */
#include "lib/model/model.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/math/kernels.h"

#include <math.h>
#include <string.h>

static enum err_code no_memory(const struct arena *memory, size_t B,
                               struct err *e)
{
    return err_set(e, ERR_NO_MEMORY,
                   "%zu rows need more than the %zu bytes there are", B,
                   memory->max_bytes);
}

/* ---- codes ---- */

/* An encoder that cannot go backwards needs no steps for it. */
static bool keeps(const struct layer *l, const struct model_options *options)
{
    return options->trace || (options->learn && l->encoder.kind->backward);
}

/* The code of what the encoder gave. */
static enum err_code make_code(const struct layer *l, struct layer_pass *lp,
                               size_t B, const struct model_options *options,
                               struct arena *memory, struct err *e)
{
    size_t size = B * layer_units(l);
    lp->z = lp->given;
    if (!l->structure.kind->code)
        return ERR_OK;
    lp->z = arena_take(memory, size, sizeof *lp->z);
    if (options->noise)
        lp->noise = arena_take(memory, size, sizeof *lp->noise);
    if (!lp->z || (options->noise && !lp->noise))
        return no_memory(memory, B, e);
    struct rng rng = rng_make(options->noise, "noise", l->index);
    for (size_t i = 0; lp->noise && i < size; i++)
        lp->noise[i] = rng_normal(&rng);
    l->structure.kind->code(&l->structure, lp->z, lp->given, lp->noise, B);
    return ERR_OK;
}

static enum err_code encode_layer(const struct layer *l, struct layer_pass *lp,
                                  size_t B, const struct model_options *options,
                                  struct arena *memory, struct err *e)
{
    size_t steps = l->encoder.steps, size = B * layer_outputs(l);
    if (options->steps && steps > 1)
        steps = options->steps;
    bool keep = keeps(l, options);
    size_t kept = keep ? steps : 1;
    lp->tape = (struct tape){.keep = keep};
    if (l->index == 0)
        lp->tape.known = options->known;
    lp->tape.z = arena_take(memory, kept * size, sizeof(float));
    bool before_gain = l->encoder.gain && options->learn;
    if (before_gain)
        lp->tape.h = arena_take(memory, kept * size, sizeof(float));
    if (!lp->tape.z || (before_gain && !lp->tape.h) ||
        !arena_reserve(memory, l->encoder.kind->scratch_bytes(l, B, steps)))
        return no_memory(memory, B, e);
    l->encoder.kind->forward(l, &lp->tape, lp->x, B, steps, memory);
    lp->given = keep ? lp->tape.z + (lp->tape.steps - 1) * size : lp->tape.z;
    if (make_code(l, lp, B, options, memory, e))
        return e->code;
    if (!vec_finite(lp->given, size) ||
        (lp->z != lp->given && !vec_finite(lp->z, B * layer_units(l))))
        return err_set(e, ERR_INTERNAL,
                       "the code of layer %zu is not finite: fewer steps or "
                       "smaller inputs may help",
                       l->index);
    return ERR_OK;
}

enum err_code model_check_restores(const struct model *m, struct err *e)
{
    if (!m->layers[0].encoder.kind->decodes)
        return err_set(e, ERR_CONFLICT,
                       "its encoder computes the code from all inputs; only "
                       "one that finds the code through the decoder can do "
                       "with some of them");
    if (preprocess_mixes(&m->preprocess))
        return err_set(e, ERR_CONFLICT,
                       "its preprocessing mixes inputs, so that one which is "
                       "missing is missing everywhere");
    return ERR_OK;
}

static void clear_unknown(float *x, const float *known, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (known[i] == 0.0f)
            x[i] = 0;
}

/* p->x and p->scale from raw x; what is not known counts as 0. */
static enum err_code preprocess(const struct model *m, struct pass *p,
                                const float *x, const float *known,
                                struct arena *memory, struct err *e)
{
    size_t inputs = model_inputs(m), B = p->B;
    p->x = arena_take(memory, B * inputs, sizeof(float));
    p->scale = arena_take(memory, B, sizeof(float));
    if (!p->x || !p->scale ||
        !arena_reserve(memory,
                       preprocess_scratch_bytes(&m->preprocess, B, inputs)))
        return no_memory(memory, B, e);
    memcpy(p->x, x, B * inputs * sizeof(float));
    if (known)
        clear_unknown(p->x, known, B * inputs);
    preprocess_apply(&m->preprocess, p->x, p->scale, B, inputs, memory);
    for (size_t b = 0; b < B; b++) {
        if (!isfinite(p->scale[b]))
            return err_set(e, ERR_SHAPE,
                           "inputs[%zu]: its norm is over what float32 holds",
                           b);
        if (preprocess_mixes(&m->preprocess) &&
            !vec_finite(p->x + b * inputs, inputs))
            return err_set(e, ERR_SHAPE,
                           "inputs[%zu]: after preprocessing, numbers are over "
                           "what float32 holds",
                           b);
    }
    return ERR_OK;
}

enum err_code model_encode(const struct model *m, struct pass *p,
                           const float *x, size_t B,
                           const struct model_options *options,
                           struct arena *memory, struct err *e)
{
    *p = (struct pass){.B = B};
    if (preprocess(m, p, x, options->known, memory, e))
        return e->code;
    const float *in = p->x;
    for (size_t i = 0; i < m->n_layers; i++) {
        const struct layer *l = &m->layers[i];
        struct layer_pass *lp = &p->layers[i];
        lp->x = in;
        if (encode_layer(l, lp, B, options, memory, e))
            return e->code;
        in = lp->z;
        if (l->up == UP_POOLED && i + 1 < m->n_layers) {
            if (model_pool(m, p, i, memory, e))
                return e->code;
            in = lp->v;
        }
    }
    return ERR_OK;
}

enum err_code model_pool(const struct model *m, struct pass *p, size_t layer,
                         struct arena *memory, struct err *e)
{
    const struct layer *l = &m->layers[layer];
    struct layer_pass *lp = &p->layers[layer];
    if (lp->v)
        return ERR_OK;
    lp->v = arena_take(memory, p->B * layer_groups(l), sizeof(float));
    if (!lp->v)
        return no_memory(memory, p->B, e);
    l->structure.kind->pool(&l->structure, lp->v, lp->z, p->B);
    return ERR_OK;
}

enum err_code model_classify(const struct model *m, struct pass *p,
                             struct arena *memory, struct err *e)
{
    const struct classifier *c = &m->classifier;
    size_t top = m->n_layers - 1;
    if (!c->present)
        return err_set(e, ERR_CONFLICT, "the model has no classifier");
    if (c->pooled && model_pool(m, p, top, memory, e))
        return e->code;
    p->h = arena_take(memory, p->B * c->inputs, sizeof(float));
    p->norm = arena_take(memory, p->B, sizeof(float));
    p->probabilities = arena_take(memory, p->B * c->classes, sizeof(float));
    if (!p->h || !p->norm || !p->probabilities)
        return no_memory(memory, p->B, e);
    classifier_forward(c, p->h, p->norm, p->probabilities,
                       c->pooled ? p->layers[top].v : p->layers[top].z, p->B);
    return ERR_OK;
}

/* ---- back to the input ---- */

/* out (B,inputs) in the input's own units from x as the lowest layer has it. */
static enum err_code undo_preprocess(const struct model *m, float *out,
                                     const float *x, const float *scale,
                                     size_t B, struct arena *memory,
                                     struct err *e)
{
    size_t inputs = model_inputs(m);
    if (!arena_reserve(memory,
                       preprocess_scratch_bytes(&m->preprocess, B, inputs)))
        return no_memory(memory, B, e);
    memcpy(out, x, B * inputs * sizeof *out);
    preprocess_undo(&m->preprocess, out, scale, B, inputs, memory);
    return ERR_OK;
}

bool model_searches(const struct model *m)
{
    for (size_t i = 0; i < m->n_layers; i++)
        if (m->layers[i].encoder.kind->decodes)
            return true;
    return false;
}

bool model_draws(const struct model *m, size_t layer)
{
    for (size_t i = 0; i <= layer; i++)
        if (!m->layers[i].dec.kind)
            return false;
    return true;
}

/* What the layer's decoder draws from z (B,n), from `memory`. */
static float *draw(const struct layer *l, const float *z, size_t B,
                   struct arena *memory, struct err *e)
{
    if (!l->dec.kind) {
        err_set(e, ERR_CONFLICT, "layer %zu has no decoder", l->index);
        return NULL;
    }
    float *x = arena_take(memory, B * layer_inputs(l), sizeof *x);
    if (!x || !arena_reserve(memory, l->dec.kind->scratch_bytes(&l->dec, B))) {
        no_memory(memory, B, e);
        return NULL;
    }
    l->dec.kind->apply(&l->dec, x, NULL, z, B, memory);
    return x;
}

/* Where a layer passed pools on: what tells the code that they are undone to.
 */
enum pools_from {
    POOLS_FROM_PASS,  /* the code of the pass */
    POOLS_FROM_NONE,  /* nothing: refused */
    POOLS_FROM_ALIKE, /* all units of a pool are taken to be alike */
};

/* The code (B,n) of `l` whose pools are `wanted`, from `memory`. */
static float *unpool(const struct layer *l, const struct layer_pass *lp,
                     enum pools_from from, const float *wanted, size_t B,
                     struct arena *memory, struct err *e)
{
    if (from == POOLS_FROM_NONE) {
        err_set(e, ERR_CONFLICT,
                "layer %zu passes pooled codes on, which only a "
                "reconstruction of an input can undo",
                l->index);
        return NULL;
    }
    float *code = arena_take(memory, B * layer_units(l), sizeof *code);
    if (!code) {
        no_memory(memory, B, e);
        return NULL;
    }
    if (from == POOLS_FROM_PASS)
        l->structure.kind->unpool(&l->structure, code, wanted, lp->z, lp->v, B);
    else if (layer_unpool_alike(l, code, wanted, B, memory, e))
        return NULL;
    return code;
}

/* From z of `layer` down to the preprocessed input. */
static float *draw_down(const struct model *m, const struct pass *p,
                        enum pools_from from, size_t layer, const float *z,
                        size_t B, struct arena *memory, struct err *e)
{
    float *x = NULL;
    for (size_t i = layer + 1; i-- > 0;) {
        x = draw(&m->layers[i], z, B, memory, e);
        if (!x || i == 0)
            return x;
        const struct layer *below = &m->layers[i - 1];
        z = x;
        if (below->up == UP_POOLED)
            z = unpool(below, p ? &p->layers[i - 1] : NULL, from, x, B, memory,
                       e);
        if (!z)
            return NULL;
    }
    return x;
}

/* Over the inputs that are known; NULL: all are. */
static float relative_difference(const float *x, const float *y,
                                 const float *known, size_t n)
{
    double size = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (known && known[i] == 0.0f)
            continue;
        double difference = (double)x[i] - (double)y[i];
        size += (double)x[i] * (double)x[i];
        sum += difference * difference;
    }
    return size > 0 ? (float)sqrt(sum / size) : NAN;
}

enum err_code model_reconstruct(const struct model *m, const struct pass *p,
                                size_t layer, float *out, float *relative_error,
                                struct arena *memory, struct err *e)
{
    size_t inputs = model_inputs(m);
    struct arena_mark mark = arena_mark(memory);
    const float *x = draw_down(m, p, POOLS_FROM_PASS, layer, p->layers[layer].z,
                               p->B, memory, e);
    if (!x)
        return e->code;
    const float *known = p->layers[0].tape.known;
    for (size_t b = 0; relative_error && b < p->B; b++)
        relative_error[b] =
            relative_difference(p->x + b * inputs, x + b * inputs,
                                known ? known + b * inputs : NULL, inputs);
    if (undo_preprocess(m, out, x, p->scale, p->B, memory, e))
        return e->code;
    arena_rewind(memory, mark);
    return ERR_OK;
}

enum err_code model_decode(const struct model *m, size_t layer, float *out,
                           const float *z, const float *scale, size_t B,
                           struct arena *memory, struct err *e)
{
    struct arena_mark mark = arena_mark(memory);
    const float *x =
        draw_down(m, NULL, POOLS_FROM_NONE, layer, z, B, memory, e);
    float *ones = arena_take(memory, B, sizeof *ones);
    if (!x)
        return e->code;
    if (!ones)
        return no_memory(memory, B, e);
    for (size_t b = 0; b < B; b++)
        ones[b] = scale ? scale[b] : 1.0f;
    if (undo_preprocess(m, out, x, ones, B, memory, e))
        return e->code;
    arena_rewind(memory, mark);
    return ERR_OK;
}

enum err_code model_draw(const struct model *m, size_t layer, float *out,
                         const float *z, size_t B, struct arena *memory,
                         struct err *e)
{
    struct arena_mark mark = arena_mark(memory);
    const float *x =
        draw_down(m, NULL, POOLS_FROM_ALIKE, layer, z, B, memory, e);
    if (!x)
        return e->code;
    memcpy(out, x, B * model_inputs(m) * sizeof *out);
    arena_rewind(memory, mark);
    return ERR_OK;
}

/* ---- explanations ---- */

/* share (n): z_i d_i.x^ / ||x^||^2, the products by one adjoint. */
static enum err_code explain_drawing(const struct layer *l, const float *z,
                                     float *share, struct arena *memory,
                                     struct err *e)
{
    size_t n = layer_units(l), m = layer_inputs(l);
    const float *x = draw(l, z, 1, memory, e); /* with room for the adjoint */
    if (!x)
        return e->code;
    double size = vec_dot(x, x, m);
    memset(share, 0, n * sizeof *share);
    l->dec.kind->adjoint(&l->dec, share, x, 1, memory);
    for (size_t i = 0; i < n; i++)
        share[i] = size > 0 ? (float)((double)(share[i] * z[i]) / size) : 0;
    return ERR_OK;
}

static enum err_code explain_score(const struct model *m, struct pass *p,
                                   size_t row, size_t k, float *share,
                                   struct arena *memory, struct err *e)
{
    const struct classifier *c = &m->classifier;
    const struct layer *l = model_top(m);
    struct layer_pass *lp = &p->layers[m->n_layers - 1];
    size_t n = layer_units(l);
    const float *z = lp->z + row * n;
    if (!p->h && model_classify(m, p, memory, e))
        return e->code;
    float *d = arena_take(memory, c->inputs, sizeof *d);
    if (!d)
        return no_memory(memory, 1, e);
    memcpy(d, c->weight->value + k * c->inputs, c->inputs * sizeof *d);
    vec_scale(d, 1.0f / p->norm[row], c->inputs);
    if (!c->pooled) {
        memcpy(share, d, n * sizeof *share);
    } else {
        memset(share, 0, n * sizeof *share);
        l->structure.kind->pool_backward(&l->structure, share, d, z,
                                         lp->v + row * layer_groups(l), 1);
    }
    for (size_t i = 0; i < n; i++)
        share[i] *= z[i];
    return ERR_OK;
}

enum err_code model_explain(const struct model *m, struct pass *p, size_t row,
                            size_t layer, size_t k, float *reconstruction,
                            float *score, struct arena *memory, struct err *e)
{
    const struct layer *l = &m->layers[layer];
    const float *z = p->layers[layer].z + row * layer_units(l);
    if (reconstruction && explain_drawing(l, z, reconstruction, memory, e))
        return e->code;
    if (!score)
        return ERR_OK;
    if (!m->classifier.present || layer + 1 != m->n_layers)
        return err_set(e, ERR_CONFLICT, "layer %zu has no classifier on it",
                       layer);
    return explain_score(m, p, row, k, score, memory, e);
}

/* ---- bounds ---- */

size_t model_pass_bytes(const struct model *m, size_t B,
                        const struct model_options *options)
{
    size_t floats = B * (2 * model_inputs(m) + 4);
    size_t scratch =
        preprocess_scratch_bytes(&m->preprocess, B, model_inputs(m));
    for (size_t i = 0; i < m->n_layers; i++) {
        const struct layer *l = &m->layers[i];
        size_t steps = l->encoder.steps;
        if (options->steps && steps > 1)
            steps = options->steps;
        size_t kept = keeps(l, options) ? steps : 1;
        size_t copies = l->encoder.gain ? 2 : 1;
        size_t bytes = l->encoder.kind->scratch_bytes(l, B, steps);
        size_t codes = l->structure.kind->code ? 3 : 1;
        floats +=
            B * (kept * copies * layer_outputs(l) + codes * layer_units(l) +
                 layer_groups(l) + layer_inputs(l));
        scratch = bytes > scratch ? bytes : scratch;
    }
    floats += B * 2 * (m->classifier.inputs + m->classifier.classes);
    return floats * sizeof(float) + scratch + 64 * MEM_ALIGN;
}
