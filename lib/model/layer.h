/* Layer: operator x encoder x structure, and the decoder that draws the code
 * back: x^ = D z.
 */
#ifndef SPARSED_MODEL_LAYER_H
#define SPARSED_MODEL_LAYER_H

#include "lib/model/encoder/encoder.h"
#include "lib/model/operator/operator.h"
#include "lib/model/structure/structure.h"

#include <stdbool.h>

enum layer_up { UP_CODE, UP_POOLED }; /* what the next layer sees */

struct layer {
    size_t index;
    const struct operator_kind *op; /* of all its operators */
    struct space in, code;
    struct operator_shape shape; /* with the code, and its cell */
    struct operator enc;         /* E: in -> code, unless the encoder decodes */
    struct operator rec;         /* S: code -> code, recurrent encoders only */
    struct operator dec; /* D: code -> in, unless the recipe leaves it out */
    struct encoder encoder;
    struct structure structure;
    enum layer_up up;
};

/* The layer's operator of that role, whose kind is NULL where it has none. */
static inline struct operator *layer_operator(struct layer *l,
                                              enum operator_role role)
{
    struct operator *const all[OPERATOR_ROLES] = {&l->enc, &l->rec, &l->dec};
    return all[role];
}

static inline size_t layer_inputs(const struct layer *l)
{
    return space_size(&l->in);
}

static inline size_t layer_units(const struct layer *l)
{
    return space_size(&l->code);
}

/* Numbers that the encoder gives: the code, or all its heads. */
static inline size_t layer_outputs(const struct layer *l)
{
    return l->structure.kind->heads * layer_units(l);
}

static inline size_t layer_groups(const struct layer *l)
{
    return space_size(&l->structure.pooled);
}

/* Reads one element of the config's "layers" into the caller's zeroed layer
 * over the space `in`, and declares its parameters. */
enum err_code layer_configure(struct layer *l, size_t index,
                              const struct space *in, const struct json *j,
                              struct params *params, struct err *e) ERR_CHECKED;
void layer_fini(struct layer *l);

/* Starting values from rows of data (n, in) and the stream. */
void layer_start(struct layer *l, struct rng *rng, const float *samples,
                 size_t n);

/* Packs the operators for serving; undone by layer_unprepare. */
enum err_code layer_prepare(struct layer *l, struct err *e) ERR_CHECKED;
void layer_unprepare(struct layer *l);

/* A code (B,n) whose pools are `wanted` (B,groups), where no pass tells which
 * units of a pool are on: all alike, and none below 0. ERR_NO_MEMORY. */
enum err_code layer_unpool_alike(const struct layer *l, float *code,
                                 const float *wanted, size_t B,
                                 struct arena *memory, struct err *e)
    ERR_CHECKED;

/* The space that the next layer, or the classifier, sees. */
const struct space *layer_up_space(const struct layer *l);

#endif
