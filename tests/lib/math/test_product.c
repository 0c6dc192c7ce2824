/* Sparse and dense products are the same. */
#include "lib/math/blas.h"
#include "lib/math/product.h"
#include "lib/math/simd/simd.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { MOST_B = 40, MOST_N = 1100, M = 37 };

static float x[MOST_B * MOST_N], c[MOST_N * M];
static float out[MOST_B * M + 1], want[MOST_B * M + 1];

static void check_product(size_t B, size_t N, size_t every)
{
    for (size_t i = 0; i < N * M; i++)
        c[i] = sinf((float)i * 1.3f);
    for (size_t i = 0; i < B * N; i++)
        x[i] = i % every == 0 ? cosf((float)i) : 0.0f;
    for (size_t i = 0; i <= B * M; i++)
        out[i] = want[i] = (float)i;
    product_add(out, x, c, B, N, M);
    plain_gemm(want, BLAS_PLAIN, x, BLAS_PLAIN, c, B, M, N, 1, 1);
    near_all(out, want, B * M + 1, 1e-3);
}

/* Rows longer than what is listed at a time among them. */
START_TEST(every_share_gives_the_dense_product)
{
    static const size_t rows[] = {1, 3, MOST_B};
    static const size_t inputs[] = {1, 50, 1024, MOST_N};
    static const size_t shares[] = {1, 2, 9, 5000000};
    if (!simd_all[_i]->runs())
        return;
    simd = simd_all[_i];
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 4; j++)
            for (size_t k = 0; k < 4; k++)
                check_product(rows[i], inputs[j], shares[k]);
}
END_TEST

START_TEST(many_rows_that_are_full_go_together)
{
    for (size_t i = 0; i < MOST_B * 50; i++)
        x[i] = 1;
    ck_assert(!product_is_sparse(x, MOST_B, 50));
    ck_assert(product_is_sparse(x, 1, 50));
    memset(x, 0, MOST_B * 40 * sizeof *x);
    ck_assert(product_is_sparse(x, MOST_B, 50));
}
END_TEST

Suite *suite_product(void);
Suite *suite_product(void)
{
    Suite *s = suite_create("product");
    TCase *t = tcase_create("shares");
    int tables = 0;
    while (simd_all[tables])
        tables++;
    tcase_add_loop_test(t, every_share_gives_the_dense_product, 0, tables);
    tcase_add_test(t, many_rows_that_are_full_go_together);
    suite_add_tcase(s, t);
    return s;
}
