/* Random numbers: known answers, independence of streams, distributions. */
#include "lib/base/rng.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *suite_rng(void);

/* The first outputs of the authors' xoshiro256** from state {1, 2, 3, 4}. */
START_TEST(generator_gives_the_published_sequence)
{
    static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240u,
                                    1216172134540287360u};
    struct rng r = {{1, 2, 3, 4}};

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        ck_assert_uint_eq(rng_u64(&r), want[i]);
}
END_TEST

START_TEST(same_seed_purpose_and_index_give_the_same_stream)
{
    struct rng a = rng_make(7, "order", 3);
    struct rng b = rng_make(7, "order", 3);

    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(rng_u64(&a), rng_u64(&b));
}
END_TEST

START_TEST(any_difference_gives_another_stream)
{
    struct rng streams[] = {
        rng_make(0, "", 0),      rng_make(0, "", 1),
        rng_make(1, "", 0),      rng_make(0, "a", 0),
        rng_make(0, "b", 0),     rng_make(0, "ab", 0),
        rng_make(0, "ba", 0),    rng_make(1, "order", 2),
        rng_make(2, "order", 1), rng_make(1, "order", 1),
        rng_make(0, "aa", 0),
    };
    size_t n = sizeof streams / sizeof streams[0];

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            ck_assert_int_ne(
                memcmp(&streams[i], &streams[k], sizeof streams[0]), 0);
        }
    }
}
END_TEST

START_TEST(uniform_stays_in_its_half_open_range)
{
    struct rng r = rng_make(1, "uniform", 0);
    double sum = 0;

    for (int i = 0; i < 100000; i++) {
        float u = rng_uniform(&r, -2, 3);
        if (u < -2 || u >= 3)
            ck_abort_msg("%g is out of range", (double)u);
        sum += (double)u;
    }
    near(sum / 100000, 0.5, 0.02);
    for (int i = 0; i < 10000; i++) {
        float u = rng_uniform(&r, 1, 1 + 3 * 0x1p-23f); /* three floats */
        if (u < 1 || u >= 1 + 3 * 0x1p-23f)
            ck_abort_msg("%.9g is out of range", (double)u);
    }
}
END_TEST

START_TEST(normal_has_the_right_moments)
{
    struct rng r = rng_make(1, "normal", 0);
    double moments[5] = {0};
    int n = 200000;

    for (int i = 0; i < n; i++) {
        double x = (double)rng_normal(&r);
        if (!isfinite(x))
            ck_abort_msg("%g is not finite", x);
        for (int k = 1; k <= 4; k++)
            moments[k] += pow(x, k) / n;
    }
    near(moments[1], 0, 0.01);
    near(moments[2], 1, 0.015);
    near(moments[3], 0, 0.04);
    near(moments[4], 3, 0.04);
}
END_TEST

START_TEST(below_is_even_over_its_range)
{
    struct rng r = rng_make(1, "below", 0);
    size_t counts[7] = {0};

    for (int i = 0; i < 70000; i++)
        counts[rng_below(&r, 7)]++;
    for (int k = 0; k < 7; k++)
        near((double)counts[k] / 10000, 1, 0.05);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(rng_below(&r, 1), 0);
}
END_TEST

START_TEST(shuffle_is_an_even_permutation_of_the_items)
{
    struct rng r = rng_make(1, "shuffle", 0);
    size_t counts[4][4] = {{0}};

    for (int i = 0; i < 40000; i++) {
        uint32_t items[4] = {0, 1, 2, 3};
        unsigned seen = 0;
        rng_shuffle(&r, items, 4);
        for (int k = 0; k < 4; k++) {
            seen |= 1u << items[k];
            counts[k][items[k]]++;
        }
        ck_assert_uint_eq(seen, 15);
    }
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 4; k++)
            near((double)counts[i][k] / 10000, 1, 0.05);
    }
    rng_shuffle(&r, NULL, 0);
}
END_TEST

Suite *suite_rng(void)
{
    Suite *s = suite_create("rng");
    TCase *streams = tcase_create("streams");
    TCase *shapes = tcase_create("distributions");

    tcase_add_test(streams, generator_gives_the_published_sequence);
    tcase_add_test(streams, same_seed_purpose_and_index_give_the_same_stream);
    tcase_add_test(streams, any_difference_gives_another_stream);
    tcase_add_test(shapes, uniform_stays_in_its_half_open_range);
    tcase_add_test(shapes, normal_has_the_right_moments);
    tcase_add_test(shapes, below_is_even_over_its_range);
    tcase_add_test(shapes, shuffle_is_an_even_permutation_of_the_items);
    suite_add_tcase(s, streams);
    suite_add_tcase(s, shapes);
    return s;
}
