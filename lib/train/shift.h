/* Shifting: pictures that are moved by a few pixels each time they are gone
 * over, so that a model learns from few of them what does not hang on the place
 * (LeCun et al. 1998, section III). The border's pixels are repeated.
 */
#ifndef SPARSED_TRAIN_SHIFT_H
#define SPARSED_TRAIN_SHIFT_H

#include "lib/base/err.h"
#include "lib/model/model.h"

#include <stddef.h>
#include <stdint.h>

#define SHIFT_MOST 8 /* pixels */

/* Whether the model's inputs are pictures of more than 2 * most pixels a side.
 */
bool shift_suits(const struct model *m, size_t most);

/* Moves each of x (B, inputs), pictures of the model's shape, by up to `most`
 * pixels along each axis. What row b gets depends on (seed, first + b) alone.
 * scratch: one picture, (inputs). */
void shift_rows(const struct model *m, float *x, size_t B, size_t most,
                uint64_t seed, size_t first, float *scratch);

#endif
