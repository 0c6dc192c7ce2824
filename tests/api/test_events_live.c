/* Events of a fine-tune that is run by a learner, and the whole way there:
 * samples posted, a job started, watched, its version put back.
 */
#include "tests/api/client.h"

#include "tests/support/blobs.h"
#include "tests/support/learning.h"

#include <check.h>
#include <string.h>

Suite *suite_events_live(void);

#define BLOBS "/v1/models/" LEARNING_MODEL "/"
#define PATIENCE_CALLS 6000 /* of 10 ms */

static struct client c;
static struct learning_set set;
static struct registry *own; /* the client's, while the set's is in use */
static struct buf all;

static void setup(void)
{
    client_open(&c);
    learning_make(&set);
    learning_open(&set);
    own = c.api.registry;
    c.api.registry = set.registry;
    c.learning = (struct learning){.store = set.store,
                                   .learner = set.learner,
                                   .max_samples = 10000,
                                   .max_labels = 8};
    c.api.learning = &c.learning;
    c.finishes = true;
    buf_init(&all, 1 << 22);
}

static void teardown(void)
{
    buf_fini(&all);
    c.api.registry = own;
    c.learning.store = NULL;
    learning_remove(&set);
    client_close(&c);
}

static void post_blobs(size_t n)
{
    static const char *const names[] = {"0", "1", "2"};
    const struct dataset *d = blobs(n, 7);
    struct buf b;

    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        const float *x = d->floats + i * BLOBS_INPUTS;
        buf_text(&b, "{\"input\":[");
        for (size_t k = 0; k < BLOBS_INPUTS; k++) {
            if (k > 0)
                buf_char(&b, ',');
            buf_json_float(&b, x[k]);
        }
        buf_printf(&b, "],\"label\":\"%s\"}\n", names[d->labels[i]]);
    }
    c.request.content_type = "application/x-ndjson";
    ck_assert_int_eq(client_send(&c, "POST", BLOBS "samples", b.data, b.length),
                     201);
    buf_fini(&b);
}

/* All that the stream says until its end, into `all`. */
static void watch(const char *path, const char *last)
{
    struct buf some;
    int calls = 0;

    c.request.last_event_id = last;
    ck_assert_int_eq(client_get(&c, path), 200);
    c.request.last_event_id = NULL;
    struct api_stream s = c.response.stream;
    buf_init(&some, 1 << 20);
    buf_reset(&all);
    for (bool more = true; more; clock_sleep(10000)) {
        ck_assert_int_lt(calls++, PATIENCE_CALLS);
        buf_reset(&some);
        more = s.next(s.arg, &some);
        buf_add(&all, some.data, some.length);
    }
    s.close(s.arg);
    buf_fini(&some);
}

static size_t count(const char *word)
{
    size_t n = 0;

    for (const char *at = all.data; (at = strstr(at, word)) != NULL; n++)
        at += strlen(word);
    return n;
}

START_TEST(a_job_is_watched_to_its_end)
{
    post_blobs(120);
    ck_assert_int_eq(client_post(&c, BLOBS "fine-tunes",
                                 "{\"epochs\":5,\"promote\":\"always\"}"),
                     202);
    watch("/v1/fine-tunes/1/events", NULL);
    ck_assert_int_eq(strncmp(all.data, "event: state\n", 13), 0);
    ck_assert_uint_eq(count("\"state\":\"succeeded\""), 1);
    ck_assert_uint_ge(count("event: epoch\nid: 1\n"), 1);
    ck_assert_uint_eq(count("event: epoch\nid: 1\n"), 1);
    ck_assert_ptr_nonnull(strstr(all.data, "\"held_out_error\":0"));
    ck_assert_ptr_null(strstr(all.data, "held_out_loss"));
    ck_assert_ptr_nonnull(strstr(all.data, "\"best\":true"));

    ck_assert_int_eq(client_get(&c, "/v1/fine-tunes/1"), 200);
    ck_assert_str_eq(client_text(&c, "state"), "succeeded");
    ck_assert(client_number(&c, "version") == 1001);
    ck_assert(client_number(&c, "parent") == 1);
    ck_assert_ptr_nonnull(client_find(&c, "before"));
    ck_assert_ptr_nonnull(client_find(&c, "after"));
    ck_assert_int_eq(client_get(&c, BLOBS "versions"), 200);
    ck_assert(client_number(&c, "versions[1].version") == 1001);
    ck_assert(client_number(&c, "versions[1].parent") == 1);
    ck_assert(client_number(&c, "versions[1].job") == 1);
    c.request.content_type = NULL;
    ck_assert_int_eq(
        client_send(&c, "POST", BLOBS "versions/1/activate", NULL, 0), 200);
    ck_assert(client_number(&c, "previous") == 1001);
    ck_assert_uint_eq(learning_recorded(&set), 1);
    ck_assert_uint_eq(learning_serves(&set), 1);
}
END_TEST

START_TEST(a_client_goes_on_after_the_epoch_that_it_has)
{
    post_blobs(60);
    ck_assert_int_eq(client_post(&c, BLOBS "fine-tunes", "{\"epochs\":4}"),
                     202);
    watch("/v1/fine-tunes/1/events", "2");
    ck_assert_uint_eq(count("id: 1\n"), 0);
    ck_assert_uint_eq(count("id: 2\n"), 0);
    ck_assert_uint_eq(count("id: 3\n"), 1);
    ck_assert_uint_eq(count("id: 4\n"), 1);
}
END_TEST

START_TEST(epochs_that_nobody_looked_at_are_told_at_the_end)
{
    post_blobs(60);
    ck_assert_int_eq(client_post(&c, BLOBS "fine-tunes", "{\"epochs\":3}"),
                     202);
    ck_assert_int_eq(client_get(&c, "/v1/fine-tunes/1/events"), 200);
    struct api_stream s = c.response.stream;
    ck_assert(s.next(s.arg, &all));
    struct job j = learning_wait(&set, 1);
    job_fini(&j);
    clock_sleep(150 * 1000);
    buf_reset(&all);
    ck_assert(!s.next(s.arg, &all));
    s.close(s.arg);
    ck_assert_uint_eq(count("event: epoch\n"), 3);
    ck_assert_uint_eq(count("\"epochs\":3,\"loss\":"), 3);
    ck_assert_ptr_null(strstr(all.data, "held_out_loss"));
    ck_assert_uint_eq(count("event: state\n"), 1);
    /* Whoever comes later is told how it ended. */
    watch("/v1/fine-tunes/1/events", NULL);
    ck_assert_uint_eq(count("event:"), 1);
}
END_TEST

START_TEST(a_running_job_is_cancelled)
{
    post_blobs(600);
    ck_assert_int_eq(client_post(&c, BLOBS "fine-tunes", "{\"epochs\":1000}"),
                     202);
    for (int i = 0;; i++) {
        ck_assert_int_lt(i, PATIENCE_CALLS);
        ck_assert_int_eq(client_get(&c, "/v1/fine-tunes/1"), 200);
        if (client_find(&c, "progress.epoch") != NULL)
            break;
        clock_sleep(1000);
    }
    ck_assert_str_eq(client_text(&c, "state"), "running");
    ck_assert(client_number(&c, "progress.epochs") == 1000);
    ck_assert(client_number(&c, "progress.share") < 1);
    c.request.content_type = NULL;
    ck_assert_int_eq(
        client_send(&c, "POST", "/v1/fine-tunes/1/cancel", NULL, 0), 200);
    watch("/v1/fine-tunes/1/events", NULL);
    ck_assert_ptr_nonnull(strstr(all.data, "\"state\":\"cancelled\""));
    ck_assert_uint_eq(learning_serves(&set), 1);
}
END_TEST

Suite *suite_events_live(void)
{
    Suite *s = suite_create("events_live");
    TCase *t = tcase_create("learner");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_job_is_watched_to_its_end);
    tcase_add_test(t, a_client_goes_on_after_the_epoch_that_it_has);
    tcase_add_test(t, epochs_that_nobody_looked_at_are_told_at_the_end);
    tcase_add_test(t, a_running_job_is_cancelled);
    suite_add_tcase(s, t);
    return s;
}
