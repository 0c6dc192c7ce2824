/* How a row of each member looks. */
#include "api/reply_parts.h"

#include "api/print.h"

/* A code in the form that was asked for, only the units that were. */
static void print_code(struct run *r, const float *z, struct buf *b)
{
    const struct options *o = &r->call->options;
    size_t n = layer_units(&r->model->layers[r->layer]);
    size_t count = pick_active(&r->pick, z, n, o->threshold, o->top_k);

    if (o->format == CODE_DENSE)
        print_picked(b, z, n, r->pick.index, count);
    else
        print_sparse(b, z, r->pick.index, count);
}

static enum err_code codes(struct run *r, size_t row, struct buf *b,
                           struct err *e)
{
    size_t n = layer_units(&r->model->layers[r->layer]);

    (void)e;
    print_code(r, r->pass.layers[r->layer].z + row * n, b);
    return ERR_OK;
}

static enum err_code scales(struct run *r, size_t row, struct buf *b,
                            struct err *e)
{
    (void)e;
    buf_json_float(b, r->pass.scale[row]);
    return ERR_OK;
}

static enum err_code groups(struct run *r, size_t row, struct buf *b,
                            struct err *e)
{
    const struct options *o = &r->call->options;
    size_t n = layer_groups(&r->model->layers[r->layer]);
    const float *v = r->pass.layers[r->layer].v + row * n;
    size_t count = pick_active(&r->pick, v, n, o->threshold, o->top_k);

    (void)e;
    print_picked(b, v, n, r->pick.index, count);
    return ERR_OK;
}

static enum err_code reconstructions(struct run *r, size_t row, struct buf *b,
                                     struct err *e)
{
    size_t m = model_inputs(r->model);

    (void)e;
    print_floats(b, r->reconstruction + row * m, m);
    return ERR_OK;
}

static enum err_code relative_error(struct run *r, size_t row, struct buf *b,
                                    struct err *e)
{
    (void)e;
    print_float_or_null(b, r->relative_error[row]);
    return ERR_OK;
}

static void print_class(const struct model *m, size_t k, float probability,
                        struct buf *b)
{
    buf_text(b, "{\"class\":");
    buf_json_text(b, m->classes[k]);
    buf_text(b, ",\"index\":");
    buf_json_uint(b, k);
    buf_text(b, ",\"probability\":");
    buf_json_float(b, probability);
}

static enum err_code predictions(struct run *r, size_t row, struct buf *b,
                                 struct err *e)
{
    const struct model *m = r->model;
    size_t classes = m->classifier.classes;
    const float *p = r->pass.probabilities + row * classes;
    size_t count = pick_largest(&r->pick, p, classes, r->call->options.top);
    const uint32_t *best = r->pick.index;

    (void)e;
    print_class(m, best[0], p[best[0]], b);
    buf_text(b, ",\"top\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_char(b, ',');
        print_class(m, best[i], p[best[i]], b);
        buf_char(b, '}');
    }
    buf_text(b, "]}");
    return ERR_OK;
}

static enum err_code traces(struct run *r, size_t row, struct buf *b,
                            struct err *e)
{
    size_t n = layer_units(&r->model->layers[r->layer]);
    size_t steps = r->pass.layers[r->layer].tape.steps;

    (void)e;
    buf_char(b, '[');
    for (size_t t = 0; t < steps; t++) {
        if (t > 0)
            buf_char(b, ',');
        print_code(r, pass_step(r->model, &r->pass, r->layer, t) + row * n, b);
    }
    buf_char(b, ']');
    return ERR_OK;
}

/* ---- explanations ---- */

/* Shares are quotients and may leave the finite numbers. */
static void print_shares(struct buf *b, const char *name, const float *x,
                         const uint32_t *index, size_t count)
{
    buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_char(b, ',');
        print_float_or_null(b, x[index[i]]);
    }
    buf_char(b, ']');
}

static size_t best_class(const struct run *r, size_t row)
{
    size_t classes = r->model->classifier.classes, best = 0;
    const float *p = r->pass.probabilities + row * classes;

    for (size_t k = 1; k < classes; k++) {
        if (p[k] > p[best])
            best = k;
    }
    return best;
}

static enum err_code print_explanation(struct run *r, size_t row, float *drawn,
                                       float *score, struct buf *b,
                                       struct err *e)
{
    const struct model *m = r->model;
    const struct options *o = &r->call->options;
    size_t n = layer_units(&m->layers[r->layer]);
    const float *z = r->pass.layers[r->layer].z + row * n;
    size_t k = score != NULL ? best_class(r, row) : 0;

    if (model_explain(m, &r->pass, row, r->layer, k, drawn, score,
                      r->call->request->memory, e) != ERR_OK)
        return e->code;
    size_t count = pick_active(&r->pick, z, n, o->threshold, o->top_k);
    buf_text(b, "{\"indices\":");
    print_indices(b, r->pick.index, count);
    if (drawn != NULL)
        print_shares(b, "reconstruction", drawn, r->pick.index, count);
    if (score != NULL) {
        buf_text(b, ",\"class\":");
        buf_json_text(b, m->classes[k]);
        print_shares(b, "score", score, r->pick.index, count);
    }
    buf_char(b, '}');
    return ERR_OK;
}

static enum err_code explanations(struct run *r, size_t row, struct buf *b,
                                  struct err *e)
{
    struct arena *memory = r->call->request->memory;
    struct arena_mark mark = arena_mark(memory);
    const struct layer *l = &r->model->layers[r->layer];
    bool draws = l->dec.kind != NULL;
    bool judges =
        r->pass.probabilities != NULL && r->layer + 1 == r->model->n_layers;
    float *drawn = NULL, *score = NULL;

    if (draws)
        drawn = arena_take(memory, layer_units(l), sizeof *drawn);
    if (judges)
        score = arena_take(memory, layer_units(l), sizeof *score);
    if ((draws && drawn == NULL) || (judges && score == NULL))
        return err_set(e, ERR_NO_MEMORY, "no memory for an explanation");
    enum err_code code = print_explanation(r, row, drawn, score, b, e);
    arena_rewind(memory, mark);
    return code;
}

const struct reply_part reply_parts[REPLY_PARTS] = {
    {"codes", OUTPUT_CODE, codes},
    {"scales", OUTPUT_SCALES, scales},
    {"groups", OUTPUT_GROUPS, groups},
    {"reconstructions", OUTPUT_RECONSTRUCTION, reconstructions},
    {"relative_error", OUTPUT_ERROR, relative_error},
    {"predictions", OUTPUT_CLASSES, predictions},
    {"traces", OUTPUT_TRACE, traces},
    {"explanations", OUTPUT_EXPLANATION, explanations},
};
