/* Classifier: softmax(C h + c) over the normalised code h = z/||z|| (Rolfe &
 * LeCun 2013, section 2), or over the normalised pooled code.
 *
 * Norms are guarded by max(norm, 1e-12), so a code of zeros gives softmax(c).
 */
#ifndef SPARSED_MODEL_CLASSIFIER_H
#define SPARSED_MODEL_CLASSIFIER_H

#include "lib/base/json.h"
#include "lib/base/rng.h"
#include "lib/model/layer.h"
#include "lib/model/param.h"

#include <stdbool.h>

#define CLASSIFIER_MAX_CLASSES 65536

struct classifier {
    bool present;
    bool pooled;   /* reads the top layer's pooled code */
    size_t inputs; /* numbers of the code or pooled code */
    size_t classes;
    struct param *weight; /* C (classes, inputs) */
    struct param *bias;   /* c (classes) */
};

/* Reads the config's "classifier" over the top layer: its "input" is "code" or
 * "pooled". */
enum err_code classifier_configure(struct classifier *c, const struct json *j,
                                   const struct layer *top, size_t classes,
                                   struct params *params, struct err *e)
    ERR_CHECKED;
void classifier_start(struct classifier *c, struct rng *rng);

/* h (B,inputs) = rows of z normalised, norm (B) the guarded norms,
 * probabilities (B,classes). */
void classifier_forward(const struct classifier *c, float *h, float *norm,
                        float *probabilities, const float *z, size_t B);

/* From d_scores (B,classes), the gradient on C h + c: adds into grads, and dz
 * (B,inputs) += the gradient on z; each may be NULL: not wanted. dh (B,inputs)
 * is scratch, NULL without dz. */
void classifier_backward(const struct classifier *c, float *grads, float *dz,
                         const float *d_scores, const float *h,
                         const float *norm, size_t B, float *dh);

/* The value softmax(C z/||z|| + c) for the graph's value z. */
int classifier_emit(const struct classifier *c, struct graph *g, int z);

#endif
