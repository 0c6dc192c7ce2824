/* Meters: one place a route and status, and nothing is lost. */
#include "api/meters.h"

#include "api/account.h"
#include "api/routes.h"

#include <check.h>
#include <string.h>

Suite *suite_meters(void);

static struct meters m;

static void setup(void)
{
    memset(&m, 0, sizeof m);
}

static uint64_t count_of(size_t route, int status)
{
    for (size_t i = 0; i < METERS_STATUSES; i++) {
        if (meters_status(i) == status)
            return m.routes[route].statuses[i];
    }
    ck_abort_msg("no place for status %d", status);
    return 0;
}

START_TEST(a_request_counts_at_its_route_and_status)
{
    struct account a;
    struct histogram_view v;

    account_begin(&a);
    meters_add(&m, &a, 404, 0, 30);
    a.route = &routes[2];
    meters_add(&m, &a, 200, 10, 70);
    meters_add(&m, &a, 200, 5, 0);
    ck_assert_uint_eq(count_of(0, 404), 1);
    ck_assert_uint_eq(count_of(3, 200), 2);
    ck_assert_uint_eq(count_of(3, 404), 0);
    ck_assert_uint_eq(m.bytes_in, 15);
    ck_assert_uint_eq(m.bytes_out, 100);
    histogram_look(&m.routes[3].seconds, &usage_seconds, &v);
    ck_assert_uint_eq(v.counts[usage_seconds.n], 2);
}
END_TEST

START_TEST(an_unknown_status_is_another_one)
{
    struct account a;

    account_begin(&a);
    meters_add(&m, &a, 299, 0, 0);
    ck_assert_uint_eq(m.routes[0].statuses[METERS_STATUSES - 1], 1);
    ck_assert_int_eq(meters_status(METERS_STATUSES - 1), 0);
}
END_TEST

START_TEST(refusals_count_by_reason)
{
    struct account a;

    account_begin(&a);
    meters_add(&m, &a, 200, 0, 0);
    a.refusal = METERS_RATE;
    meters_add(&m, &a, 429, 0, 0);
    for (size_t i = 0; i < METERS_N_REASONS; i++)
        ck_assert_uint_eq(m.refused[i], i == METERS_RATE);
    for (int i = METERS_NONE + 1; i < METERS_N_REASONS; i++)
        ck_assert_ptr_nonnull(meters_reason_word((enum meters_reason)i));
}
END_TEST

Suite *suite_meters(void)
{
    Suite *s = suite_create("meters");
    TCase *t = tcase_create("meters");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_request_counts_at_its_route_and_status);
    tcase_add_test(t, an_unknown_status_is_another_one);
    tcase_add_test(t, refusals_count_by_reason);
    suite_add_tcase(s, t);
    return s;
}
