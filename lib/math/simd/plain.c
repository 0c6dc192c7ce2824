/* Plain C: runs everywhere, and is the measure of the others. */
#include "lib/math/kernels.h"
#include "lib/math/simd/simd.h"

extern const struct simd simd_plain;

static bool runs(void)
{
    return true;
}

static size_t list_nonzeros(uint32_t *index, const float *x, size_t n)
{
    /* Writing always and counting only what is on keeps the loop free of
     * branches that a sparse code would mispredict. */
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        index[count] = (uint32_t)i;
        count += x[i] != 0.0f;
    }
    return count;
}

KERNEL_CLONES
static void columns_add(float *restrict out, const float *restrict columns,
                        const uint32_t *restrict index, size_t count,
                        const float *restrict x, size_t rows)
{
    /* Four columns at a time: one read and write of out for four products. */
    size_t k = 0;
    for (; k + 4 <= count; k += 4) {
        const float *c0 = columns + (size_t)index[k] * rows;
        const float *c1 = columns + (size_t)index[k + 1] * rows;
        const float *c2 = columns + (size_t)index[k + 2] * rows;
        const float *c3 = columns + (size_t)index[k + 3] * rows;
        float x0 = x[index[k]], x1 = x[index[k + 1]];
        float x2 = x[index[k + 2]], x3 = x[index[k + 3]];
        for (size_t r = 0; r < rows; r++)
            out[r] += x0 * c0[r] + x1 * c1[r] + x2 * c2[r] + x3 * c3[r];
    }
    for (; k < count; k++) {
        const float *c = columns + (size_t)index[k] * rows;
        float value = x[index[k]];
        for (size_t r = 0; r < rows; r++)
            out[r] += value * c[r];
    }
}

KERNEL_CLONES
static void columns_dot(float *restrict out, const float *restrict columns,
                        const uint32_t *restrict index, size_t count,
                        const float *restrict y, size_t rows)
{
    /* As many sums side by side as make whole registers. */
    enum { SIDE = 16 };
    for (size_t k = 0; k < count; k++) {
        const float *c = columns + (size_t)index[k] * rows;
        float sums[SIDE] = {0}, sum = 0;
        size_t r = 0;
        for (; r + SIDE <= rows; r += SIDE)
            for (size_t j = 0; j < SIDE; j++)
                sums[j] += c[r + j] * y[r + j];
        for (; r < rows; r++)
            sum += c[r] * y[r];
        for (size_t j = 0; j < SIDE; j++)
            sum += sums[j];
        out[index[k]] += sum;
    }
}

KERNEL_CLONES
static void slices_add(float *restrict out, const float *restrict columns,
                       const struct simd_slice *slices, size_t n,
                       const float *restrict x, size_t rows)
{
    for (const struct simd_slice *s = slices; s < slices + n; s++)
        for (size_t k = 0; k < s->count; k++) {
            uint32_t column = s->index[k] - s->base;
            const float *c = columns + column * rows;
            float value = x[s->index[k]];
            for (size_t r = 0; r < rows; r++)
                out[r] += value * c[r];
        }
}

KERNEL_CLONES
static void windows_add(float *restrict out, const float *restrict columns,
                        const struct simd_windows *w, const float *restrict x,
                        size_t rows)
{
    for (size_t t = 0; t < w->n; t++) {
        const float *c = columns, *from = x + w->from[w->places[t]];
        float *to = out + w->places[t] * rows;
        for (size_t i = 0; i < w->runs; i++, from += w->step)
            for (size_t k = 0; k < w->run; k++, c += rows)
                for (size_t r = 0; r < rows; r++)
                    to[r] += from[k] * c[r];
    }
}

const struct simd simd_plain = {.name = "plain",
                                .runs = runs,
                                .nonzeros = list_nonzeros,
                                .columns_add = columns_add,
                                .columns_dot = columns_dot,
                                .slices_add = slices_add,
                                .windows_add = windows_add};
