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

const struct simd simd_avx512 = {.name = "avx512",
                                 .runs = runs,
                                 .nonzeros = list_nonzeros,
                                 .columns_add = columns_add,
                                 .columns_dot = columns_dot};

#endif
