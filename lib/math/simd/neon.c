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

/* One panel of `registers` outputs of all slices; `side` columns at a time, so
 * that a sum need not wait for the one before. */
static inline __attribute__((always_inline)) void
slices_panel(float *out, const float *columns, const struct simd_slice *slices,
             size_t n, const float *x, size_t rows, const int registers,
             const int side)
{
    float32x4_t sum[16];
    for (int r = 0; r < registers; r++)
        sum[r] = vld1q_f32(out + r * WIDTH);
    for (int r = registers; r < side * registers; r++)
        sum[r] = vdupq_n_f32(0);
    for (const struct simd_slice *s = slices; s < slices + n; s++) {
        size_t k = 0;
        for (; k + (size_t)side <= s->count; k += (size_t)side)
            for (int u = 0; u < side; u++) {
                uint32_t i = s->index[k + (size_t)u], column = i - s->base;
                const float *c = columns + column * rows;
                float32x4_t value = vdupq_n_f32(x[i]);
                for (int r = 0; r < registers; r++)
                    sum[u * registers + r] =
                        vfmaq_f32(sum[u * registers + r], value,
                                  vld1q_f32(c + r * WIDTH));
            }
        for (; k < s->count; k++) {
            uint32_t i = s->index[k], column = i - s->base;
            const float *c = columns + column * rows;
            float32x4_t value = vdupq_n_f32(x[i]);
            for (int r = 0; r < registers; r++)
                sum[r] = vfmaq_f32(sum[r], value, vld1q_f32(c + r * WIDTH));
        }
    }
    for (int u = 1; u < side; u++)
        for (int r = 0; r < registers; r++)
            sum[r] = vaddq_f32(sum[r], sum[u * registers + r]);
    for (int r = 0; r < registers; r++)
        vst1q_f32(out + r * WIDTH, sum[r]);
}

static void slices_add(float *restrict out, const float *restrict columns,
                       const struct simd_slice *slices, size_t n,
                       const float *restrict x, size_t rows)
{
    size_t r = 0;
    for (; r + 16 * WIDTH <= rows; r += 16 * WIDTH)
        slices_panel(out + r, columns + r, slices, n, x, rows, 16, 1);
    for (; r + 8 * WIDTH <= rows; r += 8 * WIDTH)
        slices_panel(out + r, columns + r, slices, n, x, rows, 8, 2);
    for (; r < rows; r += 4 * WIDTH)
        slices_panel(out + r, columns + r, slices, n, x, rows, 4, 4);
}

/* `registers` outputs of `wide` places; past the last place it does the last
 * one again. */
static inline __attribute__((always_inline)) void
windows_panel(float *out, const float *columns, const struct simd_windows *w,
              const float *x, size_t rows, const int registers, const int wide)
{
    for (size_t t = 0; t < w->n; t += (size_t)wide) {
        float32x4_t sum[24];
        const float *from[12], *c = columns;
        float *to[12];
        for (int p = 0; p < wide; p++) {
            size_t at = t + (size_t)p < w->n ? t + (size_t)p : w->n - 1;
            from[p] = x + w->from[w->places[at]];
            to[p] = out + w->places[at] * rows;
            for (int r = 0; r < registers; r++)
                sum[p * registers + r] = vld1q_f32(to[p] + r * WIDTH);
        }
        for (size_t i = 0, at = 0; i < w->runs; i++, at += w->step)
            for (size_t k = at; k < at + w->run; k++, c += rows) {
                float32x4_t weight[4];
                for (int r = 0; r < registers; r++)
                    weight[r] = vld1q_f32(c + r * WIDTH);
                for (int p = 0; p < wide; p++) {
                    float32x4_t value = vdupq_n_f32(from[p][k]);
                    for (int r = 0; r < registers; r++)
                        sum[p * registers + r] =
                            vfmaq_f32(sum[p * registers + r], value, weight[r]);
                }
            }
        for (int p = 0; p < wide; p++)
            for (int r = 0; r < registers; r++)
                vst1q_f32(to[p] + r * WIDTH, sum[p * registers + r]);
    }
}

static void windows_add(float *restrict out, const float *restrict columns,
                        const struct simd_windows *w, const float *restrict x,
                        size_t rows)
{
    size_t r = 0;
    for (; r < rows; r += 4 * WIDTH)
        windows_panel(out + r, columns + r, w, x, rows, 4, 6);
}

const struct simd simd_neon = {.name = "neon",
                               .runs = runs,
                               .nonzeros = list_nonzeros,
                               .columns_add = columns_add,
                               .columns_dot = columns_dot,
                               .slices_add = slices_add,
                               .windows_add = windows_add};

#endif
