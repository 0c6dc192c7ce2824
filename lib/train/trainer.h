/* Trainer: a recipe and a data set become a model.
 *
 * The same seed, recipe, data and number of threads give the same bytes.
 * Randomness is drawn per (seed, purpose, epoch) and a checkpoint holds all
 * else, so a training that goes on from its checkpoint ends in the same model
 * as an undisturbed one.
 *
 * Validation rows are the first of a shuffle of all rows that depends on the
 * seed only. After each epoch they are measured; a phase ends with the
 * parameters of its best epoch, and the next one starts from those with a
 * fresh optimiser.
 */
#ifndef SPARSED_TRAIN_TRAINER_H
#define SPARSED_TRAIN_TRAINER_H

#include "lib/base/clock.h"
#include "lib/data/dataset.h"
#include "lib/model/model.h"
#include "lib/train/measure.h"
#include "lib/train/recipe.h"

#include <stdbool.h>

#define TRAIN_MAX_THREADS 1024

/* After each batch (epoch_done false) and each epoch (true). */
struct train_progress {
    const char *phase;
    size_t phase_index, n_phases;
    size_t epoch, epochs; /* of the phase, from 1 */
    size_t row, rows;     /* of the epoch */
    bool epoch_done;
    struct loss_sums loss;       /* since the epoch began */
    struct measures validation;  /* when epoch_done; no rows: none */
    bool best;                   /* when epoch_done: the best so far */
    enum recipe_measure measure; /* what decides it */
    double rate;
    size_t rows_done; /* since train_run began */
    size_t rows_left; /* of all phases, if none stops early */
    usec elapsed;     /* since train_run began */
};

/* A run that goes on from a model, instead of from starting values. */
struct train_start {
    const struct model *model; /* of the recipe's config and classes */
    const uint8_t *uses;       /* (data->n) enum row_use of each row */
    /* How good the model is on the validation rows, smaller is better, the
     * first weighs more; and its measures. NULL: what the phase measures. */
    enum err_code (*judge)(void *arg, const struct model *m, struct team *team,
                           struct measures *v, double value[2], struct err *e);
    void *arg;
    /* What rows are also held to, by the weight of the phase; NULL: nothing. */
    const struct model *teacher;
};

struct train_options {
    size_t threads;         /* 1 to TRAIN_MAX_THREADS */
    uint64_t seed;          /* the recipe's, unless told otherwise */
    const char *checkpoint; /* path, written after each epoch; NULL: none */
    bool resume;            /* go on from the checkpoint if it is there */
    /* Called on the training thread, after the epoch's checkpoint; false stops
     * (ERR_CONFLICT "stopped"). May be NULL. */
    bool (*progress)(void *arg, const struct train_progress *p);
    void *arg;
    /* The model as it is counts as an epoch before the first: it stays if none
     * is better. NULL: starting values. */
    const struct train_start *start;
};

/* Labels are indices into the recipe's classes, if it names them
 * (classes_match), else into the data's.
 *
 * NULL on error: ERR_SHAPE for data that does not suit the recipe, ERR_CONFLICT
 * for a checkpoint of another run, ERR_INTERNAL with phase, epoch and figures
 * for a run that diverges (loss or parameters not finite). The last checkpoint
 * stays. The model carries metrics {"validation": ...}, if there are validation
 * rows, and "pruned" (pruning_run), if the recipe asks for it, and lineage,
 * what later training needs (keep.h), and is the caller's. */
struct model *train_run(const struct recipe *recipe, const struct dataset *data,
                        const struct train_options *options, struct err *e);

#endif
