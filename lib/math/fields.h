/* Local fields: units in a sheet, each of which sees its own part of a picture
 * by weights of its own (Gregor & LeCun 2010); the picture that a sheet draws
 * (the adjoint), and the gradient of the weights.
 *
 *   sheet[s,y,x] += sum over c,i,j of w[s, y % cell_rows, x % cell_columns,
 *       c,i,j] picture[c, y/share * stride + i - padding,
 *                         x/share * stride + j - padding]
 *
 * where the picture is 0 outside its edges. So share x share units look at the
 * same field, and weights repeat with the cell's period. Everything is
 * row-major, rows of (channels,height,width) and (sheets,rows,columns) one
 * after another; weights (sheets,cell_rows,cell_columns,channels,kernel).
 *
 * 16 rows of a batch go side by side (lanes.h), so that one weight is
 * multiplied with all of them; few rows go one by one. Measured with 13 x 13
 * fields on 60 x 60 units, one thread of a processor with AVX-512, in GFLOP/s:
 * sheet and pictures 40 to 50 for 16 rows and more, gradient 15 for 16 and 25
 * to 30 for 64 (what is left is adding up lanes), all three 6 for single rows.
 */
#ifndef SPARSED_MATH_FIELDS_H
#define SPARSED_MATH_FIELDS_H

#include "lib/base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct fields {
    size_t channels, height, width; /* of the picture */
    size_t sheets, rows, columns;   /* of the sheets */
    size_t cell_rows, cell_columns; /* at most rows and columns */
    size_t kernel_height, kernel_width;
    size_t stride, padding, share;
};

/* Sets rows and columns from the picture, the kernel, stride, padding and
 * share, none of them over 2^24; false where no field fits. */
bool fields_set_size(struct fields *f);

/* sheet (B,sheets,rows,columns) += W pictures. */
void fields_sheet(const struct fields *f, float *sheet, const float *pictures,
                  const float *weights, size_t B, struct arena *scratch);
/* pictures (B,channels,height,width) += W' sheet. */
void fields_pictures(const struct fields *f, float *pictures,
                     const float *sheet, const float *weights, size_t B,
                     struct arena *scratch);
/* d_weights += sum over rows of the gradient on weights, for d_sheet. */
void fields_gradient(const struct fields *f, float *d_weights,
                     const float *d_sheet, const float *pictures, size_t B,
                     struct arena *scratch);
/* Bytes of scratch that one of them may take. */
size_t fields_scratch(const struct fields *f, size_t B);

/* ---- one row after another, without scratch ---- */

void fields_sheet_rows(const struct fields *f, float *sheet,
                       const float *pictures, const float *weights, size_t B);
void fields_pictures_rows(const struct fields *f, float *pictures,
                          const float *sheet, const float *weights, size_t B);
void fields_gradient_rows(const struct fields *f, float *d_weights,
                          const float *d_sheet, const float *pictures,
                          size_t B);

#endif
