/* Checkpoint: all that a training needs to go on as if it had never stopped:
 * parameters, moments, the best parameters so far, counters, and of what run
 * it is. A safetensors file, replaced as a whole after each epoch.
 */
#ifndef SPARSED_TRAIN_CHECKPOINT_H
#define SPARSED_TRAIN_CHECKPOINT_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct safetensors;

struct checkpoint {
    /* Which run it is; only the same one may go on. */
    uint64_t recipe, data; /* hashes */
    uint64_t seed, threads;
    /* How far it is. */
    uint64_t phase, epoch; /* epochs done of that phase */
    uint64_t steps;        /* the optimiser's */
    uint64_t stale;        /* epochs since the best */
    double best[2];        /* its measures, the first weighs more */
    /* Blocks of `total` numbers, laid out as the parameter block. */
    size_t total;
    const float *params;
    const float *best_params; /* NULL: nothing is measured */
    const float *first;       /* moments */
    const float *second;      /* NULL: the optimiser has none */
    struct safetensors *file; /* owns the blocks of one that was opened */
};

/* Atomic and durable; `file` is not looked at. */
enum err_code checkpoint_write(const struct checkpoint *c, const char *path,
                               struct err *e) ERR_CHECKED;

/* Fills *c with views into the file. ERR_CONFLICT that says what differs
 * unless it is of the same run as `wanted` and its blocks have as many
 * numbers; ERR_NOT_FOUND, ERR_CORRUPT. */
enum err_code checkpoint_open(struct checkpoint *c, const char *path,
                              const struct checkpoint *wanted, struct err *e)
    ERR_CHECKED;
/* Accepts a zeroed one. */
void checkpoint_close(struct checkpoint *c);

#endif
