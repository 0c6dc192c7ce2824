/* Every instruction set that runs here gives what the definition says. */
#include "lib/math/kernels.h"
#include "lib/math/simd/simd.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 460, MOST_COLUMNS = 50 };

static float a[MOST_ROWS * MOST_COLUMNS], x[MOST_COLUMNS], y[MOST_ROWS];
static float out[MOST_ROWS + 1], want[MOST_ROWS + 1];
static uint32_t list[MOST_COLUMNS];

/* Numbers that no two kernels get by chance. */
static void fill(float *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = sinf((float)i * 1.7f + 0.3f);
}

/* Whether table number i can be tried. */
static bool runs(int i)
{
    return simd_all[i]->runs();
}

static size_t tables(void)
{
    size_t n = 0;
    while (simd_all[n] != NULL)
        n++;
    return n;
}

static void check_columns(const struct simd *s, size_t rows, size_t on)
{
    memset(x, 0, sizeof x);
    for (size_t i = 0; i < on; i++)
        x[(i * 7) % MOST_COLUMNS] = (float)i - 2.5f;
    size_t count = s->nonzeros(list, x, MOST_COLUMNS);
    ck_assert_uint_eq(count, nonzeros_count(x, MOST_COLUMNS));
    for (size_t r = 0; r <= rows; r++) {
        out[r] = want[r] = 1;
        for (size_t c = 0; c < MOST_COLUMNS && r < rows; c++)
            want[r] += a[c * rows + r] * x[c];
    }
    s->columns_add(out, a, list, count, x, rows);
    near_all(out, want, rows + 1, 1e-4);
}

/* Row counts meet every remainder of every panel; nothing is written behind
 * the last. */
START_TEST(columns_add_equals_the_dense_product)
{
    if (!runs(_i))
        return;
    fill(a, sizeof a / sizeof *a);
    for (size_t rows = 1; rows <= MOST_ROWS; rows += rows < 70 ? 1 : 13)
        check_columns(simd_all[_i], rows, rows % MOST_COLUMNS);
    check_columns(simd_all[_i], 400, MOST_COLUMNS);
    check_columns(simd_all[_i], 400, 0);
}
END_TEST

static void check_dots(const struct simd *s, size_t rows, size_t count)
{
    fill(out, MOST_COLUMNS);
    for (size_t i = 0; i < MOST_COLUMNS; i++)
        want[i] = out[i];
    for (size_t k = 0; k < count; k++) {
        list[k] = (uint32_t)(k * 7 % MOST_COLUMNS);
        for (size_t r = 0; r < rows; r++)
            want[list[k]] += a[list[k] * rows + r] * y[r];
    }
    s->columns_dot(out, a, list, count, y, rows);
    near_all(out, want, MOST_COLUMNS, 1e-4);
}

/* No place but those listed is touched. */
START_TEST(columns_dot_equals_the_dense_product)
{
    if (!runs(_i))
        return;
    fill(a, sizeof a / sizeof *a);
    fill(y, sizeof y / sizeof *y);
    for (size_t rows = 1; rows <= MOST_ROWS; rows += rows < 70 ? 1 : 13)
        check_dots(simd_all[_i], rows, rows % MOST_COLUMNS);
}
END_TEST

START_TEST(nonzeros_are_listed_in_their_order)
{
    if (!runs(_i))
        return;
    for (size_t n = 0; n <= MOST_COLUMNS; n++) {
        size_t want_count = 0;
        for (size_t i = 0; i < n; i++)
            x[i] = i % 3 == n % 3 ? 0.0f : i % 5 == 0 ? -0.0f : NAN;
        size_t count = simd_all[_i]->nonzeros(list, x, n);
        for (size_t i = 0; i < n; i++)
            if (x[i] != 0.0f)
                ck_assert_uint_eq(list[want_count++], i);
        ck_assert_uint_eq(count, want_count);
    }
}
END_TEST

START_TEST(the_environment_chooses)
{
    struct err e;
    ck_assert(setenv("SPARSED_SIMD", "plain", 1) == 0);
    ck_assert(simd_start(&e) == ERR_OK);
    ck_assert_str_eq(simd->name, "plain");
    ck_assert(setenv("SPARSED_SIMD", "abacus", 1) == 0);
    ck_assert(simd_start(&e) == ERR_INVALID);
    ck_assert(strstr(e.msg, "abacus") != NULL);
    ck_assert(unsetenv("SPARSED_SIMD") == 0);
    ck_assert(simd_start(&e) == ERR_OK);
    ck_assert(simd->runs());
}
END_TEST

Suite *suite_simd(void);
Suite *suite_simd(void)
{
    Suite *s = suite_create("simd");
    TCase *t = tcase_create("tables");
    int n = (int)tables();
    tcase_add_loop_test(t, columns_add_equals_the_dense_product, 0, n);
    tcase_add_loop_test(t, columns_dot_equals_the_dense_product, 0, n);
    tcase_add_loop_test(t, nonzeros_are_listed_in_their_order, 0, n);
    tcase_add_test(t, the_environment_chooses);
    suite_add_tcase(s, t);
    return s;
}
