/* What is told of this process changes as it does. */
#include "lib/base/process.h"

#include "lib/base/lock.h"

#include <check.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

Suite *suite_process(void);

START_TEST(descriptors_are_counted)
{
    struct process_view before, after;

    process_look(&before);
    int fd = open("/dev/null", O_RDONLY);
    ck_assert_int_ge(fd, 0);
    process_look(&after);
    ck_assert(before.known);
    ck_assert_uint_ge(before.open_fds, 3);
    ck_assert_uint_eq(after.open_fds, before.open_fds + 1);
    close(fd);
}
END_TEST

START_TEST(the_limit_is_the_systems)
{
    struct rlimit limit;
    struct process_view v;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    process_look(&v);
    ck_assert_uint_eq(v.max_fds, limit.rlim_cur == RLIM_INFINITY
                                     ? 0
                                     : (size_t)limit.rlim_cur);
}
END_TEST

START_TEST(work_takes_processor_time)
{
    struct process_view before, after;
    volatile double x = 1;

    process_look(&before);
    do {
        for (int i = 0; i < 1000000; i++)
            x = x * 1.0000001;
        process_look(&after);
    } while (after.cpu_ms < before.cpu_ms + 20);
    ck_assert_uint_ge(after.threads, 1);
    ck_assert_uint_gt(after.resident_bytes, 100000);
    ck_assert_uint_ge(after.virtual_bytes, after.resident_bytes);
}
END_TEST

Suite *suite_process(void)
{
    Suite *s = suite_create("process");
    TCase *t = tcase_create("process");

    tcase_add_test(t, descriptors_are_counted);
    tcase_add_test(t, the_limit_is_the_systems);
    tcase_add_test(t, work_takes_processor_time);
    suite_add_tcase(s, t);
    return s;
}
