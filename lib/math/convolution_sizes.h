/* What the parts of the convolution share; included by them only. */
#ifndef SPARSED_MATH_CONVOLUTION_SIZES_H
#define SPARSED_MATH_CONVOLUTION_SIZES_H

#include "lib/math/convolution.h"

static inline size_t convolution_whole(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

static inline size_t convolution_padded_height(const struct convolution *c)
{
    return c->height + 2 * c->padding_y;
}

static inline size_t convolution_padded_width(const struct convolution *c)
{
    return c->width + 2 * c->padding_x;
}

static inline size_t convolution_padded_size(const struct convolution *c)
{
    return c->channels * convolution_padded_height(c) *
           convolution_padded_width(c);
}

static inline size_t convolution_places(const struct convolution *c)
{
    return c->rows * c->columns;
}

static inline size_t convolution_taps(const struct convolution *c)
{
    return c->channels * c->kernel_height * c->kernel_width;
}

/* ---- convolution_maps.c ---- */

/* The part of a packed copy that maps are made with; the pictures' follows. */
size_t convolution_packed_for_maps(const struct convolution *c);
void convolution_pack_for_maps(const struct convolution *c, float *packed,
                               const float *weights);
size_t convolution_scratch_for_maps(const struct convolution *c);

#endif
