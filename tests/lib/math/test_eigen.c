/* Eigenvalues: the matrix comes back from its parts, whatever it is. */
#include "lib/math/eigen.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *suite_eigen(void);

enum { MOST = 150 };

static double a[MOST * MOST], v[MOST * MOST], values[MOST];
static struct err e;

/* The kinds of matrices, of any size; each fills a (n,n). */

static void symmetric(size_t n)
{
    struct rng rng = rng_make(n, "symmetric", 0);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            a[i * n + j] = a[j * n + i] = (double)rng_normal(&rng);
}

/* Of rank 3 (or n), like a covariance of too few samples. */
static void deficient(size_t n)
{
    struct rng rng = rng_make(n, "deficient", 0);
    memset(a, 0, n * n * sizeof *a);
    for (size_t k = 0; k < 3; k++) {
        double x[MOST];
        for (size_t i = 0; i < n; i++)
            x[i] = (double)rng_normal(&rng);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                a[i * n + j] += x[i] * x[j];
    }
}

static void zero(size_t n)
{
    memset(a, 0, n * n * sizeof *a);
}

static void ones(size_t n)
{
    for (size_t i = 0; i < n * n; i++)
        a[i] = 1;
}

/* Diagonal, out of order, with equal and negative values. */
static void diagonal(size_t n)
{
    zero(n);
    for (size_t i = 0; i < n; i++)
        a[i * n + i] = (double)(i * 7 % 5) - 2;
}

/* From 1 down to what double holds beside it. */
static void graded(size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            a[i * n + j] = pow(10, -16 * (double)(i + j) / (double)(2 * n)) *
                           (i == j ? 2 : 1);
}

/* As a camera sees it: neighbours agree. */
static void smooth(size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            a[i * n + j] = 1e-6 * pow(0.95, fabs((double)i - (double)j));
}

static void (*const kinds[])(size_t n) = {symmetric, deficient, zero,  ones,
                                          diagonal,  graded,    smooth};
static const size_t sizes[] = {1, 2, 3, 4, 9, 40, MOST};

static double largest(const double *x, size_t n)
{
    double top = 0;
    for (size_t i = 0; i < n; i++)
        top = fabs(x[i]) > top ? fabs(x[i]) : top;
    return top;
}

START_TEST(the_matrix_comes_back_from_its_parts)
{
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t n = sizes[s];
        kinds[_i](n);
        memcpy(v, a, n * n * sizeof *a);
        ck_assert_msg(!eigen_symmetric(v, values, n, &e), "%s", e.msg);
        double small = 1e-13 * (double)n * (largest(a, n * n) + 1e-300);
        for (size_t i = 0; i < n; i++) {
            ck_assert(i == 0 || values[i - 1] <= values[i]);
            for (size_t j = 0; j < n; j++) {
                double sum = 0, product = 0;
                for (size_t k = 0; k < n; k++) {
                    sum += values[k] * v[k * n + i] * v[k * n + j];
                    product += v[i * n + k] * v[j * n + k];
                }
                ck_assert_msg(fabs(sum - a[i * n + j]) <= small,
                              "kind %d, %zu: a[%zu][%zu] %g, want %g", _i, n, i,
                              j, sum, a[i * n + j]);
                near(product, i == j ? 1 : 0, 1e-13 * (double)n);
            }
        }
    }
}
END_TEST

/* -1, 2, -1 along the diagonal: 2 - 2 cos(k pi / (n + 1)). */
START_TEST(known_values_are_found)
{
    enum { N = 60 };
    zero(N);
    for (size_t i = 0; i < N; i++) {
        a[i * N + i] = 2;
        if (i + 1 < N)
            a[i * N + i + 1] = a[(i + 1) * N + i] = -1;
    }
    ck_assert(!eigen_symmetric(a, values, N, &e));
    for (size_t k = 0; k < N; k++)
        near(values[k], 2 - 2 * cos((double)(k + 1) * acos(-1) / (N + 1)),
             1e-13);
}
END_TEST

START_TEST(what_is_not_finite_is_refused)
{
    symmetric(4);
    a[6] = a[9] = (double)NAN;
    ck_assert_int_eq(eigen_symmetric(a, values, 4, &e), ERR_INTERNAL);
    a[6] = a[9] = (double)INFINITY;
    ck_assert_int_eq(eigen_symmetric(a, values, 4, &e), ERR_INTERNAL);
}
END_TEST

START_TEST(out_of_memory_is_an_error)
{
    for (size_t i = 0; i < 3; i++) {
        symmetric(4);
        mem_fail_after(i);
        enum err_code code = eigen_symmetric(a, values, 4, &e);
        mem_fail_after(SIZE_MAX);
        ck_assert_int_eq(code, ERR_NO_MEMORY);
    }
}
END_TEST

Suite *suite_eigen(void)
{
    Suite *s = suite_create("eigen");
    TCase *t = tcase_create("symmetric");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, the_matrix_comes_back_from_its_parts, 0,
                        (int)(sizeof kinds / sizeof kinds[0]));
    tcase_add_test(t, known_values_are_found);
    tcase_add_test(t, what_is_not_finite_is_refused);
    tcase_add_test(t, out_of_memory_is_an_error);
    suite_add_tcase(s, t);
    return s;
}
