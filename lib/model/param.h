/* Parameters: one table for the whole model; every tensor that training may
 * change is a row with named axes and its policy.
 *
 * Saving, loading, optimisers, moments, pruning and growing walk this table
 * and know nothing else. All values lie in one block, so gradients and moments
 * are blocks of the same layout: the gradient of p starts at p->offset.
 */
#ifndef SPARSED_MODEL_PARAM_H
#define SPARSED_MODEL_PARAM_H

#include "lib/base/err.h"
#include "lib/model/graph.h"

#include <stddef.h>

#define PARAM_MAX 64
#define PARAM_MAX_RANK 4
#define PARAM_MAX_TOTAL ((size_t)1 << 28) /* numbers in one model: 1 GiB */

/* What a dimension counts: pruning gathers along CODE, a new class extends
 * CLASS, whatever the tensor is. INPUT is what the layer before passes on. */
enum param_axis { AXIS_INPUT, AXIS_CODE, AXIS_GROUP, AXIS_CLASS, AXIS_FIXED };

struct param {
    char name[64]; /* as in the model file */
    size_t rank;
    size_t dims[PARAM_MAX_RANK];
    enum param_axis axes[PARAM_MAX_RANK];
    size_t layer;  /* whose it is; the number of layers: the classifier's */
    size_t count;  /* product of dims */
    size_t offset; /* in numbers, from the start of the block */
    float *value;  /* (dims), in the block */

    float rate; /* times the phase's learning rate; 0: fixed */
    int sign;   /* +1: the loss descends along it; -1: it ascends */
    /* Brings value back into the allowed set after a step, NULL: all is
     * allowed. */
    void (*project)(struct param *p);
    float bound;       /* of the projection */
    const float *sums; /* (dims[0]) what it makes rows add up to; NULL: free */
};

struct params {
    struct param list[PARAM_MAX];
    size_t n;
    size_t total;  /* numbers in all */
    float *values; /* the block, owned; NULL until params_allocate */
};

/* Adds a row with rate 1, sign +1, no projection; the row stays where it is.
 * NULL: ERR_INVALID (a dimension is 0), ERR_TOO_LARGE. */
struct param *params_add(struct params *t, const char *name, size_t rank,
                         const size_t *dims, const enum param_axis *axes,
                         struct err *e);

/* Makes the block (zeros) and points every row into it. */
enum err_code params_allocate(struct params *t, struct err *e) ERR_CHECKED;
void params_fini(struct params *t);

struct param *params_find(struct params *t, const char *name);

/* The row's value as a constant of the graph. */
int param_emit(const struct param *p, struct graph *g);

/* Projections of a (rows, columns...) tensor: the norm of each row, or of each
 * column of a matrix, is cut to p->bound by scaling. */
void param_limit_rows(struct param *p);
void param_limit_columns(struct param *p);

#endif
