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

enum operator_side {
    OPERATOR_ROWS,   /* all weights that lead into one output unit */
    OPERATOR_COLUMNS /* all weights that lead out of one input unit */
};

struct operator_kind {
    const char *name;
    const char *help;            /* one line */
    const char *const *settings; /* its members in the layer's JSON */

    /* The code's space for a layer with these settings over `in`; refuses
     * what cannot be (ERR_SHAPE with both shapes). */
    enum err_code (*code_space)(struct space *code, const struct space *in,
                                const struct json *layer, const char *where,
                                struct err *e);

    /* Declares the weights under `name`; op->in, op->out are set. */
    enum err_code (*declare)(struct operator *op, struct params *params,
                             const char *name, enum param_axis out_axis,
                             enum param_axis in_axis, struct err *e);

    /* Bounds the norm of each row or column (param projection). */
    void (*limit)(struct operator *op, enum operator_side side, float bound);

    /* Starting values: random columns of norm 1, leaning by `lean` towards
     * random rows of samples (n, out) when there are any. */
    void (*start)(struct operator *op, struct rng *rng, const float *samples,
                  size_t n, float lean);
    /* W = scale * (adjoint of other). */
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

    /* y (B,out) = W x for x (B,in). */
    void (*apply)(const struct operator *op, float *y, const float *x, size_t B,
                  struct arena *scratch);
    /* dx (B,in) += W' dy for dy (B,out). */
    void (*adjoint)(const struct operator *op, float *dx, const float *dy,
                    size_t B, struct arena *scratch);
    /* dw += sum over rows of dy x', dw shaped as the weights. */
    void (*gradient)(const struct operator *op, float *dw, const float *dy,
                     const float *x, size_t B, struct arena *scratch);

    /* The columns one after another (in,out): the packed ones, or, where
     * op->packed is NULL, made in scratch, which takes in * out numbers.
     * Optional: without it no encoder descends by coordinates. */
    const float *(*columns)(const struct operator *op, struct arena *scratch);

    /* The value W x for the graph's value x. */
    int (*emit)(const struct operator *op, struct graph *g, int x);
    /* Bytes of scratch that one call may take. */
    size_t (*scratch_bytes)(const struct operator *op, size_t B);
};

struct operator {
    const struct operator_kind *kind; /* NULL: the layer has none here */
    struct space in, out;
    struct param *weight;
    float *packed; /* kind's own, NULL while not prepared */
};

#endif
