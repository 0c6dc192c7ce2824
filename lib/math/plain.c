/* The dense product by plain loops: slow, simple and right. It is the measure
 * that a BLAS library is held against, and what runs when one fails.
 */
#include "lib/math/blas.h"

static float element(const float *x, enum blas_form form, size_t row,
                     size_t column, size_t rows, size_t columns)
{
    return form == BLAS_PLAIN ? x[row * columns + column]
                              : x[column * rows + row];
}

static void scale_row(float *row, size_t n, float keep)
{
    for (size_t j = 0; j < n; j++)
        row[j] = keep == 0.0f ? 0.0f : keep * row[j];
}

void plain_gemm(float *out, enum blas_form a_form, const float *a,
                enum blas_form b_form, const float *b, size_t M, size_t N,
                size_t K, float scale, float keep)
{
    for (size_t i = 0; i < M; i++) {
        float *row = out + i * N;
        scale_row(row, N, keep);
        for (size_t k = 0; k < K; k++) {
            float factor = scale * element(a, a_form, i, k, M, K);
            if (factor == 0.0f)
                continue;
            for (size_t j = 0; j < N; j++)
                row[j] += factor * element(b, b_form, k, j, K, N);
        }
    }
}
