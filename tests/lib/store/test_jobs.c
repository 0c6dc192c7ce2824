/* Jobs, versions and idempotency keys. */
#include "lib/base/mem.h"
#include "lib/store/jobs.h"
#include "lib/store/keys.h"
#include "lib/store/versions.h"
#include "tests/support/stores.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_jobs(void);

static char *folder;
static struct database *db;
static struct err e;

static void set_up(void)
{
    folder = tmp_folder();
    db = stores_new(folder, 7);
}

static void tear_down(void)
{
    stores_close(db);
    tmp_remove(folder);
}

static int64_t add(const char *model)
{
    char options[] = "{\"epochs\":3}";
    struct job j = {.options = options, .created_ms = 1000};
    int64_t id = 0;

    snprintf(j.model, sizeof j.model, "%s", model);
    snprintf(j.trigger, sizeof j.trigger, "request");
    ck_assert_msg(jobs_add(db, &j, &id, &e) == ERR_OK, "%s", e.msg);
    return id;
}

static void set_state(int64_t id, enum job_state state)
{
    struct job j;

    ck_assert_int_eq(jobs_get(db, id, &j, &e), ERR_OK);
    j.state = state;
    ck_assert_int_eq(jobs_update(db, &j, &e), ERR_OK);
    job_fini(&j);
}

/* ---- jobs ---- */

START_TEST(a_job_comes_back_as_it_was_written)
{
    char before[] = "{\"error\":0.1}", reason[] = "it \"diverged\"";
    struct job j;
    int64_t id = add("m");

    ck_assert_int_eq(id, 1);
    ck_assert_int_eq(jobs_get(db, id, &j, &e), ERR_OK);
    ck_assert_int_eq(j.state, JOB_QUEUED);
    ck_assert_str_eq(j.model, "m");
    ck_assert_str_eq(j.trigger, "request");
    ck_assert_str_eq(j.options, "{\"epochs\":3}");
    ck_assert_uint_eq(j.accepted, 0);
    ck_assert_int_eq(j.created_ms, 1000);
    ck_assert_ptr_null(j.before);
    ck_assert_ptr_null(j.reason);

    struct job full = j;
    full.state = JOB_FAILED;
    full.parent = 3;
    full.version = 1001;
    full.promoted = true;
    full.last_id = 77;
    full.started_ms = 2000;
    full.ended_ms = 3000;
    full.before = before;
    full.reason = reason;
    ck_assert_int_eq(jobs_update(db, &full, &e), ERR_OK);
    job_fini(&j);
    ck_assert_int_eq(jobs_get(db, id, &j, &e), ERR_OK);
    ck_assert_int_eq(j.state, JOB_FAILED);
    ck_assert_uint_eq(j.parent, 3);
    ck_assert_uint_eq(j.version, 1001);
    ck_assert(j.promoted);
    ck_assert(!j.cancelling);
    ck_assert_int_eq(j.last_id, 77);
    ck_assert_int_eq(j.started_ms, 2000);
    ck_assert_int_eq(j.ended_ms, 3000);
    ck_assert_str_eq(j.before, before);
    ck_assert_ptr_null(j.after);
    ck_assert_str_eq(j.reason, reason);
    j.id = 99;
    ck_assert_int_eq(jobs_update(db, &j, &e), ERR_NOT_FOUND);
    job_fini(&j);
    ck_assert_int_eq(jobs_get(db, 99, &j, &e), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "99"));
}
END_TEST

START_TEST(a_model_has_one_open_job)
{
    struct job j = {.options = (char[]){"{}"}, .model = "m", .trigger = "x"};
    int64_t first = add("m"), other;

    ck_assert_int_eq(jobs_add(db, &j, &other, &e), ERR_CONFLICT);
    ck_assert_int_eq(other, first);
    set_state(first, JOB_RUNNING);
    ck_assert_int_eq(jobs_add(db, &j, &other, &e), ERR_CONFLICT);
    ck_assert_int_eq(other, first);
    ck_assert_int_gt(add("n"), first);
    set_state(first, JOB_SUCCEEDED);
    ck_assert_int_eq(jobs_add(db, &j, &other, &e), ERR_OK);
    ck_assert_int_gt(other, first);
}
END_TEST

START_TEST(the_one_left_running_is_next_then_the_oldest)
{
    struct job j;

    ck_assert_int_eq(jobs_next(db, &j, &e), ERR_NOT_FOUND);
    int64_t a = add("a"), b = add("b"), c = add("c");
    ck_assert_int_eq(jobs_next(db, &j, &e), ERR_OK);
    ck_assert_int_eq(j.id, a);
    job_fini(&j);
    set_state(b, JOB_RUNNING);
    ck_assert_int_eq(jobs_next(db, &j, &e), ERR_OK);
    ck_assert_int_eq(j.id, b);
    job_fini(&j);
    set_state(a, JOB_CANCELLED);
    set_state(b, JOB_FAILED);
    ck_assert_int_eq(jobs_next(db, &j, &e), ERR_OK);
    ck_assert_int_eq(j.id, c);
    job_fini(&j);
    ck_assert_int_eq(jobs_last(db, "a", &j, &e), ERR_OK);
    ck_assert_int_eq(j.id, a);
    job_fini(&j);
    ck_assert_int_eq(jobs_last(db, "none", &j, &e), ERR_NOT_FOUND);
}
END_TEST

START_TEST(cancelling_depends_on_the_state)
{
    enum job_state state;
    struct job j;
    int64_t a = add("a"), b = add("b");

    set_state(b, JOB_RUNNING);
    ck_assert_int_eq(jobs_cancel(db, a, 5000, &state, &e), ERR_OK);
    ck_assert_int_eq(state, JOB_CANCELLED);
    ck_assert_int_eq(jobs_cancel(db, b, 5000, &state, &e), ERR_OK);
    ck_assert_int_eq(state, JOB_RUNNING);
    ck_assert_int_eq(jobs_cancel(db, a, 5000, &state, &e), ERR_CONFLICT);
    ck_assert_int_eq(jobs_cancel(db, 99, 5000, &state, &e), ERR_NOT_FOUND);
    ck_assert_int_eq(jobs_get(db, a, &j, &e), ERR_OK);
    ck_assert_int_eq(j.ended_ms, 5000);
    job_fini(&j);
    ck_assert_int_eq(jobs_get(db, b, &j, &e), ERR_OK);
    ck_assert(j.cancelling);
    ck_assert_int_eq(j.state, JOB_RUNNING);
    ck_assert_int_eq(jobs_update(db, &j, &e), ERR_OK);
    job_fini(&j);
    ck_assert_int_eq(jobs_get(db, b, &j, &e), ERR_OK);
    ck_assert(j.cancelling);
    job_fini(&j);
}
END_TEST

static bool note_job(void *arg, const struct job *j)
{
    char *text = arg;
    size_t length = strlen(text);

    snprintf(text + length, 100 - length, "%s%lld ", j->model,
             (long long)j->id);
    return strlen(text) < 12;
}

START_TEST(lists_have_the_newest_first_and_pages)
{
    char text[100] = "";

    for (int i = 0; i < 3; i++) {
        set_state(add("a"), JOB_FAILED);
        set_state(add("b"), JOB_FAILED);
    }
    ck_assert_int_eq(jobs_each(db, "a", 0, 10, note_job, text, &e), ERR_OK);
    ck_assert_str_eq(text, "a5 a3 a1 ");
    text[0] = 0;
    ck_assert_int_eq(jobs_each(db, NULL, 5, 2, note_job, text, &e), ERR_OK);
    ck_assert_str_eq(text, "b4 a3 ");
    text[0] = 0;
    ck_assert_int_eq(jobs_each(db, NULL, 0, 10, note_job, text, &e), ERR_OK);
    ck_assert_str_eq(text, "b6 a5 b4 a3 ");
}
END_TEST

START_TEST(states_have_names)
{
    ck_assert_str_eq(job_state_name(JOB_QUEUED), "queued");
    ck_assert_str_eq(job_state_name(JOB_CANCELLED), "cancelled");
    ck_assert(!job_state_ended(JOB_RUNNING));
    ck_assert(job_state_ended(JOB_SUCCEEDED));
}
END_TEST

/* ---- versions ---- */

static enum err_code add_version(const char *model, uint64_t version)
{
    return versions_add(db,
                        &(struct stored_version){.model = model,
                                                 .version = version,
                                                 .parent = 1,
                                                 .job = 5,
                                                 .created_ms = 9},
                        &e);
}

static bool note_version(void *arg, const struct stored_version *v)
{
    char *text = arg;
    size_t length = strlen(text);

    ck_assert_uint_eq(v->parent, 1);
    ck_assert_int_eq(v->job, 5);
    ck_assert_int_eq(v->created_ms, 9);
    snprintf(text + length, 100 - length, "%s%llu ", v->model,
             (unsigned long long)v->version);
    return true;
}

START_TEST(versions_are_listed_in_order)
{
    char text[100] = "";

    ck_assert_int_eq(add_version("b", 1001), ERR_OK);
    ck_assert_int_eq(add_version("a", 1002), ERR_OK);
    ck_assert_int_eq(add_version("a", 1001), ERR_OK);
    ck_assert_int_eq(add_version("a", 1001), ERR_CONFLICT);
    ck_assert_int_eq(versions_each(db, NULL, note_version, text, &e), ERR_OK);
    ck_assert_str_eq(text, "a1001 a1002 b1001 ");
    text[0] = 0;
    ck_assert_int_eq(versions_each(db, "b", note_version, text, &e), ERR_OK);
    ck_assert_str_eq(text, "b1001 ");
    ck_assert_int_eq(versions_delete(db, "a", 1001, &e), ERR_OK);
    ck_assert_int_eq(versions_delete(db, "a", 1001, &e), ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_number_is_given_once)
{
    uint64_t number;

    ck_assert_int_eq(versions_take_number(db, "m", 3, &number, &e), ERR_OK);
    ck_assert_uint_eq(number, VERSIONS_FIRST_TUNED);
    ck_assert_int_eq(versions_take_number(db, "m", 3, &number, &e), ERR_OK);
    ck_assert_uint_eq(number, VERSIONS_FIRST_TUNED + 1);
    ck_assert_int_eq(versions_take_number(db, "m", 2000, &number, &e), ERR_OK);
    ck_assert_uint_eq(number, 2001);
    ck_assert_int_eq(versions_take_number(db, "n", 0, &number, &e), ERR_OK);
    ck_assert_uint_eq(number, VERSIONS_FIRST_TUNED);
    ck_assert_int_eq(versions_take_number(db, "m", UINT64_MAX, &number, &e),
                     ERR_TOO_LARGE);
}
END_TEST

START_TEST(what_serves_is_known_and_kept)
{
    uint64_t version;

    ck_assert_int_eq(versions_get_service(db, "m", &version, &e), ERR_OK);
    ck_assert_uint_eq(version, 0);
    ck_assert_int_eq(versions_set_service(db, "m", 2, 1, &e), ERR_OK);
    ck_assert_int_eq(versions_set_service(db, "m", 1001, 1, &e), ERR_NOT_FOUND);
    ck_assert_int_eq(versions_get_service(db, "m", &version, &e), ERR_OK);
    ck_assert_uint_eq(version, 2);
    ck_assert_int_eq(add_version("m", 1001), ERR_OK);
    ck_assert_int_eq(versions_set_service(db, "m", 1001, 1, &e), ERR_OK);
    ck_assert_int_eq(versions_delete(db, "m", 1001, &e), ERR_CONFLICT);
    ck_assert_int_eq(versions_set_service(db, "m", 1, 1, &e), ERR_OK);
    ck_assert_int_eq(versions_delete(db, "m", 1001, &e), ERR_OK);
}
END_TEST

/* ---- idempotency keys ---- */

START_TEST(an_answer_is_given_again_for_the_same_body_only)
{
    struct key k = {.scope = "POST /v1/models/m/samples",
                    .key = "abc",
                    .body = UINT64_MAX - 1,
                    .wall_ms = 1000000000000};
    struct key_answer a;

    ck_assert_int_eq(keys_find(db, &k, &a, &e), ERR_OK);
    ck_assert_int_eq(a.status, 0);
    ck_assert_ptr_null(a.reply);
    ck_assert_int_eq(keys_add(db, &k, 201, "{\"x\":1}", &e), ERR_OK);
    ck_assert_int_eq(keys_find(db, &k, &a, &e), ERR_OK);
    ck_assert_int_eq(a.status, 201);
    ck_assert_str_eq(a.reply, "{\"x\":1}");
    key_answer_fini(&a);

    struct key other = k;
    other.body = 3;
    ck_assert_int_eq(keys_find(db, &other, &a, &e), ERR_SHAPE);
    ck_assert_ptr_nonnull(strstr(e.msg, "abc"));
    other = k;
    other.scope = "POST /v1/models/n/samples";
    ck_assert_int_eq(keys_find(db, &other, &a, &e), ERR_OK);
    ck_assert_int_eq(a.status, 0);
}
END_TEST

START_TEST(old_answers_are_forgotten)
{
    struct key k = {.scope = "s", .key = "abc", .body = 1, .wall_ms = 1000};
    struct key_answer a;

    ck_assert_int_eq(keys_add(db, &k, 201, "old", &e), ERR_OK);
    k.wall_ms += KEYS_LIVE_MS;
    ck_assert_int_eq(keys_find(db, &k, &a, &e), ERR_OK);
    ck_assert_int_eq(a.status, 201);
    key_answer_fini(&a);
    k.wall_ms++;
    k.body = 2;
    ck_assert_int_eq(keys_find(db, &k, &a, &e), ERR_OK);
    ck_assert_int_eq(a.status, 0);
    ck_assert_int_eq(keys_add(db, &k, 202, "new", &e), ERR_OK);
    ck_assert_int_eq(keys_find(db, &k, &a, &e), ERR_OK);
    ck_assert_int_eq(a.status, 202);
    key_answer_fini(&a);

    /* Adding another one takes the first away. */
    k.key = "def";
    k.wall_ms += KEYS_LIVE_MS + 1;
    ck_assert_int_eq(keys_add(db, &k, 202, "", &e), ERR_OK);
    struct query q;
    query_begin(&q, db, "SELECT count(*) FROM keys");
    ck_assert(query_next(&q));
    ck_assert_int_eq(query_int(&q, 0), 1);
    ck_assert_int_eq(query_end(&q, &e), ERR_OK);
}
END_TEST

START_TEST(the_oldest_of_too_many_go)
{
    struct key k = {.scope = "s", .key = "a", .body = 1, .wall_ms = 1000};
    struct key_answer a;
    struct query q;

    ck_assert_int_eq(keys_add(db, &k, 201, "", &e), ERR_OK);
    query_begin(&q, db,
                "UPDATE counters SET value = value + $1 WHERE name = 'key'");
    query_put_int(&q, KEYS_MAX - 2);
    ck_assert_int_eq(query_run(&q, &e), ERR_OK);
    k.key = "b";
    ck_assert_int_eq(keys_add(db, &k, 201, "", &e), ERR_OK);
    k.key = "a";
    ck_assert_int_eq(keys_find(db, &k, &a, &e), ERR_OK);
    ck_assert_int_eq(a.status, 201);
    key_answer_fini(&a);
    k.key = "c";
    ck_assert_int_eq(keys_add(db, &k, 201, "", &e), ERR_OK);
    k.key = "a";
    ck_assert_int_eq(keys_find(db, &k, &a, &e), ERR_OK);
    ck_assert_int_eq(a.status, 0);
}
END_TEST

Suite *suite_jobs(void)
{
    Suite *s = suite_create("jobs");
    TCase *t = tcase_create("jobs");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_job_comes_back_as_it_was_written);
    tcase_add_test(t, a_model_has_one_open_job);
    tcase_add_test(t, the_one_left_running_is_next_then_the_oldest);
    tcase_add_test(t, cancelling_depends_on_the_state);
    tcase_add_test(t, lists_have_the_newest_first_and_pages);
    tcase_add_test(t, states_have_names);
    suite_add_tcase(s, t);

    t = tcase_create("versions");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, versions_are_listed_in_order);
    tcase_add_test(t, a_number_is_given_once);
    tcase_add_test(t, what_serves_is_known_and_kept);
    suite_add_tcase(s, t);

    t = tcase_create("keys");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, an_answer_is_given_again_for_the_same_body_only);
    tcase_add_test(t, old_answers_are_forgotten);
    tcase_add_test(t, the_oldest_of_too_many_go);
    suite_add_tcase(s, t);
    return s;
}
