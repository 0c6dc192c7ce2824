/* Which codings are known and chosen, which replies are packed, and their tags.
 */
#include "api/coding.h"

#include "api/assets.h"
#include "lib/base/mem.h"
#include "lib/data/gzip.h"
#include "tests/api/client.h"

#include <check.h>
#include <string.h>

Suite *suite_coding(void);

static struct client c;

static void setup(void)
{
    client_open(&c);
    c.request.target = "/v1/models";
    c.request.memory = &c.memory;
    c.request.accept_encoding = "gzip, deflate";
    c.response.status = 200;
    c.response.content_type = "application/json";
}

static void teardown(void)
{
    client_close(&c);
}

static void fill(size_t length)
{
    buf_reset(&c.response.body);
    for (size_t i = 0; i < length; i++)
        buf_char(&c.response.body, "0123, "[i % 6]);
}

/* The reply's body as it was, which frees it. */
static void check_packed(const char *coding, const void *was, size_t length)
{
    struct err e;
    struct gzip_reader *r =
        gzip_open(c.response.body.data, c.response.body.length, &e);
    char *plain = mem_array(length + 1, 1);
    bool done;
    size_t got;

    ck_assert_str_eq(client_header(&c, "Content-Encoding"), coding);
    ck_assert_str_eq(client_header(&c, "Vary"), "Accept-Encoding");
    ck_assert(gzip_is(c.response.body.data, 2) == (coding[0] == 'g'));
    ck_assert_int_eq(gzip_read(r, plain, length + 1, &got, &done, &e), ERR_OK);
    ck_assert(done);
    ck_assert_uint_eq(got, length);
    ck_assert_mem_eq(plain, was, length);
    mem_free(plain);
    gzip_close(r);
}

START_TEST(codings_are_known_by_name_and_one_at_a_time)
{
    static const struct {
        const char *header;
        enum coding coding;
    } cases[] = {
        {NULL, CODING_NONE},
        {"", CODING_NONE},
        {"Identity", CODING_NONE},
        {"gzip", CODING_GZIP},
        {"GZIP", CODING_GZIP},
        {"x-gzip", CODING_GZIP},
        {"deflate", CODING_DEFLATE},
        {"br", CODING_UNKNOWN},
        {"gzip, gzip", CODING_UNKNOWN},
        {"identity, gzip", CODING_UNKNOWN},
        {"gzip,", CODING_UNKNOWN},
        {"gzip;q=1", CODING_UNKNOWN},
        {"gzi", CODING_UNKNOWN},
        {"*", CODING_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(coding_parse(cases[i].header) == cases[i].coding, "%s",
                      cases[i].header);
}
END_TEST

START_TEST(the_highest_weight_wins_and_then_the_first)
{
    static const struct {
        const char *header;
        enum coding coding;
    } cases[] = {
        {NULL, CODING_NONE},
        {"", CODING_NONE},
        {" ,, ,", CODING_NONE},
        {"gzip, deflate", CODING_GZIP},
        {"deflate, gzip", CODING_DEFLATE},
        {"gzip;q=0.5, deflate;q=0.6", CODING_DEFLATE},
        {"gzip;q=0.5,deflate;q=0.50", CODING_GZIP},
        {"identity, gzip", CODING_NONE},
        {"identity;q=0.9, gzip ; q=1.0", CODING_GZIP},
        {"gzip;q=0", CODING_NONE},
        {"gzip;q=0.000, deflate;q=0.001", CODING_DEFLATE},
        {"br, zstd, gzip", CODING_GZIP},
        {"br;q=1, gzip;q=0.2, *;q=0.9", CODING_GZIP},
        {"*", CODING_NONE},
        {"gzip;q=nonsense, deflate;q=0.1", CODING_DEFLATE},
        {"GZip;Q=0.3", CODING_GZIP},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(coding_choose(cases[i].header) == cases[i].coding, "%s",
                      cases[i].header);
}
END_TEST

START_TEST(a_long_reply_is_packed_as_asked)
{
    char was[5000];

    fill(sizeof was);
    memcpy(was, c.response.body.data, sizeof was);
    ck_assert(coding_pack(&c.request, &c.response));
    check_packed("gzip", was, sizeof was);

    c.response.n_headers = 0;
    c.request.accept_encoding = "deflate";
    fill(sizeof was);
    ck_assert(coding_pack(&c.request, &c.response));
    check_packed("deflate", was, sizeof was);
}
END_TEST

START_TEST(who_does_not_ask_gets_it_as_it_is_but_marked)
{
    c.request.accept_encoding = NULL;
    fill(5000);
    ck_assert(!coding_pack(&c.request, &c.response));
    ck_assert_uint_eq(c.response.body.length, 5000);
    ck_assert_ptr_null(client_header(&c, "Content-Encoding"));
    ck_assert_str_eq(client_header(&c, "Vary"), "Accept-Encoding");
}
END_TEST

/* Neither packed nor said to depend on what was asked. */
static void check_left_alone(const char *why)
{
    size_t before = c.response.body.length;

    c.response.n_headers = 0;
    ck_assert_msg(!coding_pack(&c.request, &c.response), "%s", why);
    ck_assert_msg(!coding_is_slow(&c.request, &c.response), "%s", why);
    ck_assert_uint_eq(c.response.body.length, before);
    ck_assert_uint_eq(c.response.n_headers, 0);
}

START_TEST(what_gains_nothing_is_left_alone)
{
    static const char *const types[] = {
        "image/png",         "image/jpeg",
        "application/x-npz", "application/problem+json",
        "text/event-stream", NULL};

    fill(100);
    check_left_alone("short");
    fill(100000);
    c.response.status = 400;
    check_left_alone("an error");
    c.response.status = 200;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        c.response.content_type = types[i];
        check_left_alone(types[i] != NULL ? types[i] : "no type");
    }
}
END_TEST

START_TEST(of_the_inference_protocol_only_inference_is_packed)
{
    static const char *const bare[] = {
        "/v2", "/v2/models/m", "/v2/models/m/stats", "/v2/repository/index",
        "/v2/models/infer/config"};
    static const char *const packed[] = {"/v2/models/m/infer",
                                         "/v2/models/m/versions/2/infer"};

    fill(5000);
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++) {
        c.request.target = bare[i];
        check_left_alone(bare[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        c.response.n_headers = 0;
        c.request.target = packed[i];
        c.response.content_type = "application/octet-stream";
        fill(5000);
        api_response_header(&c.response, "Inference-Header-Content-Length",
                            "4000");
        ck_assert(coding_pack(&c.request, &c.response));
        ck_assert_str_eq(client_header(&c, "Inference-Header-Content-Length"),
                         "4000");
    }
}
END_TEST

START_TEST(what_does_not_become_shorter_stays)
{
    uint32_t x = 1;

    for (size_t i = 0; i < 4000; i++) {
        x = x * 1664525 + 1013904223;
        buf_char(&c.response.body, (char)(x >> 24));
    }
    ck_assert(!coding_pack(&c.request, &c.response));
    ck_assert_uint_eq(c.response.body.length, 4000);
    ck_assert_ptr_null(client_header(&c, "Content-Encoding"));
    ck_assert_str_eq(client_header(&c, "Vary"), "Accept-Encoding");
}
END_TEST

START_TEST(only_long_work_that_will_be_done_is_slow)
{
    fill(60000);
    ck_assert(!coding_is_slow(&c.request, &c.response));
    fill(70000);
    ck_assert(coding_is_slow(&c.request, &c.response));
    c.request.accept_encoding = "identity";
    ck_assert(!coding_is_slow(&c.request, &c.response));
}
END_TEST

START_TEST(files_are_packed_once_and_kept)
{
    const struct asset *file = assets_find("/openapi.yaml");
    const void *first = NULL;

    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 2; i++) {
        c.response.n_headers = 0;
        c.response.fixed = file->data;
        c.response.fixed_length = file->size;
        ck_assert(!coding_is_slow(&c.request, &c.response));
        ck_assert(coding_pack(&c.request, &c.response));
        ck_assert_uint_lt(c.response.fixed_length, file->size / 3);
        ck_assert(first == NULL || first == c.response.fixed);
        first = c.response.fixed;
    }
    ck_assert_ptr_ne(assets_pack(file->data, GZIP_FORM),
                     assets_pack(file->data, ZLIB_FORM));
    ck_assert_ptr_null(assets_pack(&c, GZIP_FORM));
}
END_TEST

START_TEST(a_packed_reply_has_a_tag_of_its_own)
{
    fill(5000);
    api_response_header(&c.response, "ETag", "\"abc\"");
    coding_pack(&c.request, &c.response);
    ck_assert_str_eq(client_header(&c, "ETag"), "\"abc-gzip\"");

    c.response.n_headers = 0;
    fill(5000);
    api_response_header(&c.response, "ETag", "W/\"abc\"");
    coding_pack(&c.request, &c.response);
    ck_assert_str_eq(client_header(&c, "ETag"), "W/\"abc\"");
}
END_TEST

START_TEST(handlers_see_tags_without_marks)
{
    c.request.if_none_match = "\"a-gzip\", W/\"b-deflate\", \"c\", \"d-gzip\"";
    c.request.if_match = "\"gzip\"";
    coding_unmark_tags(&c.request);
    ck_assert_str_eq(c.request.if_none_match, "\"a\", W/\"b\", \"c\", \"d\"");
    ck_assert_str_eq(c.request.if_match, "\"gzip\"");
    ck_assert_ptr_nonnull(c.request.packed_tags);
}
END_TEST

START_TEST(not_modified_repeats_the_mark)
{
    static const struct {
        const char *known, *tag;
    } cases[] = {{"\"abc-gzip\"", "\"abc-gzip\""},
                 {"\"abc-deflate\"", "\"abc-deflate\""},
                 {"\"abc\"", "\"abc\""}};

    for (size_t i = 0; i < 3; i++) {
        c.response.n_headers = 0;
        c.response.status = 304;
        c.response.content_type = i > 0 ? "application/json" : NULL;
        c.request.packed_tags = NULL;
        c.request.if_none_match = cases[i].known;
        coding_unmark_tags(&c.request);
        ck_assert_str_eq(c.request.if_none_match, "\"abc\"");
        api_response_header(&c.response, "ETag", "\"abc\"");
        ck_assert(!coding_pack(&c.request, &c.response));
        ck_assert_str_eq(client_header(&c, "ETag"), cases[i].tag);
        ck_assert_str_eq(client_header(&c, "Vary"), "Accept-Encoding");
    }
}
END_TEST

/* That another reply, or its condition, was of a packed one says nothing. */
START_TEST(only_the_tag_itself_is_marked_again)
{
    static const struct {
        const char *known, *match, *tag;
    } cases[] = {
        {"\"old-gzip\", \"abc\"", NULL, "\"abc\""},
        {"\"old-gzip\", \"abc-deflate\"", NULL, "\"abc-deflate\""},
        {"W/\"abc-gzip\"", NULL, "\"abc-gzip\""},
        {"\"abc\"", "\"abc-gzip\"", "\"abc\""},
    };

    c.response.status = 304;
    c.response.content_type = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        c.response.n_headers = 0;
        c.request.packed_tags = NULL;
        c.request.if_none_match = cases[i].known;
        c.request.if_match = cases[i].match;
        coding_unmark_tags(&c.request);
        api_response_header(&c.response, "ETag", "\"abc\"");
        ck_assert(!coding_pack(&c.request, &c.response));
        ck_assert_str_eq(client_header(&c, "ETag"), cases[i].tag);
    }
}
END_TEST

START_TEST(a_coded_body_is_slow_where_one_is_taken)
{
    c.request.method = "POST";
    c.request.target = "/v1/models/small/classify";
    c.request.content_type = "application/json";
    c.request.body = "{\"inputs\":[]}";
    c.request.body_length = 13;
    ck_assert(!api_is_slow(&c.api, &c.request));
    c.request.content_encoding = "gzip";
    ck_assert(api_is_slow(&c.api, &c.request));
    c.request.method = "GET";
    c.request.target = "/v1/models";
    ck_assert(!api_is_slow(&c.api, &c.request));
}
END_TEST

START_TEST(unknown_codings_are_refused_with_the_remedy)
{
    c.request.content_encoding = "br";
    client_post(&c, "/v1/models/small/classify", "{}");
    client_refused(&c, 415, "gzip, deflate");
    ck_assert_str_eq(client_header(&c, "Accept-Encoding"), "gzip, deflate");
}
END_TEST

Suite *suite_coding(void)
{
    Suite *s = suite_create("coding");
    TCase *t = tcase_create("coding");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, codings_are_known_by_name_and_one_at_a_time);
    tcase_add_test(t, the_highest_weight_wins_and_then_the_first);
    tcase_add_test(t, a_long_reply_is_packed_as_asked);
    tcase_add_test(t, who_does_not_ask_gets_it_as_it_is_but_marked);
    tcase_add_test(t, what_gains_nothing_is_left_alone);
    tcase_add_test(t, of_the_inference_protocol_only_inference_is_packed);
    tcase_add_test(t, what_does_not_become_shorter_stays);
    tcase_add_test(t, only_long_work_that_will_be_done_is_slow);
    tcase_add_test(t, files_are_packed_once_and_kept);
    tcase_add_test(t, a_packed_reply_has_a_tag_of_its_own);
    tcase_add_test(t, handlers_see_tags_without_marks);
    tcase_add_test(t, not_modified_repeats_the_mark);
    tcase_add_test(t, only_the_tag_itself_is_marked_again);
    tcase_add_test(t, a_coded_body_is_slow_where_one_is_taken);
    tcase_add_test(t, unknown_codings_are_refused_with_the_remedy);
    suite_add_tcase(s, t);
    return s;
}
