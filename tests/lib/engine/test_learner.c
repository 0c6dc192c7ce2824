/* Learner: jobs from their start to the version that serves, on a real store
 * with a small model; what is refused, cancelled, resumed and left behind.
 */
#include "lib/base/file.h"
#include "lib/model/model_file.h"
#include "tests/support/blobs.h"
#include "tests/support/learning.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

Suite *suite_learner(void);

#define FEW "{\"epochs\":6,\"promote\":\"always\"}"
#define MANY "{\"epochs\":1000,\"promote\":\"always\"}"

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

/* Runs a job to its end, which must be a success. */
static void run(const char *options)
{
    struct job j = learning_wait(&set, learning_start(&set, options));

    check_state(&j, JOB_SUCCEEDED);
    job_fini(&j);
}

/* What is in DATA/jobs. */
static size_t count_job_files(void)
{
    DIR *d = opendir(tmp_path(set.folder, "data/jobs"));
    size_t n = 0;

    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2; /* not . and .. */
}

/* Until the job has done a whole epoch. */
static void wait_for_epoch(int64_t id)
{
    struct learner_progress p;
    struct learner_epoch epoch;
    size_t n = 0;

    for (int i = 0; i < 6000 && n == 0; i++) {
        learner_look(set.learner, id, &p, 0, &epoch, 1, &n);
        clock_sleep(5000);
    }
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(p.job, id);
    ck_assert_uint_ge(p.epochs, 6);
    ck_assert_uint_eq(epoch.epoch, 1);
    ck_assert(isfinite(epoch.loss) && isfinite(epoch.held_out));
    ck_assert(p.held_out_is_error && p.seconds > 0);
}

/* ---- from samples to a version ---- */

START_TEST(a_better_version_goes_into_service_and_stays_after_a_restart)
{
    struct err e;

    learning_open(&set);
    ck_assert_uint_eq(learning_serves(&set), 1);
    learning_post(&set, 400, 7, NULL);
    struct job j = learning_wait(&set, learning_start(&set, "{}"));
    check_state(&j, JOB_SUCCEEDED);
    ck_assert_msg(j.promoted, "%s", j.reason);
    ck_assert_uint_eq(j.parent, 1);
    ck_assert_uint_eq(j.version, 1001);
    ck_assert_int_eq(j.last_id, 400);
    ck_assert(j.started_ms > 0 && j.ended_ms >= j.started_ms);
    ck_assert(j.before != NULL && j.after != NULL && j.reason == NULL);
    job_fini(&j);
    ck_assert_uint_eq(learning_serves(&set), 1001);
    ck_assert_uint_eq(learning_recorded(&set), 1001);
    ck_assert_str_eq(learning_versions(&set), "1001 ");
    ck_assert_uint_eq(count_job_files(), 0);

    learning_close(&set);
    learning_open(&set);
    ck_assert_str_eq(learning_loaded(&set), "1 1001* ");
    const struct served *s =
        registry_acquire(set.registry, LEARNING_MODEL, 0, &e);
    const struct json *lineage = s->model->lineage;
    double parent = json_number(json_get(lineage, "parent"));
    double job = json_number(json_get(lineage, "job"));
    const struct json *samples = json_get(lineage, "samples");
    double rows = json_number(json_get(samples, "rows"));
    bool figures = json_get(s->model->metrics, "after") != NULL;
    registry_release(set.registry, s);
    ck_assert(parent == 1 && job == 1 && rows == 400 && figures);
}
END_TEST

START_TEST(a_version_that_is_never_to_serve_is_listed_and_can_be_activated)
{
    struct err e;

    learning_open(&set);
    learning_post(&set, 100, 7, NULL);
    struct job j = learning_wait(
        &set, learning_start(&set, "{\"epochs\":2,\"promote\":\"never\"}"));
    check_state(&j, JOB_SUCCEEDED);
    ck_assert(!j.promoted);
    ck_assert_ptr_nonnull(strstr(j.reason, "never"));
    ck_assert_ptr_nonnull(j.after);
    job_fini(&j);
    ck_assert_str_eq(learning_loaded(&set), "1* 1001 ");
    ck_assert_uint_eq(learning_recorded(&set), 0);
    ck_assert_int_eq(registry_activate(set.registry, LEARNING_MODEL, 1001, &e),
                     ERR_OK);
}
END_TEST

START_TEST(a_version_that_is_no_better_is_not_promoted)
{
    learning_open(&set);
    learning_post(&set, 400, 7, NULL);
    run("{\"promote\":\"always\",\"epochs\":30}");
    /* At a rate of nothing the child is its parent. */
    struct job j = learning_wait(
        &set, learning_start(&set, "{\"epochs\":1,\"learning_rate\":1e-12}"));
    check_state(&j, JOB_SUCCEEDED);
    ck_assert(!j.promoted);
    ck_assert_uint_eq(j.parent, 1001);
    ck_assert_ptr_nonnull(j.reason);
    ck_assert_ptr_nonnull(j.before);
    job_fini(&j);
    ck_assert_str_eq(learning_loaded(&set), "1 1001* 1002 ");
}
END_TEST

START_TEST(a_label_never_seen_becomes_a_class)
{
    struct err e;

    learning_open(&set);
    learning_post(&set, 200, 7, NULL);
    learning_post(&set, 30, 8, "neither");
    run(FEW);
    const struct served *s =
        registry_acquire(set.registry, LEARNING_MODEL, 0, &e);
    size_t classes = s->model->classifier.classes;
    bool named = classes == 4 && strcmp(s->model->classes[3], "neither") == 0;
    registry_release(set.registry, s);
    ck_assert(named);
}
END_TEST

START_TEST(samples_without_labels_can_be_learned_from)
{
    learning_open(&set);
    learning_post_unlabelled(&set, 200, 7);
    run(FEW);
    ck_assert_uint_eq(learning_serves(&set), 1001);
}
END_TEST

START_TEST(what_was_activated_meanwhile_stays)
{
    learning_open(&set);
    learning_post(&set, 400, 7, NULL);
    run("{\"promote\":\"always\",\"epochs\":1}");
    int64_t id = learning_start(&set, "{\"epochs\":30}");
    wait_for_epoch(id);
    learning_serve(&set, 1);
    struct job j = learning_wait(&set, id);
    check_state(&j, JOB_SUCCEEDED);
    ck_assert(!j.promoted);
    ck_assert_uint_eq(j.parent, 1001);
    job_fini(&j);
    ck_assert_uint_eq(learning_serves(&set), 1);
    ck_assert_uint_eq(learning_recorded(&set), 1);
}
END_TEST

START_TEST(old_versions_go_but_not_what_serves_nor_its_parent)
{
    set.settings.keep_versions = 2;
    learning_open(&set);
    learning_post(&set, 100, 7, NULL);
    for (int i = 0; i < 3; i++)
        run(FEW);
    ck_assert_str_eq(learning_loaded(&set), "1 1001 1002 1003* ");
    run(FEW);
    ck_assert_str_eq(learning_loaded(&set), "1 1002 1003 1004* ");
    ck_assert_str_eq(learning_versions(&set), "1002 1003 1004 ");
    ck_assert(!file_is_folder(learning_folder(&set, 1001)));
    ck_assert(file_is_folder(learning_folder(&set, 1002)));
    /* The parent of what serves is older than all others, and stays. */
    learning_serve(&set, 1003);
    run("{\"epochs\":1,\"promote\":\"never\"}");
    ck_assert_str_eq(learning_versions(&set), "1002 1003 1005 ");
}
END_TEST

/* ---- jobs that come to nothing ---- */

static void check_nothing_left(uint64_t version)
{
    ck_assert_uint_eq(count_job_files(), 0);
    ck_assert(!file_is_folder(learning_folder(&set, version)));
    ck_assert_str_eq(learning_versions(&set), "");
    ck_assert_str_eq(learning_loaded(&set), "1* ");
}

START_TEST(a_job_is_cancelled_within_a_second)
{
    learning_open(&set);
    learning_post(&set, 400, 7, NULL);
    int64_t id = learning_start(&set, MANY);
    wait_for_epoch(id);
    usec start = clock_now();
    learning_cancel(&set, id);
    struct job j = learning_wait(&set, id);
    ck_assert_int_lt(clock_now() - start, 1000000);
    check_state(&j, JOB_CANCELLED);
    ck_assert(!j.promoted && j.ended_ms > 0);
    job_fini(&j);
    check_nothing_left(1001);
    run(FEW); /* and the next one runs */
    ck_assert_uint_eq(learning_serves(&set), 1002);
}
END_TEST

static void check_failure(const char *options, const char *reason)
{
    struct job j = learning_wait(&set, learning_start(&set, options));

    check_state(&j, JOB_FAILED);
    ck_assert_msg(strstr(j.reason, reason) != NULL, "%s", j.reason);
    ck_assert(!j.promoted);
    job_fini(&j);
    check_nothing_left(1001);
}

START_TEST(a_job_without_samples_fails_with_their_number)
{
    learning_open(&set);
    check_failure(FEW, "0 samples");
}
END_TEST

START_TEST(a_job_that_diverges_fails_and_the_old_version_serves)
{
    learning_open(&set);
    learning_post(&set, 100, 7, NULL);
    check_failure("{\"epochs\":20,\"learning_rate\":1e6}", "");
    ck_assert_uint_eq(learning_recorded(&set), 0);
}
END_TEST

START_TEST(a_version_that_cannot_be_written_fails_its_job)
{
    learning_open(&set);
    learning_post(&set, 100, 7, NULL);
    tmp_write(set.folder, "data/models", "", 0);
    check_failure(FEW, "data/models");
}
END_TEST

START_TEST(a_model_that_is_not_served_fails_its_job)
{
    learning_open_store(&set);
    learning_start(&set, FEW);
    learning_close(&set);
    tmp_write(set.folder, "models/" LEARNING_MODEL "/1/" MODEL_FILE_NAME, "x",
              1);
    learning_open(&set);
    struct job j = learning_wait(&set, 1);
    check_state(&j, JOB_FAILED);
    ck_assert_ptr_nonnull(strstr(j.reason, "no model " LEARNING_MODEL));
    job_fini(&j);
}
END_TEST

START_TEST(options_that_the_store_has_damaged_fail_their_job)
{
    learning_open(&set);
    learning_post(&set, 100, 7, NULL);
    check_failure("{\"epochs\":0}", "options.epochs");
    check_failure("{\"epochs\":", "");
    check_failure("{\"promote\":\"maybe\"}", "options.promote");
}
END_TEST

/* Threads of that name that run at another than the lowest priority, or -1:
 * there is none of that name. */
static int count_busy(const char *name)
{
    DIR *d = opendir("/proc/self/task");
    int found = 0, busy = 0;
    struct dirent *item;

    ck_assert_ptr_nonnull(d);
    while ((item = readdir(d)) != NULL) {
        char path[300], comm[32] = "";
        pid_t id = (pid_t)strtol(item->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", item->d_name);
        FILE *f = id > 0 ? fopen(path, "r") : NULL;
        if (f == NULL)
            continue;
        if (fgets(comm, sizeof comm, f) != NULL &&
            strncmp(comm, name, strlen(name)) == 0) {
            found++;
            busy += sched_getscheduler(id) != SCHED_IDLE &&
                    getpriority(PRIO_PROCESS, (id_t)id) != 19;
        }
        fclose(f);
    }
    closedir(d);
    return found > 0 ? busy : -1;
}

START_TEST(what_trains_gives_way_to_all_else)
{
    learning_open(&set);
    learning_post(&set, 400, 7, NULL);
    int64_t id = learning_start(&set, MANY);
    wait_for_epoch(id);
    ck_assert_int_eq(count_busy("tune"), 0);
    ck_assert_int_eq(count_busy("team-1"), 0);
    ck_assert_int_eq(count_busy("learner"), 1);
    learning_cancel(&set, id);
}
END_TEST

/* Files may not grow any more: as on a full disk, for store and checkpoint. */
static rlim_t limit_files(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return before;
}

START_TEST(the_end_of_a_job_waits_for_a_store_that_fails)
{
    learning_open(&set);
    learning_post(&set, 400, 7, NULL);
    int64_t id = learning_start(&set, MANY);
    wait_for_epoch(id);
    rlim_t before = limit_files(0);
    clock_sleep(1500000);
    struct job j = learning_job(&set, id);
    enum job_state state = j.state;
    job_fini(&j);
    limit_files(before);
    check_state(&(struct job){.state = state}, JOB_RUNNING);
    j = learning_wait(&set, id);
    check_state(&j, JOB_FAILED);
    ck_assert_ptr_nonnull(strstr(j.reason, "checkpoint"));
    job_fini(&j);
    check_nothing_left(1001);
    run(FEW);
}
END_TEST

/* ---- the operator's data ---- */

START_TEST(data_of_the_operator_are_used_and_named_when_they_are_bad)
{
    char list[300];
    char text[100] = "label";
    struct buf csv;
    const struct dataset *d = blobs(90, 20);

    buf_init(&csv, 100000);
    for (int i = 0; i < BLOBS_INPUTS; i++)
        buf_printf(&csv, "%sx%d", i > 0 ? "," : "label,", i);
    for (size_t i = 0; i < d->n; i++) {
        buf_printf(&csv, "\n%d", (int)d->labels[i]);
        for (int k = 0; k < BLOBS_INPUTS; k++)
            buf_printf(&csv, ",%f",
                       (double)d->floats[i * BLOBS_INPUTS + (size_t)k]);
    }
    const char *path = tmp_write(set.folder, "rows.csv", csv.data, csv.length);
    buf_fini(&csv);
    snprintf(list, sizeof list, "other=/none," LEARNING_MODEL "=%s", path);
    set.settings.rehearsal = set.settings.test_data = list;
    learning_open(&set);
    learning_post(&set, 100, 7, NULL);
    struct job j = learning_wait(&set, learning_start(&set, FEW));
    check_state(&j, JOB_SUCCEEDED);
    ck_assert_ptr_nonnull(strstr(j.after, "\"test\""));
    job_fini(&j);
    snprintf(text, sizeof text, "%s", "1,2\n3,4\n");
    tmp_write(set.folder, "rows.csv", text, strlen(text));
    j = learning_wait(&set, learning_start(&set, FEW));
    check_state(&j, JOB_FAILED);
    ck_assert_msg(strstr(j.reason, "rehearsal: ") != NULL &&
                      strstr(j.reason, "rows.csv") != NULL,
                  "%s", j.reason);
    job_fini(&j);
}
END_TEST

static void check_refused(const char *list)
{
    struct err e;

    set.settings.rehearsal = list;
    ck_assert_ptr_null(learner_new(&set.settings, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "rehearsal"));
}

START_TEST(lists_of_another_form_are_refused)
{
    learning_open(&set);
    learner_free(set.learner);
    set.learner = NULL;
    check_refused("x");
    check_refused("=x");
    check_refused("a=");
    check_refused("a=x,");
    check_refused("a=x,a=y");
    check_refused("a/b=x");
}
END_TEST

Suite *suite_learner(void)
{
    Suite *s = suite_create("learner");
    TCase *t = tcase_create("jobs");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(
        t, a_better_version_goes_into_service_and_stays_after_a_restart);
    tcase_add_test(
        t, a_version_that_is_never_to_serve_is_listed_and_can_be_activated);
    tcase_add_test(t, a_version_that_is_no_better_is_not_promoted);
    tcase_add_test(t, a_label_never_seen_becomes_a_class);
    tcase_add_test(t, samples_without_labels_can_be_learned_from);
    tcase_add_test(t, what_was_activated_meanwhile_stays);
    tcase_add_test(t, old_versions_go_but_not_what_serves_nor_its_parent);
    tcase_add_test(t, a_job_is_cancelled_within_a_second);
    tcase_add_test(t, a_job_without_samples_fails_with_their_number);
    tcase_add_test(t, a_job_that_diverges_fails_and_the_old_version_serves);
    tcase_add_test(t, a_version_that_cannot_be_written_fails_its_job);
    tcase_add_test(t, a_model_that_is_not_served_fails_its_job);
    tcase_add_test(t, options_that_the_store_has_damaged_fail_their_job);
    tcase_add_test(t, what_trains_gives_way_to_all_else);
    tcase_add_test(t, the_end_of_a_job_waits_for_a_store_that_fails);
    tcase_add_test(t,
                   data_of_the_operator_are_used_and_named_when_they_are_bad);
    tcase_add_test(t, lists_of_another_form_are_refused);
    suite_add_tcase(s, t);
    return s;
}
