/* Products and kernels against the plainest loop there is. */
#include "lib/math/blas.h"
#include "lib/math/kernels.h"

#include "lib/base/rng.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { M = 5, N = 7, K = 9, MOST = 64 };

static float a[MOST * MOST], b[MOST * MOST], got[MOST * MOST],
    want[MOST * MOST];
static struct err e;

static void fill(float *x, size_t n, unsigned seed)
{
    struct rng rng = rng_make(seed, "fill", n);
    for (size_t i = 0; i < n; i++)
        x[i] = rng_uniform(&rng, -1, 1);
}

static double at(const float *x, bool transposed, size_t r, size_t c,
                 size_t rows, size_t columns)
{
    return (double)(transposed ? x[c * rows + r] : x[r * columns + c]);
}

/* Forms 0..3: A transposed, B transposed. */
START_TEST(products_equal_the_definition)
{
    bool at_form = _i & 1, bt_form = _i & 2;
    fill(a, M * K, 1);
    fill(b, K * N, 2);
    fill(got, M * N, 3);
    memcpy(want, got, sizeof want);
    ck_assert(blas_start(&e) == ERR_OK);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            double sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += at(a, at_form, i, k, M, K) * at(b, bt_form, k, j, K, N);
            want[i * N + j] = (float)(2 * sum + (double)want[i * N + j]);
        }
    memcpy(a + 2000, got, M * N * sizeof *got);
    blas_gemm(got, at_form ? BLAS_TRANSPOSED : BLAS_PLAIN, a,
              bt_form ? BLAS_TRANSPOSED : BLAS_PLAIN, b, M, N, K, 2, 1);
    near_all(got, want, M * N, 1e-5);
    plain_gemm(a + 2000, at_form ? BLAS_TRANSPOSED : BLAS_PLAIN, a,
               bt_form ? BLAS_TRANSPOSED : BLAS_PLAIN, b, M, N, K, 2, 1);
    near_all(a + 2000, want, M * N, 1e-5);
}
END_TEST

START_TEST(keep_zero_does_not_read_what_was_there)
{
    float one[1] = {2}, out[1] = {NAN};
    blas_gemm(out, BLAS_PLAIN, one, BLAS_PLAIN, one, 1, 1, 1, 1, 0);
    ck_assert(out[0] == 4.0f);
    out[0] = NAN;
    plain_gemm(out, BLAS_PLAIN, one, BLAS_PLAIN, one, 1, 1, 1, 1, 0);
    ck_assert(out[0] == 4.0f);
}
END_TEST

START_TEST(the_library_in_use_has_a_name)
{
    ck_assert(blas_start(&e) == ERR_OK);
    ck_assert_uint_gt(strlen(blas_name()), 3);
}
END_TEST

START_TEST(transposing_twice_is_nothing)
{
    enum { ROWS = 19, COLUMNS = 33 };
    fill(a, ROWS * COLUMNS, 5);
    transpose(b, a, ROWS, COLUMNS);
    ck_assert(b[3 * ROWS + 2] == a[2 * COLUMNS + 3]);
    transpose(got, b, COLUMNS, ROWS);
    ck_assert_mem_eq(got, a, ROWS * COLUMNS * sizeof *a);
}
END_TEST

START_TEST(a_transpose_is_added)
{
    for (size_t rows = 1; rows < 20; rows += 3)
        for (size_t columns = 1; columns < 36; columns += 5) {
            size_t size = rows * columns;
            fill(a, size, 5);
            fill(b, size, 6);
            memcpy(got, b, size * sizeof *b);
            transpose_add(got, a, rows, columns);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < columns; c++)
                    ck_assert(got[c * rows + r] ==
                              b[c * rows + r] + a[r * columns + c]);
        }
}
END_TEST

START_TEST(sums_have_every_term)
{
    for (size_t n = 0; n < 40; n++) {
        double sum = 0;
        fill(a, n, 6);
        fill(b, n, 7);
        for (size_t i = 0; i < n; i++)
            sum += (double)a[i] * (double)b[i];
        near(vec_dot(a, b, n), sum, 1e-12);
        near(vec_norm(a, n), sqrt(vec_dot(a, a, n)), 1e-12);
    }
}
END_TEST

START_TEST(finite_means_no_nan_and_no_infinity)
{
    fill(a, 50, 8);
    ck_assert(vec_finite(a, 50));
    for (size_t i = 0; i < 50; i++) {
        float old = a[i];
        a[i] = i % 2 ? NAN : INFINITY;
        ck_assert(!vec_finite(a, 50));
        a[i] = old;
    }
}
END_TEST

START_TEST(softmax_is_stable_and_sums_to_one)
{
    float u[6] = {1000, 1001, 999, -1e30f, 0, 1}, p[6];
    softmax_rows(p, u, 2, 3);
    near(p[0] + p[1] + p[2], 1, 1e-6);
    near(p[1] / p[0], exp(1), 1e-4);
    near(p[3], 0, 1e-9);
    near(p[5] / p[4], exp(1), 1e-4);
}
END_TEST

Suite *suite_math(void);
Suite *suite_math(void)
{
    Suite *s = suite_create("math");
    TCase *products = tcase_create("products");
    tcase_add_loop_test(products, products_equal_the_definition, 0, 4);
    tcase_add_test(products, keep_zero_does_not_read_what_was_there);
    tcase_add_test(products, the_library_in_use_has_a_name);
    suite_add_tcase(s, products);
    TCase *kernels = tcase_create("kernels");
    tcase_add_test(kernels, transposing_twice_is_nothing);
    tcase_add_test(kernels, a_transpose_is_added);
    tcase_add_test(kernels, sums_have_every_term);
    tcase_add_test(kernels, finite_means_no_nan_and_no_infinity);
    tcase_add_test(kernels, softmax_is_stable_and_sums_to_one);
    suite_add_tcase(s, kernels);
    return s;
}
