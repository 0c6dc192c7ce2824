/* Labels that come later. */
#include "tests/api/client.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_labels(void);

#define SAMPLES "/v1/models/small/samples"

static struct client c;

static void setup(void)
{
    client_open(&c);
    client_learn(&c);
    client_post(&c, SAMPLES,
                "{\"inputs\":[[0,0,0,0,0,1],[0,0,0,0,1,1]],"
                "\"labels\":[null,\"b\"]}");
}

static void teardown(void)
{
    client_close(&c);
}

START_TEST(a_label_comes_changes_and_goes)
{
    c.finishes = true;
    ck_assert_int_eq(client_put(&c, SAMPLES "/1/label", "{\"label\":\"7\"}"),
                     200);
    ck_assert_str_eq(client_text(&c, "model"), "small");
    ck_assert(client_number(&c, "id") == 1);
    ck_assert_str_eq(client_text(&c, "label"), "7");
    ck_assert_int_eq(client_put(&c, SAMPLES "/2/label", "{\"label\":\"7\"}"),
                     200);
    client_get(&c, SAMPLES);
    ck_assert(client_number(&c, "labels.7") == 2);
    ck_assert(client_number(&c, "unlabelled") == 0);
    ck_assert_ptr_null(client_find(&c, "labels.b"));
    ck_assert_int_eq(client_put(&c, SAMPLES "/2/label", "{\"label\":null}"),
                     200);
    ck_assert_ptr_null(client_find(&c, "label"));
    client_get(&c, SAMPLES);
    ck_assert(client_number(&c, "unlabelled") == 1);
    ck_assert(client_number(&c, "total") == 2);
}
END_TEST

START_TEST(what_is_no_label_is_refused)
{
    static const struct {
        const char *body;
        int status;
        const char *words;
    } cases[] = {
        {"{\"label\":7}", 422, "write \"7\" with the quotes"},
        {"{\"label\":-1.5e3}", 422, "write \"-1.5e3\""},
        {"{\"label\":false}", 422, "label: want"},
        {"{\"label\":[\"a\"]}", 422, "label: want"},
        {"{\"label\":{\"a\":1}}", 422, "label: want"},
        {"{\"label\":\"\"}", 422, "got 0 bytes"},
        {"{\"label\":\"\\u0007\"}", 422, "control character"},
        {"{\"label\":\"\\u0000\"}", 400, ""},
        {"{}", 422, "label: missing"},
        {"{\"label\":\"a\",\"id\":1}", 422, "unknown member \"id\""},
        {"{\"label\":\"a\",\"label\":\"b\"}", 400, "duplicate"},
        {"\"a\"", 422, "object"},
        {"{\"label\":nul}", 400, "JSON"},
        {"{\"label\":\"a", 400, "JSON"},
        {"", 400, "JSON"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        client_put(&c, SAMPLES "/2/label", cases[i].body);
        client_refused(&c, cases[i].status, cases[i].words);
    }
    client_get(&c, SAMPLES);
    ck_assert(client_number(&c, "labels.b") == 1);
}
END_TEST

START_TEST(unknown_samples_are_not_found)
{
    client_put(&c, SAMPLES "/3/label", "{\"label\":\"a\"}");
    client_refused(&c, 404, "3");
    client_put(&c, "/v1/models/tall/samples/1/label", "{\"label\":\"a\"}");
    client_refused(&c, 404, "1");
    client_put(&c, "/v1/models/nobody/samples/1/label", "{\"label\":\"a\"}");
    client_refused(&c, 404, "nobody");
    for (const char *const *p =
             (const char *const[]){"0", "01", "-1", "x", "9999999999999999999",
                                   NULL};
         *p != NULL; p++) {
        char path[80];
        snprintf(path, sizeof path, SAMPLES "/%s/label", *p);
        ck_assert_int_eq(client_put(&c, path, "{\"label\":\"a\"}"), 404);
    }
    client_get(&c, SAMPLES "/1/label");
    ck_assert_int_eq(c.response.status, 405);
    ck_assert_str_eq(client_header(&c, "Allow"), "PUT, OPTIONS");
}
END_TEST

START_TEST(one_label_too_many_is_refused)
{
    client_post(&c, SAMPLES,
                "{\"inputs\":[[0,0,0,0,0,1],[0,0,0,0,1,1],[0,0,0,0,1,1]],"
                "\"labels\":[\"1\",\"2\",\"3\"]}");
    ck_assert_int_eq(c.response.status, 201);
    client_put(&c, SAMPLES "/1/label", "{\"label\":\"5\"}");
    client_refused(&c, 422, "4");
    ck_assert_int_eq(client_put(&c, SAMPLES "/1/label", "{\"label\":\"b\"}"),
                     200);
}
END_TEST

Suite *suite_labels(void)
{
    Suite *s = suite_create("labels");
    TCase *t = tcase_create("put");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_label_comes_changes_and_goes);
    tcase_add_test(t, what_is_no_label_is_refused);
    tcase_add_test(t, unknown_samples_are_not_found);
    tcase_add_test(t, one_label_too_many_is_refused);
    suite_add_tcase(s, t);
    return s;
}
