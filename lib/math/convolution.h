/* Convolution: maps of a picture, the picture that maps draw (the adjoint), and
 * the gradient of the weights.
 *
 *   maps[m,y,x] = sum over c,i,j of
 *       w[m,c,i,j] picture[c, y*stride + i - padding, x*stride + j - padding]
 *
 * where the picture is 0 outside its edges. Everything is row-major, rows of
 * (channels,height,width) and (maps,rows,columns) one after another. (The
 * kernel is not flipped, as everywhere in neural nets.)
 */
#ifndef SPARSED_MATH_CONVOLUTION_H
#define SPARSED_MATH_CONVOLUTION_H

#include "lib/base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct convolution {
    size_t channels, height, width; /* of the picture */
    size_t maps, rows, columns;     /* of the maps */
    size_t kernel_height, kernel_width;
    size_t stride, padding;
};

/* Sets rows and columns from the rest; false where no kernel fits. */
bool convolution_set_size(struct convolution *c);

/* maps (B,maps,rows,columns) = W pictures; weights (maps,channels,kernel). */
void convolution_maps(const struct convolution *c, float *maps,
                      const float *pictures, const float *weights, size_t B,
                      struct arena *scratch);
/* pictures (B,channels,height,width) += W' maps. */
void convolution_pictures(const struct convolution *c, float *pictures,
                          const float *maps, const float *weights, size_t B,
                          struct arena *scratch);
/* d_weights += sum over rows of the gradient on weights, for d_maps. */
void convolution_gradient(const struct convolution *c, float *d_weights,
                          const float *d_maps, const float *pictures, size_t B,
                          struct arena *scratch);
/* Bytes of scratch that one of them may take. */
size_t convolution_scratch(const struct convolution *c, size_t B);

#endif
