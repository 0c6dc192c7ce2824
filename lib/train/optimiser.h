/* Optimiser: one step on the whole parameter block from its mean gradient.
 *
 * SGD with momentum, and Adam (Kingma & Ba 2015). Each row of the parameter
 * table has its own rate and sign; bounds are repaired by the table's
 * projections.
 */
#ifndef SPARSED_TRAIN_OPTIMISER_H
#define SPARSED_TRAIN_OPTIMISER_H

#include "lib/base/err.h"
#include "lib/model/param.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum optimiser_kind { OPTIMISER_SGD, OPTIMISER_ADAM };

struct optimiser_settings {
    enum optimiser_kind kind;
    double rate;
    double momentum;       /* SGD */
    double beta1, beta2;   /* Adam */
    double epsilon;        /* Adam */
    double clip;           /* norm bound of the whole gradient; 0: none */
    size_t project_every;  /* steps between projections, at least 1 */
};

struct optimiser {
    struct optimiser_settings settings;
    size_t total;   /* numbers in the block */
    float *first;   /* momentum, or Adam's first moment */
    float *second;  /* Adam's second moment; NULL for SGD */
    uint64_t steps; /* done so far */
};

enum err_code optimiser_init(struct optimiser *o,
                             const struct optimiser_settings *settings,
                             size_t total, struct err *e) ERR_CHECKED;
void optimiser_fini(struct optimiser *o);

/* One step with `rate` (the schedule's, times each row's own). trained[i] says
 * whether row i of the table takes part. `grads` may be changed (clipping). */
void optimiser_step(struct optimiser *o, struct params *params,
                    const bool *trained, float *grads, double rate);

#endif
