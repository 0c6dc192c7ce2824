/* Rows that a tuning goes over: samples, rows that the parent's file keeps, and
 * the operator's, as one data set, with the classes that the child will have,
 * and what each row is for. No row is copied.
 */
#ifndef SPARSED_TRAIN_TUNE_ROWS_H
#define SPARSED_TRAIN_TUNE_ROWS_H

#include "lib/train/tune.h"

struct tune_rows {
    struct dataset all; /* labels are classes of the child */
    uint8_t *uses;      /* (all.n) enum row_use */
    uint32_t *held_out; /* (n_held_out) those for validation */
    size_t n_held_out;
    size_t n_training;
    struct dataset test; /* the operator's test rows, n = 0: none */
    uint32_t *tested; /* (n_tested) those of them whose class the child has */
    size_t n_tested;

    const char **names; /* (n_old + n_new) the child's; texts are borrowed */
    size_t n_old, n_new;
    bool labelled;     /* some row to train on has a label */
    bool asked_labels; /* some sample has one */

    struct dataset kept; /* what the parent's file keeps */
    bool kept_marked;    /* it says which rows are held out */
    int32_t *labels, *test_labels;
};

/* Parent and data are borrowed and must outlive r. ERR_SHAPE with counts if
 * there is nothing to learn from, or rows that do not suit; ERR_TOO_LARGE for
 * too many classes or rows; ERR_NO_MEMORY. */
enum err_code tune_rows_init(struct tune_rows *r, const struct model *parent,
                             const struct tune_data *data, struct err *e)
    ERR_CHECKED;
void tune_rows_fini(struct tune_rows *r); /* accepts a zeroed one */

#endif
