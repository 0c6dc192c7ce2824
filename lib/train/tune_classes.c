/* Imprinting (Qi, Brown, Lowe 2018: Low-shot learning with imprinted weights).
 */
#include "lib/train/tune_classes.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/model/grow.h"
#include "lib/train/rows.h"

#include <string.h>

double knob(const char *name, double value);

/* Rows that a mean is taken of, at most, a few at a time. */
enum { MEAN_ROWS = 256, CHUNK = 16 };

/* Up to MEAN_ROWS rows to train on of the label, into index. */
static size_t find_rows(const struct tune_rows *rows, int32_t label,
                        uint32_t *index)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->all.n && n < MEAN_ROWS; i++)
        if (rows->labels[i] == label && rows->uses[i] == ROW_TRAINING)
            index[n++] = (uint32_t)i;
    return n;
}

/* Adds the normalised codes of rows to sum (inputs of the classifier). */
static enum err_code add_codes(const struct model *m, const struct dataset *d,
                               const uint32_t *index, size_t n, float *sum,
                               struct arena *memory, struct err *e)
{
    struct model_options options = {0};
    struct pass p;
    float *x = arena_take(memory, n * model_inputs(m), sizeof *x);
    if (!x)
        return err_set(e, ERR_NO_MEMORY, "%zu rows", n);
    dataset_rows(d, index, n, m->low, m->high, x);
    if (model_encode(m, &p, x, n, &options, memory, e) ||
        model_classify(m, &p, memory, e))
        return e->code;
    for (size_t b = 0; b < n; b++)
        vec_add(sum, p.h + b * m->classifier.inputs, 1, m->classifier.inputs);
    return ERR_OK;
}

static enum err_code mean_code(const struct model *m,
                               const struct tune_rows *rows, size_t label,
                               float *sum, struct err *e)
{
    uint32_t index[MEAN_ROWS];
    size_t n = find_rows(rows, (int32_t)label, index);
    struct arena memory;
    enum err_code code = ERR_OK;
    arena_init(&memory, SIZE_MAX);
    for (size_t i = 0; i < n && !code; i += CHUNK) {
        struct arena_mark mark = arena_mark(&memory);
        code = add_codes(m, &rows->all, index + i,
                         n - i < CHUNK ? n - i : CHUNK, sum, &memory, e);
        arena_rewind(&memory, mark);
    }
    arena_fini(&memory);
    return code;
}

static enum err_code imprint(struct model *m, const struct model *parent,
                             const struct tune_rows *rows, struct err *e)
{
    struct classifier *c = &m->classifier;
    double norm = 0, bias = 0;
    for (size_t k = 0; k < rows->n_old; k++) {
        norm += vec_norm(c->weight->value + k * c->inputs, c->inputs);
        bias += (double)c->bias->value[k];
    }
    norm /= (double)rows->n_old;
    bias /= (double)rows->n_old;
    for (size_t k = rows->n_old; k < c->classes; k++) {
        float *row = c->weight->value + k * c->inputs;
        if (mean_code(parent, rows, k, row, e))
            return e->code;
        if (knob("CENTRE", 1) != 0) {
            float *other = mem_array(c->inputs, sizeof *other);
            for (size_t o = 0; o < rows->n_old; o++) {
                memset(other, 0, c->inputs * sizeof *other);
                if (mean_code(parent, rows, o, other, e)) return e->code;
                double nn = vec_norm(other, c->inputs), n0 = vec_norm(row, c->inputs);
                if (o == 0) vec_scale(row, (float)(1 / n0), c->inputs);
                if (nn > 0) vec_add(row, other, (float)(-knob("CENTRE", 1) / (nn * (double)rows->n_old)), c->inputs);
            }
            mem_free(other);
        }
        double length = vec_norm(row, c->inputs);
        if (length > 0)
            vec_scale(row, (float)(knob("IMPRINT", 1) * norm / length),
                      c->inputs);
        c->bias->value[k] = (float)bias;
    }
    return ERR_OK;
}

struct model *tune_grow(const struct model *parent,
                        const struct tune_rows *rows, struct err *e)
{
    if (rows->n_new == 0)
        return model_copy(parent, e);
    struct model *m = model_add_classes(parent, rows->names + rows->n_old,
                                        rows->n_new, e);
    if (m && imprint(m, parent, rows, e)) {
        model_free(m);
        return NULL;
    }
    return m;
}
