/* Replies that wait for the disk: who answers, what an idempotency key keeps,
 * and what trouble of the store becomes.
 */
#include "tests/api/client.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_pending(void);

#define SAMPLES "/v1/models/small/samples"
#define ONE "{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"a\"]}"

static struct client c;

static void setup(void)
{
    client_open(&c);
    client_learn(&c);
}

static void teardown(void)
{
    client_close(&c);
}

START_TEST(a_reply_comes_from_elsewhere)
{
    c.finishes = true;
    for (int i = 1; i <= 20; i++) {
        ck_assert_int_eq(client_post(&c, SAMPLES, ONE), 201);
        ck_assert(client_number(&c, "ids[0]") == i);
    }
    ck_assert_uint_eq(c.n_waited, 20);
    ck_assert_int_eq(client_get(&c, SAMPLES), 200);
    ck_assert_uint_eq(c.n_waited, 20);
    ck_assert(client_number(&c, "total") == 20);
}
END_TEST

START_TEST(a_refusal_in_the_store_comes_from_elsewhere_too)
{
    c.finishes = true;
    ck_assert_int_eq(client_put(&c, SAMPLES "/9/label", "{\"label\":\"a\"}"),
                     404);
    client_refused(&c, 404, "9");
    ck_assert_uint_eq(c.n_waited, 1);
    /* What the body is wrong in needs no store. */
    client_post(&c, SAMPLES, "{\"inputs\":[[0,1]]}");
    client_refused(&c, 422, "inputs[0]: want 6 numbers");
    ck_assert_uint_eq(c.n_waited, 1);
}
END_TEST

/* The same request, with the key. */
static int post_keyed(const char *key, const char *body)
{
    c.request.idempotency_key = key;
    int status = client_post(&c, SAMPLES, body);
    c.request.idempotency_key = NULL;
    return status;
}

START_TEST(a_key_is_answered_as_before)
{
    ck_assert_int_eq(post_keyed("\"one\"", ONE), 201);
    ck_assert_ptr_null(client_header(&c, "Idempotency-Replayed"));
    char first[200];
    snprintf(first, sizeof first, "%s", c.response.body.data);
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            client_learn(&c); /* another process */
        c.finishes = i == 1;
        ck_assert_int_eq(post_keyed(i == 0 ? "one" : "\"one\"", ONE), 201);
        ck_assert_str_eq(c.response.body.data, first);
        ck_assert_str_eq(client_header(&c, "Idempotency-Replayed"), "true");
    }
    client_get(&c, SAMPLES);
    ck_assert(client_number(&c, "total") == 1);
}
END_TEST

START_TEST(a_key_with_another_request_is_refused)
{
    ck_assert_int_eq(post_keyed("k", ONE), 201);
    post_keyed("k", "{\"inputs\":[[0,1,0,1,0,0]],\"labels\":[\"a\"]}");
    client_refused(&c, 422, "Idempotency-Key");
    /* Another path is another scope. */
    c.request.idempotency_key = "k";
    ck_assert_int_eq(client_post(&c, "/v1/models/tall/samples", ONE), 201);
    ck_assert_ptr_null(client_header(&c, "Idempotency-Replayed"));
    c.request.idempotency_key = NULL;
    client_get(&c, SAMPLES);
    ck_assert(client_number(&c, "total") == 1);
}
END_TEST

START_TEST(a_refused_request_leaves_its_key_free)
{
    static const char five[] =
        "{\"inputs\":[[0,0,0,0,0,1],[0,0,0,0,1,1],[0,0,0,1,1,1],[0,0,1,1,1,1],"
        "[0,1,1,1,1,1]],\"labels\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}";

    post_keyed("k", five);
    client_refused(&c, 422, "label");
    ck_assert_int_eq(post_keyed("k", ONE), 201);
}
END_TEST

START_TEST(keys_that_are_none_are_refused)
{
    char longest[300];

    memset(longest, 'k', sizeof longest);
    longest[256] = 0;
    const char *const keys[] = {"", "\"\"", "tab\tin it", "caf\xc3\xa9",
                                longest};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        post_keyed(keys[i], ONE);
        client_refused(&c, 400, "Idempotency-Key: want 1 to 255");
    }
    ck_assert_int_eq(post_keyed(longest + 1, ONE), 201);
}
END_TEST

START_TEST(without_a_store_learning_is_refused_with_the_reason)
{
    static const char *const posts[] = {SAMPLES, "/v1/models/small/fine-tunes",
                                        "/v1/models/small/versions/1/activate",
                                        "/v1/fine-tunes/1/cancel"};
    static const char *const gets[] = {SAMPLES, "/v1/fine-tunes",
                                       "/v1/fine-tunes/1",
                                       "/v1/fine-tunes/1/events"};

    c.api.learning = NULL;
    c.api.no_learning = "the store is damaged";
    for (size_t i = 0; i < 4; i++) {
        c.request.content_type = "application/json";
        client_send(&c, "POST", posts[i], ONE, i == 0 ? strlen(ONE) : 0);
        client_refused(&c, 503, "the store is damaged");
        ck_assert_ptr_nonnull(client_header(&c, "Retry-After"));
        client_get(&c, gets[i]);
        client_refused(&c, 503, "the store is damaged");
    }
    client_put(&c, SAMPLES "/1/label", "{\"label\":null}");
    client_refused(&c, 503, "the store is damaged");
    client_delete(&c, SAMPLES "?all=true");
    client_refused(&c, 503, "the store is damaged");
    client_post(&c, "/v1/models/small/infer",
                "{\"inputs\":[[0,1,0,1,0,1]],\"keep\":true}");
    client_refused(&c, 503, "the store is damaged");
    ck_assert_int_eq(client_post(&c, "/v1/models/small/infer",
                                 "{\"inputs\":[[0,1,0,1,0,1]]}"),
                     200);
    ck_assert_int_eq(client_get(&c, "/v1/models/small/versions"), 200);
}
END_TEST

START_TEST(readiness_says_that_it_is_degraded)
{
    ck_assert_int_eq(client_get(&c, "/readyz"), 200);
    ck_assert_str_eq(client_text(&c, "status"), "ready");
    ck_assert_ptr_null(client_find(&c, "reasons"));
    c.api.learning = NULL;
    c.api.no_learning = "the store is damaged";
    ck_assert_int_eq(client_get(&c, "/readyz"), 200);
    ck_assert_str_eq(client_text(&c, "status"), "degraded");
    ck_assert_uint_eq(client_count(&c, "reasons"), 1);
    ck_assert_str_eq(client_text(&c, "reasons[0]"),
                     "learning: the store is damaged");
}
END_TEST

/* Holds the writer for as long as it runs. */
struct hold {
    struct store_work work; /* first */
    struct lock lock;
    struct cond change;
    bool begun, free, ended; /* guarded by lock */
};

static enum err_code hold_on(struct store_work *w, struct database *db,
                             struct err *e)
{
    struct hold *h = (struct hold *)w;

    (void)db;
    (void)e;
    lock_take(&h->lock);
    h->begun = true;
    cond_broadcast(&h->change);
    while (!h->free)
        cond_wait(&h->change, &h->lock);
    lock_drop(&h->lock);
    return ERR_OK;
}

static void held(struct store_work *w, const struct err *e)
{
    struct hold *h = (struct hold *)w;

    (void)e;
    lock_take(&h->lock);
    h->ended = true;
    cond_broadcast(&h->change);
    lock_drop(&h->lock);
}

static void await(struct hold *h, const bool *what)
{
    lock_take(&h->lock);
    while (!*what)
        cond_wait(&h->change, &h->lock);
    lock_drop(&h->lock);
}

START_TEST(too_much_that_waits_is_refused)
{
    struct hold h = {.work = {.run = hold_on, .done = held}};
    struct err e = {0};

    lock_init(&h.lock);
    cond_init(&h.change);
    h.work.bytes = CLIENT_WAITING_BYTES;
    ck_assert_int_eq(store_submit(c.learning.store, &h.work, &e), ERR_OK);
    await(&h, &h.begun);
    c.finishes = true;
    client_post(&c, SAMPLES, ONE);
    client_refused(&c, 503, "wait");
    ck_assert_ptr_nonnull(client_header(&c, "Retry-After"));
    ck_assert_uint_eq(c.n_waited, 0);
    lock_take(&h.lock);
    h.free = true;
    cond_broadcast(&h.change);
    lock_drop(&h.lock);
    await(&h, &h.ended);
    ck_assert_int_eq(client_post(&c, SAMPLES, ONE), 201);
    cond_fini(&h.change);
    lock_fini(&h.lock);
}
END_TEST

Suite *suite_pending(void)
{
    Suite *s = suite_create("pending");
    TCase *t = tcase_create("waiting");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_reply_comes_from_elsewhere);
    tcase_add_test(t, a_refusal_in_the_store_comes_from_elsewhere_too);
    tcase_add_test(t, a_key_is_answered_as_before);
    tcase_add_test(t, a_key_with_another_request_is_refused);
    tcase_add_test(t, a_refused_request_leaves_its_key_free);
    tcase_add_test(t, keys_that_are_none_are_refused);
    tcase_add_test(t, without_a_store_learning_is_refused_with_the_reason);
    tcase_add_test(t, readiness_says_that_it_is_degraded);
    tcase_add_test(t, too_much_that_waits_is_refused);
    suite_add_tcase(s, t);
    return s;
}
