/* The table of outputs, and elements in both forms. */
#include "api/oip/outputs.h"

#include <stdio.h>
#include <string.h>

/* ---- elements ---- */

static void add_comma(struct oip_part *p)
{
    if (p->n++ > 0 && !p->binary)
        buf_char(&p->data, ',');
}

static void add_float(struct oip_part *p, float value)
{
    add_comma(p);
    if (p->binary)
        buf_add(&p->data, &value, sizeof value);
    else
        buf_json_float(&p->data, value);
}

static void add_integer(struct oip_part *p, size_t value)
{
    int64_t wide = (int64_t)value;

    add_comma(p);
    if (p->binary)
        buf_add(&p->data, &wide, sizeof wide);
    else
        buf_json_uint(&p->data, value);
}

static void add_text(struct oip_part *p, const char *text, size_t length)
{
    uint32_t count = (uint32_t)length;

    add_comma(p);
    if (!p->binary) {
        buf_json_text_n(&p->data, text, length);
        return;
    }
    buf_add(&p->data, &count, sizeof count);
    buf_add(&p->data, text, length);
}

static void add_floats(struct oip_part *p, const float *x, size_t n)
{
    if (p->binary) {
        buf_add(&p->data, x, n * sizeof *x);
        p->n += n;
        return;
    }
    for (size_t i = 0; i < n; i++)
        add_float(p, x[i]);
}

/* ---- rows ---- */

static const float *code_row(const struct run *r, size_t row)
{
    return r->pass.layers[r->layer].z +
           row * layer_units(&r->model->layers[r->layer]);
}

static const float *groups_row(const struct run *r, size_t row)
{
    return r->pass.layers[r->layer].v +
           row * layer_groups(&r->model->layers[r->layer]);
}

static const float *reconstruction_row(const struct run *r, size_t row)
{
    return r->reconstruction + row * model_inputs(r->model);
}

static const float *probabilities_row(const struct run *r, size_t row)
{
    return r->pass.probabilities + row * r->model->classifier.classes;
}

static size_t code_width(const struct model *m, size_t layer)
{
    return layer_units(&m->layers[layer]);
}

static size_t groups_width(const struct model *m, size_t layer)
{
    return layer_groups(&m->layers[layer]);
}

static size_t reconstruction_width(const struct model *m, size_t layer)
{
    (void)layer;
    return model_inputs(m);
}

static size_t probabilities_width(const struct model *m, size_t layer)
{
    (void)layer;
    return m->classifier.classes;
}

static size_t class_width(const struct model *m, size_t layer)
{
    (void)m;
    (void)layer;
    return 1;
}

/* ---- what is more than a row of floats ---- */

static void add_class(struct oip_part *p, struct run *r, size_t row)
{
    const struct model *m = r->model;

    pick_largest(&r->pick, probabilities_row(r, row), m->classifier.classes, 1);
    const char *name = m->classes[r->pick.index[0]];
    add_text(p, name, strlen(name));
}

/* Fills r->pick with the units of the row that are sent. */
static size_t pick_row(struct run *r, const float *x, size_t n)
{
    const struct options *o = &r->call->options;

    return pick_active(&r->pick, x, n, o->threshold, o->top_k);
}

static size_t pick_code(struct run *r, size_t row)
{
    return pick_row(r, code_row(r, row), code_width(r->model, r->layer));
}

static void add_pointer(struct oip_part *p, struct run *r, size_t row)
{
    if (p->n == 0)
        add_integer(p, 0);
    p->total += pick_code(r, row);
    add_integer(p, p->total);
}

static void add_indices(struct oip_part *p, struct run *r, size_t row)
{
    size_t count = pick_code(r, row);

    for (size_t i = 0; i < count; i++)
        add_integer(p, r->pick.index[i]);
}

static void add_values(struct oip_part *p, struct run *r, size_t row)
{
    size_t count = pick_code(r, row);

    for (size_t i = 0; i < count; i++)
        add_float(p, code_row(r, row)[r->pick.index[i]]);
}

static void add_picked(struct oip_part *p, struct run *r, const float *x,
                       size_t n)
{
    size_t count = pick_row(r, x, n), k = 0;

    for (size_t i = 0; i < n; i++) {
        bool sent = k < count && r->pick.index[k] == i;
        add_float(p, sent ? x[i] : 0.0f);
        k += sent;
    }
}

/* The extension "classification": "0.912345:7:seven", largest first. */
static void add_classes(struct oip_part *p, const struct run *r,
                        struct pick *order, const float *x, size_t n)
{
    bool named = (p->output->needs & OUTPUT_CLASSES) != 0;
    size_t count = pick_largest(order, x, n, p->classes);
    struct buf text;

    buf_init(&text, p->data.max_bytes);
    for (size_t i = 0; i < count; i++) {
        size_t k = order->index[i];
        buf_reset(&text);
        buf_printf(&text, "%f:%zu", (double)x[k], k);
        if (named) {
            buf_char(&text, ':');
            buf_text(&text, r->model->classes[k]);
        }
        p->data.failed = p->data.failed || buf_failed(&text);
        if (!buf_failed(&text))
            add_text(p, text.data, text.length);
    }
    buf_fini(&text);
}

void oip_part_add(struct oip_part *p, struct run *r, struct pick *order)
{
    const struct oip_output *o = p->output;
    const struct options *options = &r->call->options;
    bool all = !o->picked || (options->top_k == 0 && options->threshold == 0.0);

    for (size_t row = 0; row < r->B; row++) {
        if (o->row == NULL) {
            o->add(p, r, row);
            continue;
        }
        const float *x = o->row(r, row);
        size_t n = o->width(r->model, r->layer);
        if (p->classes > 0)
            add_classes(p, r, order, x, n);
        else if (all)
            add_floats(p, x, n);
        else
            add_picked(p, r, x, n);
    }
}

/* ---- the table ---- */

const struct oip_output oip_outputs[OIP_OUTPUTS] = {
    {"code", OUTPUT_CODE, "FP32", code_width, code_row, true, NULL},
    {"groups", OUTPUT_GROUPS, "FP32", groups_width, groups_row, true, NULL},
    {"reconstruction", OUTPUT_RECONSTRUCTION, "FP32", reconstruction_width,
     reconstruction_row, false, NULL},
    {"probabilities", OUTPUT_CLASSES, "FP32", probabilities_width,
     probabilities_row, false, NULL},
    {"class", OUTPUT_CLASSES, OIP_BYTES, class_width, NULL, false, add_class},
    {"code_indptr", OUTPUT_CODE, "INT64", NULL, NULL, false, add_pointer},
    {"code_indices", OUTPUT_CODE, "INT64", NULL, NULL, false, add_indices},
    {"code_values", OUTPUT_CODE, "FP32", NULL, NULL, false, add_values},
};

bool oip_output_given(const struct oip_output *o, const struct model *m)
{
    return (run_able(m, m->n_layers - 1) & o->needs) != 0;
}

static void refuse_name(const char *name, const struct model *m, struct err *e)
{
    char list[160] = "";
    size_t used = 0;

    for (size_t i = 0; i < OIP_OUTPUTS; i++) {
        if (oip_output_given(&oip_outputs[i], m))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     used > 0 ? ", " : "", oip_outputs[i].name);
    }
    err_set(e, ERR_INVALID, "outputs: no output \"%.40s\"; the model has: %s",
            name, list);
}

const struct oip_output *oip_output_find(const char *name,
                                         const struct model *m, struct err *e)
{
    for (size_t i = 0; i < OIP_OUTPUTS; i++) {
        const struct oip_output *o = &oip_outputs[i];
        if (oip_output_given(o, m) && strcmp(o->name, name) == 0)
            return o;
    }
    refuse_name(name, m, e);
    return NULL;
}

size_t oip_output_shape(const struct oip_output *o, const struct model *m,
                        size_t layer, size_t *sizes)
{
    if (o->width == NULL)
        return 0;
    if (o->needs != OUTPUT_RECONSTRUCTION) {
        sizes[0] = o->width(m, layer);
        return 1;
    }
    memcpy(sizes, m->input_shape, m->input_rank * sizeof *sizes);
    return m->input_rank;
}
