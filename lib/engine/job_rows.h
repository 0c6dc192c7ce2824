/* Job rows: the samples that a job learns from, as a data set in memory.
 *
 * Bounded: where a model has more samples than fit, each label gives as many
 * as it has up to one number for all of them, so rare labels stay whole.
 */
#ifndef SPARSED_ENGINE_JOB_ROWS_H
#define SPARSED_ENGINE_JOB_ROWS_H

#include "lib/data/dataset.h"
#include "lib/model/model.h"
#include "lib/store/samples.h"
#include "lib/store/store.h"

struct job_rows {
    /* Floats; labels are indices into names; hash is of ids and labels. */
    struct dataset data;
    bool *held_out;               /* (data.n) */
    const char **names;           /* (data.n_classes), sorted */
    struct samples_counts counts; /* when they were read; owns the names */
};

struct job_rows_want {
    const char *name;
    const struct model *model;
    int64_t last_id;            /* samples that came later are not seen */
    size_t max_rows, max_bytes; /* of the inputs as floats */
    /* Asked now and then; false stops (ERR_CONFLICT). */
    bool (*go_on)(void *arg);
    void *arg;
};

/* Fills *r, which the caller empties with job_rows_fini. Without samples
 * data.n is 0. ERR_SHAPE for samples that are not the model's inputs,
 * ERR_TOO_LARGE if not even one sample a label fits, ERR_NO_MEMORY, and what
 * the store gives. */
enum err_code job_rows_read(struct job_rows *r, struct store *store,
                            const struct job_rows_want *want, struct err *e)
    ERR_CHECKED;
void job_rows_fini(struct job_rows *r); /* accepts a zeroed one */

#endif
