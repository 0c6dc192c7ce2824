/* Clocks: they go on, sleep long enough, and print dates. */
#include "lib/base/clock.h"

#include <check.h>
#include <signal.h>
#include <sys/time.h>

Suite *suite_clock(void);

START_TEST(now_never_goes_back)
{
    usec last = clock_now();

    for (int i = 0; i < 10000; i++) {
        usec now = clock_now();
        ck_assert_int_ge(now, last);
        last = now;
    }
    ck_assert_int_gt(clock_wall(), (usec)1600000000 * 1000000);
}
END_TEST

static void ignore_signal(int number)
{
    (void)number;
}

START_TEST(sleep_is_long_enough_in_spite_of_signals)
{
    struct sigaction action = {.sa_handler = ignore_signal};
    struct itimerval often = {{0, 3000}, {0, 3000}};
    struct itimerval never = {{0, 0}, {0, 0}};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    usec start = clock_now();
    clock_sleep(30000);
    usec took = clock_now() - start;
    setitimer(ITIMER_REAL, &never, NULL);
    ck_assert_int_ge(took, 30000);
    clock_sleep(0);
    clock_sleep(-5);
}
END_TEST

START_TEST(wall_time_prints_as_utc_with_milliseconds)
{
    char text[32];

    ck_assert_str_eq(clock_print_wall(text, sizeof text, 0),
                     "1970-01-01T00:00:00.000Z");
    ck_assert_str_eq(clock_print_wall(text, sizeof text, 1767323045678999),
                     "2026-01-02T03:04:05.678Z");
    ck_assert_str_eq(clock_print_wall(text, sizeof text, -1),
                     "1969-12-31T23:59:59.999Z");
}
END_TEST

Suite *suite_clock(void)
{
    Suite *s = suite_create("clock");
    TCase *time = tcase_create("time");

    tcase_add_test(time, now_never_goes_back);
    tcase_add_test(time, sleep_is_long_enough_in_spite_of_signals);
    tcase_add_test(time, wall_time_prints_as_utc_with_milliseconds);
    suite_add_tcase(s, time);
    return s;
}
