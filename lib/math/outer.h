/* Outer: sums of outer products, which is what the gradient of a matrix is,
 *
 *   dw (M,N) += sum over rows of dy x',   dy (B,M), x (B,N)
 *
 * A code is mostly zeros, and so is the gradient on it: where dy is a gradient
 * on a code, a row of dw needs few rows of x; where x is a code, a column of dw
 * needs few rows of dy.
 */
#ifndef SPARSED_MATH_OUTER_H
#define SPARSED_MATH_OUTER_H

#include "lib/base/arena.h"

#include <stddef.h>

/* By the zeros of dy, or of x, or dense, whichever is least work. */
void outer_add(float *dw, const float *dy, const float *x, size_t M, size_t N,
               size_t B, struct arena *scratch);

/* Bytes of scratch that outer_add takes at most, however many rows. */
size_t outer_scratch_bytes(size_t M, size_t N);

#endif
