/* Encoder: the second axis. How a code is inferred from an input.
 *
 * An encoder drives the layer's operators: enc always, rec if it asks for it.
 * Training keeps the code after each step on a tape; serving keeps the last,
 * or all of them when a trace is wanted: it is the same function.
 */
#ifndef SPARSED_MODEL_ENCODER_H
#define SPARSED_MODEL_ENCODER_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/json.h"
#include "lib/base/rng.h"
#include "lib/model/nonlinearity.h"
#include "lib/model/param.h"

#include <stdbool.h>
#include <stddef.h>

struct layer;

#define ENCODER_MAX_STEPS 1000

/* What a run is given, and leaves behind in z and h. */
struct tape {
    size_t steps;       /* steps really done */
    bool keep;          /* keep every step: z is (steps,B,n), else (B,n); n
                           counts the heads */
    const float *known; /* (B,in): 1 where x is known, 0 where it is missing;
                           NULL: all is. Only for encoders that decode. */
    float *z;           /* what it gives after the step(s): the code, or
                           where the structure has several heads, those */
    float *h;           /* the same before the gain, which only the way
                           back needs; NULL without it or without gain */
};

struct encoder_kind {
    const char *name;
    const char *help;
    const char *const *settings; /* members of the encoder's JSON */
    bool recurrent;              /* wants the operator rec */
    bool decodes; /* infers through dec: wants a decoder, has no enc, and can
                     leave out inputs that are not known */

    /* Reads its settings into layer->encoder, declares bias, gain ... */
    enum err_code (*configure)(struct layer *layer, const struct json *encoder,
                               const char *where, struct params *params,
                               struct err *e);
    void (*fini)(struct layer *layer); /* optional */
    /* Starting values of enc, rec, bias, given dec's (if the layer has it).
     * Optional. */
    void (*start)(struct layer *layer, struct rng *rng);

    /* Works out what only depends on the weights, once they are final.
     * Optional; the layer's operators have been prepared before. */
    enum err_code (*prepare)(struct layer *layer, struct err *e);
    void (*unprepare)(struct layer *layer);

    /* The code of x (B,in) after `steps` steps (1 .. tape room) into tape. */
    void (*forward)(const struct layer *layer, struct tape *tape,
                    const float *x, size_t B, size_t steps,
                    struct arena *scratch);

    /* From dz (B,n), the gradient on the last code (overwritten), adds into
     * grads (laid out as the parameter block; NULL: not wanted) and, if dx is
     * not NULL, into dx (B,in). Needs a tape that kept every step. NULL: the
     * code is constant for training (alternating minimisation). */
    void (*backward)(const struct layer *layer, float *grads,
                     const struct tape *tape, float *dz, float *dx,
                     const float *x, size_t B, struct arena *scratch);

    /* The value of the code for the graph's value x; NULL: it cannot be told
     * as a fixed list of operations. */
    int (*emit)(const struct layer *layer, struct graph *g, int x);

    /* Bytes of scratch that one forward, and one backward call over a tape of
     * `steps`, take at most: the caller has reserved them (arena_reserve). */
    size_t (*scratch_bytes)(const struct layer *layer, size_t B, size_t steps);
};

struct encoder {
    const struct encoder_kind *kind;
    const struct nonlinearity *f;
    size_t steps;       /* as trained; 1 where there is one */
    struct param *bias; /* b (cell, heads) */
    struct param *gain; /* the same, or NULL */
    float start_gain;
    void *own; /* kind's own, freed by fini */
};

#endif
