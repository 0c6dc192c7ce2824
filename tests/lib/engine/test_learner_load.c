/* Loading and unloading a model that learns: its tuned versions, what the store
 * says of them, and jobs that go on meanwhile.
 */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/model/model_file.h"
#include "tests/support/learning.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_learner_load(void);

#define FEW "{\"epochs\":6,\"promote\":\"always\"}"
#define KEPT_BACK "{\"epochs\":6,\"promote\":\"never\"}"

static struct learning_set set;

static void setup(void)
{
    learning_make(&set);
    learning_open(&set);
    learning_post(&set, 200, 7, NULL);
}

static void teardown(void)
{
    learning_remove(&set);
}

static void finish(int64_t id, enum job_state want, const char *reason)
{
    struct job j = learning_wait(&set, id);

    ck_assert_msg(j.state == want, "%s: %s", job_state_name(j.state),
                  j.reason != NULL ? j.reason : "");
    if (reason != NULL)
        ck_assert_msg(strstr(j.reason, reason) != NULL, "%s", j.reason);
    job_fini(&j);
}

static void run(const char *options)
{
    finish(learning_start(&set, options), JOB_SUCCEEDED, NULL);
}

static void load(void)
{
    struct err e;

    ck_assert_msg(learner_load_model(set.learner, LEARNING_MODEL, &e) == ERR_OK,
                  "%s", e.msg);
}

static void unload(void)
{
    struct err e;

    ck_assert_msg(registry_unload(set.registry, LEARNING_MODEL, &e) == ERR_OK,
                  "%s", e.msg);
}

static bool is_loaded(void)
{
    struct err e;
    const struct served *s =
        registry_acquire(set.registry, LEARNING_MODEL, 0, &e);

    registry_release(set.registry, s);
    return s != NULL;
}

static bool is_under_way(int64_t id)
{
    struct learner_progress p;
    size_t n;

    return learner_look(set.learner, id, &p, 0, NULL, 0, &n);
}

static bool has_ended(int64_t id)
{
    struct job j = learning_job(&set, id);
    bool ended = job_state_ended(j.state);

    job_fini(&j);
    return ended;
}

static bool write_failure(void *arg, const char *name, uint64_t version,
                          const char *why)
{
    (void)name;
    (void)why;
    buf_printf(arg, "%d ", (int)version);
    return true;
}

static void has_failures(const char *want)
{
    struct buf b;

    buf_init(&b, 1000);
    buf_text(&b, "");
    registry_each_failure(set.registry, write_failure, &b);
    ck_assert_str_eq(b.length > 0 ? b.data : "", want);
    buf_fini(&b);
}

static void damage(uint64_t version)
{
    char path[512];

    snprintf(path, sizeof path, "data/models/" LEARNING_MODEL "/%d/%s",
             (int)version, MODEL_FILE_NAME);
    tmp_write(set.folder, path, "x", 1);
}

/* Another shipped version, of the same file. */
static void ship(const char *version)
{
    char path[512];
    size_t length;
    struct err e;
    char *bytes = file_read(
        tmp_path(set.folder, "models/" LEARNING_MODEL "/1/" MODEL_FILE_NAME),
        1 << 24, &length, &e);

    ck_assert_msg(bytes != NULL, "%s", e.msg);
    snprintf(path, sizeof path, "models/" LEARNING_MODEL "/%s", version);
    ck_assert_int_eq(file_make_folders(tmp_path(set.folder, path), &e), ERR_OK);
    strncat(path, "/" MODEL_FILE_NAME, sizeof path - strlen(path) - 1);
    tmp_write(set.folder, path, bytes, length);
    mem_free(bytes);
}

START_TEST(a_load_brings_back_what_served)
{
    run(FEW);
    run(KEPT_BACK);
    ck_assert_uint_eq(learning_serves(&set), 1001);
    unload();
    ck_assert(!is_loaded());
    load();
    ck_assert_uint_eq(learning_serves(&set), 1001);
    ck_assert_str_eq(learning_loaded(&set), "1 1001* 1002 ");
    learning_serve(&set, 1);
    unload();
    load();
    ck_assert_uint_eq(learning_serves(&set), 1);
    has_failures("");
}
END_TEST

START_TEST(a_new_shipped_version_serves_unless_the_store_says_otherwise)
{
    ship("2");
    load();
    ck_assert_uint_eq(learning_serves(&set), 2);
    run(FEW);
    ship("3");
    load();
    ck_assert_uint_eq(learning_serves(&set), 1001);
    ck_assert_str_eq(learning_loaded(&set), "1 2 3 1001* ");
}
END_TEST

START_TEST(a_job_goes_on_while_its_model_is_unloaded)
{
    int64_t id = learning_start(&set, FEW);
    while (!is_under_way(id))
        clock_sleep(1000);
    unload();
    finish(id, JOB_SUCCEEDED, NULL);
    ck_assert(!is_loaded());
    ck_assert_uint_eq(learning_recorded(&set), 1001);
    ck_assert_str_eq(learning_versions(&set), "1001 ");
    load();
    ck_assert_uint_eq(learning_serves(&set), 1001);
    ck_assert_str_eq(learning_loaded(&set), "1 1001* ");
}
END_TEST

START_TEST(a_job_of_an_unloaded_model_fails_and_says_why)
{
    unload();
    finish(learning_start(&set, FEW), JOB_FAILED, "is not loaded (unloaded)");
    load();
    run(FEW);
    ck_assert_uint_eq(learning_serves(&set), 1001);
}
END_TEST

START_TEST(a_damaged_tuned_version_is_a_failure_as_at_start)
{
    run(FEW);
    run(KEPT_BACK);
    unload();
    damage(1002);
    load();
    ck_assert_uint_eq(learning_serves(&set), 1001);
    has_failures("1002 ");
    unload();
    has_failures("");
    damage(1001);
    load();
    ck_assert_uint_eq(learning_serves(&set), 1);
    has_failures("1001 1002 ");
    learning_close(&set);
    learning_open(&set);
    ck_assert_uint_eq(learning_serves(&set), 1);
    has_failures("1001 1002 ");
}
END_TEST

START_TEST(a_recorded_version_that_is_gone_is_a_failure_as_at_start)
{
    ship("2");
    load();
    learning_serve(&set, 2);
    unload();
    ck_assert_int_eq(remove(tmp_path(set.folder, "models/" LEARNING_MODEL
                                                 "/2/" MODEL_FILE_NAME)),
                     0);
    load();
    ck_assert_uint_eq(learning_serves(&set), 1);
    has_failures("2 ");
    ship("2");
    load();
    ck_assert_uint_eq(learning_serves(&set), 2);
    has_failures("");
}
END_TEST

START_TEST(a_bad_shipped_file_keeps_what_serves)
{
    struct err e;

    run(FEW);
    ship("2");
    tmp_write(set.folder, "models/" LEARNING_MODEL "/2/" MODEL_FILE_NAME, "x",
              1);
    ck_assert_int_eq(learner_load_model(set.learner, LEARNING_MODEL, &e),
                     ERR_CORRUPT);
    ck_assert_int_eq(
        strncmp(e.msg, "failed to load '" LEARNING_MODEL "': ", 24), 0);
    ck_assert_uint_eq(learning_serves(&set), 1001);
    ck_assert_str_eq(learning_loaded(&set), "1 1001* ");
    has_failures("");
}
END_TEST

START_TEST(unloading_lasts_until_the_next_start)
{
    run(FEW);
    unload();
    learning_close(&set);
    learning_open(&set);
    ck_assert_uint_eq(learning_serves(&set), 1001);
}
END_TEST

static bool count_job(void *arg, const struct job *j)
{
    (void)j;
    ++*(int *)arg;
    return true;
}

static int count_jobs(void)
{
    int n = 0;
    struct err e;
    struct database *db = store_begin_read(set.store, &e);

    ck_assert_msg(db != NULL, "%s", e.msg);
    ck_assert_int_eq(jobs_each(db, NULL, 0, 10, count_job, &n, &e), ERR_OK);
    store_end_read(set.store, db);
    return n;
}

START_TEST(new_samples_start_no_job_of_an_unloaded_model)
{
    learning_close(&set);
    set.settings.after = 220; /* there are 200 */
    learning_open(&set);
    unload();
    learning_post(&set, 50, 9, NULL);
    clock_sleep(3 * 250000); /* it looks four times a second */
    ck_assert_int_eq(count_jobs(), 0);
    load();
    learner_wake(set.learner);
    while (count_jobs() == 0)
        clock_sleep(5000);
    finish(1, JOB_SUCCEEDED, NULL);
}
END_TEST

/* Pruning deletes versions while loads read them. */
START_TEST(loads_and_jobs_agree_on_what_there_is)
{
    learning_close(&set);
    set.settings.keep_versions = 1;
    learning_open(&set);
    for (int i = 0; i < 4; i++) {
        int64_t id = learning_start(&set, KEPT_BACK);
        while (!has_ended(id)) {
            if (i % 2 == 0 && is_under_way(id))
                unload();
            load();
            clock_sleep(5000); /* the job trains when nobody works */
        }
        finish(id, JOB_SUCCEEDED, NULL);
    }
    load();
    ck_assert_uint_eq(learning_serves(&set), 1);
    ck_assert_str_eq(learning_versions(&set), "1004 ");
    ck_assert_str_eq(learning_loaded(&set), "1* 1004 ");
    has_failures("");
}
END_TEST

Suite *suite_learner_load(void)
{
    Suite *s = suite_create("learner_load");
    TCase *t = tcase_create("loads");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_load_brings_back_what_served);
    tcase_add_test(
        t, a_new_shipped_version_serves_unless_the_store_says_otherwise);
    tcase_add_test(t, a_job_goes_on_while_its_model_is_unloaded);
    tcase_add_test(t, a_job_of_an_unloaded_model_fails_and_says_why);
    tcase_add_test(t, a_damaged_tuned_version_is_a_failure_as_at_start);
    tcase_add_test(t, a_recorded_version_that_is_gone_is_a_failure_as_at_start);
    tcase_add_test(t, a_bad_shipped_file_keeps_what_serves);
    tcase_add_test(t, unloading_lasts_until_the_next_start);
    tcase_add_test(t, new_samples_start_no_job_of_an_unloaded_model);
    tcase_add_test(t, loads_and_jobs_agree_on_what_there_is);
    suite_add_tcase(s, t);
    return s;
}
