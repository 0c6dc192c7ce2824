/* A model made from its config. */
#include "lib/model/model.h"

#include "lib/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const members[] = {"input", "preprocess", "layers",
                                      "classifier", NULL};

/* ---- reading the config ---- */

static enum err_code read_shape(struct model *m, const struct json *shape,
                                struct err *e)
{
    size_t total = 1;
    m->input_rank = json_count(shape);
    if (!json_is_array(shape) || m->input_rank < 1 || m->input_rank > 3)
        return err_set(e, ERR_INVALID,
                       "input.shape: must be [n], [height,width] or "
                       "[channels,height,width]");
    for (size_t i = 0; i < m->input_rank; i++) {
        const struct json *side = json_at(shape, i);
        double value = json_is_number(side) ? json_number(side) : 0;
        if (value < 1 || value != floor(value) ||
            value > (double)MODEL_MAX_INPUTS ||
            !mem_mul(total, (size_t)value, &total) || total > MODEL_MAX_INPUTS)
            return err_set(e, ERR_INVALID,
                           "input.shape[%zu]: must be a whole number from 1, "
                           "all together at most %zu",
                           i, MODEL_MAX_INPUTS);
        m->input_shape[i] = (size_t)value;
    }
    const size_t *s = m->input_shape;
    if (m->input_rank == 1)
        m->input = space_vector(s[0]);
    else if (m->input_rank == 2)
        m->input = (struct space){.channels = 1, .height = s[0], .width = s[1]};
    else
        m->input =
            (struct space){.channels = s[0], .height = s[1], .width = s[2]};
    return ERR_OK;
}

static enum err_code read_range(struct model *m, const struct json *range,
                                struct err *e)
{
    m->low = 0;
    m->high = 1;
    if (!range)
        return ERR_OK;
    const struct json *low = json_at(range, 0), *high = json_at(range, 1);
    if (json_count(range) != 2 || !json_is_number(low) ||
        !json_is_number(high) || !(json_number(low) < json_number(high)) ||
        fabs(json_number(low)) > 1e9 || fabs(json_number(high)) > 1e9)
        return err_set(e, ERR_INVALID,
                       "input.range: must be [low, high] with low < high, "
                       "both from -1e9 to 1e9");
    m->low = (float)json_number(low);
    m->high = (float)json_number(high);
    return ERR_OK;
}

static enum err_code read_input(struct model *m, const struct json *input,
                                struct err *e)
{
    static const char *const known[] = {"shape", "range", NULL};
    if (!json_is_object(input))
        return err_set(e, ERR_INVALID, "input: must be an object");
    if (json_only(input, "input", known, e) ||
        read_shape(m, json_get(input, "shape"), e) ||
        read_range(m, json_get(input, "range"), e))
        return e->code;
    return ERR_OK;
}

static enum err_code read_layers(struct model *m, const struct json *layers,
                                 struct err *e)
{
    const struct space *in = &m->input;
    size_t n = json_count(layers);
    if (!json_is_array(layers) || n < 1 || n > MODEL_MAX_LAYERS)
        return err_set(e, ERR_INVALID,
                       "layers: must be an array of 1 to %d layers",
                       MODEL_MAX_LAYERS);
    for (const struct json *j = json_first(layers); j; j = json_next(j)) {
        struct layer *l = &m->layers[m->n_layers];
        if (!json_is_object(j))
            return err_set(e, ERR_INVALID, "layers[%zu]: must be an object",
                           m->n_layers);
        /* Counted before it is whole, so that model_free sees it. */
        m->n_layers++;
        if (layer_configure(l, m->n_layers - 1, in, j, &m->params, e))
            return e->code;
        if (layer_units(l) > MODEL_MAX_UNITS)
            return err_set(e, ERR_TOO_LARGE, "layers[%zu]: over %zu units",
                           l->index, MODEL_MAX_UNITS);
        in = layer_up_space(l);
    }
    return ERR_OK;
}

static enum err_code copy_classes(struct model *m, const char *const *classes,
                                  size_t n, struct err *e)
{
    m->classes = mem_array(n, sizeof *m->classes);
    for (size_t i = 0; m->classes && i < n; i++) {
        char numeral[24];
        snprintf(numeral, sizeof numeral, "%zu", i);
        m->classes[i] = mem_text(classes ? classes[i] : numeral);
        if (!m->classes[i])
            return err_set(e, ERR_NO_MEMORY, "class names");
    }
    return m->classes ? ERR_OK : err_set(e, ERR_NO_MEMORY, "class names");
}

static enum err_code configure(struct model *m, const char *const *classes,
                               size_t n_classes, struct err *e)
{
    const struct json *c = m->config;
    const struct json *classifier = json_get(c, "classifier");
    if (!json_is_object(c))
        return err_set(e, ERR_INVALID, "model: must be an object");
    if (json_only(c, "", members, e) ||
        read_input(m, json_get(c, "input"), e) ||
        preprocess_configure(&m->preprocess, json_get(c, "preprocess"),
                             &m->input, &m->params, e) ||
        read_layers(m, json_get(c, "layers"), e))
        return e->code;
    if (!classifier)
        return ERR_OK;
    if (!json_is_object(classifier))
        return err_set(e, ERR_INVALID, "classifier: must be an object");
    if (classifier_configure(&m->classifier, classifier, model_top(m),
                             n_classes, &m->params, e) ||
        copy_classes(m, classes, n_classes, e))
        return e->code;
    return ERR_OK;
}

/* ---- life ---- */

struct model *model_new(const struct json *config, const char *const *classes,
                        size_t n_classes, struct err *e)
{
    struct model *m = mem_array(1, sizeof *m);
    if (m)
        m->config = json_copy(config);
    if (!m || !m->config) {
        mem_free(m);
        err_set(e, ERR_NO_MEMORY, "model");
        return NULL;
    }
    if (configure(m, classes, n_classes, e)) {
        model_free(m);
        return NULL;
    }
    return m;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_layers; i++)
        layer_fini(&m->layers[i]);
    if (m->classes)
        for (size_t i = 0; i < m->classifier.classes; i++)
            mem_free(m->classes[i]);
    mem_free(m->classes);
    params_fini(&m->params);
    json_free(m->config);
    json_free(m->metrics);
    json_free(m->lineage);
    json_free(m->training);
    rehearsal_fini(&m->rehearsal);
    mem_free(m);
}

static enum err_code copy_json(struct json **to, const struct json *from,
                               const char *what, struct err *e)
{
    *to = json_copy(from);
    return !from == !*to ? ERR_OK : err_set(e, ERR_NO_MEMORY, "%s", what);
}

enum err_code model_copy_facts(struct model *to, const struct model *from,
                               struct err *e)
{
    if (copy_json(&to->metrics, from->metrics, "metrics", e) ||
        copy_json(&to->lineage, from->lineage, "lineage", e) ||
        copy_json(&to->training, from->training, "training", e))
        return e->code;
    return rehearsal_copy(&to->rehearsal, &from->rehearsal, e);
}

struct model *model_copy(const struct model *m, struct err *e)
{
    struct model *copy = model_new(m->config, (const char *const *)m->classes,
                                   m->classifier.classes, e);
    if (!copy)
        return NULL;
    if (params_allocate(&copy->params, e) || model_copy_facts(copy, m, e)) {
        model_free(copy);
        return NULL;
    }
    memcpy(copy->params.values, m->params.values,
           m->params.total * sizeof *m->params.values);
    return copy;
}

struct model model_lowest(const struct model *m, size_t n)
{
    struct model lowest = *m;
    if (n < m->n_layers)
        lowest.classifier = (struct classifier){0};
    lowest.n_layers = n;
    return lowest;
}

enum err_code model_prepare(struct model *m, struct err *e)
{
    for (size_t i = 0; i < m->n_layers; i++)
        if (layer_prepare(&m->layers[i], e)) {
            model_unprepare(m);
            return e->code;
        }
    return ERR_OK;
}

void model_unprepare(struct model *m)
{
    for (size_t i = 0; i < m->n_layers; i++)
        layer_unprepare(&m->layers[i]);
}
