/* AVX-512: 32 registers of 16 numbers. 400 sums are held in 25 of them. */
#include "lib/math/simd/simd.h"

#if defined(__x86_64__)

#include "lib/math/simd/panels.h"

#include <immintrin.h>

#define LEVEL __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw")))
#define UNROLL _Pragma("GCC unroll 28")

enum { WIDTH = 16 };

extern const struct simd simd_avx512;

static bool runs(void)
{
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw");
}

/* The places of the bits that are set, from `first`; whole registers are
 * written. Compressing straight into memory would be slow on some processors.
 */
LEVEL static inline size_t list_bits(uint32_t *index, __mmask16 on,
                                     __m512i places)
{
    _mm512_storeu_si512(index, _mm512_maskz_compress_epi32(on, places));
    return (size_t)__builtin_popcount(on);
}

LEVEL static size_t list_nonzeros(uint32_t *index, const float *x, size_t n)
{
    size_t count = 0, i = 0;
    __m512i places =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; i + WIDTH <= n; i += WIDTH) {
        __mmask16 on = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + i),
                                          _mm512_setzero_ps(), _CMP_NEQ_UQ);
        count += list_bits(index + count, on, places);
        places = _mm512_add_epi32(places, _mm512_set1_epi32(WIDTH));
    }
    for (; i < n; i++)
        if (x[i] != 0.0f)
            index[count++] = (uint32_t)i;
    return count;
}

/* ---- columns ---- */

LEVEL static inline __attribute__((always_inline)) void
add(float *restrict out, const float *restrict columns,
    const uint32_t *restrict index, size_t count, const float *restrict x,
    size_t stride, size_t last, const int registers)
{
    const int whole = registers - 1;
    __m512 sum[28];
    __mmask16 cut = (__mmask16)((1u << last) - 1);
    UNROLL for (int r = 0; r < whole; r++) sum[r] =
        _mm512_loadu_ps(out + r * WIDTH);
    sum[whole] = _mm512_maskz_loadu_ps(cut, out + whole * WIDTH);
    for (size_t k = 0; k < count; k++) {
        const float *c = columns + (size_t)index[k] * stride;
        __m512 value = _mm512_set1_ps(x[index[k]]);
        UNROLL for (int r = 0; r < whole; r++) sum[r] =
            _mm512_fmadd_ps(value, _mm512_loadu_ps(c + r * WIDTH), sum[r]);
        sum[whole] = _mm512_fmadd_ps(
            value, _mm512_maskz_loadu_ps(cut, c + whole * WIDTH), sum[whole]);
    }
    UNROLL for (int r = 0; r < whole; r++)
        _mm512_storeu_ps(out + r * WIDTH, sum[r]);
    _mm512_mask_storeu_ps(out + whole * WIDTH, cut, sum[whole]);
}

#define DEFINE(N)                                                              \
    LEVEL static void add_##N(float *restrict out, const float *restrict c,    \
                              const uint32_t *restrict index, size_t count,    \
                              const float *restrict x, size_t stride,          \
                              size_t last)                                     \
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
LEVEL static inline __attribute__((always_inline)) void
dots(float *out, const float *columns, const uint32_t *index, const float *y,
     size_t rows, const size_t together)
{
    __m512 sum[4];
    const float *c[4];
    for (size_t j = 0; j < together; j++) {
        c[j] = columns + (size_t)index[j] * rows;
        sum[j] = _mm512_setzero_ps();
    }
    size_t r = 0;
    for (; r + WIDTH <= rows; r += WIDTH) {
        __m512 part = _mm512_loadu_ps(y + r);
        for (size_t j = 0; j < together; j++)
            sum[j] = _mm512_fmadd_ps(_mm512_loadu_ps(c[j] + r), part, sum[j]);
    }
    for (size_t j = 0; j < together; j++) {
        float rest = _mm512_reduce_add_ps(sum[j]);
        for (size_t i = r; i < rows; i++)
            rest += c[j][i] * y[i];
        out[index[j]] += rest;
    }
}

LEVEL static void columns_dot(float *restrict out,
                              const float *restrict columns,
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
LEVEL static inline __attribute__((always_inline)) void
slices_panel(float *out, const float *columns, const struct simd_slice *slices,
             size_t n, const float *x, size_t rows, const int registers,
             const int side)
{
    __m512 sum[16];
    for (int r = 0; r < registers; r++)
        sum[r] = _mm512_loadu_ps(out + r * WIDTH);
    for (int r = registers; r < side * registers; r++)
        sum[r] = _mm512_setzero_ps();
    for (const struct simd_slice *s = slices; s < slices + n; s++) {
        size_t k = 0;
        for (; k + (size_t)side <= s->count; k += (size_t)side)
            for (int u = 0; u < side; u++) {
                uint32_t i = s->index[k + (size_t)u], column = i - s->base;
                const float *c = columns + column * rows;
                __m512 value = _mm512_set1_ps(x[i]);
                for (int r = 0; r < registers; r++)
                    sum[u * registers + r] =
                        _mm512_fmadd_ps(value, _mm512_loadu_ps(c + r * WIDTH),
                                        sum[u * registers + r]);
            }
        for (; k < s->count; k++) {
            uint32_t i = s->index[k], column = i - s->base;
            const float *c = columns + column * rows;
            __m512 value = _mm512_set1_ps(x[i]);
            for (int r = 0; r < registers; r++)
                sum[r] = _mm512_fmadd_ps(value, _mm512_loadu_ps(c + r * WIDTH),
                                         sum[r]);
        }
    }
    for (int u = 1; u < side; u++)
        for (int r = 0; r < registers; r++)
            sum[r] = _mm512_add_ps(sum[r], sum[u * registers + r]);
    for (int r = 0; r < registers; r++)
        _mm512_storeu_ps(out + r * WIDTH, sum[r]);
}

LEVEL static void slices_add(float *restrict out, const float *restrict columns,
                             const struct simd_slice *slices, size_t n,
                             const float *restrict x, size_t rows)
{
    size_t r = 0;
    for (; r + 4 * WIDTH <= rows; r += 4 * WIDTH)
        slices_panel(out + r, columns + r, slices, n, x, rows, 4, 2);
    for (; r + 2 * WIDTH <= rows; r += 2 * WIDTH)
        slices_panel(out + r, columns + r, slices, n, x, rows, 2, 4);
    for (; r < rows; r += 1 * WIDTH)
        slices_panel(out + r, columns + r, slices, n, x, rows, 1, 4);
}

/* `registers` outputs of `wide` places; past the last place it does the last
 * one again. */
LEVEL static inline __attribute__((always_inline)) void
windows_panel(float *out, const float *columns, const struct simd_windows *w,
              const float *x, size_t rows, const int registers, const int wide)
{
    for (size_t t = 0; t < w->n; t += (size_t)wide) {
        __m512 sum[24];
        const float *from[12], *c = columns;
        float *to[12];
        for (int p = 0; p < wide; p++) {
            size_t at = t + (size_t)p < w->n ? t + (size_t)p : w->n - 1;
            from[p] = x + w->from[w->places[at]];
            to[p] = out + w->places[at] * rows;
            for (int r = 0; r < registers; r++)
                sum[p * registers + r] = _mm512_loadu_ps(to[p] + r * WIDTH);
        }
        for (size_t i = 0, at = 0; i < w->runs; i++, at += w->step)
            for (size_t k = at; k < at + w->run; k++, c += rows) {
                __m512 weight[4];
                for (int r = 0; r < registers; r++)
                    weight[r] = _mm512_loadu_ps(c + r * WIDTH);
                for (int p = 0; p < wide; p++) {
                    __m512 value = _mm512_set1_ps(from[p][k]);
                    for (int r = 0; r < registers; r++)
                        sum[p * registers + r] = _mm512_fmadd_ps(
                            value, weight[r], sum[p * registers + r]);
                }
            }
        for (int p = 0; p < wide; p++)
            for (int r = 0; r < registers; r++)
                _mm512_storeu_ps(to[p] + r * WIDTH, sum[p * registers + r]);
    }
}

LEVEL static void windows_add(float *restrict out,
                              const float *restrict columns,
                              const struct simd_windows *w,
                              const float *restrict x, size_t rows)
{
    size_t r = 0;
    for (; r + 4 * WIDTH <= rows; r += 4 * WIDTH)
        windows_panel(out + r, columns + r, w, x, rows, 4, 6);
    for (; r + 2 * WIDTH <= rows; r += 2 * WIDTH)
        windows_panel(out + r, columns + r, w, x, rows, 2, 8);
    for (; r < rows; r += 1 * WIDTH)
        windows_panel(out + r, columns + r, w, x, rows, 1, 12);
}

const struct simd simd_avx512 = {.name = "avx512",
                                 .runs = runs,
                                 .nonzeros = list_nonzeros,
                                 .columns_add = columns_add,
                                 .columns_dot = columns_dot,
                                 .slices_add = slices_add,
                                 .windows_add = windows_add};

#endif
