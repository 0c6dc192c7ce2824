/* The stack upwards, then the drawing downwards. */
#include "lib/model/model_emit.h"

struct emitted {
    int z[MODEL_MAX_LAYERS], v[MODEL_MAX_LAYERS];
};

static bool emits(const struct operator *op)
{
    return !op->kind || op->kind->emit;
}

static enum err_code emit_codes(const struct model *m, struct graph *g, int x,
                                struct emitted *out, struct err *e)
{
    for (size_t i = 0; i < m->n_layers; i++) {
        const struct layer *l = &m->layers[i];
        if (!l->encoder.kind->emit)
            return err_set(e, ERR_CONFLICT,
                           "layer %zu: encoder \"%s\" takes as many steps as "
                           "each row needs, which is no fixed list of "
                           "operations",
                           i, l->encoder.kind->name);
        if (!emits(&l->enc) || !emits(&l->rec) || !emits(&l->dec))
            return err_set(e, ERR_CONFLICT,
                           "layer %zu: operator \"%s\" is no standard "
                           "operation",
                           i, l->op->name);
        out->z[i] = l->encoder.kind->emit(l, g, x);
        if (l->structure.kind->emit_code)
            out->z[i] =
                l->structure.kind->emit_code(&l->structure, g, out->z[i]);
        out->v[i] = l->structure.kind->emit_pool(&l->structure, g, out->z[i]);
        x = l->up == UP_POOLED ? out->v[i] : out->z[i];
    }
    return ERR_OK;
}

static int emit_drawing(const struct model *m, struct graph *g,
                        const struct emitted *codes)
{
    size_t top = m->n_layers - 1;
    int x = codes->z[top];
    for (size_t i = top + 1; i-- > 0;) {
        const struct layer *l = &m->layers[i];
        if (i < top && l->up == UP_POOLED)
            x = l->structure.kind->emit_unpool(&l->structure, g, x, codes->z[i],
                                               codes->v[i]);
        x = l->dec.kind->emit(&l->dec, g, x);
    }
    return x;
}

enum err_code model_emit(const struct model *m, struct graph *g, int x,
                         struct model_values *out, struct err *e)
{
    struct emitted codes;
    size_t top = m->n_layers - 1;
    int scale;
    x = preprocess_emit(&m->preprocess, g, x, &scale);
    if (emit_codes(m, g, x, &codes, e))
        return e->code;
    *out = (struct model_values){.code = codes.z[top],
                                 .groups = codes.v[top],
                                 .reconstruction = GRAPH_NONE,
                                 .probabilities = GRAPH_NONE};
    bool whole = out->code != GRAPH_NONE && out->groups != GRAPH_NONE;
    if (model_draws(m, top)) {
        out->reconstruction = preprocess_emit_undo(
            &m->preprocess, g, emit_drawing(m, g, &codes), scale);
        whole = whole && out->reconstruction != GRAPH_NONE;
    }
    if (m->classifier.present) {
        out->probabilities = classifier_emit(
            &m->classifier, g, m->classifier.pooled ? out->groups : out->code);
        whole = whole && out->probabilities != GRAPH_NONE;
    }
    return whole ? ERR_OK : err_set(e, ERR_NO_MEMORY, "the graph of the model");
}
