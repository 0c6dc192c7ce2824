/* AVX2 and FMA: 16 registers of 8 numbers. */
#include "lib/math/simd/simd.h"

#if defined(__x86_64__)

#include "lib/math/simd/panels.h"

#include <immintrin.h>

#define LEVEL __attribute__((target("avx2,fma,bmi,bmi2,popcnt")))
#define UNROLL _Pragma("GCC unroll 14")

enum { WIDTH = 8 };

extern const struct simd simd_avx2;

static bool runs(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

/* The places of the bits that are set among 8, one a byte, in their order. */
#define PLACE(bits, i)                                                         \
    ((bits) >> (i)&1                                                           \
         ? (uint64_t)(i) << 8 * __builtin_popcount((bits) & ((1 << (i)) - 1))  \
         : 0)
#define PLACES(bits)                                                           \
    PLACE(bits, 1) | PLACE(bits, 2) | PLACE(bits, 3) | PLACE(bits, 4) |        \
        PLACE(bits, 5) | PLACE(bits, 6) | PLACE(bits, 7)
#define PLACES_4(bits)                                                         \
    PLACES(bits), PLACES((bits) + 1), PLACES((bits) + 2), PLACES((bits) + 3)
#define PLACES_16(bits)                                                        \
    PLACES_4(bits), PLACES_4((bits) + 4), PLACES_4((bits) + 8),                \
        PLACES_4((bits) + 12)
#define PLACES_64(bits)                                                        \
    PLACES_16(bits), PLACES_16((bits) + 16), PLACES_16((bits) + 32),           \
        PLACES_16((bits) + 48)

static const uint64_t places_of[256] = {PLACES_64(0), PLACES_64(64),
                                        PLACES_64(128), PLACES_64(192)};

LEVEL static size_t list_nonzeros(uint32_t *index, const float *x, size_t n)
{
    size_t count = 0, i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        unsigned on = (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(
            _mm256_loadu_ps(x + i), _mm256_setzero_ps(), _CMP_NEQ_UQ));
        __m256i places = _mm256_cvtepu8_epi32(
            _mm_loadl_epi64((const __m128i *)(places_of + on)));
        _mm256_storeu_si256(
            (__m256i *)(index + count),
            _mm256_add_epi32(places, _mm256_set1_epi32((int)i)));
        count += (size_t)__builtin_popcount(on);
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
    __m256 sum[14];
    __m256i cut = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)last),
                                     _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    UNROLL for (int r = 0; r < whole; r++) sum[r] =
        _mm256_loadu_ps(out + r * WIDTH);
    sum[whole] = _mm256_maskload_ps(out + whole * WIDTH, cut);
    for (size_t k = 0; k < count; k++) {
        const float *c = columns + (size_t)index[k] * stride;
        __m256 value = _mm256_broadcast_ss(x + index[k]);
        UNROLL for (int r = 0; r < whole; r++) sum[r] =
            _mm256_fmadd_ps(value, _mm256_loadu_ps(c + r * WIDTH), sum[r]);
        sum[whole] = _mm256_fmadd_ps(
            value, _mm256_maskload_ps(c + whole * WIDTH, cut), sum[whole]);
    }
    UNROLL for (int r = 0; r < whole; r++)
        _mm256_storeu_ps(out + r * WIDTH, sum[r]);
    _mm256_maskstore_ps(out + whole * WIDTH, cut, sum[whole]);
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

PANELS_14(DEFINE)
static panel *const panels[] = {PANELS_14(LIST)};

static void columns_add(float *restrict out, const float *restrict columns,
                        const uint32_t *restrict index, size_t count,
                        const float *restrict x, size_t rows)
{
    panels_add(panels, 14, WIDTH, out, columns, index, count, x, rows);
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

/* One panel of `registers` outputs of all slices; `side` columns at a time, so
 * that a sum need not wait for the one before. */
LEVEL static inline __attribute__((always_inline)) void
slices_panel(float *out, const float *columns, const struct simd_slice *slices,
             size_t n, const float *x, size_t rows, const int registers,
             const int side)
{
    __m256 sum[16];
    for (int r = 0; r < registers; r++)
        sum[r] = _mm256_loadu_ps(out + r * WIDTH);
    for (int r = registers; r < side * registers; r++)
        sum[r] = _mm256_setzero_ps();
    for (const struct simd_slice *s = slices; s < slices + n; s++) {
        size_t k = 0;
        for (; k + (size_t)side <= s->count; k += (size_t)side)
            for (int u = 0; u < side; u++) {
                uint32_t i = s->index[k + (size_t)u], column = i - s->base;
                const float *c = columns + column * rows;
                __m256 value = _mm256_set1_ps(x[i]);
                for (int r = 0; r < registers; r++)
                    sum[u * registers + r] =
                        _mm256_fmadd_ps(value, _mm256_loadu_ps(c + r * WIDTH),
                                        sum[u * registers + r]);
            }
        for (; k < s->count; k++) {
            uint32_t i = s->index[k], column = i - s->base;
            const float *c = columns + column * rows;
            __m256 value = _mm256_set1_ps(x[i]);
            for (int r = 0; r < registers; r++)
                sum[r] = _mm256_fmadd_ps(value, _mm256_loadu_ps(c + r * WIDTH),
                                         sum[r]);
        }
    }
    for (int u = 1; u < side; u++)
        for (int r = 0; r < registers; r++)
            sum[r] = _mm256_add_ps(sum[r], sum[u * registers + r]);
    for (int r = 0; r < registers; r++)
        _mm256_storeu_ps(out + r * WIDTH, sum[r]);
}

LEVEL static void slices_add(float *restrict out, const float *restrict columns,
                             const struct simd_slice *slices, size_t n,
                             const float *restrict x, size_t rows)
{
    size_t r = 0;
    for (; r + 8 * WIDTH <= rows; r += 8 * WIDTH)
        slices_panel(out + r, columns + r, slices, n, x, rows, 8, 1);
    for (; r + 4 * WIDTH <= rows; r += 4 * WIDTH)
        slices_panel(out + r, columns + r, slices, n, x, rows, 4, 2);
    for (; r < rows; r += 2 * WIDTH)
        slices_panel(out + r, columns + r, slices, n, x, rows, 2, 4);
}

/* `registers` outputs of `wide` places; past the last place it does the last
 * one again. */
LEVEL static inline __attribute__((always_inline)) void
windows_panel(float *out, const float *columns, const struct simd_windows *w,
              const float *x, size_t rows, const int registers, const int wide)
{
    for (size_t t = 0; t < w->n; t += (size_t)wide) {
        __m256 sum[24];
        const float *from[12], *c = columns;
        float *to[12];
        for (int p = 0; p < wide; p++) {
            size_t at = t + (size_t)p < w->n ? t + (size_t)p : w->n - 1;
            from[p] = x + w->from[w->places[at]];
            to[p] = out + w->places[at] * rows;
            for (int r = 0; r < registers; r++)
                sum[p * registers + r] = _mm256_loadu_ps(to[p] + r * WIDTH);
        }
        for (size_t i = 0, at = 0; i < w->runs; i++, at += w->step)
            for (size_t k = at; k < at + w->run; k++, c += rows) {
                __m256 weight[4];
                for (int r = 0; r < registers; r++)
                    weight[r] = _mm256_loadu_ps(c + r * WIDTH);
                for (int p = 0; p < wide; p++) {
                    __m256 value = _mm256_set1_ps(from[p][k]);
                    for (int r = 0; r < registers; r++)
                        sum[p * registers + r] = _mm256_fmadd_ps(
                            value, weight[r], sum[p * registers + r]);
                }
            }
        for (int p = 0; p < wide; p++)
            for (int r = 0; r < registers; r++)
                _mm256_storeu_ps(to[p] + r * WIDTH, sum[p * registers + r]);
    }
}

LEVEL static void windows_add(float *restrict out,
                              const float *restrict columns,
                              const struct simd_windows *w,
                              const float *restrict x, size_t rows)
{
    size_t r = 0;
    for (; r < rows; r += 2 * WIDTH)
        windows_panel(out + r, columns + r, w, x, rows, 2, 6);
}

const struct simd simd_avx2 = {.name = "avx2",
                               .runs = runs,
                               .nonzeros = list_nonzeros,
                               .columns_add = columns_add,
                               .columns_dot = columns_dot,
                               .slices_add = slices_add,
                               .windows_add = windows_add};

#endif
