/* Rows into lanes and back. */
#include "lib/math/lanes.h"

#include "lib/math/kernels.h"

/* Whole tiles go by squares of 4 x 4, which stay in registers. */
enum { SIDE = 4 };

typedef float four __attribute__((vector_size(SIDE * sizeof(float))));
typedef int32_t four_index __attribute__((vector_size(SIDE * sizeof(float))));

/* to (SIDE rows, `to_step` apart) = from transposed. */
static inline void square(float *to, size_t to_step, const float *from,
                          size_t from_step)
{
    four r[SIDE], pairs[SIDE];
    for (size_t k = 0; k < SIDE; k++)
        memcpy(&r[k], from + k * from_step, sizeof r[k]);
    pairs[0] = __builtin_shuffle(r[0], r[1], (four_index){0, 4, 1, 5});
    pairs[1] = __builtin_shuffle(r[0], r[1], (four_index){2, 6, 3, 7});
    pairs[2] = __builtin_shuffle(r[2], r[3], (four_index){0, 4, 1, 5});
    pairs[3] = __builtin_shuffle(r[2], r[3], (four_index){2, 6, 3, 7});
    r[0] = __builtin_shuffle(pairs[0], pairs[2], (four_index){0, 1, 4, 5});
    r[1] = __builtin_shuffle(pairs[0], pairs[2], (four_index){2, 3, 6, 7});
    r[2] = __builtin_shuffle(pairs[1], pairs[3], (four_index){0, 1, 4, 5});
    r[3] = __builtin_shuffle(pairs[1], pairs[3], (four_index){2, 3, 6, 7});
    for (size_t k = 0; k < SIDE; k++)
        memcpy(to + k * to_step, &r[k], sizeof r[k]);
}

void lanes_load(lanes *tile, const float *rows, size_t stride, size_t B,
                size_t n)
{
    float *to = (float *)tile;
    size_t whole = B == LANES ? n - n % SIDE : 0;
    for (size_t i = 0; i < whole; i += SIDE)
        for (size_t b = 0; b < LANES; b += SIDE)
            square(to + i * LANES + b, LANES, rows + b * stride + i, stride);
    for (size_t i = whole; i < n; i++)
        for (size_t b = 0; b < LANES; b++)
            to[i * LANES + b] = b < B ? rows[b * stride + i] : 0.0f;
}

void lanes_store(float *rows, size_t stride, const lanes *tile, size_t B,
                 size_t n)
{
    const float *from = (const float *)tile;
    size_t whole = B == LANES ? n - n % SIDE : 0;
    for (size_t i = 0; i < whole; i += SIDE)
        for (size_t b = 0; b < LANES; b += SIDE)
            square(rows + b * stride + i, stride, from + i * LANES + b, LANES);
    for (size_t i = whole; i < n; i++)
        for (size_t b = 0; b < B; b++)
            rows[b * stride + i] = from[i * LANES + b];
}
