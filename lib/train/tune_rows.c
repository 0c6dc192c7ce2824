/* Joining rows, finding their classes, holding some of them out. */
#include "lib/train/tune_rows.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/train/rows.h"

#include <stdio.h>
#include <string.h>

/* Rows of one label and one source that are held out, at most and at least
 * where there are that many labels. */
#define HELD_OUT_ROWS 4000
#define HELD_OUT_MOST 200
#define HELD_OUT_LEAST 20

/* Of the operator's rows of each label one in so many is held out. */
#define HELD_OUT_SHARE 5

/* ---- classes ---- */

/* The class of that name, or DATASET_NO_LABEL. */
static int32_t find_class(const struct tune_rows *r, const char *name)
{
    for (size_t i = 0; i < r->n_old + r->n_new; i++)
        if (strcmp(r->names[i], name) == 0)
            return (int32_t)i;
    return DATASET_NO_LABEL;
}

/* New classes are those that some sample is labelled with. */
static enum err_code name_classes(struct tune_rows *r, const struct model *m,
                                  const struct tune_data *data, struct err *e)
{
    const struct dataset *s = data->samples;
    bool *seen = mem_array(s->n_classes, sizeof *seen);
    r->n_old = m->classifier.present ? m->classifier.classes : 0;
    r->names = mem_array(r->n_old + s->n_classes, sizeof *r->names);
    if (!seen || !r->names) {
        mem_free(seen);
        return err_set(e, ERR_NO_MEMORY, "class names");
    }
    for (size_t i = 0; s->labels && i < s->n; i++)
        if (s->labels[i] >= 0 && (size_t)s->labels[i] < s->n_classes)
            seen[s->labels[i]] = true;
    for (size_t i = 0; i < r->n_old; i++)
        r->names[i] = m->classes[i];
    for (size_t i = 0; i < s->n_classes && m->classifier.present; i++)
        if (seen[i] && find_class(r, data->names[i]) == DATASET_NO_LABEL)
            r->names[r->n_old + r->n_new++] = data->names[i];
    mem_free(seen);
    if (r->n_old + r->n_new > CLASSIFIER_MAX_CLASSES)
        return err_set(e, ERR_TOO_LARGE,
                       "%zu classes and %zu new ones: at most %d in all",
                       r->n_old, r->n_new, CLASSIFIER_MAX_CLASSES);
    return ERR_OK;
}

/* Marks a row whose label is none of the child's classes. */
enum { UNKNOWN = DATASET_NO_LABEL - 1 };

/* Classes of d's rows into labels (d->n). Its names, or those given; without
 * either labels are indices of the parent's classes, or numerals. */
static enum err_code map_labels(const struct tune_rows *r, int32_t *labels,
                                const struct dataset *d,
                                const char *const *names, struct err *e)
{
    int32_t *class = mem_array(d->n_classes, sizeof *class);
    if (!class)
        return err_set(e, ERR_NO_MEMORY, "classes");
    for (size_t i = 0; i < d->n_classes; i++) {
        char numeral[24];
        const char *name = names        ? names[i]
                           : d->classes ? d->classes[i]
                                        : numeral;
        snprintf(numeral, sizeof numeral, "%zu", i);
        class[i] =
            name == numeral && i < r->n_old ? (int32_t)i : find_class(r, name);
        if (class[i] == DATASET_NO_LABEL)
            class[i] = UNKNOWN;
    }
    for (size_t i = 0; i < d->n; i++) {
        int32_t label = d->labels ? d->labels[i] : DATASET_NO_LABEL;
        labels[i] = label < 0 || r->n_old == 0     ? DATASET_NO_LABEL
                    : (size_t)label < d->n_classes ? class[label]
                                                   : UNKNOWN;
    }
    mem_free(class);
    return ERR_OK;
}

/* ---- joining ---- */

static enum err_code add_part(struct tune_rows *r, const struct dataset *d,
                              const char *what, struct err *e)
{
    if (d->n == 0)
        return ERR_OK;
    if (d->row_size != r->all.row_size)
        return err_set(e, ERR_SHAPE,
                       "%s have %zu numbers a row, the model takes %zu", what,
                       d->row_size, r->all.row_size);
    r->all.parts[r->all.n_parts++] = d;
    r->all.n += d->n;
    if (r->all.n > UINT32_MAX)
        return err_set(e, ERR_TOO_LARGE, "%zu rows", r->all.n);
    return ERR_OK;
}

static enum err_code join(struct tune_rows *r, const struct model *parent,
                          const struct tune_data *data, struct err *e)
{
    const struct rehearsal *kept = &parent->rehearsal;
    r->all.row_size = model_inputs(parent);
    r->kept_marked = rehearsal_held_out(kept) > 0;
    r->kept = (struct dataset){.n = kept->n,
                               .row_size = kept->size,
                               .bytes = kept->inputs,
                               .labels = kept->labels,
                               .n_classes = r->n_old};
    if (add_part(r, data->samples, "samples", e) ||
        add_part(r, &r->kept, "rehearsal rows", e) ||
        (data->rehearsal &&
         add_part(r, data->rehearsal, "the operator's rows", e)))
        return e->code;
    r->labels = mem_array(r->all.n, sizeof *r->labels);
    r->uses = mem_array(r->all.n, sizeof *r->uses);
    if (!r->labels || !r->uses)
        return err_set(e, ERR_NO_MEMORY, "%zu rows", r->all.n);
    int32_t *at = r->labels;
    for (size_t i = 0; i < r->all.n_parts; i++) {
        const struct dataset *d = r->all.parts[i];
        const char *const *names = d == data->samples ? data->names
                                   : d == &r->kept    ? r->names
                                                      : NULL;
        if (map_labels(r, at, d, names, e))
            return e->code;
        at += d->n;
    }
    if (r->n_old > 0) {
        r->all.labels = r->labels;
        r->all.n_classes = r->n_old + r->n_new;
    }
    return ERR_OK;
}

/* ---- what rows are for ---- */

static bool is_held_out(const struct tune_rows *r, const struct tune_data *data,
                        const struct model *parent, const struct dataset *d,
                        size_t row, size_t seen)
{
    if (d == data->samples)
        return data->held_out && data->held_out[row];
    if (d == &r->kept && r->kept_marked)
        return parent->rehearsal.held_out[row] != 0;
    return seen % HELD_OUT_SHARE == HELD_OUT_SHARE - 1;
}

/* Those of one part, the first of which is row `first` of all. seen, held
 * (labels, and one for none) count rows of each label. */
static void use_part(struct tune_rows *r, const struct tune_data *data,
                     const struct model *parent, const struct dataset *d,
                     size_t first, size_t *seen, size_t *held)
{
    size_t labels = r->n_old + r->n_new;
    size_t most = HELD_OUT_ROWS / (labels + 1);
    most = most > HELD_OUT_MOST    ? HELD_OUT_MOST
           : most < HELD_OUT_LEAST ? HELD_OUT_LEAST
                                   : most;
    memset(seen, 0, (labels + 1) * sizeof *seen);
    memset(held, 0, (labels + 1) * sizeof *held);
    for (size_t i = 0; i < d->n; i++) {
        int32_t label = r->labels[first + i];
        size_t k = label < 0 ? labels : (size_t)label;
        uint8_t *use = &r->uses[first + i];
        *use = ROW_TRAINING;
        if (label == UNKNOWN) {
            *use = ROW_UNUSED;
            r->labels[first + i] = DATASET_NO_LABEL;
        } else if (is_held_out(r, data, parent, d, i, seen[k]++)) {
            *use = held[k]++ < most ? ROW_VALIDATION : ROW_UNUSED;
        }
    }
}

/* A label without a row to train on gives up those that it has held out. */
static void free_labels(struct tune_rows *r, size_t *seen)
{
    size_t labels = r->n_old + r->n_new;
    memset(seen, 0, (labels + 1) * sizeof *seen);
    for (size_t i = 0; i < r->all.n; i++)
        if (r->labels[i] >= 0 && r->uses[i] == ROW_TRAINING)
            seen[r->labels[i]]++;
    for (size_t i = 0; i < r->all.n; i++)
        if (r->labels[i] >= 0 && r->uses[i] == ROW_VALIDATION &&
            seen[r->labels[i]] == 0 && (size_t)r->labels[i] >= r->n_old)
            r->uses[i] = ROW_TRAINING;
}

static void count(struct tune_rows *r)
{
    for (size_t i = 0; i < r->all.n; i++) {
        r->n_training += r->uses[i] == ROW_TRAINING;
        r->n_held_out += r->uses[i] == ROW_VALIDATION;
        r->labelled |= r->uses[i] == ROW_TRAINING && r->labels[i] >= 0;
        r->asked_labels |= r->labels[i] >= 0 && i < r->all.parts[0]->n;
    }
}

static enum err_code use_rows(struct tune_rows *r, const struct model *parent,
                              const struct tune_data *data, struct err *e)
{
    size_t labels = r->n_old + r->n_new, first = 0, n = 0;
    size_t *seen = mem_array(2 * (labels + 1), sizeof *seen);
    if (!seen)
        return err_set(e, ERR_NO_MEMORY, "%zu labels", labels);
    for (size_t i = 0; i < r->all.n_parts; i++) {
        const struct dataset *d = r->all.parts[i];
        use_part(r, data, parent, d, first, seen, seen + labels + 1);
        first += d->n;
    }
    free_labels(r, seen);
    mem_free(seen);
    count(r);
    r->held_out = mem_array(r->n_held_out, sizeof *r->held_out);
    if (!r->held_out)
        return err_set(e, ERR_NO_MEMORY, "%zu rows", r->n_held_out);
    for (size_t i = 0; i < r->all.n; i++)
        if (r->uses[i] == ROW_VALIDATION)
            r->held_out[n++] = (uint32_t)i;
    return ERR_OK;
}

/* Test rows whose class the child has, or which have none. */
static enum err_code take_test(struct tune_rows *r, const struct dataset *d,
                               struct err *e)
{
    if (!d || d->n == 0)
        return ERR_OK;
    if (d->row_size != r->all.row_size)
        return err_set(e, ERR_SHAPE,
                       "test rows have %zu numbers, the model takes %zu",
                       d->row_size, r->all.row_size);
    r->test_labels = mem_array(d->n, sizeof *r->test_labels);
    r->tested = mem_array(d->n, sizeof *r->tested);
    if (!r->test_labels || !r->tested)
        return err_set(e, ERR_NO_MEMORY, "%zu test rows", d->n);
    if (map_labels(r, r->test_labels, d, NULL, e))
        return e->code;
    for (size_t i = 0; i < d->n; i++)
        if (r->test_labels[i] != UNKNOWN)
            r->tested[r->n_tested++] = (uint32_t)i;
    r->test = *d;
    r->test.labels = r->n_old > 0 ? r->test_labels : NULL;
    r->test.classes = NULL;
    r->test.n_classes = r->n_old + r->n_new;
    return ERR_OK;
}

/* Samples that are there to be learned, whatever else there is. */
static enum err_code check_samples(const struct tune_rows *r,
                                   const struct tune_data *data, struct err *e)
{
    size_t n = data->samples->n, training = 0;
    for (size_t i = 0; i < n; i++)
        training += r->uses[i] == ROW_TRAINING;
    if (training == 0)
        return err_set(e, ERR_SHAPE,
                       "nothing to learn from: of %zu samples all are held "
                       "out",
                       n);
    return ERR_OK;
}

static uint64_t fingerprint(const struct tune_rows *r)
{
    uint64_t hash = FILE_HASH_START;
    for (size_t i = 0; i < r->all.n_parts; i++) {
        const struct dataset *d = r->all.parts[i];
        size_t numbers = d->n * d->row_size;
        hash = d->hash     ? file_hash(hash, &d->hash, sizeof d->hash)
               : d->floats ? file_hash(hash, d->floats, numbers * sizeof(float))
                           : file_hash(hash, d->bytes, numbers);
    }
    hash = file_hash(hash, r->labels, r->all.n * sizeof *r->labels);
    return file_hash(hash, r->uses, r->all.n);
}

enum err_code tune_rows_init(struct tune_rows *r, const struct model *parent,
                             const struct tune_data *data, struct err *e)
{
    *r = (struct tune_rows){0};
    if (data->samples->n == 0)
        return err_set(e, ERR_SHAPE, "nothing to learn from: 0 samples");
    if (name_classes(r, parent, data, e) || join(r, parent, data, e) ||
        use_rows(r, parent, data, e) || check_samples(r, data, e) ||
        take_test(r, data->test, e)) {
        tune_rows_fini(r);
        return e->code;
    }
    r->all.hash = fingerprint(r);
    return ERR_OK;
}

void tune_rows_fini(struct tune_rows *r)
{
    mem_free(r->uses);
    mem_free(r->held_out);
    mem_free(r->tested);
    mem_free(r->names);
    mem_free(r->labels);
    mem_free(r->test_labels);
    *r = (struct tune_rows){0};
}
