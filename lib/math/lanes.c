/* Rows into lanes and back. */
#include "lib/math/lanes.h"

#include "lib/math/kernels.h"

void lanes_load(lanes *tile, const float *rows, size_t stride, size_t B,
                size_t n)
{
    if (B < LANES)
        memset(tile, 0, n * sizeof *tile);
    transpose_part((float *)tile, LANES, rows, stride, B, n);
}

void lanes_store(float *rows, size_t stride, const lanes *tile, size_t B,
                 size_t n)
{
    transpose_part(rows, stride, (const float *)tile, LANES, n, B);
}
