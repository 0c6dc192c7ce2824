/* Making and starting the model of a recipe. */
#include "lib/train/setup.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"

static bool some_labelled(const struct dataset *d, const uint32_t *index,
                          size_t n)
{
    for (size_t i = 0; d->labels && i < n; i++)
        if (d->labels[index[i]] >= 0)
            return true;
    return false;
}

static enum err_code check_labels(const struct model *m, const struct recipe *r,
                                  const struct dataset *d,
                                  const struct rows *rows, struct err *e)
{
    bool training = some_labelled(d, rows->training, rows->n_training);
    bool validation = some_labelled(d, rows->validation, rows->n_validation);
    if (m->classifier.present && d->n_classes > m->classifier.classes)
        return err_set(e, ERR_SHAPE,
                       "the data has %zu classes, the recipe names %zu",
                       d->n_classes, m->classifier.classes);
    for (size_t i = 0; i < r->n_phases; i++) {
        const struct recipe_phase *p = &r->phases[i];
        bool learns =
            p->weights.classification > 0 || p->weights.adversarial > 0;
        if (learns && !training)
            return err_set(e, ERR_SHAPE,
                           "phases[%zu] learns classes, but the data has no "
                           "labels",
                           i);
        if (p->rows == ROWS_LABELLED && rows->n_labelled == 0)
            return err_set(e, ERR_SHAPE,
                           "phases[%zu].rows: no training row has a label", i);
        if (p->measure == RECIPE_ERROR && rows->n_validation > 0 && !validation)
            return err_set(e, ERR_SHAPE,
                           "phases[%zu] measures the error, but no validation "
                           "row has a label",
                           i);
    }
    return ERR_OK;
}

enum err_code setup_check(const struct model *m, const struct recipe *r,
                          const struct dataset *d, const struct rows *rows,
                          struct err *e)
{
    if (d->row_size != model_inputs(m))
        return err_set(e, ERR_SHAPE,
                       "the data's rows have %zu numbers, the model takes %zu",
                       d->row_size, model_inputs(m));
    return check_labels(m, r, d, rows, e);
}

struct model *setup_model(const struct recipe *r, const struct dataset *d,
                          const struct rows *rows, struct err *e)
{
    const char *const *names = r->classes;
    size_t n = r->n_classes;
    if (n == 0) {
        names = (const char *const *)d->classes;
        n = d->n_classes;
    }
    if (r->classifies && n < 2) {
        err_set(e, ERR_SHAPE,
                "the model classifies, but the recipe names no classes and the "
                "data has %zu",
                n);
        return NULL;
    }
    struct model *m = model_new(r->model, names, n, e);
    if (!m) {
        err_wrap(e, "model");
        return NULL;
    }
    if (setup_check(m, r, d, rows, e) ||
        recipe_set_policies(r, &m->params, e) ||
        params_allocate(&m->params, e)) {
        model_free(m);
        return NULL;
    }
    return m;
}

/* As many layers as some phase before this one runs. */
static size_t layers_before(const struct model *m, const struct recipe *r,
                            size_t phase)
{
    size_t most = 0;
    for (size_t i = 0; i < phase; i++) {
        size_t n = r->phases[i].reach;
        most = n > most ? n : most;
    }
    return most > m->n_layers ? m->n_layers : most;
}

enum err_code setup_start(struct model *m, const struct recipe *r,
                          const struct dataset *d, const struct rows *rows,
                          uint64_t seed, size_t phase, struct err *e)
{
    size_t from = layers_before(m, r, phase);
    size_t to = layers_before(m, r, phase + 1);
    size_t n = r->start_samples, numbers;
    float *samples = NULL;
    if (from == to)
        return ERR_OK;
    struct rng rng = rng_make(seed, "samples", 0);
    n = n < rows->n_training ? n : rows->n_training;
    if (mem_mul(n, model_inputs(m), &numbers))
        samples = mem_array(numbers, sizeof *samples);
    uint32_t *index = mem_array(n, sizeof *index);
    enum err_code code = ERR_OK;
    if (!samples || !index)
        code = err_set(e, ERR_NO_MEMORY, "%zu rows to start from", n);
    for (size_t i = 0; !code && i < n; i++)
        index[i] = rows->training[rng_below(&rng, rows->n_training)];
    if (!code) {
        dataset_rows(d, index, n, m->low, m->high, samples);
        code = model_start_layers(m, from, to, seed, samples, n, e);
    }
    mem_free(index);
    mem_free(samples);
    return code;
}
