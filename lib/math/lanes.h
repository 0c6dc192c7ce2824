/* Lanes: 16 rows side by side, so that what a row's units have to do one after
 * another is done for 16 rows at once.
 *
 * A tile is (n) lanes: the transposed 16 rows of n numbers. The compiler makes
 * of a lane what the processor has (KERNEL_CLONES). Comparing lanes gives a
 * lane_mask, all bits or none. A lane's result does not depend on the others.
 */
#ifndef SPARSED_MATH_LANES_H
#define SPARSED_MATH_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 16

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t lane_mask __attribute__((vector_size(LANES * sizeof(float))));

/* Expressions, not functions: how a lane is handed over would depend on the
 * processor. */
#define LANES_ALL(value) ((lanes){0} + (value))
#define LANES_KEEP(mask, x) ((lanes)((lane_mask)(x) & (mask))) /* else 0 */
#define LANES_PICK(mask, x, y)                                                 \
    ((lanes)(((lane_mask)(x) & (mask)) | ((lane_mask)(y) & ~(mask))))

#define LANES_SQRT(x)                                                          \
    do {                                                                       \
        float lanes_of_x[LANES];                                               \
        memcpy(lanes_of_x, &(x), sizeof(x));                                   \
        for (size_t lane = 0; lane < LANES; lane++)                            \
            lanes_of_x[lane] = __builtin_sqrtf(lanes_of_x[lane]);              \
        memcpy(&(x), lanes_of_x, sizeof(x));                                   \
    } while (0)

/* tile (n) = the n numbers of each of B rows, up to LANES of them, whose starts
 * are `stride` numbers apart; lanes without a row are 0. */
void lanes_load(lanes *tile, const float *rows, size_t stride, size_t B,
                size_t n);

/* The way back. */
void lanes_store(float *rows, size_t stride, const lanes *tile, size_t B,
                 size_t n);

#endif
