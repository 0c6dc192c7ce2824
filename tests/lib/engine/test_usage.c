/* Usage: what is counted of a request, apart by route and batch size, from any
 * thread. */
#include "lib/engine/usage.h"

#include "lib/base/lock.h"

#include <check.h>
#include <stdio.h>

Suite *suite_usage(void);

#define THREADS 4
#define ADDED 5000

static struct usage *u;

static void setup(void)
{
    u = usage_new(3);
    ck_assert_ptr_nonnull(u);
}

static void teardown(void)
{
    usage_free(u);
}

static void add(const char *route, bool ok, size_t rows)
{
    usage_add(u, &(struct usage_request){.route = route,
                                         .ok = ok,
                                         .rows = rows,
                                         .whole = 100,
                                         .stages = {1, 2, 3, 4}});
}

static uint64_t all_of(const struct histogram *h,
                       const struct histogram_scale *scale)
{
    struct histogram_view v;

    histogram_look(h, scale, &v);
    return v.counts[scale->n];
}

START_TEST(scales_ascend)
{
    const struct histogram_scale *const scales[] = {&usage_seconds, &usage_rows,
                                                    &usage_share, &usage_error};

    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_gt(scales[i]->n, 0);
        ck_assert_uint_le(scales[i]->n, HISTOGRAM_MAX_BOUNDS);
        for (size_t j = 1; j < scales[i]->n; j++)
            ck_assert_uint_gt(scales[i]->bounds[j], scales[i]->bounds[j - 1]);
    }
    ck_assert_uint_eq(usage_share.bounds[usage_share.n - 1], 1000000);
}
END_TEST

START_TEST(a_good_request_counts_everywhere)
{
    add("/a", true, 5);
    add("/a", true, 5);
    add("/a", true, 1);
    ck_assert_uint_eq(u->succeeded.count, 3);
    ck_assert_uint_eq(u->succeeded.ns, 300);
    ck_assert_uint_eq(u->failed.count, 0);
    ck_assert_uint_eq(u->rows, 11);
    ck_assert_uint_eq(u->runs, 3);
    ck_assert_uint_eq(u->stages[STAGE_PRINT].ns, 12);
    ck_assert_uint_eq(u->batches[0].size, 5);
    ck_assert_uint_eq(u->batches[0].stages[STAGE_COMPUTE].count, 2);
    ck_assert_uint_eq(u->batches[0].stages[STAGE_COMPUTE].ns, 6);
    ck_assert_uint_eq(u->batches[1].size, 1);
    ck_assert_uint_eq(all_of(&u->batch_rows, &usage_rows), 3);
    ck_assert_uint_eq(all_of(&u->routes[0].seconds, &usage_seconds), 3);
    ck_assert_int_gt(u->last_ms, 0);
}
END_TEST

START_TEST(a_bad_one_counts_as_failed_alone)
{
    add("/a", false, 5);
    ck_assert_uint_eq(u->failed.count, 1);
    ck_assert_uint_eq(u->failed.ns, 100);
    ck_assert_uint_eq(u->succeeded.count, 0);
    ck_assert_uint_eq(u->stages[STAGE_PARSE].count, 0);
    ck_assert_uint_eq(u->rows, 0);
    ck_assert_uint_eq(u->runs, 0);
    ck_assert_ptr_null(u->routes[0].route);
    ck_assert_uint_eq(u->batches[0].size, 0);
    ck_assert_int_gt(u->last_ms, 0);
}
END_TEST

START_TEST(routes_are_counted_apart_while_there_is_room)
{
    static char names[USAGE_ROUTES + 2][8];

    for (size_t i = 0; i < USAGE_ROUTES + 2; i++) {
        snprintf(names[i], sizeof names[i], "/%zu", i);
        for (size_t n = 0; n <= i; n++)
            add(names[i], true, 1);
    }
    for (size_t i = 0; i < USAGE_ROUTES; i++) {
        ck_assert_ptr_eq(u->routes[i].route, names[i]);
        ck_assert_uint_eq(all_of(&u->routes[i].compute, &usage_seconds), i + 1);
    }
    ck_assert_uint_eq(u->succeeded.count,
                      (USAGE_ROUTES + 2) * (USAGE_ROUTES + 3) / 2);
}
END_TEST

START_TEST(batch_sizes_are_counted_apart_while_there_is_room)
{
    for (size_t i = 1; i <= USAGE_BATCHES + 3; i++)
        add(NULL, true, i);
    for (size_t i = 0; i < USAGE_BATCHES; i++) {
        ck_assert_uint_eq(u->batches[i].size, i + 1);
        ck_assert_uint_eq(u->batches[i].stages[0].count, 1);
    }
    ck_assert_uint_eq(u->runs, USAGE_BATCHES + 3);
}
END_TEST

static const char *const shared[] = {"/a", "/b", "/c"};

static void *add_many(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < ADDED; i++)
        add(shared[i % 3], i % 10 != 0, 1 + i % 7);
    return NULL;
}

START_TEST(threads_lose_nothing_and_share_places)
{
    pthread_t threads[THREADS];
    uint64_t routes = 0, batches = 0;

    for (size_t i = 0; i < THREADS; i++)
        threads[i] = thread_start("adder", add_many, NULL);
    for (size_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    ck_assert_uint_eq(u->failed.count, THREADS * ADDED / 10);
    ck_assert_uint_eq(u->succeeded.count, THREADS * ADDED / 10 * 9);
    for (size_t i = 0; i < 3; i++)
        routes += all_of(&u->routes[i].seconds, &usage_seconds);
    for (size_t i = 0; i < 7; i++)
        batches += u->batches[i].stages[0].count;
    ck_assert_uint_eq(routes, u->succeeded.count);
    ck_assert_uint_eq(batches, u->succeeded.count);
    ck_assert_ptr_null(u->routes[3].route);
    ck_assert_uint_eq(u->batches[7].size, 0);
}
END_TEST

Suite *suite_usage(void)
{
    Suite *s = suite_create("usage");
    TCase *t = tcase_create("usage");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, scales_ascend);
    tcase_add_test(t, a_good_request_counts_everywhere);
    tcase_add_test(t, a_bad_one_counts_as_failed_alone);
    tcase_add_test(t, routes_are_counted_apart_while_there_is_room);
    tcase_add_test(t, batch_sizes_are_counted_apart_while_there_is_room);
    tcase_add_test(t, threads_lose_nothing_and_share_places);
    suite_add_tcase(s, t);
    return s;
}
