/* Operator: the first axis. A linear map y = W x between two spaces, with its
 * adjoint and the gradient of its weights.
 *
 * A layer owns up to three instances: enc (input -> code), rec (code -> code),
 * dec (code -> input). One file a kind; axes.c lists them. Operators never
 * allocate while they run: scratch comes from the pass's arena.
 */
#ifndef SPARSED_MODEL_OPERATOR_H
#define SPARSED_MODEL_OPERATOR_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/json.h"
#include "lib/base/rng.h"
#include "lib/model/param.h"
#include "lib/model/space.h"

#include <stdbool.h>
#include <stddef.h>

struct operator;

/* What it is for. */
enum operator_role {
    OPERATOR_ENCODES, /* in -> code */
    OPERATOR_RECURS,  /* code -> code */
    OPERATOR_DECODES, /* code -> in */
    OPERATOR_ROLES    /* how many there are */
};

/* The part of a picture that a unit of the code looks at (or draws), for
 * operators whose units do not look at all of it. */
struct field {
    size_t height, width; /* 0: all of it */
    size_t stride;        /* from one field to the next */
    size_t padding;       /* zeros on each side of the picture */
    size_t share;         /* units a side that look at the same field */
};

struct operator_shape {
    struct space code;
    /* The part of the code whose units have weights, biases and gains of their
     * own, which the others share (lib/model/space.h); all of it where nothing
     * is shared. */
    struct space cell;
    struct field field;
};

enum operator_side {
    OPERATOR_ROWS,   /* all weights that lead into one output unit */
    OPERATOR_COLUMNS /* all weights that lead out of one input unit */
};

struct operator_kind {
    const char *name;
    const char *help;            /* one line */
    const char *const *settings; /* its members in the layer's JSON */

    /* What a layer with these settings over `in` looks like; refuses what
     * cannot be (ERR_SHAPE with both shapes). */
    enum err_code (*shape)(struct operator_shape *out, const struct space *in,
                           const struct json *layer, const char *where,
                           struct err *e);

    /* Declares the weights under `name`; op->role, in, out and shape are set.
     * Where the encoder gives several numbers a unit, out of one that encodes
     * has so many times the channels of the code. */
    enum err_code (*declare)(struct operator *op, struct params *params,
                             const char *name, struct err *e);

    /* Bounds the norm of each row or column (param projection). */
    void (*limit)(struct operator *op, enum operator_side side, float bound);

    /* Starting values: random columns of norm 1, leaning by `lean` towards
     * random rows of samples (n, out) when there are any. */
    void (*start)(struct operator *op, struct rng *rng, const float *samples,
                  size_t n, float lean);
    /* W = scale * (adjoint of other); weights of heads after the first are 0.
     */
    void (*start_adjoint)(struct operator *op, const struct operator *other,
                          float scale);
    /* W = identity - scale * (adjoint of other) * other. */
    void (*start_residual)(struct operator *op, const struct operator *other,
                           float scale);

    /* Changes the layer's settings so that the code keeps `kept` of its
     * units; optional: without it the code cannot be pruned. */
    enum err_code (*resize)(struct json *layer, size_t kept, struct err *e);

    /* Packs the weights for fast reading once they are final. Optional. */
    enum err_code (*prepare)(struct operator *op, struct err *e);
    void (*unprepare)(struct operator *op);

    /* y (B,out) = base + W x for x (B,in). base (B,out) may be y; NULL: 0. */
    void (*apply)(const struct operator *op, float *y, const float *base,
                  const float *x, size_t B, struct arena *scratch);
    /* Whether rows like x (B,in) take no longer one at a time than together.
     * Optional: they do. */
    bool (*by_row)(const struct operator *op, const float *x, size_t B);
    /* dx (B,in) += W' dy for dy (B,out). */
    void (*adjoint)(const struct operator *op, float *dx, const float *dy,
                    size_t B, struct arena *scratch);
    /* The same where only those dx are wanted whose z (B,in) is not 0: what
     * the others get is open. Optional. */
    void (*adjoint_at)(const struct operator *op, float *dx, const float *z,
                       const float *dy, size_t B, struct arena *scratch);
    /* dw += sum over rows of dy x', dw shaped as the weights. */
    void (*gradient)(const struct operator *op, float *dw, const float *dy,
                     const float *x, size_t B, struct arena *scratch);

    /* The columns one after another (in,out): the packed ones, or, where
     * op->packed is NULL, made in scratch, which takes in * out numbers.
     * Optional: without it no encoder descends by coordinates. */
    const float *(*columns)(const struct operator *op, struct arena *scratch);

    /* The part of the picture that the unit of the code (of an operator that
     * decodes) draws in, cut to the picture. Optional: all of it. */
    struct box (*view)(const struct operator *op, size_t unit);

    /* The value W x for the graph's value x. Optional: without it no layer that
     * has the operator can be told to others. */
    int (*emit)(const struct operator *op, struct graph *g, int x);
    /* Bytes of scratch that one call of gradient may take, beside those of the
     * others; optional. */
    size_t (*gradient_bytes)(const struct operator *op);
    /* Bytes of scratch that one call of the others may take. */
    size_t (*scratch_bytes)(const struct operator *op, size_t B);
};

struct operator {
    const struct operator_kind *kind; /* NULL: the layer has none here */
    enum operator_role role;
    struct space in, out;
    struct operator_shape shape; /* of its layer */
    struct param *weight;
    float *packed; /* kind's own, NULL while not prepared */
};

/* What gradient takes besides; 0 for an operator that the layer has not. */
static inline size_t operator_gradient_bytes(const struct operator *op)
{
    return op->kind && op->kind->gradient_bytes ? op->kind->gradient_bytes(op)
                                                : 0;
}

#endif
