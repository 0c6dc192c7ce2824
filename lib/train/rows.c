/* Splitting and shuffling rows, hiding labels. */
#include "lib/train/rows.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"

#include <string.h>

/* ---- labels ---- */

/* The label of a row, or DATASET_NO_LABEL. */
static int32_t label_of(const struct dataset *d, uint32_t row)
{
    int32_t label = d->labels ? d->labels[row] : DATASET_NO_LABEL;
    return label >= 0 && (size_t)label < d->n_classes ? label
                                                      : DATASET_NO_LABEL;
}

void rows_share_out(size_t *left, const size_t *there, size_t classes, size_t n)
{
    memset(left, 0, classes * sizeof *left);
    while (n > 0)
        for (size_t c = 0; c < classes && n > 0; c++)
            if (left[c] < there[c]) {
                left[c]++;
                n--;
            }
}

/* Of each class the first training rows, which are shuffled, keep their label.
 * there, left (classes) are scratch. */
static enum err_code hide_labels(struct rows *r, const struct dataset *d,
                                 size_t *there, size_t *left, struct err *e)
{
    size_t n = r->recipe->labelled_rows, labelled = 0;
    for (size_t i = 0; i < r->n_training; i++) {
        int32_t label = label_of(d, r->training[i]);
        if (label != DATASET_NO_LABEL) {
            there[label]++;
            labelled++;
        }
    }
    if (n > labelled)
        return err_set(
            e, ERR_SHAPE,
            "the recipe wants %zu labelled rows, of the %zu to train "
            "on %zu have a label",
            n, r->n_training, labelled);
    rows_share_out(left, there, d->n_classes, n);
    memcpy(r->labels, d->labels, d->n * sizeof *r->labels);
    for (size_t i = 0; i < r->n_training; i++) {
        int32_t label = label_of(d, r->training[i]);
        if (label != DATASET_NO_LABEL && left[label] > 0)
            left[label]--;
        else
            r->labels[r->training[i]] = DATASET_NO_LABEL;
    }
    return ERR_OK;
}

static enum err_code pick_labels(struct rows *r, const struct dataset *d,
                                 struct err *e)
{
    enum err_code code;
    size_t *counts = mem_array(2 * d->n_classes + 1, sizeof *counts);
    r->labels = mem_array(d->n, sizeof *r->labels);
    if (!counts || !r->labels)
        code = err_set(e, ERR_NO_MEMORY, "%zu labels", d->n);
    else
        code = hide_labels(r, d, counts, counts + d->n_classes, e);
    mem_free(counts);
    return code;
}

static void list_labelled(struct rows *r, const struct dataset *d)
{
    const int32_t *labels = r->labels ? r->labels : d->labels;
    for (size_t i = 0; labels && i < r->n_training; i++)
        if (labels[r->training[i]] >= 0)
            r->labelled[r->n_labelled++] = r->training[i];
}

/* ---- life ---- */

static enum err_code split(struct rows *r, const struct dataset *d,
                           uint64_t seed, struct err *e)
{
    struct rng rng = rng_make(seed, "validation", 0);
    r->all = mem_array(d->n, sizeof *r->all);
    r->labelled = mem_array(r->n_training, sizeof *r->labelled);
    r->order = mem_array(r->n_training, sizeof *r->order);
    if (!r->all || !r->labelled || !r->order)
        return err_set(e, ERR_NO_MEMORY, "%zu rows", d->n);
    for (size_t i = 0; i < d->n; i++)
        r->all[i] = (uint32_t)i;
    rng_shuffle(&rng, r->all, d->n);
    r->validation = r->all;
    r->training = r->all + r->n_validation;
    return ERR_OK;
}

enum err_code rows_init(struct rows *r, const struct recipe *recipe,
                        const struct dataset *d, uint64_t seed, struct err *e)
{
    *r = (struct rows){.recipe = recipe,
                       .n_validation = recipe->validation_rows};
    if (r->n_validation >= d->n)
        return err_set(e, ERR_SHAPE,
                       "the data's %zu rows are too few: the recipe wants %zu "
                       "for validation alone",
                       d->n, r->n_validation);
    r->n_training = d->n - r->n_validation;
    if (split(r, d, seed, e) ||
        (recipe->labelled_rows > 0 && pick_labels(r, d, e))) {
        rows_fini(r);
        return e->code;
    }
    list_labelled(r, d);
    return ERR_OK;
}

void rows_fini(struct rows *r)
{
    mem_free(r->all);
    mem_free(r->labelled);
    mem_free(r->labels);
    mem_free(r->order);
    *r = (struct rows){0};
}

/* ---- epochs ---- */

size_t rows_count(const struct rows *r, size_t phase)
{
    return r->recipe->phases[phase].rows == ROWS_LABELLED ? r->n_labelled
                                                          : r->n_training;
}

void rows_order(struct rows *r, uint64_t seed, size_t phase, size_t epoch)
{
    struct rng rng = rng_make(seed, "order", (uint64_t)phase << 32 | epoch);
    bool labelled = r->recipe->phases[phase].rows == ROWS_LABELLED;
    r->n_order = rows_count(r, phase);
    r->n_batches = (r->n_order + r->recipe->batch - 1) / r->recipe->batch;
    memcpy(r->order, labelled ? r->labelled : r->training,
           r->n_order * sizeof *r->order);
    rng_shuffle(&rng, r->order, r->n_order);
}

const uint32_t *rows_batch(const struct rows *r, size_t batch, size_t *n)
{
    size_t from = r->n_order * batch / r->n_batches;
    *n = r->n_order * (batch + 1) / r->n_batches - from;
    return r->order + from;
}
