/* Small kernels in plain C, written so that the compiler vectorises them. */
#include "lib/math/kernels.h"

#include "lib/math/square.h"

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

void transpose_part(float *restrict out, size_t out_step,
                    const float *restrict in, size_t in_step, size_t rows,
                    size_t columns)
{
    enum { SIDE = SQUARE_SIDE };
    size_t r_end = rows - rows % SIDE, c_end = columns - columns % SIDE;
    for (size_t r = 0; r < r_end; r += SIDE) {
        for (size_t c = 0; c < c_end; c += SIDE)
            square_transpose(out + c * out_step + r, out_step,
                             in + r * in_step + c, in_step, SQUARE_SET);
        for (size_t c = c_end; c < columns; c++)
            for (size_t k = r; k < r + SIDE; k++)
                out[c * out_step + k] = in[k * in_step + c];
    }
    for (size_t r = r_end; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            out[c * out_step + r] = in[r * in_step + c];
}

/* Rows r0 .. r1 and columns c0 .. c1 of `in`, one by one. */
static inline void transpose_edge(float *out, const float *in, size_t rows,
                                  size_t columns, size_t r0, size_t r1,
                                  size_t c0, size_t c1, enum square_way way)
{
    for (size_t r = r0; r < r1; r++)
        for (size_t c = c0; c < c1; c++)
            out[c * rows + r] = (way == SQUARE_ADD ? out[c * rows + r] : 0) +
                                in[r * columns + c];
}

static inline __attribute__((always_inline)) void
transpose_way(float *out, const float *in, size_t rows, size_t columns,
              enum square_way way)
{
    /* Bands of whole cache lines of out, so that each is written at once. */
    enum { BAND = 16, SIDE = SQUARE_SIDE };
    size_t r_end = rows - rows % BAND, c_end = columns - columns % SIDE;
    for (size_t r0 = 0; r0 < r_end; r0 += BAND)
        for (size_t c = 0; c < c_end; c += SIDE)
            for (size_t r = r0; r < r0 + BAND; r += SIDE)
                square_transpose(out + c * rows + r, rows, in + r * columns + c,
                                 columns, way);
    transpose_edge(out, in, rows, columns, 0, r_end, c_end, columns, way);
    transpose_edge(out, in, rows, columns, r_end, rows, 0, columns, way);
}

KERNEL_CLONES
void transpose(float *out, const float *in, size_t rows, size_t columns)
{
    transpose_way(out, in, rows, columns, SQUARE_SET);
}

KERNEL_CLONES
void transpose_add(float *out, const float *in, size_t rows, size_t columns)
{
    transpose_way(out, in, rows, columns, SQUARE_ADD);
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

void vec_start(float *out, const float *x, size_t n)
{
    if (!x)
        memset(out, 0, n * sizeof *out);
    else if (x != out)
        memcpy(out, x, n * sizeof *out);
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
