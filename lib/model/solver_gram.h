/* Gram: G = D'D of a layer's decoder. What a unit draws meets what the others
 * draw in G alone, so that a step over codes need not go through the input.
 */
#ifndef SPARSED_MODEL_SOLVER_GRAM_H
#define SPARSED_MODEL_SOLVER_GRAM_H

#include "lib/model/layer.h"

#include <stdint.h>

/* Whether the decoder has atoms to tell, and G is no larger than what the
 * nearer caches hold: beyond, steps through D are the faster ones. */
bool gram_helps(const struct layer *l);

/* gram (n,n) of an l that gram_helps, for weights as they are; false if a
 * number passes float32, so that it is of no use. */
bool gram_make(float *gram, const struct layer *l, struct arena *scratch);
size_t gram_scratch_bytes(const struct layer *l);

/* out (n) = G z; the units that are on are listed in `on` (n), and their number
 * is returned. */
size_t gram_apply(float *out, const float *gram, const float *z, uint32_t *on,
                  size_t n);

#endif
