/* Rows into lanes and back. */
#include "lib/math/lanes.h"

#include "lib/math/square.h"

/* Whole tiles go by squares, which stay in registers. */
enum { SIDE = SQUARE_SIDE };

void lanes_load(lanes *tile, const float *rows, size_t stride, size_t B,
                size_t n)
{
    float *to = (float *)tile;
    size_t whole = B == LANES ? n - n % SIDE : 0;
    for (size_t i = 0; i < whole; i += SIDE)
        for (size_t b = 0; b < LANES; b += SIDE)
            square_transpose(to + i * LANES + b, LANES, rows + b * stride + i,
                             stride, SQUARE_SET);
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
            square_transpose(rows + b * stride + i, stride,
                             from + i * LANES + b, LANES, SQUARE_SET);
    for (size_t i = whole; i < n; i++)
        for (size_t b = 0; b < B; b++)
            rows[b * stride + i] = from[i * LANES + b];
}
