/* Loss: what a phase of training lowers, and its gradient for every
 * parameter, by hand-written adjoints through all steps (BPTT).
 *
 * Per row, with r = D z - x of each layer:
 *   w_r 1/2 ||r||^2 + w_s structure(z) + w_c (-log softmax_y(C z/||z||))
 * Rolfe & LeCun 2013, section 2; the adjoints are in lib/model/README.md.
 */
#ifndef SPARSED_TRAIN_LOSS_H
#define SPARSED_TRAIN_LOSS_H

#include "lib/model/model.h"
#include "lib/model/solver.h"

struct loss_weights {
    float reconstruction;
    float structure;
    float classification; /* rows without a label do not count */
    /* Adversarial term: adds `adversarial` times the classification loss at
     * x + radius * g/||g||, g the gradient of the classification loss at x
     * (x after preprocessing). 0: none. */
    float adversarial;
    float adversarial_radius;
    /* Prediction: for every layer with a decoder and an encoder that is
     * trained, the reconstruction and structure terms are those of z*, the code
     * that `target` finds through the decoder, and the encoder's own code is
     * only drawn to it, by predict 1/2 ||z - z*||^2. z* counts as constant
     * (PSD: Kavukcuoglu et al. 2008; LISTA: Gregor & LeCun 2010). 0: none. */
    float predict;
    struct solver target;

    /* Layers whose own terms (reconstruction, structure, prediction) do not
     * count. */
    bool silent[MODEL_MAX_LAYERS];
    /* Layers (the number of layers: the classifier) of which nothing learns:
     * they get no gradients, and none is led further down than to the lowest
     * layer that learns. */
    bool fixed[MODEL_MAX_LAYERS + 1];
};

/* Sums over rows, so that shards add up. */
struct loss_sums {
    double reconstruction, structure, classification, predict; /* unweighted */
    double total;                                              /* weighted */
    size_t rows, labelled, wrong;
    double active; /* units on in the highest code that counts */
};

/* The rows of a loss. */
struct loss_rows {
    size_t B;
    const float *x;        /* (B,inputs) raw */
    const int32_t *labels; /* (B) DATASET_NO_LABEL: none; or NULL */
    uint64_t noise;        /* what noisy codes are drawn from; 0: their means */
};

/* As much of m as the loss needs (model_lowest): up to the highest layer with
 * terms of its own, or all of it where classes are learned. */
struct model loss_model(const struct model *m, const struct loss_weights *w);

/* Adds to grads (laid out as m->params.values) scale * the gradient of the
 * rows' summed loss on all that learns, and to *sums its parts. Runs
 * loss_model(m, w) only. grads NULL: the value only. */
enum err_code loss_run(const struct model *m, const struct loss_weights *w,
                       const struct loss_rows *rows, float scale, float *grads,
                       struct loss_sums *sums, struct arena *memory,
                       struct err *e) ERR_CHECKED;

#endif
