/* Watching: what is counted of codes is what the replies themselves say. */
#include "tests/api/client.h"

#include "lib/engine/usage.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Suite *suite_watch(void);

#define TWO "{\"inputs\":[[0,1,0,1,0,1],[1,1,0,0,0,1]]"
#define ONE "{\"inputs\":[[0,1,0,1,0,1]]"
#define TINY_MEMORY ((size_t)4096)

static struct client c;

static void setup(void)
{
    client_open(&c);
}

static void teardown(void)
{
    client_close(&c);
}

static struct usage *usage_of(const char *name)
{
    struct err e;
    const struct served *s = registry_acquire(c.api.registry, name, 0, &e);
    struct usage *u = s->usage;

    registry_release(c.api.registry, s);
    return u;
}

static struct histogram_view view_of(const struct histogram *h,
                                     const struct histogram_scale *scale)
{
    struct histogram_view v;

    histogram_look(h, scale, &v);
    return v;
}

static uint64_t count_of(const struct histogram *h,
                         const struct histogram_scale *scale)
{
    return view_of(h, scale).counts[scale->n];
}

static void post(const char *route, const char *body, int status)
{
    char path[80];

    snprintf(path, sizeof path, "/v1/models/%s", route);
    ck_assert_msg(client_post(&c, path, body) == status, "%s: %s", path,
                  c.response.body.data);
}

START_TEST(shares_and_confidence_are_those_of_the_reply)
{
    const struct usage *u = usage_of("small");

    post("small/infer", TWO ",\"outputs\":[\"code\",\"classes\"]}", 200);
    size_t on = client_count(&c, "codes[0].indices") +
                client_count(&c, "codes[1].indices");
    double sure = client_number(&c, "predictions[0].probability") +
                  client_number(&c, "predictions[1].probability");
    struct histogram_view active = view_of(&u->active, &usage_share);
    struct histogram_view confidence = view_of(&u->confidence, &usage_share);
    ck_assert_uint_eq(active.counts[usage_share.n], 2);
    ck_assert_uint_eq(active.sum, on * 200000); /* of 5 units */
    ck_assert_uint_eq(confidence.counts[usage_share.n], 2);
    ck_assert(fabs((double)confidence.sum / 1e6 - sure) < 3e-6);
    ck_assert_uint_eq(count_of(&u->error, &usage_error), 0);
    ck_assert_uint_eq(u->watched, 0); /* watch_every is 0 */
}
END_TEST

START_TEST(errors_that_were_asked_for_count)
{
    const struct usage *u = usage_of("small");

    post("small/reconstruct", TWO "}", 200);
    double error = client_number(&c, "relative_error[0]") +
                   client_number(&c, "relative_error[1]");
    struct histogram_view v = view_of(&u->error, &usage_error);
    ck_assert_uint_eq(v.counts[usage_error.n], 2);
    ck_assert(fabs((double)v.sum / 1e6 - error) < 3e-6);
    /* Nothing to be wrong about. */
    post("small/reconstruct", "{\"inputs\":[[0,0,0,0,0,0]]}", 200);
    ck_assert_uint_eq(count_of(&u->error, &usage_error), 2);
    ck_assert_uint_eq(count_of(&u->active, &usage_share), 3);
}
END_TEST

START_TEST(one_request_in_so_many_is_looked_at_closely)
{
    const struct usage *u = usage_of("small");

    c.api.watch_every = 3;
    for (size_t i = 1; i <= 7; i++) {
        post("small/classify", TWO "}", 200);
        ck_assert_uint_eq(u->watched, (i + 2) / 3);
    }
    ck_assert_uint_eq(count_of(&u->error, &usage_error), 3);
    ck_assert_uint_eq(count_of(&u->groups_on, &usage_share), 3);
    c.api.watch_every = 0;
    post("small/classify", TWO "}", 200);
    ck_assert_uint_eq(u->watched, 3);
}
END_TEST

/* Of a batch and of a row alone the same: l1 has a group for each unit. */
START_TEST(the_first_row_is_the_one_that_is_watched)
{
    const struct usage *u = usage_of("small");

    post("small/infer", ONE ",\"outputs\":[\"code\",\"reconstruction\"]}", 200);
    double error = client_number(&c, "relative_error[0]");
    size_t on = client_count(&c, "codes[0].indices");
    uint64_t before = view_of(&u->error, &usage_error).sum;
    c.api.watch_every = 1;
    post("small/classify", TWO "}", 200);
    post("small/classify", ONE "}", 200);
    struct histogram_view errors = view_of(&u->error, &usage_error);
    ck_assert(fabs((double)(errors.sum - before) / 1e6 - 2 * error) < 3e-5);
    ck_assert_uint_eq(view_of(&u->groups_on, &usage_share).sum,
                      2 * on * 200000);
    size_t counted = 0;
    for (size_t g = 0; g < 5; g++) {
        ck_assert(u->groups[g] == 0 || u->groups[g] == 2);
        counted += u->groups[g];
    }
    ck_assert_uint_eq(counted, 2 * on);
}
END_TEST

START_TEST(watching_changes_no_reply)
{
    static const char *const routes[] = {"tall/infer", "small/pool",
                                         "small/encode", "bare/encode"};
    char body[4096];

    for (size_t i = 0; i < 4; i++) {
        c.api.watch_every = 0;
        post(routes[i], TWO "}", 200);
        snprintf(body, sizeof body, "%s", c.response.body.data);
        c.api.watch_every = 1;
        post(routes[i], TWO "}", 200);
        ck_assert_str_eq(c.response.body.data, body);
    }
    ck_assert_uint_eq(usage_of("bare")->watched, 1); /* without a decoder */
    ck_assert_uint_eq(count_of(&usage_of("bare")->error, &usage_error), 0);
}
END_TEST

/* What asks for another code than the trained one says nothing of inputs. */
START_TEST(other_steps_are_not_watched)
{
    const struct usage *u = usage_of("small");

    c.api.watch_every = 1;
    post("small/encode", ONE ",\"steps\":2}", 200);
    ck_assert_uint_eq(u->succeeded.count, 1);
    ck_assert_uint_eq(count_of(&u->active, &usage_share), 0);
    ck_assert_uint_eq(u->watched, 0);
    post("small/decode", "{\"codes\":[[0,1,0,1,0]]}", 200);
    ck_assert_uint_eq(count_of(&u->active, &usage_share), 0);
}
END_TEST

START_TEST(the_error_of_a_lower_layer_is_another)
{
    const struct usage *u = usage_of("tall");

    post("tall/reconstruct", ONE ",\"layer\":0}", 200);
    ck_assert_uint_eq(count_of(&u->error, &usage_error), 0);
    post("tall/reconstruct", ONE ",\"layer\":1}", 200);
    ck_assert_uint_eq(count_of(&u->error, &usage_error), 1);
}
END_TEST

/* From no room at all to enough: what can be answered is answered. */
START_TEST(no_request_fails_for_being_watched)
{
    const struct usage *u = usage_of("small");
    size_t answered = 0;

    for (size_t bytes = TINY_MEMORY; bytes < 16 * TINY_MEMORY; bytes += 64) {
        c.memory.max_bytes = bytes;
        c.api.watch_every = 0;
        client_post(&c, "/v1/models/small/classify", TWO "}");
        int plain = c.response.status;
        c.api.watch_every = 1;
        client_post(&c, "/v1/models/small/classify", TWO "}");
        ck_assert_int_eq(c.response.status, plain);
        answered += plain == 200;
    }
    ck_assert_uint_gt(answered, 100);
    ck_assert_uint_gt(u->watched, 100);
}
END_TEST

Suite *suite_watch(void)
{
    Suite *s = suite_create("watch");
    TCase *t = tcase_create("watch");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, shares_and_confidence_are_those_of_the_reply);
    tcase_add_test(t, errors_that_were_asked_for_count);
    tcase_add_test(t, one_request_in_so_many_is_looked_at_closely);
    tcase_add_test(t, the_first_row_is_the_one_that_is_watched);
    tcase_add_test(t, watching_changes_no_reply);
    tcase_add_test(t, other_steps_are_not_watched);
    tcase_add_test(t, the_error_of_a_lower_layer_is_another);
    tcase_add_test(t, no_request_fails_for_being_watched);
    suite_add_tcase(s, t);
    return s;
}
