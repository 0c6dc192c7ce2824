/* Histograms: which range a value falls into, and that none is lost. */
#include "lib/base/histogram.h"

#include "lib/base/lock.h"

#include <check.h>

Suite *suite_histogram(void);

#define THREADS 4
#define ADDED 20000

static const struct histogram_scale scale = {
    .unit = 1e-6, .n = 3, .bounds = {10, 20, 50}};

static struct histogram h;

static void setup(void)
{
    h = (struct histogram){.sum = 0};
}

START_TEST(a_bound_belongs_to_the_range_below_it)
{
    static const uint64_t values[] = {0, 9, 10, 11, 20, 21, 50, 51, 1000000};
    struct histogram_view v;

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        histogram_add(&h, &scale, values[i]);
    histogram_look(&h, &scale, &v);
    ck_assert_uint_eq(v.counts[0], 3);
    ck_assert_uint_eq(v.counts[1], 5);
    ck_assert_uint_eq(v.counts[2], 7);
    ck_assert_uint_eq(v.counts[3], 9);
    ck_assert_uint_eq(v.sum, 10 + 9 + 11 + 20 + 21 + 50 + 51 + 1000000);
}
END_TEST

START_TEST(an_empty_one_is_all_zeros)
{
    struct histogram_view v;

    histogram_look(&h, &scale, &v);
    for (size_t i = 0; i <= scale.n; i++)
        ck_assert_uint_eq(v.counts[i], 0);
    ck_assert_uint_eq(v.sum, 0);
}
END_TEST

static void *add_many(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < ADDED; i++)
        histogram_add(&h, &scale, i % 60);
    return NULL;
}

START_TEST(threads_lose_nothing)
{
    pthread_t threads[THREADS];
    struct histogram_view v;
    uint64_t sum = 0, low = 0;

    for (size_t i = 0; i < THREADS; i++)
        threads[i] = thread_start("adder", add_many, NULL);
    for (size_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    for (uint64_t i = 0; i < ADDED; i++) {
        sum += i % 60;
        low += i % 60 <= 10;
    }
    histogram_look(&h, &scale, &v);
    ck_assert_uint_eq(v.counts[3], THREADS * ADDED);
    ck_assert_uint_eq(v.counts[0], THREADS * low);
    ck_assert_uint_eq(v.sum, THREADS * sum);
}
END_TEST

Suite *suite_histogram(void)
{
    Suite *s = suite_create("histogram");
    TCase *t = tcase_create("histogram");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_bound_belongs_to_the_range_below_it);
    tcase_add_test(t, an_empty_one_is_all_zeros);
    tcase_add_test(t, threads_lose_nothing);
    suite_add_tcase(s, t);
    return s;
}
