/* Fine-tunes as records: started, listed, shown, cancelled. No learner is
 * there to run them.
 */
#include "tests/api/client.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_fine_tunes(void);

#define START "/v1/models/small/fine-tunes"
#define ONE "{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"a\"]}"

static struct client c;

static void setup(void)
{
    client_open(&c);
    client_learn(&c);
    c.finishes = true;
    client_post(&c, "/v1/models/small/samples", ONE);
    ck_assert_int_eq(c.response.status, 201);
}

static void teardown(void)
{
    client_close(&c);
}

/* Without a body. */
static int post(const char *path)
{
    c.request.content_type = NULL;
    return client_send(&c, "POST", path, NULL, 0);
}

START_TEST(a_start_answers_with_the_queued_job)
{
    ck_assert_int_eq(client_post(&c, START,
                                 "{\"epochs\":3,\"learning_rate\":0.5,"
                                 "\"promote\":\"never\",\"seed\":7}"),
                     202);
    ck_assert_str_eq(client_header(&c, "Location"), "/v1/fine-tunes/1");
    ck_assert(client_number(&c, "id") == 1);
    ck_assert_str_eq(client_text(&c, "model"), "small");
    ck_assert_str_eq(client_text(&c, "state"), "queued");
    ck_assert_str_eq(client_text(&c, "trigger"), "request");
    ck_assert(client_number(&c, "options.epochs") == 3);
    ck_assert(client_number(&c, "options.learning_rate") == 0.5);
    ck_assert_str_eq(client_text(&c, "options.promote"), "never");
    ck_assert(client_number(&c, "options.seed") == 7);
    ck_assert_uint_eq(strlen(client_text(&c, "created")), 24);
    static const char *const nulls[] = {"parent", "version",  "started",
                                        "ended",  "before",   "after",
                                        "reason", "progress", NULL};
    for (size_t i = 0; nulls[i] != NULL; i++) {
        char word[32];
        snprintf(word, sizeof word, "\"%s\":null", nulls[i]);
        ck_assert_ptr_nonnull(strstr(c.response.body.data, word));
    }
    ck_assert_int_eq(client_get(&c, "/v1/fine-tunes/1"), 200);
    ck_assert_str_eq(client_text(&c, "options.promote"), "never");
}
END_TEST

START_TEST(without_a_body_all_is_standard)
{
    ck_assert_int_eq(post(START), 202);
    ck_assert_str_eq(client_text(&c, "options.promote"), "if_better");
    ck_assert_int_eq(post("/v1/fine-tunes/1/cancel"), 200);
    ck_assert_int_eq(post(START "?epochs=2"), 202);
    ck_assert(client_number(&c, "options.epochs") == 2);
    ck_assert(client_number(&c, "id") == 2);
}
END_TEST

START_TEST(wrong_options_are_refused)
{
    static const struct {
        const char *body;
        int status;
        const char *words;
    } cases[] = {
        {"{\"epochs\":0}", 422, "epochs: want an integer from 1 to 1000"},
        {"{\"epochs\":1001}", 422, "epochs"},
        {"{\"epochs\":1.5}", 422, "epochs"},
        {"{\"epochs\":\"3\"}", 422, "epochs: want a number"},
        {"{\"learning_rate\":0}", 422, "learning_rate"},
        {"{\"learning_rate\":-1}", 422, "learning_rate"},
        {"{\"learning_rate\":1000001}", 422, "learning_rate"},
        {"{\"promote\":\"maybe\"}", 422,
         "promote: want \"if_better\" or \"always\" or \"never\""},
        {"{\"promote\":1}", 422, "promote"},
        {"{\"seed\":-1}", 422, "seed"},
        {"{\"lr\":1}", 422, "unknown member \"lr\""},
        {"[]", 422, "object"},
        {"{\"epochs\":3", 400, "JSON"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        client_post(&c, START, cases[i].body);
        client_refused(&c, cases[i].status, cases[i].words);
    }
    c.request.content_type = NULL;
    client_send(&c, "POST", START, "{}", 2);
    client_refused(&c, 415, "no Content-Type");
    client_get(&c, "/v1/fine-tunes");
    ck_assert_uint_eq(client_count(&c, "fine_tunes"), 0);
}
END_TEST

START_TEST(a_second_start_names_the_first)
{
    ck_assert_int_eq(post(START), 202);
    post(START);
    client_refused(&c, 409, "fine-tune 1 of model small is queued or running");
    client_post(&c, "/v1/models/tall/samples", ONE);
    ck_assert_int_eq(post("/v1/models/tall/fine-tunes"), 202);
    ck_assert(client_number(&c, "id") == 2);
    client_get(&c, "/v1/fine-tunes");
    ck_assert_uint_eq(client_count(&c, "fine_tunes"), 2);
}
END_TEST

START_TEST(a_model_without_samples_is_refused_with_counts)
{
    post("/v1/models/tall/fine-tunes");
    client_refused(&c, 422, "no samples to learn from (stored 0, posted 0");
    client_post(&c, "/v1/models/tall/samples", ONE);
    client_delete(&c, "/v1/models/tall/samples?all=true");
    post("/v1/models/tall/fine-tunes");
    client_refused(&c, 422, "(stored 0, posted 1");
    post("/v1/models/nobody/fine-tunes");
    client_refused(&c, 404, "nobody");
}
END_TEST

START_TEST(a_start_with_a_key_is_done_once)
{
    c.request.idempotency_key = "\"start\"";
    ck_assert_int_eq(post(START), 202);
    ck_assert_int_eq(post("/v1/fine-tunes/1/cancel"), 200);
    ck_assert_int_eq(post(START), 202);
    ck_assert(client_number(&c, "id") == 1);
    ck_assert_str_eq(client_text(&c, "state"), "queued");
    ck_assert_str_eq(client_header(&c, "Location"), "/v1/fine-tunes/1");
    ck_assert_str_eq(client_header(&c, "Idempotency-Replayed"), "true");
    c.request.idempotency_key = NULL;
    client_get(&c, "/v1/fine-tunes");
    ck_assert_uint_eq(client_count(&c, "fine_tunes"), 1);
}
END_TEST

START_TEST(lists_have_pages_the_newest_first)
{
    for (int i = 1; i <= 5; i++) {
        char path[64];
        ck_assert_int_eq(post(START), 202);
        snprintf(path, sizeof path, "/v1/fine-tunes/%d/cancel", i);
        ck_assert_int_eq(post(path), 200);
    }
    ck_assert_int_eq(client_get(&c, "/v1/fine-tunes?limit=2"), 200);
    ck_assert_uint_eq(client_count(&c, "fine_tunes"), 2);
    ck_assert(client_number(&c, "fine_tunes[0].id") == 5);
    ck_assert(client_number(&c, "next") == 4);
    ck_assert_int_eq(
        client_get(&c, "/v1/fine-tunes?limit=3&before=4&model=small"), 200);
    ck_assert_uint_eq(client_count(&c, "fine_tunes"), 3);
    ck_assert(client_number(&c, "fine_tunes[0].id") == 3);
    ck_assert_ptr_null(client_find(&c, "next"));
    ck_assert_int_eq(client_get(&c, "/v1/fine-tunes?model=tall"), 200);
    ck_assert_uint_eq(client_count(&c, "fine_tunes"), 0);
    client_get(&c, "/v1/fine-tunes?limit=0");
    client_refused(&c, 422, "limit");
    client_get(&c, "/v1/fine-tunes?label=a");
    client_refused(&c, 422, "label");
}
END_TEST

START_TEST(a_queued_job_is_cancelled_at_once)
{
    ck_assert_int_eq(post(START), 202);
    ck_assert_int_eq(post("/v1/fine-tunes/1/cancel"), 200);
    ck_assert_str_eq(client_text(&c, "state"), "cancelled");
    ck_assert_uint_eq(strlen(client_text(&c, "ended")), 24);
    post("/v1/fine-tunes/1/cancel");
    client_refused(&c, 409, "");
    ck_assert_int_eq(client_get(&c, "/v1/fine-tunes/1"), 200);
    ck_assert_str_eq(client_text(&c, "state"), "cancelled");
    post("/v1/fine-tunes/2/cancel");
    client_refused(&c, 404, "2");
    client_get(&c, "/v1/fine-tunes/2");
    client_refused(&c, 404, "2");
    client_get(&c, "/v1/fine-tunes/0");
    client_refused(&c, 404, "no such path");
}
END_TEST

Suite *suite_fine_tunes(void)
{
    Suite *s = suite_create("fine_tunes");
    TCase *t = tcase_create("records");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_start_answers_with_the_queued_job);
    tcase_add_test(t, without_a_body_all_is_standard);
    tcase_add_test(t, wrong_options_are_refused);
    tcase_add_test(t, a_second_start_names_the_first);
    tcase_add_test(t, a_model_without_samples_is_refused_with_counts);
    tcase_add_test(t, a_start_with_a_key_is_done_once);
    tcase_add_test(t, lists_have_pages_the_newest_first);
    tcase_add_test(t, a_queued_job_is_cancelled_at_once);
    suite_add_tcase(s, t);
    return s;
}
