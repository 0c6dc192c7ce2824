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

static void list_rows(struct rows *r, const struct dataset *d,
                      const uint8_t *uses)
{
    size_t validation = 0, training = r->n_validation;
    for (size_t i = 0; i < d->n; i++)
        if (uses && uses[i] == ROW_VALIDATION)
            r->all[validation++] = (uint32_t)i;
        else if (!uses || uses[i] == ROW_TRAINING)
            r->all[uses ? training++ : i] = (uint32_t)i;
}

static enum err_code split(struct rows *r, const struct dataset *d,
                           const uint8_t *uses, uint64_t seed, struct err *e)
{
    struct rng rng = rng_make(seed, "validation", 0);
    r->all = mem_array(d->n, sizeof *r->all);
    r->labelled = mem_array(r->n_training, sizeof *r->labelled);
    if (!r->all || !r->labelled)
        return err_set(e, ERR_NO_MEMORY, "%zu rows", d->n);
    list_rows(r, d, uses);
    if (!uses)
        rng_shuffle(&rng, r->all, d->n);
    r->validation = r->all;
    r->training = r->all + r->n_validation;
    return ERR_OK;
}

/* ---- by label ---- */

/* Training rows by label, in the order that they have; the last label is
 * none. at (labels + 1) is scratch. */
static void sort_rows(struct rows *r, const struct dataset *d, size_t *at)
{
    size_t labels = d->n_classes + 1;
    for (size_t i = 0; i < r->n_training; i++) {
        int32_t label = label_of(d, r->training[i]);
        at[label < 0 ? d->n_classes : (size_t)label]++;
    }
    for (size_t c = 0, start = 0; c < labels; c++) {
        size_t n = at[c];
        at[c] = start;
        if (n > 0)
            r->starts[r->n_labels++] = start;
        start += n;
    }
    r->starts[r->n_labels] = r->n_training;
    for (size_t i = 0; i < r->n_training; i++) {
        int32_t label = label_of(d, r->training[i]);
        size_t c = label < 0 ? d->n_classes : (size_t)label;
        r->sorted[at[c]++] = r->training[i];
    }
}

static enum err_code group_rows(struct rows *r, const struct dataset *d,
                                struct err *e)
{
    size_t *at = mem_array(d->n_classes + 1, sizeof *at);
    r->sorted = mem_array(r->n_training, sizeof *r->sorted);
    r->scratch = mem_array(r->n_training, sizeof *r->scratch);
    r->starts = mem_array(d->n_classes + 2, sizeof *r->starts);
    enum err_code code = ERR_OK;
    if (!at || !r->sorted || !r->scratch || !r->starts)
        code = err_set(e, ERR_NO_MEMORY, "%zu rows", d->n);
    else
        sort_rows(r, d, at);
    mem_free(at);
    return code;
}

static enum err_code take_order(struct rows *r, struct err *e)
{
    size_t most = r->n_training;
    for (size_t i = 0; i < r->recipe->n_phases; i++) {
        size_t n = rows_count(r, i);
        most = n > most ? n : most;
    }
    r->order = mem_array(most, sizeof *r->order);
    return r->order ? ERR_OK : err_set(e, ERR_NO_MEMORY, "%zu rows", most);
}

/* How many rows `uses` gives each part, or the recipe. */
static enum err_code count_rows(struct rows *r, const struct dataset *d,
                                const uint8_t *uses, struct err *e)
{
    r->n_validation = r->recipe->validation_rows;
    if (uses) {
        r->n_validation = 0;
        for (size_t i = 0; i < d->n; i++) {
            r->n_validation += uses[i] == ROW_VALIDATION;
            r->n_training += uses[i] == ROW_TRAINING;
        }
    } else if (r->n_validation < d->n) {
        r->n_training = d->n - r->n_validation;
    }
    if (r->n_training == 0)
        return err_set(e, ERR_SHAPE,
                       "the data's %zu rows are too few: the recipe wants %zu "
                       "for validation alone",
                       d->n, r->n_validation);
    return ERR_OK;
}

static bool balances(const struct recipe *recipe)
{
    bool any = false;
    for (size_t i = 0; i < recipe->n_phases; i++)
        any |= recipe->phases[i].rows == ROWS_BALANCED;
    return any;
}

enum err_code rows_init(struct rows *r, const struct recipe *recipe,
                        const struct dataset *d, const uint8_t *uses,
                        uint64_t seed, struct err *e)
{
    *r = (struct rows){.recipe = recipe};
    if (count_rows(r, d, uses, e) || split(r, d, uses, seed, e) ||
        (recipe->labelled_rows > 0 && pick_labels(r, d, e)))
        goto fail;
    list_labelled(r, d);
    struct dataset shown = *d;
    shown.labels = r->labels ? r->labels : d->labels;
    if ((balances(recipe) && group_rows(r, &shown, e)) || take_order(r, e))
        goto fail;
    return ERR_OK;
fail:
    rows_fini(r);
    return e->code;
}

void rows_fini(struct rows *r)
{
    mem_free(r->all);
    mem_free(r->labelled);
    mem_free(r->labels);
    mem_free(r->sorted);
    mem_free(r->scratch);
    mem_free(r->starts);
    mem_free(r->order);
    *r = (struct rows){0};
}

/* ---- epochs ---- */

size_t rows_count(const struct rows *r, size_t phase)
{
    const struct recipe_phase *p = &r->recipe->phases[phase];
    switch (p->rows) {
    case ROWS_ALL:
        break;
    case ROWS_LABELLED:
        return r->n_labelled;
    case ROWS_BALANCED:
        return r->n_labels * p->per_label;
    }
    return r->n_training;
}

/* The next `n` rows of a label: it is gone over again and again, each time in
 * another order, and an epoch begins where the one before has ended. */
static void take_label(struct rows *r, size_t label, uint32_t *out, size_t n,
                       uint64_t seed, size_t epoch)
{
    const uint32_t *rows = r->sorted + r->starts[label];
    size_t there = r->starts[label + 1] - r->starts[label];
    for (size_t i = 0; i < n;) {
        size_t from = (epoch * n + i) % there, pass = (epoch * n + i) / there;
        size_t k = there - from < n - i ? there - from : n - i;
        struct rng rng = rng_make(seed, "label", (uint64_t)label << 40 | pass);
        memcpy(r->scratch, rows, there * sizeof *rows);
        rng_shuffle(&rng, r->scratch, there);
        memcpy(out + i, r->scratch + from, k * sizeof *out);
        i += k;
    }
}

static void take_balanced(struct rows *r, size_t n, uint64_t seed, size_t epoch)
{
    for (size_t i = 0; i < r->n_labels; i++)
        take_label(r, i, r->order + i * n, n, seed, epoch);
}

void rows_order(struct rows *r, uint64_t seed, size_t phase, size_t epoch)
{
    const struct recipe_phase *p = &r->recipe->phases[phase];
    struct rng rng = rng_make(seed, "order", (uint64_t)phase << 32 | epoch);
    r->n_order = rows_count(r, phase);
    r->n_batches = (r->n_order + r->recipe->batch - 1) / r->recipe->batch;
    if (p->rows == ROWS_BALANCED)
        take_balanced(r, p->per_label, seed, epoch);
    else
        memcpy(r->order, p->rows == ROWS_LABELLED ? r->labelled : r->training,
               r->n_order * sizeof *r->order);
    rng_shuffle(&rng, r->order, r->n_order);
}

const uint32_t *rows_batch(const struct rows *r, size_t batch, size_t *n)
{
    size_t from = r->n_order * batch / r->n_batches;
    *n = r->n_order * (batch + 1) / r->n_batches - from;
    return r->order + from;
}
