/* Square: 4 x 4 numbers, transposed within registers, which all transposing of
 * bigger things is made of.
 */
#ifndef SPARSED_MATH_SQUARE_H
#define SPARSED_MATH_SQUARE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SQUARE_SIDE 4

typedef float square_row
    __attribute__((vector_size(SQUARE_SIDE * sizeof(float))));
typedef int32_t square_index
    __attribute__((vector_size(SQUARE_SIDE * sizeof(float))));

enum square_way { SQUARE_SET, SQUARE_ADD };

/* to (4 rows, `to_step` numbers apart) = or += from, alike, transposed. */
static inline void square_transpose(float *to, size_t to_step,
                                    const float *from, size_t from_step,
                                    enum square_way way)
{
    square_row r[SQUARE_SIDE], pairs[SQUARE_SIDE], old;
    for (size_t k = 0; k < SQUARE_SIDE; k++)
        memcpy(&r[k], from + k * from_step, sizeof r[k]);
    pairs[0] = __builtin_shuffle(r[0], r[1], (square_index){0, 4, 1, 5});
    pairs[1] = __builtin_shuffle(r[0], r[1], (square_index){2, 6, 3, 7});
    pairs[2] = __builtin_shuffle(r[2], r[3], (square_index){0, 4, 1, 5});
    pairs[3] = __builtin_shuffle(r[2], r[3], (square_index){2, 6, 3, 7});
    r[0] = __builtin_shuffle(pairs[0], pairs[2], (square_index){0, 1, 4, 5});
    r[1] = __builtin_shuffle(pairs[0], pairs[2], (square_index){2, 3, 6, 7});
    r[2] = __builtin_shuffle(pairs[1], pairs[3], (square_index){0, 1, 4, 5});
    r[3] = __builtin_shuffle(pairs[1], pairs[3], (square_index){2, 3, 6, 7});
    for (size_t k = 0; k < SQUARE_SIDE; k++) {
        if (way == SQUARE_ADD) {
            memcpy(&old, to + k * to_step, sizeof old);
            r[k] += old;
        }
        memcpy(to + k * to_step, &r[k], sizeof r[k]);
    }
}

#endif
