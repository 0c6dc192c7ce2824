/* AVX2 and FMA: 16 registers of 8 numbers. A panel of outputs stays in
 * registers while all columns are added to it.
 */
#include "lib/math/simd/simd.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define LEVEL __attribute__((target("avx2,fma,bmi,bmi2,popcnt")))

enum { WIDTH = 8 };

extern const struct simd simd_avx2;

static bool runs(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

LEVEL static size_t list_nonzeros(uint32_t *index, const float *x, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        index[count] = (uint32_t)i;
        count += x[i] != 0.0f;
    }
    return count;
}

LEVEL static inline __attribute__((always_inline)) void
panel(float *out, const float *columns, const uint32_t *index, size_t count,
      const float *x, size_t rows, const int registers)
{
    __m256 sum[10];
    for (int r = 0; r < registers; r++)
        sum[r] = _mm256_loadu_ps(out + r * WIDTH);
    for (size_t k = 0; k < count; k++) {
        const float *c = columns + (size_t)index[k] * rows;
        __m256 value = _mm256_set1_ps(x[index[k]]);
        for (int r = 0; r < registers; r++)
            sum[r] =
                _mm256_fmadd_ps(value, _mm256_loadu_ps(c + r * WIDTH), sum[r]);
    }
    for (int r = 0; r < registers; r++)
        _mm256_storeu_ps(out + r * WIDTH, sum[r]);
}

LEVEL static void columns_add(float *restrict out,
                              const float *restrict columns,
                              const uint32_t *restrict index, size_t count,
                              const float *restrict x, size_t rows)
{
    size_t r = 0;
    for (; r + 10 * WIDTH <= rows; r += 10 * WIDTH)
        panel(out + r, columns + r, index, count, x, rows, 10);
    for (; r + 2 * WIDTH <= rows; r += 2 * WIDTH)
        panel(out + r, columns + r, index, count, x, rows, 2);
    for (; r + WIDTH <= rows; r += WIDTH)
        panel(out + r, columns + r, index, count, x, rows, 1);
    for (; r < rows; r++)
        for (size_t k = 0; k < count; k++)
            out[r] += x[index[k]] * columns[(size_t)index[k] * rows + r];
}

LEVEL static inline float total(__m256 x)
{
    __m128 half =
        _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

/* `together` columns side by side: y is read once for all of them, and no sum
 * waits for the one before. */
LEVEL static inline __attribute__((always_inline)) void
dots(float *out, const float *columns, const uint32_t *index, const float *y,
     size_t rows, const size_t together)
{
    __m256 sum[4];
    const float *c[4];
    for (size_t j = 0; j < together; j++) {
        c[j] = columns + (size_t)index[j] * rows;
        sum[j] = _mm256_setzero_ps();
    }
    size_t r = 0;
    for (; r + WIDTH <= rows; r += WIDTH) {
        __m256 part = _mm256_loadu_ps(y + r);
        for (size_t j = 0; j < together; j++)
            sum[j] = _mm256_fmadd_ps(_mm256_loadu_ps(c[j] + r), part, sum[j]);
    }
    for (size_t j = 0; j < together; j++) {
        float rest = total(sum[j]);
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

const struct simd simd_avx2 = {.name = "avx2",
                               .runs = runs,
                               .nonzeros = list_nonzeros,
                               .columns_add = columns_add,
                               .columns_dot = columns_dot};

#endif
