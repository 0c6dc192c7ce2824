/* Events of a fine-tune: what its record says, and what a learner tells while
 * it runs one.
 */
#include "tests/api/client.h"

#include "lib/store/jobs.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_events(void);

#define START "/v1/models/small/fine-tunes"
#define EVENTS "/v1/fine-tunes/1/events"

static struct client c;
static struct api_stream stream;
static struct buf out;

static void setup(void)
{
    client_open(&c);
    client_learn(&c);
    client_post(&c, "/v1/models/small/samples",
                "{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"a\"]}");
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(client_post(&c, START, "{}"), 202);
}

static void teardown(void)
{
    if (stream.close != NULL)
        stream.close(stream.arg);
    stream = (struct api_stream){0};
    buf_fini(&out);
    client_close(&c);
}

static void open_stream(void)
{
    ck_assert_int_eq(client_get(&c, EVENTS), 200);
    ck_assert_str_eq(c.response.content_type, "text/event-stream");
    ck_assert_ptr_nonnull(c.response.stream.next);
    stream = c.response.stream;
}

/* One call, after the time that a server leaves between two. */
static bool next(void)
{
    clock_sleep(150 * 1000);
    buf_reset(&out);
    return stream.next(stream.arg, &out);
}

/* Writes what the learner would. */
static enum err_code change(struct store_work *w, struct database *db,
                            struct err *e)
{
    struct job j;

    (void)w;
    if (jobs_get(db, 1, &j, e) != ERR_OK)
        return e->code;
    j.state = j.state == JOB_QUEUED ? JOB_RUNNING : JOB_FAILED;
    char reason[] = "it diverges\nat once";
    j.reason = j.state == JOB_FAILED ? reason : NULL;
    j.ended_ms = j.state == JOB_FAILED ? 1700000000123 : 0;
    enum err_code code = jobs_update(db, &j, e);
    j.reason = NULL;
    job_fini(&j);
    return code;
}

static void advance(void)
{
    struct store_work work = {.run = change};
    struct err e = {0};

    ck_assert_msg(store_write(c.learning.store, &work, &e) == ERR_OK, "%s",
                  e.msg);
}

START_TEST(states_are_told_as_they_change)
{
    open_stream();
    ck_assert_str_eq(client_header(&c, "Cache-Control"), "no-store");
    ck_assert(next());
    ck_assert_int_eq(
        strncmp(out.data, "event: state\ndata: {\"id\":1,\"model\":", 35), 0);
    ck_assert_ptr_nonnull(strstr(out.data, "\"state\":\"queued\""));
    ck_assert_str_eq(out.data + out.length - 3, "}\n\n");
    ck_assert(next());
    ck_assert_uint_eq(out.length, 0);
    advance();
    ck_assert(next());
    ck_assert_ptr_nonnull(strstr(out.data, "\"state\":\"running\""));
    ck_assert(next());
    ck_assert_uint_eq(out.length, 0);
    advance();
    ck_assert(!next());
    ck_assert_ptr_nonnull(strstr(out.data, "\"state\":\"failed\""));
    /* All data on one line, whatever the texts hold. */
    ck_assert_ptr_nonnull(strstr(out.data, "diverges\\nat once"));
    ck_assert_ptr_eq(strchr(strchr(out.data, '\n') + 1, '\n'),
                     out.data + out.length - 2);
}
END_TEST

START_TEST(a_job_that_has_ended_says_so_and_no_more)
{
    advance();
    advance();
    open_stream();
    ck_assert(!next());
    ck_assert_ptr_nonnull(strstr(out.data, "\"state\":\"failed\""));
    ck_assert_ptr_null(strstr(out.data + 5, "event:"));
}
END_TEST

START_TEST(only_event_streams_are_given)
{
    c.request.accept = "application/json";
    client_get(&c, EVENTS);
    client_refused(&c, 406, "text/event-stream");
    c.request.accept = NULL;
    client_get(&c, "/v1/fine-tunes/2/events");
    client_refused(&c, 404, "2");
    ck_assert_int_eq(client_send(&c, "HEAD", EVENTS, NULL, 0), 200);
    ck_assert_ptr_null(c.response.stream.next);
}
END_TEST

Suite *suite_events(void)
{
    Suite *s = suite_create("events");
    TCase *t = tcase_create("stream");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, states_are_told_as_they_change);
    tcase_add_test(t, a_job_that_has_ended_says_so_and_no_more);
    tcase_add_test(t, only_event_streams_are_given);
    suite_add_tcase(s, t);
    return s;
}
