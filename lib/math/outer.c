/* Outer products by blocks of rows, so that the rows that a block needs again
 * and again stay in the second cache. What is added to stays in registers.
 */
#include "lib/math/outer.h"

#include "lib/base/mem.h"
#include "lib/math/blas.h"
#include "lib/math/kernels.h"
#include "lib/math/simd/simd.h"

#include <string.h>

/* PANEL columns of dy over a block stay in the first cache. */
enum { BLOCK = 128, PANEL = 64 };

/* The work of each way, as multiplications of a dense product: of one that is
 * not left out, and by x also of each number of dw. Measured with AVX-512 on
 * Zen 4. */
static const double by_dy_each = 1.7, by_x_each = 1.4, by_x_number = 16;

struct outer {
    float *turned;   /* the sparse side of a block, transposed */
    uint32_t *index; /* (N,BLOCK) which rows are not 0 in each of its rows */
    uint32_t *count; /* (N) how many those are */
    float *panel;    /* (BLOCK,PANEL) columns of dy */
    float *sums;     /* (N,PANEL) columns of dw */
};

static void add_by_dy(const struct outer *o, float *dw, const float *dy,
                      const float *x, size_t M, size_t N, size_t B)
{
    transpose(o->turned, dy, B, M);
    for (size_t m = 0; m < M; m++) {
        const float *slopes = o->turned + m * B;
        size_t count = simd->nonzeros(o->index, slopes, B);
        simd->columns_add(dw + m * N, x, o->index, count, slopes, N);
    }
}

/* Rows of dw by as many as a panel has columns. */
static void add_panel(const struct outer *o, float *dw, const float *dy,
                      size_t M, size_t N, size_t B, size_t width)
{
    for (size_t b = 0; b < B; b++)
        memcpy(o->panel + b * width, dy + b * M, width * sizeof *dy);
    memset(o->sums, 0, N * width * sizeof *o->sums);
    for (size_t n = 0; n < N; n++)
        simd->columns_add(o->sums + n * width, o->panel, o->index + n * BLOCK,
                          o->count[n], o->turned + n * B, width);
    transpose_add(dw, o->sums, N, width);
}

static void add_by_x(const struct outer *o, float *dw, const float *dy,
                     const float *x, size_t M, size_t N, size_t B)
{
    transpose(o->turned, x, B, N);
    for (size_t n = 0; n < N; n++)
        o->count[n] = (uint32_t)simd->nonzeros(o->index + n * BLOCK,
                                               o->turned + n * B, B);
    for (size_t m = 0; m < M; m += PANEL)
        add_panel(o, dw + m * N, dy + m, M, N, B,
                  M - m < PANEL ? M - m : PANEL);
}

void outer_add(float *dw, const float *dy, const float *x, size_t M, size_t N,
               size_t B, struct arena *scratch)
{
    double dense = (double)M * (double)N * (double)B;
    double by_dy = by_dy_each * (double)nonzeros_count(dy, B * M) * (double)N;
    double by_x =
        by_x_each * (double)nonzeros_count(x, B * N) * (double)M +
        by_x_number * (double)M * (double)N * (double)((B + BLOCK - 1) / BLOCK);
    if (dense < by_dy && dense < by_x) {
        blas_gemm(dw, BLAS_TRANSPOSED, dy, BLAS_PLAIN, x, M, N, B, 1, 1);
        return;
    }
    size_t wider = M > N ? M : N;
    struct arena_mark mark = arena_mark(scratch);
    struct outer o = {
        .turned = arena_take(scratch, BLOCK * wider, sizeof *o.turned),
        .index = arena_take(scratch, BLOCK * N, sizeof *o.index),
        .count = arena_take(scratch, N, sizeof *o.count),
        .panel = arena_take(scratch, BLOCK * PANEL, sizeof *o.panel),
        .sums = arena_take(scratch, N * PANEL, sizeof *o.sums)};
    for (size_t b = 0; b < B; b += BLOCK) {
        size_t rows = B - b < BLOCK ? B - b : BLOCK;
        (by_dy < by_x ? add_by_dy : add_by_x)(&o, dw, dy + b * M, x + b * N, M,
                                              N, rows);
    }
    arena_rewind(scratch, mark);
}

size_t outer_scratch_bytes(size_t M, size_t N)
{
    size_t wider = M > N ? M : N;
    return (BLOCK * (wider + PANEL) + N * PANEL) * sizeof(float) +
           (BLOCK + 1) * N * sizeof(uint32_t) + 5 * MEM_ALIGN;
}
