/* Which target finds which row, and what a target that finds none is told. */
#include "tests/api/client.h"

#include "api/assets.h"
#include "api/routes.h"

#include <check.h>
#include <string.h>

Suite *suite_routes(void);

static struct client c;

static void setup(void)
{
    client_open(&c);
}

static void teardown(void)
{
    client_close(&c);
}

/* The pattern that the target finds, or NULL. */
static const char *found(const char *method, const char *target)
{
    static struct call call;
    struct api_request request = {
        .method = method, .target = target, .scopes = SCOPE_ALL};
    char allow[API_ID_BYTES];

    call = (struct call){.request = &request};
    return route_find(&call, allow, sizeof allow) ? call.route->pattern : NULL;
}

START_TEST(every_row_is_found_by_its_own_pattern)
{
    for (const struct route *row = routes; row->method != NULL; row++) {
        char target[128];
        size_t used = 0;
        for (const char *p = row->pattern; *p != 0;) {
            if (*p != '{') {
                target[used++] = *p++;
                continue;
            }
            target[used++] = '7';
            p = strchr(p, '}') + 1;
        }
        target[used] = 0;
        const char *pattern = found(row->method, target);
        ck_assert_msg(pattern != NULL && strcmp(pattern, row->pattern) == 0,
                      "%s %s found %s", row->method, target,
                      pattern != NULL ? pattern : "nothing");
    }
}
END_TEST

START_TEST(segments_are_decoded_one_by_one)
{
    ck_assert_ptr_nonnull(found("POST", "/v1/models/a%2Db.c/%65ncode"));
    ck_assert_ptr_null(found("POST", "/v1/models/a%2Fb/encode"));
    ck_assert_ptr_null(found("POST", "/v1/models/a%00b/encode"));
    ck_assert_ptr_null(found("POST", "/v1/models/a%2/encode"));
    ck_assert_ptr_null(found("POST", "/v1/models/a%zzb/encode"));
    ck_assert_ptr_null(found("POST", "/v1%2Fmodels/a/encode"));
}
END_TEST

START_TEST(a_name_is_no_path)
{
    ck_assert_ptr_null(found("GET", "/v1/models/.."));
    ck_assert_ptr_null(found("GET", "/v1/models/."));
    ck_assert_ptr_null(found("GET", "/v1/models/%2e%2e"));
    ck_assert_ptr_null(found("GET", "/v1/models/a b"));
    ck_assert_ptr_null(found("GET", "/v1/models/a%20b"));
    ck_assert_ptr_null(found("GET", "/v1/models/\xc3\xa9"));
    ck_assert_ptr_null(found("GET", "/v1/models/"));
    char longest[100] = "/v1/models/";
    memset(longest + 11, 'n', 64);
    ck_assert_ptr_nonnull(found("GET", longest));
    longest[11 + 64] = 'n';
    ck_assert_ptr_null(found("GET", longest));
}
END_TEST

START_TEST(versions_are_plain_numbers_from_one)
{
    ck_assert_ptr_nonnull(found("GET", "/v1/models/m/versions/1"));
    ck_assert_ptr_nonnull(found("GET", "/v1/models/m/versions/1001"));
    ck_assert_ptr_null(found("GET", "/v1/models/m/versions/0"));
    ck_assert_ptr_null(found("GET", "/v1/models/m/versions/01"));
    ck_assert_ptr_null(found("GET", "/v1/models/m/versions/-1"));
    ck_assert_ptr_null(found("GET", "/v1/models/m/versions/+1"));
    ck_assert_ptr_null(found("GET", "/v1/models/m/versions/1.0"));
    ck_assert_ptr_null(found("GET", "/v1/models/m/versions/one"));
    ck_assert_ptr_null(found("GET", "/v1/models/m/versions/99999999999999999999"
                                    "9"));
}
END_TEST

START_TEST(slashes_count)
{
    ck_assert_ptr_nonnull(found("GET", "/"));
    ck_assert_ptr_null(found("GET", ""));
    ck_assert_ptr_null(found("GET", "//"));
    ck_assert_ptr_null(found("GET", "/v1/models/small/"));
    ck_assert_ptr_null(found("GET", "/v1//models"));
    ck_assert_ptr_null(found("GET", "v1/models"));
    ck_assert_ptr_null(found("GET", "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"));
    ck_assert_ptr_null(found("GET", "*"));
}
END_TEST

START_TEST(an_unknown_path_is_told_what_there_is)
{
    client_get(&c, "/v1/model");
    client_refused(&c, 404, "POST /v1/models/{model}/encode");
    client_post(&c, "/v1/models/small/enkode", "{}");
    client_refused(&c, 404, "/v1/models/{model}/encode");
    client_get(&c, "/v1/models/nosuch");
    client_refused(&c, 404, "small");
    client_post(&c, "/v1/models/small/versions/9/encode", "{}");
    client_refused(&c, 404, "1, 2");
}
END_TEST

START_TEST(a_wrong_method_is_told_the_right_ones)
{
    client_get(&c, "/v1/models/small/encode");
    client_refused(&c, 405, "POST");
    ck_assert_str_eq(client_header(&c, "Allow"), "POST, OPTIONS");
    client_post(&c, "/v1/models", "{}");
    client_refused(&c, 405, "GET");
    ck_assert_str_eq(client_header(&c, "Allow"), "GET, HEAD, OPTIONS");
    client_send(&c, "DELETE", "/healthz", NULL, 0);
    client_refused(&c, 405, "GET, HEAD");
    client_send(&c, "get", "/healthz", NULL, 0);
    client_refused(&c, 405, "GET, HEAD");
}
END_TEST

START_TEST(head_is_answered_as_get)
{
    ck_assert_int_eq(client_send(&c, "HEAD", "/v1/models/small", NULL, 0), 200);
    ck_assert_uint_gt(c.response.body.length, 0);
    ck_assert_int_eq(
        client_send(&c, "HEAD", "/v1/models/small/encode", NULL, 0), 405);
}
END_TEST

static void set_body(struct api_request *r, const char *text)
{
    r->body = text;
    r->body_length = strlen(text);
}

START_TEST(hidden_steps_are_slow)
{
    struct api_request r = {.method = "POST",
                            .scopes = SCOPE_ALL,
                            .target = "/v1/models/small/encode",
                            .content_type = "application/json"};

    set_body(&r, "{\"inputs\":[[1]],\"\\u0073teps\":900}");
    ck_assert(api_is_slow(&c.api, &r));
    set_body(&r, "{\"inputs\":[[1]]}");
    r.query = "top_k=3";
    ck_assert(!api_is_slow(&c.api, &r));
    r.query = "st%65ps=900";
    ck_assert(api_is_slow(&c.api, &r));
}
END_TEST

START_TEST(a_model_that_searches_is_slow)
{
    struct api_request r = {.method = "POST",
                            .scopes = SCOPE_ALL,
                            .target = "/v1/models/seeker/encode",
                            .query = "",
                            .content_type = "application/json"};

    set_body(&r, "{\"inputs\":[[1]]}");
    ck_assert(!api_is_slow(&c.api, &r)); /* unknown: refused at once */
    client_add(&c, "seeker", 1,
               "{\"input\":{\"shape\":[6]},\"layers\":[{"
               "\"operator\":\"dense\",\"units\":4,"
               "\"encoder\":{\"kind\":\"iterative\"},"
               "\"structure\":{\"kind\":\"l1\",\"lambda\":0.1}}]}");
    ck_assert(api_is_slow(&c.api, &r));
}
END_TEST

/* One input of 784 numbers is quick however it is written; many short codes
 * are not. */
START_TEST(rows_count_more_than_bytes)
{
    struct api_request r = {.method = "POST",
                            .scopes = SCOPE_ALL,
                            .target = "/v1/models/small/encode",
                            .query = "",
                            .content_type = "application/json"};
    struct buf text;

    buf_init(&text, 20000);
    buf_text(&text, "{\"inputs\":[[");
    for (int i = 0; i < 784; i++) {
        buf_text(&text, i == 0 ? "[" : i % 28 == 0 ? "],[" : ",");
        buf_text(&text, "0.12345678");
    }
    buf_text(&text, "]]]}");
    set_body(&r, text.data);
    ck_assert(!api_is_slow(&c.api, &r));
    r.content_type = "application/x-npy";
    r.body_length = 784 * 4 + 128;
    ck_assert(!api_is_slow(&c.api, &r));
    r.body_length = 8 * 784;
    ck_assert(api_is_slow(&c.api, &r));

    r.content_type = "application/json";
    r.target = "/v1/models/small/decode";
    set_body(&r, "{\"codes\":[{\"indices\":[3],\"values\":[1]}]}");
    ck_assert(!api_is_slow(&c.api, &r));
    buf_reset(&text);
    for (int i = 0; i < 30; i++)
        buf_text(&text, "{\"indices\":[3],\"values\":[1]},");
    set_body(&r, text.data);
    ck_assert(api_is_slow(&c.api, &r));
    buf_fini(&text);
}
END_TEST

START_TEST(slow_requests_are_told_from_quick_ones)
{
    struct api_request r = {.method = "POST",
                            .scopes = SCOPE_ALL,
                            .target = "/v1/models/small/encode",
                            .query = "",
                            .content_type = "application/json",
                            .body = "{\"inputs\":[[1]]}",
                            .body_length = 16};

    ck_assert(!api_is_slow(&c.api, &r));
    r.query = "steps=900";
    ck_assert(api_is_slow(&c.api, &r));
    r.query = "";
    r.body = "{\"steps\":900}";
    r.body_length = 13;
    ck_assert(api_is_slow(&c.api, &r));
    r.content_type = "image/png";
    r.body = "x";
    r.body_length = 1;
    ck_assert(api_is_slow(&c.api, &r));
    r = (struct api_request){.method = "GET", .target = "/healthz"};
    ck_assert(!api_is_slow(&c.api, &r));
    r.target = "/v1/models/small/atoms.png";
    ck_assert(api_is_slow(&c.api, &r));
    r.target = "/nowhere";
    ck_assert(!api_is_slow(&c.api, &r));
}
END_TEST

START_TEST(files_are_served_from_the_embedded_table)
{
    ck_assert_ptr_null(assets_find("/nowhere"));
    ck_assert_ptr_null(assets_find(""));
    for (size_t i = 0; i < assets_count; i++) {
        ck_assert_ptr_eq(assets_find(assets[i].path), &assets[i]);
        ck_assert_int_eq(client_get(&c, assets[i].path), 200);
        ck_assert_ptr_eq(c.response.fixed, assets[i].data);
        ck_assert_str_eq(c.response.content_type, assets[i].type);
        const char *policy = client_header(&c, "Content-Security-Policy");
        ck_assert_ptr_nonnull(policy);
        ck_assert_str_eq(strrchr(policy, ' '), " 'none'"); /* not cut */
    }
}
END_TEST

Suite *suite_routes(void)
{
    Suite *s = suite_create("routes");
    TCase *t = tcase_create("matching");

    tcase_add_test(t, every_row_is_found_by_its_own_pattern);
    tcase_add_test(t, segments_are_decoded_one_by_one);
    tcase_add_test(t, a_name_is_no_path);
    tcase_add_test(t, versions_are_plain_numbers_from_one);
    tcase_add_test(t, slashes_count);
    suite_add_tcase(s, t);

    t = tcase_create("speed");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, slow_requests_are_told_from_quick_ones);
    tcase_add_test(t, hidden_steps_are_slow);
    tcase_add_test(t, rows_count_more_than_bytes);
    tcase_add_test(t, a_model_that_searches_is_slow);
    suite_add_tcase(s, t);

    t = tcase_create("refusals");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_unknown_path_is_told_what_there_is);
    tcase_add_test(t, a_wrong_method_is_told_the_right_ones);
    tcase_add_test(t, head_is_answered_as_get);
    tcase_add_test(t, files_are_served_from_the_embedded_table);
    suite_add_tcase(s, t);
    return s;
}
