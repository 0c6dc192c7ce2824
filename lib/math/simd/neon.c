/* NEON: 32 registers of 4 numbers. A panel of outputs stays in registers while
 * all columns are added to it.
 */
#include "lib/math/simd/simd.h"

#if defined(__aarch64__)

#include <arm_neon.h>

enum { WIDTH = 4 };

extern const struct simd simd_neon;

static bool runs(void)
{
    return true; /* part of every 64-bit ARM processor */
}

static size_t list_nonzeros(uint32_t *index, const float *x, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        index[count] = (uint32_t)i;
        count += x[i] != 0.0f;
    }
    return count;
}

static inline __attribute__((always_inline)) void
panel(float *out, const float *columns, const uint32_t *index, size_t count,
      const float *x, size_t rows, const int registers)
{
    float32x4_t sum[20];
    for (int r = 0; r < registers; r++)
        sum[r] = vld1q_f32(out + r * WIDTH);
    for (size_t k = 0; k < count; k++) {
        const float *c = columns + (size_t)index[k] * rows;
        float32x4_t value = vdupq_n_f32(x[index[k]]);
        for (int r = 0; r < registers; r++)
            sum[r] = vfmaq_f32(sum[r], value, vld1q_f32(c + r * WIDTH));
    }
    for (int r = 0; r < registers; r++)
        vst1q_f32(out + r * WIDTH, sum[r]);
}

static void columns_add(float *restrict out, const float *restrict columns,
                        const uint32_t *restrict index, size_t count,
                        const float *restrict x, size_t rows)
{
    size_t r = 0;
    for (; r + 20 * WIDTH <= rows; r += 20 * WIDTH)
        panel(out + r, columns + r, index, count, x, rows, 20);
    for (; r + WIDTH <= rows; r += WIDTH)
        panel(out + r, columns + r, index, count, x, rows, 1);
    for (; r < rows; r++)
        for (size_t k = 0; k < count; k++)
            out[r] += x[index[k]] * columns[(size_t)index[k] * rows + r];
}

const struct simd simd_neon = {.name = "neon",
                               .runs = runs,
                               .nonzeros = list_nonzeros,
                               .columns_add = columns_add};

#endif
