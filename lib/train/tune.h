/* Tuning: a model in service and new samples become a better model.
 *
 * It is training as ever, from a recipe that the parent's file gives (what its
 * last phase did, at a lower rate or with pictures distorted), with three
 * differences: it starts from the parent's values; classes that the parent does
 * not know are added; and each epoch goes over as many rows of each label, old
 * and new, so that few new samples are learned and old classes are not
 * forgotten. Rows of old labels come from the samples, from the operator's data
 * set, and from what the parent's file keeps (rehearsal.h). Rows without a
 * label train the terms that need none.
 *
 * Whether the child is better is settled on rows that no training saw
 * (gate.h).
 */
#ifndef SPARSED_TRAIN_TUNE_H
#define SPARSED_TRAIN_TUNE_H

#include "lib/data/dataset.h"
#include "lib/train/trainer.h"

/* What may be learned from. Labels of samples are indices into names. */
struct tune_data {
    const struct dataset *samples;
    const bool *held_out;            /* (samples->n) */
    const char *const *names;        /* (samples->n_classes) */
    const struct dataset *rehearsal; /* the operator's rows, or NULL */
    const struct dataset *test;      /* the operator's test rows, or NULL */
};

struct tune_options {
    size_t epochs;        /* at most; 0: TUNE_EPOCHS */
    double learning_rate; /* 0: a share of what the parent was trained at */
    size_t threads;
    uint64_t seed;
    const char *checkpoint; /* as in train_options */
    bool resume;
    bool (*progress)(void *arg, const struct train_progress *p);
    void *arg;
};

#define TUNE_EPOCHS 24
#define TUNE_MAX_EPOCHS 1000

struct tune_result {
    struct model *model; /* the child, not prepared; lineage names no parent
                            version: the caller knows it */
    bool better;         /* the gate's verdict */
    char reason[256];    /* of the verdict, with its figures */
    struct json *before, *after; /* figures of parent and child, gate.h */
};

/* Fills *r, which the caller empties with tune_result_fini. ERR_SHAPE with
 * counts if there is nothing to learn from, or rows that do not suit;
 * ERR_TOO_LARGE for too many classes; ERR_CONFLICT "stopped", or for a
 * checkpoint of another run; ERR_INTERNAL with figures for a run that diverges.
 */
enum err_code tune_run(const struct model *parent, const struct tune_data *data,
                       const struct tune_options *options,
                       struct tune_result *r, struct err *e) ERR_CHECKED;
void tune_result_fini(struct tune_result *r); /* accepts a zeroed one */

/* Upper bound of the memory that tune_run takes beside the data and some 32
 * bytes a row of them, with up to 256 new classes. */
size_t tune_bytes(const struct model *parent, size_t threads);

#endif
