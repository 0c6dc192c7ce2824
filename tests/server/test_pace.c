/* Rates at given times, quotas at midnight, addresses, many threads. */
#include "server/pace.h"

#include "lib/base/lock.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

Suite *suite_pace(void);

#define SECOND ((nsec)1000000000)
#define DAY ((usec)86400 * 1000000)

START_TEST(a_burst_then_one_by_one)
{
    struct pace_rule rule = pace_rule(2, 3);
    nsec now = 100 * SECOND;
    pace p = 0;

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pace_take(&p, rule, now), 0);
    ck_assert_int_eq(pace_take(&p, rule, now), SECOND / 2);
    /* what was refused is not counted */
    ck_assert_int_eq(pace_take(&p, rule, now), SECOND / 2);
    ck_assert_int_eq(pace_take(&p, rule, now + SECOND / 2), 0);
    ck_assert_int_eq(pace_take(&p, rule, now + SECOND / 2), SECOND / 2);
    /* idle time is worth a burst, not more */
    now += 1000 * SECOND;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pace_take(&p, rule, now), 0);
    ck_assert_int_gt(pace_take(&p, rule, now), 0);
}
END_TEST

START_TEST(a_burst_is_a_second_of_the_rate)
{
    pace p = 0;
    int n = 0;

    while (n < 100 && pace_take(&p, pace_rule(10, 0), SECOND) == 0)
        n++;
    ck_assert_int_eq(n, 10);
    p = 0;
    for (n = 0; n < 100 && pace_take(&p, pace_rule(0.1, 0), SECOND) == 0;)
        n++;
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(pace_take(&p, pace_rule(0.1, 0), SECOND), 10 * SECOND);
    p = 0;
    for (n = 0; n < 100 && pace_take(&p, pace_rule(0, 5), SECOND) == 0;)
        n++;
    ck_assert_int_eq(n, 100);
}
END_TEST

START_TEST(a_day_ends_at_midnight)
{
    usec evening = 20000 * DAY - 10 * 1000000;
    quota q = 0;

    ck_assert_uint_eq(quota_take(&q, 2, evening), 0);
    ck_assert_uint_eq(quota_take(&q, 2, evening), 0);
    ck_assert_uint_eq(quota_take(&q, 2, evening), 10);
    ck_assert_uint_eq(quota_take(&q, 2, evening + 9999999), 1);
    ck_assert_uint_eq(quota_take(&q, 2, evening + 10000000), 0);
    ck_assert_uint_eq(quota_take(&q, 2, evening + 10000000), 0);
    ck_assert_uint_eq(quota_take(&q, 2, evening + 10000000), 86400);
    ck_assert_uint_eq(quota_take(&q, 3, evening + 10000000), 0);
    ck_assert_uint_eq(quota_take(&q, 0, evening + 10000000), 0);
}
END_TEST

static uint64_t client(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    const struct sockaddr *a = (const void *)&in;

    if (inet_pton(AF_INET, text, &in.sin_addr) != 1) {
        ck_assert_int_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
        a = (const void *)&in6;
    }
    return pace_client(a);
}

START_TEST(an_address_is_one_client)
{
    struct sockaddr other = {.sa_family = AF_UNIX};

    ck_assert(client("1.2.3.4") == client("1.2.3.4"));
    ck_assert(client("1.2.3.4") != client("1.2.3.5"));
    ck_assert(client("1.2.3.4") == client("::ffff:1.2.3.4"));
    ck_assert(client("2001:db8:1:2::1") == client("2001:db8:1:2:ffff::2"));
    ck_assert(client("2001:db8:1:2::1") != client("2001:db8:1:3::1"));
    ck_assert(client("0.0.0.1") != client("::1"));
    ck_assert(pace_client(NULL) == 0);
    ck_assert(pace_client(&other) == 0);
}
END_TEST

START_TEST(addresses_do_not_share)
{
    struct pace_table *t = pace_table_new();
    struct pace_rule rule = pace_rule(1, 2);

    for (uint64_t who = 1; who < 500; who++) {
        ck_assert_int_eq(pace_table_take(t, who, rule, SECOND), 0);
        ck_assert_int_eq(pace_table_take(t, who, rule, SECOND), 0);
        ck_assert_int_gt(pace_table_take(t, who, rule, SECOND), 0);
    }
    pace_table_free(t);
}
END_TEST

/* A crowd of others, each once, does not make room for who asks too often. */
START_TEST(the_oldest_idle_goes)
{
    struct pace_table *t = pace_table_new();
    struct pace_rule rule = pace_rule(1, 10);
    nsec now = SECOND;
    nsec wait = 0;

    for (uint64_t who = 1000; who < 200000; who++) {
        now += 1000;
        ck_assert_int_eq(pace_table_take(t, who, rule, now), 0);
        if (who % 100 == 0)
            wait = pace_table_take(t, 7, rule, now);
    }
    ck_assert_int_gt(wait, 0);
    pace_table_free(t);
}
END_TEST

static struct pace_table *shared;
static atomic_size_t taken;

static void *take_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++)
        if (pace_table_take(shared, 1 + (unsigned)i % 4, pace_rule(1e-3, 1000),
                            SECOND) == 0)
            atomic_fetch_add(&taken, 1);
    return NULL;
}

START_TEST(threads_share_one_rate)
{
    pthread_t threads[3];

    shared = pace_table_new();
    for (int i = 0; i < 3; i++)
        threads[i] = thread_start("take", take_many, NULL);
    for (int i = 0; i < 3; i++)
        thread_join(threads[i]);
    ck_assert_uint_eq(atomic_load(&taken), 4 * 1000);
    pace_table_free(shared);
}
END_TEST

static quota day;

static void *take_day(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++)
        if (quota_take(&day, 30000, DAY) == 0)
            atomic_fetch_add(&taken, 1);
    return NULL;
}

START_TEST(threads_share_one_quota)
{
    pthread_t other = thread_start("take", take_day, NULL);

    take_day(NULL);
    thread_join(other);
    ck_assert_uint_eq(atomic_load(&taken), 30000);
}
END_TEST

static void setup(void)
{
    atomic_store(&taken, 0);
}

Suite *suite_pace(void)
{
    Suite *s = suite_create("pace");
    TCase *c = tcase_create("one");
    tcase_add_test(c, a_burst_then_one_by_one);
    tcase_add_test(c, a_burst_is_a_second_of_the_rate);
    tcase_add_test(c, a_day_ends_at_midnight);
    suite_add_tcase(s, c);
    c = tcase_create("many");
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, an_address_is_one_client);
    tcase_add_test(c, addresses_do_not_share);
    tcase_add_test(c, the_oldest_idle_goes);
    tcase_add_test(c, threads_share_one_rate);
    tcase_add_test(c, threads_share_one_quota);
    suite_add_tcase(s, c);
    return s;
}
