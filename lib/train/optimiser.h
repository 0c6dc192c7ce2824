/* Optimiser: one step on the whole parameter block from its mean gradient.
 *
 * SGD with momentum, and Adam (Kingma & Ba 2015). Each row of the parameter
 * table has its own rate and sign; bounds are repaired by the table's
 * projections, every so many steps.
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
    double momentum;      /* SGD */
    double beta1, beta2;  /* Adam */
    double epsilon;       /* Adam */
    double clip;          /* norm bound of the whole gradient; 0: none */
    size_t project_every; /* steps between projections, at least 1 */
};

struct optimiser {
    struct optimiser_settings settings;
    size_t total;   /* numbers in the block */
    float *first;   /* momentum, or Adam's first moment */
    float *second;  /* Adam's second moment; NULL for SGD */
    uint64_t steps; /* done so far, with the one under way */
    double rate;    /* of the step under way */
    double epsilon;
};

/* Moments 0, no steps done. */
enum err_code optimiser_init(struct optimiser *o,
                             const struct optimiser_settings *settings,
                             size_t total, struct err *e) ERR_CHECKED;
/* Accepts a zeroed optimiser. */
void optimiser_fini(struct optimiser *o);

/* ---- a step, in parts that a team shares ----
 * The gradient is laid out as the block; trained[i] says whether row i of the
 * table takes part; other rows, and their moments, stay as they are to the bit.
 * The order: begin with the schedule's rate, which each row's own multiplies;
 * the sum of squares if the gradient is to be clipped; update with ranges
 * [from, to) that do not overlap and cover the block; then, if
 * `optimiser_projects`, project with every part. */
void optimiser_begin(struct optimiser *o, double rate);
double optimiser_square_sum(const struct params *params, const bool *trained,
                            const float *grads, size_t from, size_t to);
/* The factor that brings the gradient's norm down to the clip. */
float optimiser_clip_factor(const struct optimiser *o, double square_sum);
void optimiser_update(struct optimiser *o, const struct params *params,
                      const bool *trained, const float *grads,
                      float grads_factor, size_t from, size_t to);
bool optimiser_projects(const struct optimiser *o);
void optimiser_project(struct params *params, const bool *trained, size_t part,
                       size_t parts);

#endif
