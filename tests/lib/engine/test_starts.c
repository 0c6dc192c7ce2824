/* Starts: jobs that nobody asks for, by new samples and by the clock. */
#include "tests/support/learning.h"

#include <check.h>

Suite *suite_starts(void);

static struct learning_set set;

static void setup(void)
{
    learning_make(&set);
}

static void teardown(void)
{
    learning_remove(&set);
}

/* Whether the job is there; if so, what has started it, once it has ended. */
static bool was_started(int64_t id, const char *trigger)
{
    struct job j = {0};
    struct err e;
    struct database *db = store_begin_read(set.store, &e);
    bool found = jobs_get(db, id, &j, &e) == ERR_OK;

    store_end_read(set.store, db);
    job_fini(&j);
    if (!found)
        return false;
    j = learning_wait(&set, id);
    ck_assert_int_eq(j.state, JOB_SUCCEEDED);
    ck_assert_str_eq(j.trigger, trigger);
    job_fini(&j);
    return true;
}

static bool is_started(int64_t id, const char *trigger)
{
    bool started = false;

    for (int i = 0; i < 500 && !started; i++) {
        clock_sleep(10000);
        started = was_started(id, trigger);
    }
    return started;
}

START_TEST(enough_new_samples_start_a_job)
{
    set.settings.after = 50;
    learning_open(&set);
    learning_post(&set, 49, 7, NULL);
    clock_sleep(600000);
    ck_assert(!was_started(1, "samples"));
    learning_post(&set, 1, 8, NULL);
    ck_assert(is_started(1, "samples"));
    learning_post(&set, 49, 9, NULL);
    clock_sleep(600000);
    ck_assert(!was_started(2, "samples"));
    learning_post(&set, 1, 10, NULL);
    ck_assert(is_started(2, "samples"));
}
END_TEST

START_TEST(the_clock_starts_a_job_if_there_are_new_samples)
{
    set.settings.every = 500000;
    learning_open(&set);
    learning_post(&set, 50, 7, NULL);
    ck_assert(is_started(1, "clock"));
    clock_sleep(1200000);
    ck_assert(!was_started(2, "clock"));
    learning_post(&set, 50, 8, NULL);
    ck_assert(is_started(2, "clock"));
}
END_TEST

Suite *suite_starts(void)
{
    Suite *s = suite_create("starts");
    TCase *t = tcase_create("starts");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, enough_new_samples_start_a_job);
    tcase_add_test(t, the_clock_starts_a_job_if_there_are_new_samples);
    suite_add_tcase(s, t);
    return s;
}
