/* Preprocessing that belongs to the model: a short list of steps between the
 * numbers that clients send and the space where the codes live, with the way
 * back, so that reconstructions come in the input's own units.
 *
 * What a step has learned from data stands in the parameter table as fixed
 * rows (rate 0). Steps work on whole batches, with scratch from the caller's
 * arena.
 */
#ifndef SPARSED_MODEL_PREPROCESS_H
#define SPARSED_MODEL_PREPROCESS_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/json.h"
#include "lib/model/graph.h"
#include "lib/model/param.h"
#include "lib/model/space.h"

#include <stdbool.h>
#include <stddef.h>

#define PREPROCESS_MAX_STEPS 8

struct preprocess_kind;

struct preprocess {
    size_t n;
    struct preprocess_step {
        const struct preprocess_kind *kind;
        struct space in;
        /* The settings and tensors of steps that have such. */
        float epsilon, cutoff, power, sigma, floor;
        struct param *mean, *whiten, *unwhiten, *rows, *columns;
    } steps[PREPROCESS_MAX_STEPS];
};

/* Reads the config's "preprocess", an array of {"op": name, settings}, and
 * declares what its steps learn. */
enum err_code preprocess_configure(struct preprocess *p, const struct json *j,
                                   const struct space *in,
                                   struct params *params, struct err *e)
    ERR_CHECKED;

/* Learns what each step needs from what the steps before it make of raw rows x
 * (n,m), which end as preprocess_apply leaves them, with scale (n). ERR_SHAPE
 * if there are too few rows, or they do not differ. */
enum err_code preprocess_start(const struct preprocess *p, float *x,
                               float *scale, size_t n, size_t m,
                               struct arena *scratch, struct err *e)
    ERR_CHECKED;

/* x (B,m) in place; scale (B) gets the factor by which each row was divided
 * (1 where nothing scales). */
void preprocess_apply(const struct preprocess *p, float *x, float *scale,
                      size_t B, size_t m, struct arena *scratch);

/* The way back, in place, with the scales of preprocess_apply. */
void preprocess_undo(const struct preprocess *p, float *x, const float *scale,
                     size_t B, size_t m, struct arena *scratch);

/* Bytes of scratch that apply or undo takes at most: the caller has reserved
 * them (arena_reserve). */
size_t preprocess_scratch_bytes(const struct preprocess *p, size_t B, size_t m);

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
