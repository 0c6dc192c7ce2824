/* Team: every member once a run, fixed numbers, quotas. */
#include "lib/base/mem.h"
#include "lib/base/team.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

Suite *suite_team(void);

#define MEMBERS 5

struct tally {
    int runs[MEMBERS]; /* each member writes its own */
    pthread_t threads[MEMBERS];
    float parts[MEMBERS];
};

static void count(void *arg, size_t member)
{
    struct tally *t = arg;

    t->runs[member]++;
    t->threads[member] = pthread_self();
}

START_TEST(every_member_works_once_in_each_run)
{
    struct team *team = team_new(MEMBERS);
    struct tally t = {{0}, {0}, {0}};

    ck_assert_uint_eq(team_size(team), MEMBERS);
    for (int run = 1; run <= 2000; run++) {
        team_run(team, count, &t);
        for (int i = 0; i < MEMBERS; i++)
            ck_assert_int_eq(t.runs[i], run);
    }
    team_free(team);
}
END_TEST

START_TEST(a_number_is_always_the_same_thread_and_0_is_the_caller)
{
    struct team *team = team_new(MEMBERS);
    struct tally first = {{0}, {0}, {0}};

    team_run(team, count, &first);
    ck_assert(pthread_equal(first.threads[0], pthread_self()));
    for (int run = 0; run < 100; run++) {
        struct tally t = {{0}, {0}, {0}};
        team_run(team, count, &t);
        for (int i = 0; i < MEMBERS; i++)
            ck_assert(pthread_equal(t.threads[i], first.threads[i]));
    }
    team_free(team);
}
END_TEST

/* Each member sums its share of 1/(i+1); the shares are sized unevenly. */
static void sum_share(void *arg, size_t member)
{
    struct tally *t = arg;
    float sum = 0;

    for (size_t i = member; i < 5000 * (member + 1); i += MEMBERS)
        sum += 1.0f / (float)(i + 1);
    t->parts[member] = sum;
}

START_TEST(sums_taken_in_order_of_members_are_the_same_bits)
{
    struct team *team = team_new(MEMBERS);
    float first = 0;

    for (int run = 0; run < 200; run++) {
        struct tally t = {{0}, {0}, {0}};
        float sum = 0;
        team_run(team, sum_share, &t);
        for (int i = 0; i < MEMBERS; i++)
            sum += t.parts[i];
        if (run == 0)
            first = sum;
        ck_assert_int_eq(memcmp(&sum, &first, sizeof sum), 0);
    }
    team_free(team);
}
END_TEST

START_TEST(a_team_of_one_is_the_caller)
{
    struct team *team = team_new(1);
    struct tally t = {{0}, {0}, {0}};

    team_run(team, count, &t);
    ck_assert_int_eq(t.runs[0], 1);
    ck_assert(pthread_equal(t.threads[0], pthread_self()));
    team_free(team);
    team_free(NULL);
    team_free(team_new(3)); /* that never ran */
}
END_TEST

START_TEST(no_memory_gives_no_team)
{
    for (size_t n = 0; n < 2; n++) {
        mem_fail_after(n);
        ck_assert_ptr_null(team_new(2));
    }
    mem_fail_after(SIZE_MAX);
}
END_TEST

START_TEST(quota_of_version_2_is_rounded_up)
{
    static const struct {
        const char *text;
        size_t of_eight;
    } cases[] = {
        {"max 100000\n", 8},
        {"100000 100000\n", 1},
        {"150000 100000\n", 2},
        {"50000 100000\n", 1},
        {"1600000 100000\n", 8},
        {"1 100000\n", 1},
        {"400000 100000", 4},
        {"", 8},
        {"junk", 8},
        {"100000", 8},
        {"100000 0\n", 8},
        {"-1 100000\n", 8},
    };
    char *folder = tmp_folder();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = cases[i].text;
        tmp_write(folder, "cpu.max", text, strlen(text));
        ck_assert_msg(team_cut_by_quota(8, folder) == cases[i].of_eight, "%s",
                      text);
    }
    tmp_remove(folder);
}
END_TEST

START_TEST(quota_of_version_1_is_read_from_two_files)
{
    char *folder = tmp_folder();

    ck_assert_uint_eq(team_cut_by_quota(8, folder), 8);
    tmp_write(folder, "cpu.cfs_period_us", "100000\n", 7);
    tmp_write(folder, "cpu.cfs_quota_us", "-1\n", 3);
    ck_assert_uint_eq(team_cut_by_quota(8, folder), 8);
    tmp_write(folder, "cpu.cfs_quota_us", "250000\n", 7);
    ck_assert_uint_eq(team_cut_by_quota(8, folder), 3);
    ck_assert_uint_eq(team_cut_by_quota(2, folder), 2);
    tmp_remove(folder);
}
END_TEST

START_TEST(there_is_at_least_one_processor)
{
    ck_assert_uint_ge(team_processors(), 1);
    ck_assert_uint_le(team_processors(), 4096);
}
END_TEST

Suite *suite_team(void)
{
    Suite *s = suite_create("team");
    TCase *runs = tcase_create("runs");
    TCase *processors = tcase_create("processors");

    tcase_add_test(runs, every_member_works_once_in_each_run);
    tcase_add_test(runs,
                   a_number_is_always_the_same_thread_and_0_is_the_caller);
    tcase_add_test(runs, sums_taken_in_order_of_members_are_the_same_bits);
    tcase_add_test(runs, a_team_of_one_is_the_caller);
    tcase_add_test(runs, no_memory_gives_no_team);
    tcase_add_test(processors, quota_of_version_2_is_rounded_up);
    tcase_add_test(processors, quota_of_version_1_is_read_from_two_files);
    tcase_add_test(processors, there_is_at_least_one_processor);
    suite_add_tcase(s, runs);
    suite_add_tcase(s, processors);
    return s;
}
