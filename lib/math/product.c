/* Sparse or dense. */
#include "lib/math/product.h"

#include "lib/math/blas.h"
#include "lib/math/kernels.h"
#include "lib/math/simd/simd.h"

/* A dense product reads the matrix once for all rows, and turns it into a shape
 * of its own first; so few rows never pay, and many do above this share of
 * numbers that are not zero. */
enum { FEW_ROWS = 16 };
static const float sparse_share = 0.5f;

/* Numbers of a row whose places are listed at a time. */
enum { CHUNK = 1024 };

bool product_is_sparse(const float *x, size_t B, size_t N)
{
    return B < FEW_ROWS ||
           (float)nonzeros_count(x, B * N) < sparse_share * (float)(B * N);
}

static void add_row(float *out, const float *x, const float *c, size_t N,
                    size_t M)
{
    uint32_t index[CHUNK];
    for (size_t i = 0; i < N; i += CHUNK) {
        size_t n = N - i < CHUNK ? N - i : CHUNK;
        size_t count = simd->nonzeros(index, x + i, n);
        simd->columns_add(out, c + i * M, index, count, x + i, M);
    }
}

void product_add(float *out, const float *x, const float *c, size_t B, size_t N,
                 size_t M)
{
    if (product_is_sparse(x, B, N))
        for (size_t b = 0; b < B; b++)
            add_row(out + b * M, x + b * N, c, N, M);
    else
        blas_gemm(out, BLAS_PLAIN, x, BLAS_PLAIN, c, B, M, N, 1, 1);
}
