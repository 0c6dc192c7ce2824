/* Which origins may read what, and what OPTIONS tells.
 */
#include "api/cors.h"

#include "tests/api/client.h"

#include <check.h>
#include <string.h>

Suite *suite_cors(void);

static struct client c;
static struct err e;

static void setup(void)
{
    client_open(&c);
    c.api.cors = cors_new(&e);
    ck_assert_ptr_nonnull(c.api.cors);
}

static void teardown(void)
{
    cors_free(c.api.cors);
    client_close(&c);
}

static void list(const char *origins)
{
    enum err_code code = cors_set(c.api.cors, origins, &e);

    ck_assert_msg(code == ERR_OK, "%s: %s", origins, e.msg);
}

static const char *mark(const char *origin)
{
    c.request.origin = origin;
    c.response.n_headers = 0;
    cors_mark(c.api.cors, &c.request, &c.response);
    return client_header(&c, "Access-Control-Allow-Origin");
}

START_TEST(nobody_is_allowed_at_first)
{
    ck_assert_ptr_null(mark("https://a.example"));
    ck_assert_uint_eq(c.response.n_headers, 0);
    list("");
    ck_assert_ptr_null(mark("https://a.example"));
    list(" , ");
    ck_assert_ptr_null(mark("https://a.example"));
    ck_assert_uint_eq(c.response.n_headers, 0);
    ck_assert(!cors_allows(NULL, "https://a.example"));
}
END_TEST

START_TEST(origins_are_allowed_exactly)
{
    static const char *const others[] = {"http://a.example",
                                         "https://a.example:443",
                                         "https://a.exampl",
                                         "https://a.example.evil",
                                         "https://A.example",
                                         "null",
                                         "*",
                                         "",
                                         "localhost:3000"};

    list("https://a.example, http://localhost:3000,https://[::1]:8443");
    ck_assert_str_eq(mark("https://a.example"), "https://a.example");
    ck_assert_str_eq(client_header(&c, "Vary"), "Origin");
    ck_assert_ptr_nonnull(strstr(
        client_header(&c, "Access-Control-Expose-Headers"), "Sparsed-Version"));
    ck_assert_str_eq(mark("https://[::1]:8443"), "https://[::1]:8443");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_ptr_null(mark(others[i]));
        ck_assert_uint_eq(c.response.n_headers, 1);
        ck_assert_str_eq(client_header(&c, "Vary"), "Origin");
        ck_assert(!cors_allows(c.api.cors, others[i]));
    }
    ck_assert_ptr_null(mark(NULL));
    ck_assert_str_eq(client_header(&c, "Vary"), "Origin");
}
END_TEST

START_TEST(a_star_allows_all_alike)
{
    list("https://a.example, *");
    ck_assert_str_eq(mark("https://a.example"), "*");
    ck_assert_str_eq(mark("null"), "*");
    ck_assert_ptr_null(client_header(&c, "Vary"));
    ck_assert_ptr_null(client_header(&c, "Access-Control-Allow-Credentials"));
    ck_assert_ptr_null(mark(NULL));
    ck_assert_uint_eq(c.response.n_headers, 0);
}
END_TEST

START_TEST(a_list_that_makes_no_sense_changes_nothing)
{
    static const char *const bad[] = {
        "a.example",          "https://",          "https://a.example/",
        "https://A.example",  "https://*.example", "null",
        "https://a.example;", "//a.example",       "https:/a.example",
        "https://u@a.example"};
    char longer[200] = "https://";

    list("https://a.example");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(cors_set(c.api.cors, bad[i], &e) == ERR_INVALID, "%s",
                      bad[i]);
        ck_assert_ptr_nonnull(strstr(e.msg, bad[i]));
        ck_assert_ptr_nonnull(mark("https://a.example"));
    }
    memset(longer + 8, 'a', 121);
    ck_assert_int_eq(cors_set(c.api.cors, longer, &e), ERR_INVALID);
    longer[128] = 0;
    list(longer);
    ck_assert_str_eq(mark(longer), longer);
    ck_assert_ptr_null(mark("https://a.example"));
}
END_TEST

START_TEST(options_tells_what_a_path_has)
{
    ck_assert_int_eq(client_send(&c, "OPTIONS", "/v1/models", NULL, 0), 204);
    ck_assert_str_eq(client_header(&c, "Allow"), "GET, HEAD, OPTIONS");
    ck_assert_uint_eq(c.response.body.length, 0);
    ck_assert_int_eq(
        client_send(&c, "OPTIONS", "/v1/models/no/samples", NULL, 0), 204);
    ck_assert_str_eq(client_header(&c, "Allow"),
                     "POST, GET, HEAD, DELETE, OPTIONS");
    ck_assert_int_eq(client_send(&c, "OPTIONS", "*", NULL, 0), 204);
    ck_assert_ptr_nonnull(strstr(client_header(&c, "Allow"), "PUT"));
    client_send(&c, "OPTIONS", "/nothing", NULL, 0);
    client_refused(&c, 404, "no such path");
    client_send(&c, "GET", "*", NULL, 0);
    client_refused(&c, 404, "no such path");
    client_send(&c, "CONNECT", "example.org:443", NULL, 0);
    client_refused(&c, 501, "CONNECT");
    client_send(&c, "TRACE", "/v1/models", NULL, 0);
    client_refused(&c, 405, "GET");
}
END_TEST

START_TEST(options_needs_no_token)
{
    c.request.scopes = 0;
    ck_assert_int_eq(
        client_send(&c, "OPTIONS", "/v1/models/small/samples", NULL, 0), 204);
}
END_TEST

static void preflight(const char *headers)
{
    c.request.cors_method = "POST";
    c.request.cors_headers = headers;
    ck_assert_int_eq(
        client_send(&c, "OPTIONS", "/v1/models/small/infer", NULL, 0), 204);
}

START_TEST(a_preflight_is_told_what_it_may_send)
{
    list("https://a.example");
    c.request.origin = "https://a.example";
    preflight("content-type,AUTHORIZATION , x-secret, content-typ");
    ck_assert_str_eq(client_header(&c, "Access-Control-Allow-Methods"),
                     "POST, OPTIONS");
    ck_assert_str_eq(client_header(&c, "Access-Control-Allow-Headers"),
                     "Authorization, Content-Type");
    ck_assert_str_eq(client_header(&c, "Access-Control-Max-Age"), "600");
    preflight("x-secret");
    ck_assert_ptr_null(client_header(&c, "Access-Control-Allow-Headers"));
    preflight(NULL);
    ck_assert_ptr_nonnull(client_header(&c, "Access-Control-Allow-Methods"));
}
END_TEST

START_TEST(a_preflight_of_others_is_told_nothing)
{
    list("https://a.example");
    c.request.origin = "https://b.example";
    preflight("content-type");
    ck_assert_ptr_null(client_header(&c, "Access-Control-Allow-Methods"));
    ck_assert_ptr_null(client_header(&c, "Access-Control-Allow-Headers"));
    ck_assert_str_eq(client_header(&c, "Allow"), "POST, OPTIONS");
}
END_TEST

START_TEST(all_known_headers_fit)
{
    list("*");
    c.request.origin = "https://a.example";
    preflight("authorization, content-type, content-encoding, "
              "inference-header-content-length, idempotency-key, if-match, "
              "if-none-match, last-event-id, request-timeout, x-request-id, "
              "traceparent, tracestate");
    const char *allowed = client_header(&c, "Access-Control-Allow-Headers");
    ck_assert_ptr_nonnull(strstr(allowed, "Authorization, "));
    ck_assert_ptr_nonnull(strstr(allowed, ", tracestate"));
}
END_TEST

Suite *suite_cors(void)
{
    Suite *s = suite_create("cors");
    TCase *t = tcase_create("cors");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, nobody_is_allowed_at_first);
    tcase_add_test(t, origins_are_allowed_exactly);
    tcase_add_test(t, a_star_allows_all_alike);
    tcase_add_test(t, a_list_that_makes_no_sense_changes_nothing);
    tcase_add_test(t, options_tells_what_a_path_has);
    tcase_add_test(t, options_needs_no_token);
    tcase_add_test(t, a_preflight_is_told_what_it_may_send);
    tcase_add_test(t, a_preflight_of_others_is_told_nothing);
    tcase_add_test(t, all_known_headers_fit);
    suite_add_tcase(s, t);
    return s;
}
