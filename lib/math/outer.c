/* Outer products by blocks of rows, so that the rows of x that a block needs
 * again and again stay in the second cache; a row of dw is added to while it
 * is in registers.
 */
#include "lib/math/outer.h"

#include "lib/base/mem.h"
#include "lib/math/blas.h"
#include "lib/math/kernels.h"
#include "lib/math/simd/simd.h"

enum { BLOCK = 128 };

/* Above this share of dy a dense product is the faster one. */
static const float sparse_share = 0.6f;

/* One block: dy transposed lists the rows that each row of dw needs. */
static void add_block(float *dw, const float *dy, const float *x, size_t M,
                      size_t N, size_t B, float *turned, uint32_t *index)
{
    transpose(turned, dy, B, M);
    for (size_t m = 0; m < M; m++) {
        const float *slopes = turned + m * B;
        size_t count = simd->nonzeros(index, slopes, B);
        simd->columns_add(dw + m * N, x, index, count, slopes, N);
    }
}

void outer_add(float *dw, const float *dy, const float *x, size_t M, size_t N,
               size_t B, struct arena *scratch)
{
    if ((float)nonzeros_count(dy, B * M) > sparse_share * (float)(B * M)) {
        blas_gemm(dw, BLAS_TRANSPOSED, dy, BLAS_PLAIN, x, M, N, B, 1, 1);
        return;
    }
    struct arena_mark mark = arena_mark(scratch);
    float *turned = arena_take(scratch, BLOCK * M, sizeof *turned);
    uint32_t *index = arena_take(scratch, BLOCK, sizeof *index);
    for (size_t b = 0; b < B; b += BLOCK) {
        size_t rows = B - b < BLOCK ? B - b : BLOCK;
        add_block(dw, dy + b * M, x + b * N, M, N, rows, turned, index);
    }
    arena_rewind(scratch, mark);
}

size_t outer_scratch_bytes(size_t M)
{
    return BLOCK * (M * sizeof(float) + sizeof(uint32_t)) + 2 * MEM_ALIGN;
}
