/* Learner: what one process leaves to the next one, whether it ended of its
 * own will or was killed at any moment; and what it does with a data folder
 * that is not as it should be.
 */
#include "lib/base/file.h"
#include "lib/base/rng.h"
#include "lib/engine/job_files.h"
#include "lib/model/model_file.h"
#include "tests/support/learning.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *suite_learner_restart(void);

#define FEW "{\"epochs\":6,\"promote\":\"always\"}"
#define LONG "{\"epochs\":100,\"promote\":\"always\"}"

static struct learning_set set;

static void setup(void)
{
    learning_make(&set);
}

static void teardown(void)
{
    learning_remove(&set);
}

static void check_state(const struct job *j, enum job_state want)
{
    ck_assert_msg(j->state == want, "%s: %s", job_state_name(j->state),
                  j->reason != NULL ? j->reason : "");
}

static void wait_for_success(int64_t id)
{
    struct job j = learning_wait(&set, id);

    check_state(&j, JOB_SUCCEEDED);
    job_fini(&j);
}

static bool is_there(const char *name)
{
    return file_is_regular(tmp_path(set.folder, name));
}

static void wait_for_checkpoint(void)
{
    for (int i = 0; i < 6000 && !is_there("data/jobs/1.checkpoint"); i++)
        clock_sleep(5000);
    ck_assert(is_there("data/jobs/1.checkpoint"));
}

/* The first epoch that this process does of the job. */
static size_t first_epoch(int64_t id)
{
    struct learner_progress p;
    struct learner_epoch epoch;
    size_t n = 0;

    for (int i = 0; i < 60000 && n == 0; i++) {
        learner_look(set.learner, id, &p, 0, &epoch, 1, &n);
        clock_sleep(500);
    }
    return n > 0 ? epoch.epoch : 0;
}

static void write_file(const char *name)
{
    char folder[300];
    struct err e;

    snprintf(folder, sizeof folder, "%s", tmp_path(set.folder, name));
    *strrchr(folder, '/') = 0;
    ck_assert_msg(file_make_folders(folder, &e) == ERR_OK, "%s", e.msg);
    tmp_write(set.folder, name, "x", 1);
}

/* ---- going on ---- */

START_TEST(a_process_that_ends_leaves_its_job_to_the_next)
{
    learning_open(&set);
    learning_post(&set, 400, 7, NULL);
    int64_t id = learning_start(&set, LONG);
    wait_for_checkpoint();
    learning_close(&set);
    learning_open_store(&set);
    struct job j = learning_job(&set, id);
    check_state(&j, JOB_RUNNING);
    ck_assert_uint_eq(j.version, 1001);
    job_fini(&j);
    learning_close(&set);
    ck_assert(is_there("data/jobs/1.checkpoint"));
    ck_assert(!is_there("data/jobs/1.attempts"));

    learning_open(&set);
    ck_assert_uint_gt(first_epoch(id), 1);
    wait_for_success(id);
    ck_assert_str_eq(learning_loaded(&set), "1 1001* ");
    ck_assert(!is_there("data/jobs/1.checkpoint"));
}
END_TEST

/* The same samples are what the checkpoint is of. */
START_TEST(a_checkpoint_of_other_rows_is_left_for_a_new_beginning)
{
    learning_open(&set);
    learning_post(&set, 400, 7, NULL);
    int64_t id = learning_start(&set, LONG);
    wait_for_checkpoint();
    learning_close(&set);
    learning_open_store(&set);
    learning_delete(&set, "2");
    learning_close(&set);
    learning_open(&set);
    wait_for_success(id);
    ck_assert_uint_eq(learning_serves(&set), 1001);
}
END_TEST

START_TEST(a_job_that_no_process_survives_ends)
{
    learning_open(&set);
    learning_post(&set, 400, 7, NULL);
    int64_t id = learning_start(&set, LONG);
    wait_for_checkpoint();
    learning_close(&set);
    for (int i = 0; i <= JOB_FILES_MAX_ATTEMPTS; i++) {
        struct err e;
        size_t attempt;
        ck_assert_int_eq(job_files_begin(set.data_dir, id, &attempt, &e),
                         ERR_OK);
        ck_assert_uint_eq(attempt, i + 1);
    }
    learning_open(&set);
    struct job j = learning_wait(&set, id);
    check_state(&j, JOB_FAILED);
    ck_assert_ptr_nonnull(strstr(j.reason, "10 times"));
    job_fini(&j);
    ck_assert(!is_there("data/jobs/1.attempts"));
}
END_TEST

START_TEST(an_attempt_that_got_further_counts_as_the_first)
{
    struct err e;
    size_t attempt;

    snprintf(set.data_dir, sizeof set.data_dir, "%s/data", set.folder);
    ck_assert_int_eq(job_files_begin(set.data_dir, 5, &attempt, &e), ERR_OK);
    ck_assert_int_eq(job_files_begin(set.data_dir, 5, &attempt, &e), ERR_OK);
    ck_assert_uint_eq(attempt, 2);
    write_file("data/jobs/5.checkpoint");
    ck_assert_int_eq(job_files_begin(set.data_dir, 5, &attempt, &e), ERR_OK);
    ck_assert_uint_eq(attempt, 1);
    ck_assert_int_eq(job_files_begin(set.data_dir, 5, &attempt, &e), ERR_OK);
    ck_assert_uint_eq(attempt, 2);
    job_files_pause(set.data_dir, 5);
    ck_assert_int_eq(job_files_begin(set.data_dir, 5, &attempt, &e), ERR_OK);
    ck_assert_uint_eq(attempt, 1);
}
END_TEST

/* ---- killed ---- */

#define KILLS 20

/* A process that learns until it is killed, or until the job has ended. */
static void learn_and_exit(int64_t id)
{
    learning_open(&set);
    for (;;) {
        struct job j = learning_job(&set, id);
        bool ended = job_state_ended(j.state);
        job_fini(&j);
        if (ended)
            _exit(0);
        clock_sleep(1000);
    }
}

static bool count_failure(void *arg, const char *name, uint64_t version,
                          const char *why)
{
    (void)name;
    (void)version;
    (void)why;
    ++*(int *)arg;
    return true;
}

START_TEST(a_killed_process_loses_nothing)
{
    struct rng rng = rng_make(1, "kills", 0);
    uint64_t serves = 0;
    int failures = 0;

    learning_open_store(&set);
    learning_post(&set, 400, 7, NULL);
    int64_t id = learning_start(&set, LONG);
    learning_close(&set);
    for (int i = 0; i < KILLS; i++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0)
            learn_and_exit(id);
        clock_sleep((usec)rng_below(&rng, 600000));
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);

        learning_open_store(&set);
        struct job j = learning_job(&set, id);
        ck_assert_msg(j.state != JOB_FAILED, "%s", j.reason);
        uint64_t recorded = learning_recorded(&set);
        /* What the store says is there, and whole. */
        if (j.state == JOB_SUCCEEDED) {
            serves = j.version;
            id = learning_start(&set, LONG);
        }
        ck_assert_uint_eq(recorded, serves);
        job_fini(&j);
        learning_close(&set);
    }
    learning_open(&set);
    wait_for_success(id);
    ck_assert_uint_gt(learning_serves(&set), serves);
    registry_each_failure(set.registry, count_failure, &failures);
    ck_assert_int_eq(failures, 0);
}
END_TEST

/* ---- a data folder that is not as it should be ---- */

START_TEST(a_folder_has_one_learner)
{
    struct err e;

    learning_open(&set);
    ck_assert_ptr_null(learner_new(&set.settings, &e));
    ck_assert_int_eq(e.code, ERR_BUSY);
}
END_TEST

START_TEST(what_jobs_left_behind_is_removed_and_nothing_else)
{
    learning_open(&set);
    learning_post(&set, 100, 7, NULL);
    wait_for_success(learning_start(&set, FEW));
    learning_close(&set);
    learning_open_store(&set);
    learning_fail(&set, learning_start(&set, FEW), 1002);
    learning_close(&set);
    write_file("data/models/" LEARNING_MODEL "/1002/model.safetensors");
    write_file("data/models/" LEARNING_MODEL "/1002/model.safetensors.tmp-1-2");
    write_file("data/models/" LEARNING_MODEL "/1077/model.safetensors");
    write_file("data/models/other/1001/model.safetensors");
    write_file("data/jobs/1.checkpoint");
    write_file("data/jobs/7.checkpoint.tmp-3-4");
    write_file("data/jobs/77.checkpoint");
    write_file("data/jobs/notes");
    learning_open(&set);
    ck_assert_str_eq(learning_loaded(&set), "1 1001* ");
    ck_assert(!file_is_folder(learning_folder(&set, 1002)));
    ck_assert(file_is_folder(learning_folder(&set, 1001)));
    ck_assert(file_is_folder(learning_folder(&set, 1077)));
    ck_assert(is_there("data/models/other/1001/model.safetensors"));
    ck_assert(!is_there("data/jobs/1.checkpoint"));
    ck_assert(!is_there("data/jobs/7.checkpoint.tmp-3-4"));
    ck_assert(is_there("data/jobs/77.checkpoint"));
    ck_assert(is_there("data/jobs/notes"));
    /* A number whose folder is there is not given to another. */
    wait_for_success(learning_start(&set, FEW));
    ck_assert_str_eq(learning_loaded(&set), "1 1001 1078* ");
}
END_TEST

static bool note_failure(void *arg, const char *name, uint64_t version,
                         const char *why)
{
    buf_printf(arg, "%s:%d: %s", name, (int)version, why);
    return true;
}

START_TEST(a_damaged_version_is_a_failure_and_the_shipped_one_serves)
{
    struct buf b;

    learning_open(&set);
    learning_post(&set, 100, 7, NULL);
    wait_for_success(learning_start(&set, FEW));
    learning_close(&set);
    write_file("data/models/" LEARNING_MODEL "/1001/model.safetensors");
    learning_open(&set);
    ck_assert_str_eq(learning_loaded(&set), "1* ");
    buf_init(&b, 2000);
    registry_each_failure(set.registry, note_failure, &b);
    ck_assert_int_eq(strncmp(b.data, LEARNING_MODEL ":1001: ", 12), 0);
    ck_assert_ptr_null(strstr(b.data + 1, LEARNING_MODEL ":")); /* once */
    buf_fini(&b);
    ck_assert_uint_eq(learning_recorded(&set), 1001); /* until it is changed */
}
END_TEST

START_TEST(a_shipped_version_that_is_gone_is_a_failure)
{
    struct buf b;

    learning_open(&set);
    learning_record(&set, 3);
    learning_close(&set);
    learning_open(&set);
    ck_assert_str_eq(learning_loaded(&set), "1* ");
    buf_init(&b, 2000);
    registry_each_failure(set.registry, note_failure, &b);
    ck_assert_int_eq(strncmp(b.data, LEARNING_MODEL ":3: ", 9), 0);
    buf_fini(&b);
}
END_TEST

Suite *suite_learner_restart(void)
{
    Suite *s = suite_create("learner_restart");
    TCase *t = tcase_create("restarts");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_process_that_ends_leaves_its_job_to_the_next);
    tcase_add_test(t, a_checkpoint_of_other_rows_is_left_for_a_new_beginning);
    tcase_add_test(t, a_job_that_no_process_survives_ends);
    tcase_add_test(t, an_attempt_that_got_further_counts_as_the_first);
    tcase_add_test(t, a_killed_process_loses_nothing);
    tcase_add_test(t, a_folder_has_one_learner);
    tcase_add_test(t, what_jobs_left_behind_is_removed_and_nothing_else);
    tcase_add_test(t,
                   a_damaged_version_is_a_failure_and_the_shipped_one_serves);
    tcase_add_test(t, a_shipped_version_that_is_gone_is_a_failure);
    suite_add_tcase(s, t);
    return s;
}
