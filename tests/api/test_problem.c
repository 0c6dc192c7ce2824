/* Problem replies: their bodies, and the checks on headers that come before
 * any body is read.
 */
#include "tests/api/client.h"

#include "api/accept.h"
#include "api/problem.h"

#include <check.h>
#include <string.h>

Suite *suite_problem(void);

#define ENCODE "/v1/models/small/encode"
#define INPUTS "{\"inputs\":[[1,2,3,4,5,6]]}"

static struct client c;

static void setup(void)
{
    client_open(&c);
}

static void teardown(void)
{
    client_close(&c);
}

START_TEST(a_problem_has_all_members)
{
    client_get(&c, "/v1/models/none?layer=1");
    client_refused(&c, 422, "layer");
    client_get(&c, "/v1/models/none");
    client_refused(&c, 404, "none");
    ck_assert_str_eq(client_text(&c, "type"), "about:blank");
    ck_assert_str_eq(client_text(&c, "title"), "Not Found");
    ck_assert(client_number(&c, "status") == 404);
    ck_assert_str_eq(client_text(&c, "instance"), "/v1/models/none");
    ck_assert_str_eq(client_text(&c, "request_id"), "test-id");
}
END_TEST

START_TEST(hostile_targets_still_make_valid_json)
{
    client_get(&c, "/v1/\"\\\n\xff<x>");
    client_refused(&c, 404, "no such path");
}
END_TEST

START_TEST(v2_has_its_own_format)
{
    ck_assert_int_eq(client_get(&c, "/v2/models/nosuch"), 404);
    ck_assert_str_eq(c.response.content_type, "application/json");
    ck_assert_ptr_nonnull(client_find(&c, "error"));
    ck_assert_ptr_null(client_find(&c, "detail"));
    ck_assert_int_eq(client_get(&c, "/v2/nosuch"), 404);
    ck_assert_ptr_nonnull(client_find(&c, "error"));
    client_get(&c, "/v2x");
    client_refused(&c, 404, "");
}
END_TEST

START_TEST(every_code_has_a_status)
{
    ck_assert_int_eq(problem_status(ERR_INVALID), 400);
    ck_assert_int_eq(problem_status(ERR_SHAPE), 422);
    ck_assert_int_eq(problem_status(ERR_NOT_FOUND), 404);
    ck_assert_int_eq(problem_status(ERR_CONFLICT), 409);
    ck_assert_int_eq(problem_status(ERR_TOO_LARGE), 413);
    ck_assert_int_eq(problem_status(ERR_BUSY), 503);
    ck_assert_int_eq(problem_status(ERR_DEADLINE), 504);
    ck_assert_int_eq(problem_status(ERR_INTERNAL), 500);
}
END_TEST

START_TEST(the_server_refuses_in_the_same_format)
{
    struct api_request r = {.target = "/v1/models", .id = "i"};

    api_refuse(&r, 503, "too many connections", &c.response);
    ck_assert_int_eq(c.response.status, 503);
    ck_assert_ptr_nonnull(client_header(&c, "Retry-After"));
    ck_assert_ptr_nonnull(
        strstr(c.response.body.data, "\"detail\":\"too many connections\""));
    r = (struct api_request){0}; /* not even a request line */
    api_refuse(&r, 400, "no request", &c.response);
    ck_assert_int_eq(c.response.status, 400);
    ck_assert_uint_eq(c.response.n_headers, 0);
}
END_TEST

START_TEST(a_content_type_is_needed)
{
    c.request.content_type = NULL;
    client_send(&c, "POST", ENCODE, INPUTS, strlen(INPUTS));
    client_refused(&c, 415, "Content-Type: application/json");
    ck_assert_str_eq(client_header(&c, "Accept-Post"),
                     "application/json, application/x-npy, image/png, "
                     "image/jpeg");
    c.request.content_type = "application/x-www-form-urlencoded";
    client_send(&c, "POST", ENCODE, INPUTS, strlen(INPUTS));
    client_refused(&c, 415, "application/x-www-form-urlencoded");
    c.request.content_type = "image/png";
    client_send(&c, "POST", "/v1/models/small/decode", "x", 1);
    client_refused(&c, 415, "image/png");
    ck_assert_str_eq(client_header(&c, "Accept-Post"),
                     "application/json, application/x-npy");
}
END_TEST

START_TEST(a_charset_makes_no_difference)
{
    c.request.content_type = "Application/JSON; charset=latin1";
    ck_assert_int_eq(client_send(&c, "POST", ENCODE, INPUTS, strlen(INPUTS)),
                     200);
    c.request.content_type = "application/json;charset=utf-8";
    ck_assert_int_eq(client_send(&c, "POST", ENCODE, INPUTS, strlen(INPUTS)),
                     200);
    c.request.content_type = "application/jsonp";
    ck_assert_int_eq(client_send(&c, "POST", ENCODE, INPUTS, strlen(INPUTS)),
                     415);
}
END_TEST

START_TEST(headers_alone_are_enough_to_refuse)
{
    struct api_request r = {.method = "POST",
                            .scopes = SCOPE_ALL,
                            .target = ENCODE,
                            .query = "",
                            .content_type = "application/json",
                            .id = "i"};

    ck_assert(!api_refuse_early(&c.api, &r, 100, &c.response));
    ck_assert(!api_refuse_early(&c.api, &r, API_MAX_BODY_BYTES, &c.response));
    ck_assert(
        api_refuse_early(&c.api, &r, API_MAX_BODY_BYTES + 1, &c.response));
    ck_assert_int_eq(c.response.status, 413);
    ck_assert_ptr_nonnull(strstr(c.response.body.data, "67108864"));
    r.content_type = NULL;
    ck_assert(api_refuse_early(&c.api, &r, 100, &c.response));
    ck_assert_int_eq(c.response.status, 415);
    r.target = "/nowhere";
    ck_assert(api_refuse_early(&c.api, &r, 100, &c.response));
    ck_assert_int_eq(c.response.status, 404);
    r.target = "/healthz";
    ck_assert(api_refuse_early(&c.api, &r, 100, &c.response));
    ck_assert_int_eq(c.response.status, 405);
    r.method = "GET";
    ck_assert(!api_refuse_early(&c.api, &r, 0, &c.response));
    ck_assert(api_refuse_early(&c.api, &r, 1, &c.response));
    ck_assert_int_eq(c.response.status, 413);
}
END_TEST

START_TEST(accept_chooses_by_weight_and_closeness)
{
    const unsigned all = MEDIA_JSON | MEDIA_NPY | MEDIA_PNG;
    static const struct {
        const char *accept;
        unsigned want;
    } cases[] = {
        {NULL, MEDIA_JSON},
        {"", MEDIA_JSON},
        {"*/*", MEDIA_JSON},
        {"application/*", MEDIA_JSON},
        {"image/*", MEDIA_PNG},
        {"IMAGE/PNG", MEDIA_PNG},
        {"application/x-npy", MEDIA_NPY},
        {"text/html, application/xhtml+xml, */*;q=0.8", MEDIA_JSON},
        {"application/json;q=0.5, application/x-npy", MEDIA_NPY},
        {"application/json;q=0.5,image/png;q=0.50", MEDIA_JSON},
        {"*/*, application/json;q=0", MEDIA_NPY},
        {"application/json;q=0", 0},
        {"image/png;q=0.001, */*;q=0", MEDIA_PNG},
        {"text/html", 0},
        {"image/jpeg", 0},
        {"application/json; charset=utf-8; q=0.3, image/png; q=0.4", MEDIA_PNG},
        {",,;;=q", 0},
        {"*", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned got = media_choose(cases[i].accept, all);
        ck_assert_msg(got == cases[i].want, "%s gives %u",
                      cases[i].accept != NULL ? cases[i].accept : "nothing",
                      got);
    }
}
END_TEST

START_TEST(nothing_that_fits_is_406)
{
    c.request.accept = "text/html";
    client_post(&c, ENCODE, INPUTS);
    client_refused(&c, 406, "application/json, application/x-npy");
    c.request.accept = "image/png";
    client_post(&c, ENCODE, INPUTS);
    client_refused(&c, 406, "image/png");
    ck_assert_int_eq(client_get(&c, "/v1/models"), 200);
}
END_TEST

START_TEST(models_that_are_not_loaded_yet_are_worth_a_retry)
{
    struct registry *registry = c.api.registry;

    c.api.registry = NULL;
    client_get(&c, "/v1/models");
    client_refused(&c, 503, "loaded");
    ck_assert_str_eq(client_header(&c, "Retry-After"), "1");
    ck_assert_int_eq(client_get(&c, "/healthz"), 200);
    c.api.registry = registry;
}
END_TEST

Suite *suite_problem(void)
{
    Suite *s = suite_create("problem");
    TCase *t = tcase_create("bodies");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_problem_has_all_members);
    tcase_add_test(t, hostile_targets_still_make_valid_json);
    tcase_add_test(t, v2_has_its_own_format);
    tcase_add_test(t, every_code_has_a_status);
    tcase_add_test(t, the_server_refuses_in_the_same_format);
    suite_add_tcase(s, t);

    t = tcase_create("headers");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_content_type_is_needed);
    tcase_add_test(t, a_charset_makes_no_difference);
    tcase_add_test(t, headers_alone_are_enough_to_refuse);
    tcase_add_test(t, accept_chooses_by_weight_and_closeness);
    tcase_add_test(t, nothing_that_fits_is_406);
    tcase_add_test(t, models_that_are_not_loaded_yet_are_worth_a_retry);
    suite_add_tcase(s, t);
    return s;
}
