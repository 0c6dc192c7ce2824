/* Preprocessing that belongs to the model: a short list of steps between the
 * numbers that clients send and the space where the codes live, with the way
 * back, so that reconstructions come in the input's own units.
 */
#ifndef SPARSED_MODEL_PREPROCESS_H
#define SPARSED_MODEL_PREPROCESS_H

#include "lib/base/err.h"
#include "lib/base/json.h"
#include "lib/model/graph.h"
#include "lib/model/space.h"

#include <stdbool.h>
#include <stddef.h>

#define PREPROCESS_MAX_STEPS 8

struct preprocess_kind;

struct preprocess {
    size_t n;
    struct preprocess_step {
        const struct preprocess_kind *kind;
    } steps[PREPROCESS_MAX_STEPS];
};

/* Reads the config's "preprocess", an array of {"op": name}. */
enum err_code preprocess_configure(struct preprocess *p, const struct json *j,
                                   const struct space *in, struct err *e)
    ERR_CHECKED;

/* x (B,m) in place; scale (B) gets the factor by which each row was divided
 * (1 where nothing scales). */
void preprocess_apply(const struct preprocess *p, float *x, float *scale,
                      size_t B, size_t m);

/* The way back, in place, with the scales of preprocess_apply. */
void preprocess_undo(const struct preprocess *p, float *x, const float *scale,
                     size_t B, size_t m);

/* Whether some number after the steps depends on several inputs other than by
 * the row's scale, so that a missing input is missing everywhere. */
bool preprocess_mixes(const struct preprocess *p);

/* Whether rows have scales of their own (else all are 1). */
bool preprocess_scales(const struct preprocess *p);

/* The value after all steps for the graph's value x; *scale: what its rows
 * were divided by, GRAPH_NONE where nothing scales. preprocess_emit_undo is
 * the way back. */
int preprocess_emit(const struct preprocess *p, struct graph *g, int x,
                    int *scale);
int preprocess_emit_undo(const struct preprocess *p, struct graph *g, int x,
                         int scale);

#endif
