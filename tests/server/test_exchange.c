/* Exchanges against the api with a real store: replies that wait for the disk,
 * and streams.
 */
#include "server/exchange.h"

#include "api/meters.h"
#include "lib/base/log.h"
#include "tests/api/client.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_exchange(void);

#define SAMPLES "/v1/models/small/samples"
#define ONE "{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"a\"]}"
#define JOB "{}"

static struct client c;
static struct exchange_rules rules;
static struct exchange x;

/* What comes from the store's thread. */
static struct lock lock;
static struct cond cond;
static size_t n_ready;
/* Work that keeps the writer busy until it is let go. */
static struct store_work stopper;
static bool stopping;

static void note_ready(void *arg)
{
    ck_assert_ptr_eq(arg, &x);
    lock_take(&lock);
    n_ready++;
    cond_broadcast(&cond);
    lock_drop(&lock);
}

static void await_ready(size_t n)
{
    lock_take(&lock);
    while (n_ready < n)
        cond_wait(&cond, &lock);
    lock_drop(&lock);
}

static enum err_code stop_writer(struct store_work *w, struct database *db,
                                 struct err *e)
{
    (void)w;
    (void)db;
    (void)e;
    lock_take(&lock);
    while (stopping)
        cond_wait(&cond, &lock);
    lock_drop(&lock);
    return ERR_OK;
}

static void forget(struct store_work *w, const struct err *e)
{
    (void)w;
    (void)e;
}

static void hold_writer(void)
{
    struct err e;

    stopping = true;
    stopper = (struct store_work){.run = stop_writer, .done = forget};
    ck_assert_int_eq(store_submit(c.learning.store, &stopper, &e), ERR_OK);
}

static void let_writer_go(void)
{
    lock_take(&lock);
    stopping = false;
    cond_broadcast(&cond);
    lock_drop(&lock);
}

static void open_exchange(struct exchange *one)
{
    *one = (struct exchange){.ready = note_ready, .ready_arg = one};
    exchange_init(one, &rules);
}

static void setup(void)
{
    log_set(LOG_ERROR, LOG_TEXT);
    client_open(&c);
    client_learn(&c);
    lock_init(&lock);
    cond_init(&cond);
    n_ready = 0;
    rules = (struct exchange_rules){
        .api = &c.api, .max_body = 4096, .max_held = 8192, .max_streams = 2};
    open_exchange(&x);
}

static void teardown(void)
{
    exchange_fini(&x);
    ck_assert_uint_eq(atomic_load(&rules.held), 0);
    ck_assert_uint_eq(atomic_load(&rules.streams), 0);
    cond_fini(&cond);
    lock_fini(&lock);
    client_close(&c);
}

static void add_header(struct exchange *one, const char *name,
                       const char *value)
{
    exchange_header(one, name, strlen(name), value, strlen(value));
}

/* All of a request, but for its run. */
static void receive(struct exchange *one, const char *method,
                    const char *target, const char *key, const char *body)
{
    char length[24];

    ck_assert(exchange_begin(one, target));
    add_header(one, "Host", "x");
    if (key != NULL)
        add_header(one, "idempotency-key", key);
    if (body != NULL) {
        snprintf(length, sizeof length, "%zu", strlen(body));
        add_header(one, "Content-Length", length);
        add_header(one, "Content-Type", "application/json");
    }
    ck_assert_int_eq(exchange_decide(one, method, "HTTP/1.1"), EXCHANGE_GO_ON);
    if (body != NULL)
        ck_assert(exchange_body(one, body, strlen(body)));
}

static void answer(struct exchange *one, int status)
{
    size_t before = n_ready;

    if (!exchange_run(one))
        await_ready(before + 1);
    ck_assert_msg(
        one->response.status == status, "%d, want %d: %s", one->response.status,
        status, one->response.body.data != NULL ? one->response.body.data : "");
}

static void ask(struct exchange *one, const char *method, const char *target,
                const char *body, int status)
{
    receive(one, method, target, NULL, body);
    answer(one, status);
}

START_TEST(a_request_that_waits_is_held_until_it_is_answered)
{
    hold_writer();
    receive(&x, "POST", SAMPLES, NULL, ONE);
    ck_assert(!exchange_run(&x));
    ck_assert_uint_ge(atomic_load(&rules.held), strlen(ONE));
    ck_assert_uint_eq(n_ready, 0);
    let_writer_go();
    await_ready(1);
    ck_assert(x.answered);
    ck_assert_int_eq(x.response.status, 201);
    ck_assert_uint_eq(x.body.length, 0);
    ck_assert_uint_ge(atomic_load(&rules.held), x.response.body.length);
    exchange_end(&x, true);
    ck_assert_uint_eq(atomic_load(&rules.held), 0);
    ask(&x, "GET", SAMPLES, NULL, 200);
    ck_assert_ptr_nonnull(strstr(x.response.body.data, "\"total\":1"));
    exchange_end(&x, true);
}
END_TEST

START_TEST(an_answer_may_come_before_the_run_returns)
{
    for (size_t i = 0; i < 300; i++) {
        ask(&x, "PUT", SAMPLES "/9/label", "{\"label\":\"a\"}", 404);
        exchange_end(&x, true);
    }
    ck_assert_uint_eq(n_ready, 300);
}
END_TEST

START_TEST(what_waits_counts_against_what_may_be_held)
{
    struct exchange other;

    rules.max_held = 60;
    open_exchange(&other);
    hold_writer();
    receive(&x, "POST", SAMPLES, NULL, ONE);
    ck_assert(!exchange_run(&x));
    ck_assert(exchange_begin(&other, SAMPLES));
    add_header(&other, "Host", "x");
    add_header(&other, "Content-Length", "46");
    add_header(&other, "Content-Type", "application/json");
    ck_assert_int_eq(exchange_decide(&other, "POST", "HTTP/1.1"),
                     EXCHANGE_SWALLOW);
    ck_assert_int_eq(other.response.status, 503);
    exchange_end(&other, true);
    let_writer_go();
    await_ready(1);
    exchange_end(&x, true);
    exchange_fini(&other);
}
END_TEST

static const char *timing_of(const struct exchange *one)
{
    for (size_t i = 0; i < one->response.n_headers; i++) {
        if (strcmp(one->response.headers[i].name, "Server-Timing") == 0)
            return one->response.headers[i].value;
    }
    return NULL;
}

START_TEST(inference_tells_its_timing_kept_or_not)
{
    static const char *const bodies[] = {
        "{\"inputs\":[[0,1,0,1,0,1]]}",
        "{\"inputs\":[[0,1,0,1,0,1]],\"keep\":true}"};

    for (size_t i = 0; i < 2; i++) {
        ask(&x, "POST", "/v1/models/small/infer", bodies[i], 200);
        ck_assert_ptr_nonnull(timing_of(&x));
        ck_assert_ptr_nonnull(strstr(timing_of(&x), "compute;dur="));
        exchange_end(&x, true);
    }
    ask(&x, "POST", "/v1/models/small/infer", "{}", 422);
    ck_assert_ptr_null(timing_of(&x));
    exchange_end(&x, true);
    ask(&x, "GET", "/healthz", NULL, 200);
    ck_assert_ptr_null(timing_of(&x));
    exchange_end(&x, true);
}
END_TEST

/* Requests by route and status, in order; what is not sent is a client gone. */
START_TEST(each_request_is_metered_once)
{
    static struct meters meters;

    memset(&meters, 0, sizeof meters);
    c.api.meters = &meters;
    receive(&x, "POST", SAMPLES, NULL, ONE);
    ck_assert_uint_eq(meters.in_flight, 1);
    answer(&x, 201);
    size_t bytes = x.response.body.length;
    exchange_end(&x, true);
    ck_assert_uint_eq(meters.in_flight, 0);
    ck_assert_uint_eq(meters.bytes_in, strlen(ONE));
    ck_assert_uint_eq(meters.bytes_out, bytes);
    ask(&x, "HEAD", "/healthz", NULL, 200);
    exchange_end(&x, true);
    ask(&x, "GET", "/healthz", NULL, 200);
    exchange_end(&x, false);
    exchange_end(&x, false); /* nothing is under way */
    ck_assert_uint_eq(meters.bytes_out, bytes);
    ck_assert_uint_eq(meters.in_flight, 0);
    ck_assert(exchange_begin(&x, "/healthz"));
    ck_assert_int_eq(exchange_decide(&x, "GET", "HTTP/1.1"), EXCHANGE_ANSWER);
    exchange_end(&x, true);
    ck_assert_uint_eq(meters.refused[METERS_MALFORMED], 1);
    uint64_t all = 0;
    for (size_t i = 0; i < METERS_ROUTES; i++) {
        for (size_t place = 0; place < METERS_STATUSES; place++)
            all += meters.routes[i].statuses[place];
    }
    ck_assert_uint_eq(all, 4);
}
END_TEST

START_TEST(a_key_is_taken_from_the_headers)
{
    for (int i = 0; i < 2; i++) {
        receive(&x, "POST", SAMPLES, "\"k\"", ONE);
        ck_assert_str_eq(x.request.idempotency_key, "\"k\"");
        answer(&x, 201);
        exchange_end(&x, true);
    }
    ask(&x, "GET", SAMPLES, NULL, 200);
    ck_assert_ptr_nonnull(strstr(x.response.body.data, "\"total\":1"));
    ck_assert_ptr_null(x.request.idempotency_key);
    exchange_end(&x, true);
    ck_assert(exchange_begin(&x, "/"));
    add_header(&x, "Last-Event-ID", "7");
    ck_assert_str_eq(x.request.last_event_id, "7");
    exchange_end(&x, true);
}
END_TEST

/* Starts a job that stays queued, and a stream of its events. */
static void open_stream(struct exchange *one)
{
    ask(one, "GET", "/v1/fine-tunes/1/events", NULL, 200);
    ck_assert(stream_is_open(&one->stream));
}

static void add_job(void)
{
    ask(&x, "POST", SAMPLES, ONE, 201);
    exchange_end(&x, true);
    ask(&x, "POST", "/v1/models/small/fine-tunes", JOB, 202);
    exchange_end(&x, true);
}

START_TEST(a_stream_speaks_and_is_closed_with_its_exchange)
{
    char text[4096] = "";

    add_job();
    open_stream(&x);
    ck_assert_int_eq(stream_look(&x.stream), STREAM_SAYS);
    stream_take(&x.stream, text, sizeof text - 1);
    ck_assert_ptr_nonnull(strstr(text, "event: state\ndata: {\"id\":1,"));
    ck_assert_int_eq(stream_look(&x.stream), STREAM_QUIET);
    ck_assert_uint_eq(atomic_load(&rules.streams), 1);
    exchange_end(&x, false);
    ck_assert_uint_eq(atomic_load(&rules.streams), 0);
    ck_assert(!stream_is_open(&x.stream));
}
END_TEST

START_TEST(one_stream_too_many_is_refused)
{
    struct exchange others[2];

    add_job();
    for (size_t i = 0; i < 2; i++) {
        open_exchange(&others[i]);
        open_stream(&others[i]);
    }
    ask(&x, "GET", "/v1/fine-tunes/1/events", NULL, 503);
    ck_assert(!stream_is_open(&x.stream));
    ck_assert_ptr_nonnull(strstr(x.response.body.data, "2 event streams"));
    exchange_end(&x, true);
    exchange_end(&others[0], false);
    open_stream(&x);
    exchange_end(&x, true);
    exchange_end(&others[1], false);
    exchange_fini(&others[1]);
    exchange_fini(&others[0]);
}
END_TEST

Suite *suite_exchange(void)
{
    Suite *s = suite_create("exchange");
    TCase *t = tcase_create("exchange");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_request_that_waits_is_held_until_it_is_answered);
    tcase_add_test(t, an_answer_may_come_before_the_run_returns);
    tcase_add_test(t, what_waits_counts_against_what_may_be_held);
    tcase_add_test(t, inference_tells_its_timing_kept_or_not);
    tcase_add_test(t, each_request_is_metered_once);
    tcase_add_test(t, a_key_is_taken_from_the_headers);
    tcase_add_test(t, a_stream_speaks_and_is_closed_with_its_exchange);
    tcase_add_test(t, one_stream_too_many_is_refused);
    suite_add_tcase(s, t);
    return s;
}
