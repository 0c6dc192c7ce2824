/* What the parts of the loss share: loss.c is the whole, loss_terms.c the terms
 * that each layer has for itself. Used by these two only.
 */
#ifndef SPARSED_TRAIN_LOSS_PARTS_H
#define SPARSED_TRAIN_LOSS_PARTS_H

#include "lib/train/loss.h"

/* One batch on its way. */
struct run {
    const struct model *m; /* as much of the model as counts */
    const struct loss_weights *w;
    const int32_t *labels;
    size_t B;
    uint64_t noise;
    float scale;
    float *grads; /* NULL: the value only */
    struct loss_sums *sums;
    struct arena *memory;
    struct pass pass;
};

/* Where the gradients on a layer's code, on what the encoder gave (the same
 * where that is the code) and on its input are added up. NULL: not wanted. */
struct slopes {
    float *dz, *d_given, *dx;
};

/* n numbers from the run's memory; loss_zeros: all 0. NULL: ERR_NO_MEMORY. */
float *loss_take(struct run *r, size_t n, struct err *e);
float *loss_zeros(struct run *r, size_t n, struct err *e);

/* The block that gradients of `layer` (the number of layers: the classifier)
 * go into; NULL: it does not learn. */
float *loss_grads(const struct run *r, size_t layer);

/* Adds the layer's own terms to the sums, and their gradients. */
enum err_code loss_layer_terms(struct run *r, size_t layer,
                               const struct slopes *to, struct err *e)
    ERR_CHECKED;

#endif
