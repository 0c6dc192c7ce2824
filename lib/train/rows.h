/* Rows: which rows of the data set are for validation, which for training,
 * and in which order and batches an epoch takes them.
 *
 * All of it depends on the seed and the epoch's number alone, never on what
 * was done before.
 */
#ifndef SPARSED_TRAIN_ROWS_H
#define SPARSED_TRAIN_ROWS_H

#include "lib/data/dataset.h"
#include "lib/train/recipe.h"

struct rows {
    uint32_t *all; /* every row, shuffled: validation first; owned */
    const uint32_t *validation, *training; /* within all */
    size_t n_validation, n_training;
    uint32_t *order; /* (n_training) of the epoch under way; owned */
    size_t n_batches;
};

/* ERR_SHAPE if validation leaves nothing to train on. */
enum err_code rows_init(struct rows *r, const struct recipe *recipe,
                        const struct dataset *d, uint64_t seed, struct err *e)
    ERR_CHECKED;
/* Accepts zeroed rows. */
void rows_fini(struct rows *r);

/* Shuffles the training rows into `order` for an epoch of a phase. */
void rows_order(struct rows *r, uint64_t seed, size_t phase, size_t epoch);

/* The rows of a batch of the epoch, *n of them. Sizes differ by at most one:
 * there is no small rest, whose gradient would be noise. */
const uint32_t *rows_batch(const struct rows *r, size_t batch, size_t *n);

#endif
