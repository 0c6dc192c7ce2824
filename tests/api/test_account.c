/* Accounts: where a request's time went, and what is counted of it. */
#include "api/account.h"

#include "api/routes.h"
#include "tests/api/client.h"

#include <check.h>
#include <string.h>

Suite *suite_account(void);

#define CLASSIFY "/v1/models/small/classify"
#define TWO "{\"inputs\":[[0,1,0,1,0,1],[1,1,0,0,0,1]]}"

static struct client c;

static void setup(void)
{
    client_open(&c);
}

static void teardown(void)
{
    client_close(&c);
}

static const struct usage *usage_of(uint64_t version)
{
    struct err e;
    const struct served *s =
        registry_acquire(c.api.registry, "small", version, &e);
    const struct usage *u = s->usage;

    registry_release(c.api.registry, s);
    return u;
}

START_TEST(laps_go_to_their_stages_and_skips_to_none)
{
    struct account a;

    account_begin(&a);
    ck_assert_int_eq(a.lap, a.begun);
    a.lap -= 1000;
    account_lap(&a, STAGE_QUEUE);
    ck_assert_int_ge(a.stages[STAGE_QUEUE], 1000);
    a.lap -= 1000000000;
    account_skip(&a);
    account_lap(&a, STAGE_PARSE);
    ck_assert_int_lt(a.stages[STAGE_PARSE], 1000000000);
    nsec before = a.stages[STAGE_QUEUE];
    a.lap -= 50;
    account_lap(&a, STAGE_QUEUE);
    ck_assert_int_ge(a.stages[STAGE_QUEUE], before + 50);
}
END_TEST

START_TEST(the_timing_has_stages_that_took_time)
{
    struct account a = {
        .stages = {[STAGE_PARSE] = 120400, [STAGE_PRINT] = 1500000000}};
    char text[80];

    ck_assert_uint_eq(account_print(&a, text, sizeof text), strlen(text));
    ck_assert_str_eq(text, "parse;dur=0.120, print;dur=1500.000");
    ck_assert_uint_eq(account_print(&a, text, 20), 15);
    ck_assert_str_eq(text, "parse;dur=0.120");
    a = (struct account){.rows = 1};
    ck_assert_uint_eq(account_print(&a, text, sizeof text), 0);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_request_tells_its_route_model_version_and_rows)
{
    const struct account *a = &c.response.account;

    ck_assert_int_eq(client_post(&c, CLASSIFY, TWO), 200);
    ck_assert_str_eq(a->route->pattern, "/v1/models/{model}/classify");
    ck_assert_str_eq(a->model, "small");
    ck_assert_uint_eq(a->version, 2);
    ck_assert_uint_eq(a->rows, 2);
    ck_assert_int_gt(a->stages[STAGE_PARSE], 0);
    ck_assert_int_gt(a->stages[STAGE_COMPUTE], 0);
    ck_assert_int_gt(a->stages[STAGE_PRINT], 0);
    ck_assert_int_eq(a->stages[STAGE_QUEUE], 0);
    ck_assert_int_eq(client_get(&c, "/no/such"), 404);
    ck_assert_ptr_null(a->route);
}
END_TEST

START_TEST(every_form_of_reply_is_accounted_for)
{
    c.request.accept = "application/x-npy";
    ck_assert_int_eq(client_post(&c, CLASSIFY, TWO), 200);
    c.request.accept = NULL;
    ck_assert_int_eq(
        client_post(&c, "/v1/models/small/decode", "{\"codes\":[[0,1,0,1,0]]}"),
        200);
    ck_assert_int_eq(client_post(&c, "/v1/models/small/versions/2/encode", TWO),
                     200);
    const struct usage *u = usage_of(2);
    ck_assert_uint_eq(u->succeeded.count, 3);
    ck_assert_uint_eq(u->rows, 5);
    ck_assert_str_eq(u->routes[1].route, "/v1/models/{model}/decode");
    ck_assert_str_eq(u->routes[2].route,
                     "/v1/models/{model}/versions/{version}/encode");
    for (int i = STAGE_PARSE; i < STAGES; i++)
        ck_assert_uint_gt(u->stages[i].ns, 0);
    ck_assert_uint_eq(usage_of(1)->succeeded.count, 0);
}
END_TEST

START_TEST(what_goes_wrong_in_a_model_is_its_failure)
{
    ck_assert_int_eq(client_post(&c, CLASSIFY, "{\"inputs\":[[0,1]]}"), 422);
    ck_assert_int_eq(client_post(&c, CLASSIFY, "{"), 400);
    ck_assert_int_eq(client_post(&c, "/v1/models/other/classify", TWO), 404);
    const struct usage *u = usage_of(2);
    ck_assert_uint_eq(u->failed.count, 2);
    ck_assert_uint_eq(u->succeeded.count, 0);
    ck_assert_uint_eq(u->rows, 0);
}
END_TEST

/* The reply is the store's thread's when the handler is done. */
START_TEST(inputs_that_are_kept_are_accounted_for_before)
{
    client_learn(&c);
    c.finishes = true;
    ck_assert_int_eq(client_post(&c, "/v1/models/small/infer",
                                 "{\"inputs\":[[0,1,0,1,0,1]],\"keep\":true}"),
                     200);
    ck_assert_uint_eq(c.n_waited, 1);
    ck_assert_uint_eq(usage_of(2)->succeeded.count, 1);
    ck_assert_str_eq(c.response.account.model, "small");
}
END_TEST

START_TEST(every_route_has_a_place_and_comes_back)
{
    size_t n = 0;

    for (const struct route *row = routes; row->method != NULL; row++) {
        ck_assert_uint_eq(route_index(row), ++n);
        ck_assert_ptr_eq(route_at(n), row);
    }
    ck_assert_str_eq(route_at(n + 1)->pattern, "/{file}");
    ck_assert_uint_eq(route_index(route_at(n + 1)), n + 1);
    ck_assert_ptr_null(route_at(n + 2));
    ck_assert_ptr_null(route_at(0));
    ck_assert_uint_eq(route_index(NULL), 0);
    ck_assert_uint_lt(n + 1, METERS_ROUTES);
}
END_TEST

Suite *suite_account(void)
{
    Suite *s = suite_create("account");
    TCase *t = tcase_create("account");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, laps_go_to_their_stages_and_skips_to_none);
    tcase_add_test(t, the_timing_has_stages_that_took_time);
    tcase_add_test(t, a_request_tells_its_route_model_version_and_rows);
    tcase_add_test(t, every_form_of_reply_is_accounted_for);
    tcase_add_test(t, what_goes_wrong_in_a_model_is_its_failure);
    tcase_add_test(t, inputs_that_are_kept_are_accounted_for_before);
    tcase_add_test(t, every_route_has_a_place_and_comes_back);
    suite_add_tcase(s, t);
    return s;
}
