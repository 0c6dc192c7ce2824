/* Convolution: maps of a picture, the picture that maps draw (the adjoint), and
 * the gradient of the weights.
 *
 *   maps[m,y,x] = sum over c,i,j of w[m,c,i,j]
 *       picture[c, y*stride + i - padding_y, x*stride + j - padding_x]
 *
 * where the picture is 0 outside its edges. Everything is row-major, rows of
 * (channels,height,width) and (maps,rows,columns) one after another. (The
 * kernel is not flipped, as everywhere in neural nets.)
 *
 * The products read the weights in an order of their own, LANES side by side.
 * `packed` is that copy, or NULL: then each call makes it, which a whole batch
 * does not feel and a single row does.
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
    size_t stride;
    size_t padding_y; /* zeros above and below the picture */
    size_t padding_x; /* zeros left and right of it */
};

/* Sets rows and columns from the rest; false where no kernel fits. */
bool convolution_set_size(struct convolution *c);

/* Numbers of a packed copy of weights (maps,channels,kernel), and the copy,
 * aligned to MEM_ALIGN. */
size_t convolution_packed(const struct convolution *c);
void convolution_pack(const struct convolution *c, float *packed,
                      const float *weights);

/* Whether a product replaces what stands where it goes, or adds to it. */
enum convolution_into { CONVOLUTION_SET, CONVOLUTION_ADD };

/* maps (B,maps,rows,columns) = or += W pictures. */
void convolution_maps(const struct convolution *c, enum convolution_into into,
                      float *maps, const float *pictures, const float *weights,
                      const float *packed, size_t B, struct arena *scratch);
/* pictures (B,channels,height,width) = or += W' maps. */
void convolution_pictures(const struct convolution *c,
                          enum convolution_into into, float *pictures,
                          const float *maps, const float *weights,
                          const float *packed, size_t B, struct arena *scratch);
/* d_weights += sum over rows of the gradient on weights, for d_maps. */
void convolution_gradient(const struct convolution *c, float *d_weights,
                          const float *d_maps, const float *pictures, size_t B,
                          struct arena *scratch);
/* Bytes of scratch that one of them may take, whatever B is: the caller has
 * reserved them (arena_reserve). */
size_t convolution_scratch(const struct convolution *c);

#endif
