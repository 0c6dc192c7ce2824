/* Panels: as many sums as an instruction set holds in registers, which stay
 * there while all columns are added to them, so that only columns are read. One
 * function for each number of registers; the rows are cut into panels that are
 * as equal as they can be.
 */
#ifndef SPARSED_MATH_SIMD_PANELS_H
#define SPARSED_MATH_SIMD_PANELS_H

#include <stddef.h>
#include <stdint.h>

/* out += sum of the columns' parts, a known number of registers of rows, of
 * which the last register has only `last`. `stride` numbers are from one column
 * to the next. */
typedef void panel(float *restrict out, const float *restrict columns,
                   const uint32_t *restrict index, size_t count,
                   const float *restrict x, size_t stride, size_t last);

/* X(1) ... X(14) and so on: a list of them for each size. */
#define PANELS_14(X)                                                           \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#define PANELS_28(X)                                                           \
    PANELS_14(X)                                                               \
    X(15)                                                                      \
    X(16)                                                                      \
    X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28)

/* columns_add by panels[n], n registers of `width` rows, 1 <= n <= most. */
static inline void panels_add(panel *const *panels, size_t most, size_t width,
                              float *out, const float *columns,
                              const uint32_t *index, size_t count,
                              const float *x, size_t rows)
{
    size_t registers = (rows + width - 1) / width;
    size_t parts = (registers + most - 1) / most, r = 0;
    for (size_t i = 0; i < parts; i++) {
        size_t n = registers / parts + (i < registers % parts);
        size_t last = i + 1 < parts ? width : rows - r - (n - 1) * width;
        panels[n](out + r, columns + r, index, count, x, rows, last);
        r += n * width;
    }
}

#endif
