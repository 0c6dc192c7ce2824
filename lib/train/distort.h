/* Distorting: pictures that are moved, turned, scaled and sheared a little,
 * anew each time they are gone over, so that a model learns from few of them
 * what does not hang on place and pose (Simard, Steinkraus & Platt 2003,
 * section 2).
 */
#ifndef SPARSED_TRAIN_DISTORT_H
#define SPARSED_TRAIN_DISTORT_H

#include "lib/model/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each is drawn evenly up to so much either way; all 0: pictures stay. */
struct distortion {
    double shift;  /* pixels, along each axis by itself */
    double rotate; /* degrees */
    double scale;  /* logarithm of the factor, likewise */
    double shear;  /* columns a row */
};

bool distort_any(const struct distortion *d);

/* Whether the model's inputs are pictures of more than `side` pixels a side. */
bool distort_suits(const struct model *m, size_t side);

/* Distorts each of x (B, inputs), pictures of the model's shape, round their
 * middle; between pixels it is linear, and the border's are repeated. What row
 * b gets depends on (seed, first + b) alone. scratch: one picture, (inputs). */
void distort_rows(const struct model *m, const struct distortion *d, float *x,
                  size_t B, uint64_t seed, size_t first, float *scratch);

#endif
