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

const struct simd simd_avx512 = {.name = "avx512",
                                 .runs = runs,
                                 .nonzeros = list_nonzeros,
                                 .columns_add = columns_add,
                                 .columns_dot = columns_dot};

#endif
