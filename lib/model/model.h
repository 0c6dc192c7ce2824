/* Model: preprocessing, a stack of layers, an optional classifier; what the
 * rest of the program knows of sparse codes.
 *
 *     x -> preprocess -> layer 0 -> ... -> top layer -> classifier
 *
 * A pass holds what one run over B rows leaves behind, in the caller's arena:
 * codes, pools, traces, probabilities. A model that is not being trained is
 * read-only and may be used by any number of threads, each with its own arena.
 */
#ifndef SPARSED_MODEL_MODEL_H
#define SPARSED_MODEL_MODEL_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/json.h"
#include "lib/model/classifier.h"
#include "lib/model/layer.h"
#include "lib/model/param.h"
#include "lib/model/preprocess.h"
#include "lib/model/rehearsal.h"

#include <stdbool.h>

#define MODEL_MAX_LAYERS 8
#define MODEL_MAX_INPUTS ((size_t)1 << 24)
#define MODEL_MAX_UNITS ((size_t)1 << 20)

struct model {
    struct json *config; /* the composition, as in the file */
    size_t input_rank;   /* 1: vector, 2: H,W, 3: C,H,W */
    size_t input_shape[3];
    float low, high; /* range of the numbers that clients send */
    struct space input;
    struct preprocess preprocess;
    size_t n_layers;
    struct layer layers[MODEL_MAX_LAYERS];
    struct classifier classifier;
    char **classes; /* (classifier.classes) names */
    struct params params;
    struct json *metrics; /* measured figures, or NULL */
    struct json *lineage; /* where it comes from, or NULL */
    /* How to go on training it, or NULL: {"batch", "rates", "bounds", "phase"},
     * what its recipe said and its last phase, as recipes say it. */
    struct json *training;
    struct rehearsal rehearsal; /* rows to go over again, or none */
};

/* ---- making ---- */

/* The composition that `config` says (copied), with parameters declared and
 * not yet allocated. `classes` (n_classes names, copied) may be NULL: then
 * numerals. NULL: ERR_INVALID, ERR_SHAPE, ERR_TOO_LARGE naming the member. */
struct model *model_new(const struct json *config, const char *const *classes,
                        size_t n_classes, struct err *e);
void model_free(struct model *m);

/* Allocates and sets starting values from rows of raw data (n, inputs). */
enum err_code model_start(struct model *m, uint64_t seed, const float *samples,
                          size_t n, struct err *e) ERR_CHECKED;

/* Starting values of layers from .. to-1 alone, from what the layers below them
 * make of the rows; preprocessing starts with layer 0, the classifier with the
 * top layer. Parameters are allocated. */
enum err_code model_start_layers(struct model *m, size_t from, size_t to,
                                 uint64_t seed, const float *samples, size_t n,
                                 struct err *e) ERR_CHECKED;

/* The same composition, values and facts; not prepared. */
struct model *model_copy(const struct model *m, struct err *e);

/* What is known of a model beside its values: copies metrics, lineage, training
 * and rehearsal, of which `to` has none. ERR_NO_MEMORY. */
enum err_code model_copy_facts(struct model *to, const struct model *from,
                               struct err *e) ERR_CHECKED;

/* The model of the lowest n layers, from 1; the classifier belongs to all of
 * them. It borrows all that it has from m: not for model_free. */
struct model model_lowest(const struct model *m, size_t n);

/* Packs weights for serving; parameters must not change until unprepared. */
enum err_code model_prepare(struct model *m, struct err *e) ERR_CHECKED;
void model_unprepare(struct model *m);

static inline size_t model_inputs(const struct model *m)
{
    return space_size(&m->input);
}

static inline const struct layer *model_top(const struct model *m)
{
    return &m->layers[m->n_layers - 1];
}

/* Whether some layer's encoder searches for its code, which takes as long as
 * the input makes it. */
bool model_searches(const struct model *m);

/* Whether the code of `layer` can be drawn in the input: every layer from it
 * down has a decoder. */
bool model_draws(const struct model *m, size_t layer);

/* ---- running ---- */

struct model_options {
    size_t steps; /* of every layer's encoder; 0: as trained */
    bool trace;   /* keep the code after every step */
    bool learn;   /* keep what going backwards needs */
    /* (B,inputs): 1 where x is known, 0 where it is missing; NULL: all is.
     * Needs a model that passes model_check_restores. Missing inputs count as
     * 0 in preprocessing, so that a row's scale is that of what is known. */
    const float *known;
    /* Where codes are noisy, what their noise is drawn from; 0: there is none,
     * the code is its mean. */
    uint64_t noise;
};

/* Whether codes can be found where some of the inputs are missing: ERR_CONFLICT
 * with the reason if not. */
enum err_code model_check_restores(const struct model *m, struct err *e)
    ERR_CHECKED;

struct pass {
    size_t B;
    float *x;     /* (B,inputs) after preprocessing */
    float *scale; /* (B) */
    struct layer_pass {
        const float *x; /* (B,in) what the layer saw */
        struct tape tape;
        float *given; /* (B,outputs) the tape's last step */
        float *noise; /* (B,n) that z was made with, or NULL */
        float *z;     /* (B,n) the code: given, or made of it */
        float *v;     /* (B,groups), or NULL until model_pool */
    } layers[MODEL_MAX_LAYERS];
    float *h, *norm;      /* classifier's input, normalised; its norms */
    float *probabilities; /* (B,classes), NULL until model_classify */
};

/* The code (B,n) after step t, of a pass that kept them. */
static inline const float *
pass_step(const struct model *m, const struct pass *p, size_t layer, size_t t)
{
    const struct layer *l = &m->layers[layer];
    const struct layer_pass *lp = &p->layers[layer];
    if (l->structure.kind->code)
        return lp->z; /* such layers have one step */
    return lp->tape.z + t * p->B * layer_units(l);
}

/* Codes of all layers for raw x (B,inputs). ERR_NO_MEMORY if the arena's
 * maximum is passed; ERR_SHAPE for rows so large that preprocessing overflows;
 * codes that are not finite are ERR_INTERNAL. */
enum err_code model_encode(const struct model *m, struct pass *p,
                           const float *x, size_t B,
                           const struct model_options *options,
                           struct arena *memory, struct err *e) ERR_CHECKED;

/* Fills layers[layer].v. */
enum err_code model_pool(const struct model *m, struct pass *p, size_t layer,
                         struct arena *memory, struct err *e) ERR_CHECKED;

/* Fills h, norm, probabilities. ERR_CONFLICT without a classifier. */
enum err_code model_classify(const struct model *m, struct pass *p,
                             struct arena *memory, struct err *e) ERR_CHECKED;

/* x^ (B,inputs) in the input's own units, drawn from the code of `layer` down.
 * relative_error (B), if not NULL: ||x - x^|| / ||x||, NAN where x = 0 (both
 * after preprocessing, over the inputs that are known). ERR_CONFLICT if a layer
 * on the way has no decoder. */
enum err_code model_reconstruct(const struct model *m, const struct pass *p,
                                size_t layer, float *out, float *relative_error,
                                struct arena *memory, struct err *e)
    ERR_CHECKED;

/* The same from codes z (B,n) of `layer` alone; scale (B) or NULL for 1.
 * ERR_CONFLICT if a layer below passes pooled codes on: those cannot be undone
 * without the pass. */
enum err_code model_decode(const struct model *m, size_t layer, float *out,
                           const float *z, const float *scale, size_t B,
                           struct arena *memory, struct err *e) ERR_CHECKED;

/* The same before preprocessing is undone: the sum of z_i times what unit i
 * draws, in the space where the codes live. Where a layer below passes pooled
 * codes on, many codes have the pools that are drawn; this is the drawing of
 * the one in which all units of a pool are alike, so it is blurred by just what
 * pooling forgets. */
enum err_code model_draw(const struct model *m, size_t layer, float *out,
                         const float *z, size_t B, struct arena *memory,
                         struct err *e) ERR_CHECKED;

/* Shares of every unit of `layer` for one row of the pass: of the layer's
 * reconstruction, z_i d_i.x^ / ||x^||^2 (sums to 1), into reconstruction (n);
 * and of the score of class k, z_i dscore_k/dz_i at fixed norm, into score (n)
 * (top layer only, sums to the score less its bias). Each may be NULL.
 * ERR_CONFLICT where there is no decoder or classifier. */
enum err_code model_explain(const struct model *m, struct pass *p, size_t row,
                            size_t layer, size_t k, float *reconstruction,
                            float *score, struct arena *memory, struct err *e)
    ERR_CHECKED;

/* Upper bound of what the calls above take from the arena for B rows. */
size_t model_pass_bytes(const struct model *m, size_t B,
                        const struct model_options *options);

#endif
