/* Trainer: a recipe and a data set become a model.
 *
 * Batches are split over a fixed team; shards' gradients are added in the
 * order of the members, so the same seed, recipe, data and team size give the
 * same bytes. Randomness is drawn per (seed, purpose, epoch): a training that
 * goes on from its checkpoint ends in the same model as an undisturbed one.
 */
#ifndef SPARSED_TRAIN_TRAINER_H
#define SPARSED_TRAIN_TRAINER_H

#include "lib/base/clock.h"
#include "lib/data/dataset.h"
#include "lib/model/model.h"
#include "lib/train/measure.h"
#include "lib/train/recipe.h"

#include <stdbool.h>

/* After each batch (epoch_done false) and each epoch (true). */
struct train_progress {
    const char *phase;
    size_t phase_index, n_phases;
    size_t epoch, epochs; /* of the phase, from 1 */
    size_t row, rows;     /* of the epoch */
    bool epoch_done;
    struct loss_sums loss;      /* since the epoch began */
    struct measures validation; /* when epoch_done */
    bool best;                  /* when epoch_done: the best so far */
    double rate;
    usec elapsed;
};

struct train_options {
    size_t threads;         /* at least 1 */
    uint64_t seed;          /* the recipe's, unless told otherwise */
    const char *checkpoint; /* path, written after each epoch; NULL: none */
    bool resume;            /* go on from the checkpoint if it is there */
    /* Called on the training thread; false stops after the checkpoint
     * (ERR_CONFLICT "stopped"). May be NULL. */
    bool (*progress)(void *arg, const struct train_progress *p);
    void *arg;
};

/* NULL on error; a diverging run (loss or parameters not finite) is
 * ERR_INTERNAL with phase, epoch and figures, and the last checkpoint stays.
 * The model carries metrics {"validation": ...} and lineage, and is the
 * caller's. */
struct model *train_run(const struct recipe *recipe, const struct dataset *data,
                        const struct train_options *options, struct err *e);

#endif
