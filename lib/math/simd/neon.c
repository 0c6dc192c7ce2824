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

const struct simd simd_neon = {.name = "neon",
                               .runs = runs,
                               .nonzeros = list_nonzeros,
                               .columns_add = columns_add};

#endif
