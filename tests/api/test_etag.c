/* ETags: replies that a client has, and changes that it wants only while things
 * are as it knows them.
 */
#include "tests/api/client.h"

#include "lib/store/versions.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_etag(void);

#define SMALL "/v1/models/small"

static struct client c;
static char tag[64];

static void setup(void)
{
    client_open(&c);
    client_learn(&c);
    c.finishes = true;
}

static void teardown(void)
{
    client_close(&c);
}

static const char *tag_of(const char *path)
{
    c.request.if_none_match = NULL;
    ck_assert_int_eq(client_get(&c, path), 200);
    ck_assert_ptr_nonnull(client_header(&c, "ETag"));
    snprintf(tag, sizeof tag, "%s", client_header(&c, "ETag"));
    return tag;
}

static void keep(char out[64], const char *text)
{
    snprintf(out, 64, "%s", text);
}

static int get_if_none(const char *path, const char *match)
{
    c.request.if_none_match = match;
    int status = client_get(&c, path);
    c.request.if_none_match = NULL;
    return status;
}

static int send_if(const char *method, const char *path, const char *match)
{
    c.request.content_type = NULL;
    c.request.if_match = match;
    int status = client_send(&c, method, path, NULL, 0);
    c.request.if_match = NULL;
    return status;
}

START_TEST(what_a_client_has_is_not_sent_again)
{
    static const char *const paths[] = {
        "/v1/models",
        SMALL,
        SMALL "/versions/1",
        SMALL "/units/2",
        SMALL "/atoms.png",
        SMALL "/atoms.png?max_side=64",
        "/v2/models/small",
        "/v2/models/small/config",
        "/openapi.yaml",
        SMALL "/versions/1/atoms.png",
        "/v2/models/small/versions/1",
    };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        tag_of(paths[i]);
        ck_assert_msg(get_if_none(paths[i], tag) == 304, "%s", paths[i]);
        ck_assert_uint_eq(c.response.body.length, 0);
        ck_assert_ptr_null(c.response.fixed);
        ck_assert_ptr_null(c.response.content_type);
        ck_assert_str_eq(client_header(&c, "ETag"), tag);
        ck_assert_str_eq(client_header(&c, "Cache-Control"), "no-cache");
        ck_assert_int_eq(get_if_none(paths[i], "\"0000000000000000\""), 200);
    }
}
END_TEST

START_TEST(lists_of_tags_are_read_as_the_rfc_has_them)
{
    static const struct {
        const char *format;
        int status;
    } lists[] = {
        {"%s", 304},
        {"W/%s", 304},
        {" \"a\" , \"b,c\",,%s", 304},
        {"\"a\",W/%s,\"b\"", 304},
        {"*", 304},
        {"\"*\"", 200},
        {"\"a\", \"b\"", 200},
        {"", 200},
        {",", 200},
        {"W/", 200},
        {"w/%s", 200},
        {"\"", 200},
        {"\"\"", 200},
        {"\"x%s", 200}, /* x and the quote make one tag */
        {"abc", 200},
    };
    char list[128];

    tag_of(SMALL);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *at = strstr(lists[i].format, "%s");
        int before = at != NULL ? (int)(at - lists[i].format)
                                : (int)strlen(lists[i].format);
        snprintf(list, sizeof list, "%.*s%s%s", before, lists[i].format,
                 at != NULL ? tag : "", at != NULL ? at + 2 : "");
        ck_assert_msg(get_if_none(SMALL, list) == lists[i].status, "%s", list);
    }
}
END_TEST

START_TEST(tags_follow_what_they_stand_for)
{
    char first[64], picture[64], list[64];

    keep(list, tag_of("/v1/models"));
    keep(first, tag_of(SMALL));
    keep(picture, tag_of(SMALL "/atoms.png"));
    ck_assert_str_ne(first, tag_of("/v1/models/bare"));
    ck_assert_str_ne(picture, tag_of(SMALL "/atoms.png?max_side=64"));
    ck_assert_str_ne(picture, tag_of(SMALL "/versions/1/atoms.png"));
    ck_assert_str_eq(picture, tag_of(SMALL "/versions/2/atoms.png"));
    ck_assert_int_eq(send_if("POST", SMALL "/versions/1/activate", NULL), 200);
    ck_assert_str_ne(first, tag_of(SMALL));
    ck_assert_str_ne(picture, tag_of(SMALL "/atoms.png"));
    ck_assert_str_ne(list, tag_of("/v1/models"));
    ck_assert_int_eq(send_if("POST", SMALL "/versions/2/activate", NULL), 200);
    ck_assert_str_eq(first, tag_of(SMALL));
    client_add_small(&c, 3);
    ck_assert_str_ne(first, tag_of(SMALL));
}
END_TEST

START_TEST(refusals_have_no_tag)
{
    ck_assert_int_eq(get_if_none("/v1/models/none", "*"), 404);
    ck_assert_ptr_null(client_header(&c, "ETag"));
    ck_assert_int_eq(get_if_none("/v1/models/bare/atoms.png", "\"a\""), 409);
    ck_assert_ptr_null(client_header(&c, "ETag"));
    ck_assert_int_eq(get_if_none(SMALL "/units/99", "*"), 404);
    ck_assert_int_eq(get_if_none(SMALL "/atoms.png?layer=7", "*"), 422);
}
END_TEST

START_TEST(versions_change_only_while_they_are_as_known)
{
    char known[64];

    keep(known, tag_of(SMALL));
    ck_assert_int_eq(send_if("POST", SMALL "/versions/1/activate", "\"x\""),
                     412);
    client_refused(&c, 412, known);
    ck_assert_int_eq(send_if("POST", SMALL "/versions/1/activate", known), 200);
    ck_assert_int_eq(send_if("POST", SMALL "/versions/2/activate", known), 412);
    client_get(&c, SMALL);
    ck_assert(client_number(&c, "version") == 1);
    ck_assert_int_eq(send_if("POST", SMALL "/versions/2/activate", "*"), 200);
    /* A weak tag never matches here: RFC 9110, section 13.1.1. */
    snprintf(known, sizeof known, "W/%s", tag_of(SMALL));
    ck_assert_int_eq(send_if("POST", SMALL "/versions/1/activate", known), 412);
    snprintf(known, sizeof known, "\"a\", %s", tag_of(SMALL));
    ck_assert_int_eq(send_if("POST", SMALL "/versions/1/activate", known), 200);
}
END_TEST

/* Of two in one commit the second sees what the first has recorded. */
START_TEST(a_record_that_runs_ahead_counts)
{
    struct err e = {0};

    ck_assert_int_eq(send_if("POST", SMALL "/versions/1/activate", NULL), 200);
    tag_of(SMALL);
    /* The registry is behind its record, as between commit and reply. */
    ck_assert_int_eq(registry_activate(c.api.registry, "small", 2, &e), ERR_OK);
    tag_of(SMALL);
    ck_assert_int_eq(send_if("POST", SMALL "/versions/2/activate", tag), 412);
    client_refused(&c, 412, "version 1 goes into service");
}
END_TEST

START_TEST(samples_are_deleted_only_while_the_model_is_as_known)
{
    client_post(&c, SMALL "/samples",
                "{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"a\"]}");
    ck_assert_int_eq(
        send_if("DELETE", SMALL "/samples?all=true", "\"another\""), 412);
    client_get(&c, SMALL "/samples");
    ck_assert(client_number(&c, "total") == 1);
    ck_assert_int_eq(
        send_if("DELETE", SMALL "/samples?all=true", tag_of(SMALL)), 200);
    ck_assert(client_number(&c, "deleted") == 1);
}
END_TEST

Suite *suite_etag(void)
{
    Suite *s = suite_create("etag");
    TCase *t = tcase_create("conditions");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_a_client_has_is_not_sent_again);
    tcase_add_test(t, lists_of_tags_are_read_as_the_rfc_has_them);
    tcase_add_test(t, tags_follow_what_they_stand_for);
    tcase_add_test(t, refusals_have_no_tag);
    tcase_add_test(t, versions_change_only_while_they_are_as_known);
    tcase_add_test(t, a_record_that_runs_ahead_counts);
    tcase_add_test(t, samples_are_deleted_only_while_the_model_is_as_known);
    suite_add_tcase(s, t);
    return s;
}
