/* NEON: 32 registers of 4 numbers. */
#include "lib/math/simd/simd.h"

#if defined(__aarch64__)

#include "lib/math/simd/panels.h"

#include <arm_neon.h>
#include <string.h>

#define UNROLL _Pragma("GCC unroll 28")

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
add(float *restrict out, const float *restrict columns,
    const uint32_t *restrict index, size_t count, const float *restrict x,
    size_t stride, size_t last, const int registers)
{
    const int whole = registers - 1;
    float32x4_t sum[28];
    float cut[WIDTH] = {0}; /* the last register's part of out or a column */
    UNROLL for (int r = 0; r < whole; r++) sum[r] = vld1q_f32(out + r * WIDTH);
    memcpy(cut, out + whole * WIDTH, last * sizeof *cut);
    sum[whole] = vld1q_f32(cut);
    for (size_t k = 0; k < count; k++) {
        const float *c = columns + (size_t)index[k] * stride;
        float32x4_t value = vdupq_n_f32(x[index[k]]);
        UNROLL for (int r = 0; r < whole; r++) sum[r] =
            vfmaq_f32(sum[r], value, vld1q_f32(c + r * WIDTH));
        if (last == WIDTH) {
            sum[whole] =
                vfmaq_f32(sum[whole], value, vld1q_f32(c + whole * WIDTH));
            continue;
        }
        memcpy(cut, c + whole * WIDTH, last * sizeof *cut);
        sum[whole] = vfmaq_f32(sum[whole], value, vld1q_f32(cut));
    }
    UNROLL for (int r = 0; r < whole; r++) vst1q_f32(out + r * WIDTH, sum[r]);
    vst1q_f32(cut, sum[whole]);
    memcpy(out + whole * WIDTH, cut, last * sizeof *cut);
}

#define DEFINE(N)                                                              \
    static void add_##N(float *restrict out, const float *restrict c,          \
                        const uint32_t *restrict index, size_t count,          \
                        const float *restrict x, size_t stride, size_t last)   \
    {                                                                          \
        add(out, c, index, count, x, stride, last, N);                         \
    }
#define LIST(N) [N] = add_##N,

PANELS_28(DEFINE)
static panel *const panels[] = {PANELS_28(LIST)};

static void columns_add(float *restrict out, const float *restrict columns,
                        const uint32_t *restrict index, size_t count,
                        const float *restrict x, size_t rows)
{
    panels_add(panels, 28, WIDTH, out, columns, index, count, x, rows);
}

/* `together` columns side by side: y is read once for all of them, and no sum
 * waits for the one before. */
static inline __attribute__((always_inline)) void
dots(float *out, const float *columns, const uint32_t *index, const float *y,
     size_t rows, const size_t together)
{
    float32x4_t sum[4];
    const float *c[4];
    for (size_t j = 0; j < together; j++) {
        c[j] = columns + (size_t)index[j] * rows;
        sum[j] = vdupq_n_f32(0);
    }
    size_t r = 0;
    for (; r + WIDTH <= rows; r += WIDTH) {
        float32x4_t part = vld1q_f32(y + r);
        for (size_t j = 0; j < together; j++)
            sum[j] = vfmaq_f32(sum[j], part, vld1q_f32(c[j] + r));
    }
    for (size_t j = 0; j < together; j++) {
        float rest = vaddvq_f32(sum[j]);
        for (size_t i = r; i < rows; i++)
            rest += c[j][i] * y[i];
        out[index[j]] += rest;
    }
}

static void columns_dot(float *restrict out, const float *restrict columns,
                        const uint32_t *restrict index, size_t count,
                        const float *restrict y, size_t rows)
{
    size_t k = 0;
    for (; k + 4 <= count; k += 4)
        dots(out, columns, index + k, y, rows, 4);
    for (; k < count; k++)
        dots(out, columns, index + k, y, rows, 1);
}

const struct simd simd_neon = {.name = "neon",
                               .runs = runs,
                               .nonzeros = list_nonzeros,
                               .columns_add = columns_add,
                               .columns_dot = columns_dot};

#endif
