/* AVX-512: 32 registers of 16 numbers. A panel of outputs stays in registers
 * while all columns are added to it, so that only the columns are read.
 */
#include "lib/math/simd/simd.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define LEVEL __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw")))

enum { WIDTH = 16 };

extern const struct simd simd_avx512;

static bool runs(void)
{
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw");
}

LEVEL static size_t list_nonzeros(uint32_t *index, const float *x, size_t n)
{
    size_t count = 0, i = 0;
    __m512i place =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; i + WIDTH <= n; i += WIDTH) {
        __mmask16 on = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + i),
                                          _mm512_setzero_ps(), _CMP_NEQ_UQ);
        _mm512_storeu_si512(index + count,
                            _mm512_maskz_compress_epi32(on, place));
        count += (size_t)__builtin_popcount(on);
        place = _mm512_add_epi32(place, _mm512_set1_epi32(WIDTH));
    }
    for (; i < n; i++)
        if (x[i] != 0.0f)
            index[count++] = (uint32_t)i;
    return count;
}

/* One panel of `registers` * 16 outputs, the last of them cut by `last`. */
LEVEL static inline __attribute__((always_inline)) void
panel(float *out, const float *columns, const uint32_t *index, size_t count,
      const float *x, size_t rows, const int registers, __mmask16 last)
{
    __m512 sum[16];
    for (int r = 0; r < registers; r++)
        sum[r] = _mm512_maskz_loadu_ps(r + 1 < registers ? 0xFFFF : last,
                                       out + r * WIDTH);
    for (size_t k = 0; k < count; k++) {
        const float *c = columns + (size_t)index[k] * rows;
        __m512 value = _mm512_set1_ps(x[index[k]]);
        for (int r = 0; r < registers; r++)
            sum[r] = _mm512_fmadd_ps(
                value,
                _mm512_maskz_loadu_ps(r + 1 < registers ? 0xFFFF : last,
                                      c + r * WIDTH),
                sum[r]);
    }
    for (int r = 0; r < registers; r++)
        _mm512_mask_storeu_ps(out + r * WIDTH,
                              r + 1 < registers ? 0xFFFF : last, sum[r]);
}

LEVEL static void columns_add(float *restrict out,
                              const float *restrict columns,
                              const uint32_t *restrict index, size_t count,
                              const float *restrict x, size_t rows)
{
    size_t r = 0;
    for (; r + 16 * WIDTH <= rows; r += 16 * WIDTH)
        panel(out + r, columns + r, index, count, x, rows, 16, 0xFFFF);
    for (; r + 4 * WIDTH <= rows; r += 4 * WIDTH)
        panel(out + r, columns + r, index, count, x, rows, 4, 0xFFFF);
    for (; r < rows; r += WIDTH) {
        size_t left = rows - r < WIDTH ? rows - r : WIDTH;
        panel(out + r, columns + r, index, count, x, rows, 1,
              (__mmask16)((1u << left) - 1));
    }
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
                                 .slices_add = slices_add,
                                 .windows_add = windows_add};

#endif
