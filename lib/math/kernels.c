/* Small kernels in plain C, written so that the compiler vectorises them. */
#include "lib/math/kernels.h"

#include <math.h>
#include <string.h>

KERNEL_CLONES
size_t nonzeros_count(const float *x, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += x[i] != 0.0f;
    return count;
}

/* What is turned goes by squares of 4 x 4, which stay in registers. */
enum { SQUARE = 4 };

typedef float four __attribute__((vector_size(SQUARE * sizeof(float))));
typedef int32_t four_index __attribute__((vector_size(SQUARE * sizeof(float))));

/* to (SQUARE rows, `to_step` apart) = from transposed. */
static inline void square(float *to, size_t to_step, const float *from,
                          size_t from_step)
{
    four r[SQUARE], pairs[SQUARE];
    for (size_t k = 0; k < SQUARE; k++)
        memcpy(&r[k], from + k * from_step, sizeof r[k]);
    pairs[0] = __builtin_shuffle(r[0], r[1], (four_index){0, 4, 1, 5});
    pairs[1] = __builtin_shuffle(r[0], r[1], (four_index){2, 6, 3, 7});
    pairs[2] = __builtin_shuffle(r[2], r[3], (four_index){0, 4, 1, 5});
    pairs[3] = __builtin_shuffle(r[2], r[3], (four_index){2, 6, 3, 7});
    r[0] = __builtin_shuffle(pairs[0], pairs[2], (four_index){0, 1, 4, 5});
    r[1] = __builtin_shuffle(pairs[0], pairs[2], (four_index){2, 3, 6, 7});
    r[2] = __builtin_shuffle(pairs[1], pairs[3], (four_index){0, 1, 4, 5});
    r[3] = __builtin_shuffle(pairs[1], pairs[3], (four_index){2, 3, 6, 7});
    for (size_t k = 0; k < SQUARE; k++)
        memcpy(to + k * to_step, &r[k], sizeof r[k]);
}

void transpose_part(float *restrict out, size_t out_step,
                    const float *restrict in, size_t in_step, size_t rows,
                    size_t columns)
{
    size_t whole_rows = rows - rows % SQUARE;
    size_t whole = columns - columns % SQUARE;
    for (size_t r = 0; r < whole_rows; r += SQUARE) {
        for (size_t c = 0; c < whole; c += SQUARE)
            square(out + c * out_step + r, out_step, in + r * in_step + c,
                   in_step);
        for (size_t c = whole; c < columns; c++)
            for (size_t k = r; k < r + SQUARE; k++)
                out[c * out_step + k] = in[k * in_step + c];
    }
    for (size_t r = whole_rows; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            out[c * out_step + r] = in[r * in_step + c];
}

void transpose(float *out, const float *in, size_t rows, size_t columns)
{
    enum { TILE = 16 }; /* a tile of both sides stays in the L1 cache */
    for (size_t r = 0; r < rows; r += TILE)
        for (size_t c = 0; c < columns; c += TILE)
            transpose_part(out + c * rows + r, rows, in + r * columns + c,
                           columns, rows - r < TILE ? rows - r : TILE,
                           columns - c < TILE ? columns - c : TILE);
}

KERNEL_CLONES
double vec_dot(const float *a, const float *b, size_t n)
{
    /* Eight sums side by side: one alone would wait for each addition. */
    double sums[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            sums[j] += (double)a[i + j] * (double)b[i + j];
    for (; i < n; i++)
        sums[i % 8] += (double)a[i] * (double)b[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

KERNEL_CLONES
float vec_dot_sizes(const float *w, const float *x, size_t n)
{
    enum { SIDE = 16 };
    float sums[SIDE] = {0};
    size_t i = 0;
    for (; i + SIDE <= n; i += SIDE)
        for (size_t j = 0; j < SIDE; j++)
            sums[j] += w[i + j] * fabsf(x[i + j]);
    for (size_t j = 0; i < n; i++, j++)
        sums[j] += w[i] * fabsf(x[i]);
    for (size_t half = SIDE / 2; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            sums[j] += sums[j + half];
    return sums[0];
}

double vec_norm(const float *x, size_t n)
{
    return sqrt(vec_dot(x, x, n));
}

void vec_scale(float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

KERNEL_CLONES
void vec_add(float *restrict out, const float *restrict x, float factor,
             size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] += factor * x[i];
}

KERNEL_CLONES
float vec_largest(const float *x, size_t n)
{
    float most[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) {
            float size = fabsf(x[i + j]);
            most[j] = size > most[j] ? size : most[j];
        }
    for (; i < n; i++)
        most[0] = fabsf(x[i]) > most[0] ? fabsf(x[i]) : most[0];
    for (size_t j = 1; j < 8; j++)
        most[0] = most[j] > most[0] ? most[j] : most[0];
    return most[0];
}

KERNEL_CLONES
bool vec_finite(const float *x, size_t n)
{
    /* Only infinities and NaNs have all bits of the exponent. */
    const uint32_t exponent = 0x7f800000u;
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        found |= (bits & exponent) == exponent;
    }
    return found == 0;
}

KERNEL_CLONES
void vec_multiply(float *restrict out, const float *restrict a,
                  const float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] * b[i];
}

KERNEL_CLONES
void vec_multiply_by(float *restrict x, const float *restrict a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= a[i];
}

KERNEL_CLONES
void vec_add_products(float *restrict out, const float *restrict a,
                      const float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] += a[i] * b[i];
}

void softmax_rows(float *p, const float *u, size_t B, size_t n)
{
    for (size_t b = 0; b < B; b++) {
        const float *in = u + b * n;
        float *out = p + b * n;
        float top = in[0];
        for (size_t i = 1; i < n; i++)
            if (in[i] > top)
                top = in[i];
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            out[i] = expf(in[i] - top);
            sum += (double)out[i];
        }
        vec_scale(out, (float)(1.0 / sum), n);
    }
}
