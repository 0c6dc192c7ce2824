/* Imprinting (Qi, Brown, Lowe 2018: Low-shot learning with imprinted weights),
 * with two changes that were measured (docs/learning.md). Codes of a model
 * that was trained well share much, above all where they are nonnegative, so a
 * mean code alone looks like every row; what is left when the mean of the old
 * classes is taken away does not. And rows of C that were trained long are
 * longer than what a beginner should have.
 */
#include "lib/train/tune_classes.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/model/grow.h"
#include "lib/train/rows.h"

#include <math.h>
#include <string.h>

/* A new row of C is so much as long as the old ones are on average. */
static const double length_share = 0.5;

/* What the bias of a single new class is moved by after training, and more of
 * them at most the other way. */
static const double head_start = 0.4;

/* Rows of a label that a mean is taken of, and how many at a time. */
enum { MEAN_ROWS = 256, CHUNK = 16 };

struct imprint {
    const struct model *parent;
    const struct tune_rows *rows;
    size_t inputs;      /* of the classifier */
    uint32_t *of_label; /* (labels, MEAN_ROWS) rows of each label */
    size_t *n;          /* (labels) how many of them */
    float *mean;        /* (inputs) of one label */
    float *centre;      /* (inputs) mean of the old labels' directions */
    struct arena memory;
};

/* The first rows to train on of each label. */
static void find_rows(struct imprint *im)
{
    const struct tune_rows *rows = im->rows;
    for (size_t i = 0; i < rows->all.n; i++) {
        int32_t label = rows->labels[i];
        if (label < 0 || rows->uses[i] != ROW_TRAINING ||
            im->n[label] == MEAN_ROWS)
            continue;
        im->of_label[(size_t)label * MEAN_ROWS + im->n[label]++] = (uint32_t)i;
    }
}

/* Adds the normalised codes of n rows to the mean. */
static enum err_code add_codes(struct imprint *im, const uint32_t *index,
                               size_t n, struct err *e)
{
    const struct model *m = im->parent;
    struct model_options options = {0};
    struct pass p;
    float *x = arena_take(&im->memory, n * model_inputs(m), sizeof *x);
    if (!x)
        return err_set(e, ERR_NO_MEMORY, "%zu rows", n);
    dataset_rows(&im->rows->all, index, n, m->low, m->high, x);
    if (model_encode(m, &p, x, n, &options, &im->memory, e) ||
        model_classify(m, &p, &im->memory, e))
        return e->code;
    for (size_t b = 0; b < n; b++)
        vec_add(im->mean, p.h + b * im->inputs, 1, im->inputs);
    return ERR_OK;
}

/* The direction of the label's mean code: of length 1, or 0 without rows. */
static enum err_code find_direction(struct imprint *im, size_t label,
                                    struct err *e)
{
    const uint32_t *index = im->of_label + label * MEAN_ROWS;
    memset(im->mean, 0, im->inputs * sizeof *im->mean);
    for (size_t i = 0; i < im->n[label]; i += CHUNK) {
        size_t n = im->n[label] - i < CHUNK ? im->n[label] - i : CHUNK;
        struct arena_mark mark = arena_mark(&im->memory);
        if (add_codes(im, index + i, n, e))
            return e->code;
        arena_rewind(&im->memory, mark);
    }
    double length = vec_norm(im->mean, im->inputs);
    if (length > 0)
        vec_scale(im->mean, (float)(1 / length), im->inputs);
    return ERR_OK;
}

static enum err_code find_centre(struct imprint *im, struct err *e)
{
    size_t seen = 0;
    for (size_t k = 0; k < im->rows->n_old; k++) {
        if (im->n[k] == 0)
            continue;
        if (find_direction(im, k, e))
            return e->code;
        vec_add(im->centre, im->mean, 1, im->inputs);
        seen++;
    }
    if (seen > 0)
        vec_scale(im->centre, 1 / (float)seen, im->inputs);
    return ERR_OK;
}

static enum err_code set_classes(struct imprint *im, struct model *m,
                                 struct err *e)
{
    const struct classifier *c = &m->classifier;
    size_t n_old = im->rows->n_old;
    double norm = 0, bias = 0;
    for (size_t k = 0; k < n_old; k++) {
        norm += vec_norm(c->weight->value + k * c->inputs, c->inputs);
        bias += (double)c->bias->value[k];
    }
    for (size_t k = n_old; k < c->classes; k++) {
        float *row = c->weight->value + k * c->inputs;
        if (find_direction(im, k, e))
            return e->code;
        memcpy(row, im->mean, c->inputs * sizeof *row);
        vec_add(row, im->centre, -1, c->inputs);
        double length = vec_norm(row, c->inputs);
        if (length > 0)
            vec_scale(row,
                      (float)(length_share * norm / (double)n_old / length),
                      c->inputs);
        c->bias->value[k] = (float)(bias / (double)n_old);
    }
    return ERR_OK;
}

static enum err_code imprint(struct model *m, const struct model *parent,
                             const struct tune_rows *rows, struct err *e)
{
    struct imprint im = {
        .parent = parent, .rows = rows, .inputs = m->classifier.inputs};
    size_t labels = m->classifier.classes;
    enum err_code code;
    arena_init(&im.memory, SIZE_MAX);
    im.of_label = mem_array(labels * MEAN_ROWS, sizeof *im.of_label);
    im.n = mem_array(labels, sizeof *im.n);
    im.mean = mem_array(im.inputs, sizeof *im.mean);
    im.centre = mem_array(im.inputs, sizeof *im.centre);
    if (!im.of_label || !im.n || !im.mean || !im.centre) {
        code = err_set(e, ERR_NO_MEMORY, "%zu new classes", rows->n_new);
    } else {
        find_rows(&im);
        code = find_centre(&im, e);
        if (!code)
            code = set_classes(&im, m, e);
    }
    arena_fini(&im.memory);
    mem_free(im.of_label);
    mem_free(im.n);
    mem_free(im.mean);
    mem_free(im.centre);
    return code;
}

struct model *tune_grow(const struct model *parent,
                        const struct tune_rows *rows, struct err *e)
{
    if (rows->n_new == 0)
        return model_copy(parent, e);
    struct model *m =
        model_add_classes(parent, rows->names + rows->n_old, rows->n_new, e);
    if (m && imprint(m, parent, rows, e)) {
        model_free(m);
        return NULL;
    }
    return m;
}

void tune_favour_new(struct model *m, size_t n_old)
{
    struct classifier *c = &m->classifier;
    if (!c->present || c->classes == n_old)
        return;
    double by = head_start - log((double)(c->classes - n_old));
    by = by > -head_start ? by : -head_start;
    for (size_t k = n_old; k < c->classes; k++)
        c->bias->value[k] += (float)by;
}
