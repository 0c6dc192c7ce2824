/* Measures: what a model does on rows it was not fitted to.
 *
 * Rows go through the model in chunks whose size depends on the model only,
 * and chunks are added up in their order: the team's size changes nothing.
 */
#ifndef SPARSED_TRAIN_MEASURE_H
#define SPARSED_TRAIN_MEASURE_H

#include "lib/base/json.h"
#include "lib/base/team.h"
#include "lib/data/dataset.h"
#include "lib/model/model.h"
#include "lib/train/loss.h"

struct measures {
    size_t rows, labelled, wrong;
    double error;          /* wrong / labelled; NAN without labels */
    double label_error;    /* mean over labels of their error; NAN likewise */
    double loss;           /* mean -log p of the right class; NAN likewise */
    double relative_error; /* mean ||x - x^||/||x|| over rows with x != 0;
                              NAN without a decoder */
    size_t units;          /* of the top code */
    double active;         /* mean number of units on a row */
    size_t dead;           /* units that no row turned on */
};

/* Of the rows of one label. */
struct label_measures {
    size_t rows, wrong;
};

/* Runs rows index[0..n) (index NULL: rows 0..n) through the model, split over
 * the team. ERR_SHAPE if rows are not the model's inputs, or a label is no
 * class of it. */
enum err_code measure_model(const struct model *m, const struct dataset *d,
                            const uint32_t *index, size_t n, struct team *team,
                            struct measures *out, struct err *e) ERR_CHECKED;

/* The same, and each label's own into labels (classes of the classifier). */
enum err_code measure_labels(const struct model *m, const struct dataset *d,
                             const uint32_t *index, size_t n, struct team *team,
                             struct measures *out,
                             struct label_measures *labels, struct err *e)
    ERR_CHECKED;

/* The mean of a phase's whole loss over such rows into *mean. Noisy codes are
 * drawn from `noise`; 0: they are their means. */
enum err_code measure_loss(const struct model *m, const struct loss_weights *w,
                           const struct dataset *d, const uint32_t *index,
                           size_t n, uint64_t noise, struct team *team,
                           double *mean, struct err *e) ERR_CHECKED;

/* On how many of such rows each unit is on, into on (units of all layers, the
 * lowest layer's first). */
enum err_code measure_units(const struct model *m, const struct dataset *d,
                            const uint32_t *index, size_t n, struct team *team,
                            size_t *on, struct err *e) ERR_CHECKED;

/* {"rows":..., "error":..., "loss":..., "relative_error":...,
 *  "active_units":..., "active_share":..., "dead_units":...}; NAN members are
 * null. */
struct json *measures_json(const struct measures *m);

#endif
