/* Rows: which rows of the data set are for validation, which for training,
 * which of these show their label, and in which order and batches an epoch
 * takes them.
 *
 * All of it depends on the seed and the epoch's number alone, never on what
 * was done before.
 */
#ifndef SPARSED_TRAIN_ROWS_H
#define SPARSED_TRAIN_ROWS_H

#include "lib/data/dataset.h"
#include "lib/train/recipe.h"

/* What a row is for, where the caller says it. */
enum row_use { ROW_TRAINING, ROW_VALIDATION, ROW_UNUSED };

struct rows {
    const struct recipe *recipe;
    uint32_t *all; /* every row, shuffled: validation first; owned */
    const uint32_t *validation, *training; /* within all */
    size_t n_validation, n_training;
    uint32_t *labelled; /* those of training that have a label; owned */
    size_t n_labelled;
    int32_t *labels; /* of every row, where the recipe hides some; else NULL */
    /* Those of training by their label, without one last; owned. */
    uint32_t *sorted;
    size_t *starts; /* (n_labels + 1) where each label's begin in sorted */
    uint32_t *scratch;
    size_t n_labels; /* that some training row has, "none" as one of them */
    uint32_t *order; /* (n_order) of the epoch under way; owned */
    size_t n_order, n_batches;
};

/* uses (d->n) says what each row is for; NULL: all are used, for validation as
 * many as the recipe wants. Where the recipe leaves some training rows their
 * label, those are as many of each class as can be. ERR_SHAPE if validation
 * leaves nothing to train on, or fewer rows than that have a label. */
enum err_code rows_init(struct rows *r, const struct recipe *recipe,
                        const struct dataset *d, const uint8_t *uses,
                        uint64_t seed, struct err *e) ERR_CHECKED;
/* Accepts zeroed rows. */
void rows_fini(struct rows *r);

/* Shares n out: left (classes) of there (classes), whose sum is n at least.
 * Class after class gives one more until n are given, so rare ones give all. */
void rows_share_out(size_t *left, const size_t *there, size_t classes,
                    size_t n);

/* How many rows an epoch of the phase goes over. */
size_t rows_count(const struct rows *r, size_t phase);

/* Shuffles those rows into `order` for an epoch of the phase. */
void rows_order(struct rows *r, uint64_t seed, size_t phase, size_t epoch);

/* The rows of a batch of the epoch, *n of them. Sizes differ by at most one:
 * there is no small rest, whose gradient would be noise. */
const uint32_t *rows_batch(const struct rows *r, size_t batch, size_t *n);

#endif
