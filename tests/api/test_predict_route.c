/* KServe's first protocol, with the model as the judge. */
#include "tests/api/judge.h"
#include "tests/api/oip/parcel.h"

#include <check.h>
#include <string.h>

Suite *suite_predict_route(void);

#define PREDICT "/v1/models/small:predict"

static struct client c;
static struct judge judge;

static void setup(void)
{
    judge_open(&judge, &c);
}

static void teardown(void)
{
    judge_close(&judge);
}

START_TEST(predictions_are_classes)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(
        client_post(&c, PREDICT "?a=b", "{\"instances\":[" X1 "," X2 "]}"),
        200);
    ck_assert_uint_eq(client_count(&c, "predictions"), 2);
    ck_assert_ptr_null(json_next(json_first(c.reply)));
    ck_assert_str_eq(client_header(&c, "Sparsed-Model"), "small");
    ck_assert_str_eq(client_header(&c, "Sparsed-Version"), "2");
    for (size_t row = 0; row < 2; row++) {
        const char *path = row == 0 ? "predictions[0].probability"
                                    : "predictions[1].probability";
        const char *index =
            row == 0 ? "predictions[0].index" : "predictions[1].index";
        size_t k = (size_t)client_number(&c, index);
        ck_assert((float)client_number(&c, path) ==
                  judge.pass.probabilities[3 * row + k]);
    }
    ck_assert_uint_eq(client_count(&c, "predictions[0].top"), 3);
}
END_TEST

START_TEST(without_classes_predictions_are_codes)
{
    ck_assert_int_eq(
        client_post(&c, "/v1/models/bare:predict", "{\"instances\":[" X1 "]}"),
        200);
    ck_assert_uint_eq(client_count(&c, "predictions"), 1);
    ck_assert_uint_eq(client_count(&c, "predictions[0].indices"),
                      client_count(&c, "predictions[0].values"));
}
END_TEST

START_TEST(instances_are_rows_or_objects_of_one)
{
    ck_assert_int_eq(
        client_post(&c, PREDICT,
                    "{\"signature_name\":\"x\",\"instances\":[" X1
                    ",{\"input\":" X2 "},{ \"in\\u0070ut\" : [[1,0,0],"
                    "[0.5,0.5,0.25]] } ,[[1,0,0],[0.5,0.5,0.25]]]}"),
        200);
    ck_assert_uint_eq(client_count(&c, "predictions"), 4);
    double p = client_number(&c, "predictions[1].probability");
    ck_assert(client_number(&c, "predictions[2].probability") == p);
    ck_assert(client_number(&c, "predictions[3].probability") == p);
}
END_TEST

START_TEST(bad_instances_are_named)
{
    client_post(&c, PREDICT, "{}");
    parcel_refused(&c, 400, "instances: missing");
    client_post(&c, PREDICT, "{\"instances\":[]}");
    parcel_refused(&c, 400, "instances: empty");
    client_post(&c, PREDICT, "{\"instances\":[[1]]}");
    parcel_refused(&c, 400, "instances[0]");
    client_post(&c, PREDICT, "{\"instances\":[" X1 ",{}]}");
    parcel_refused(&c, 400, "instances[1]: want the member \"input\"");
    client_post(&c, PREDICT, "{\"instances\":[{\"x\":" X1 "}]}");
    parcel_refused(&c, 400, "got \"x\"");
    client_post(&c, PREDICT,
                "{\"instances\":[{\"input\":" X1 ",\"input\":" X1 "}]}");
    parcel_refused(&c, 400, "duplicate");
    client_post(&c, PREDICT, "{\"instances\":[{\"input\":" X1 ",\"b\":1}]}");
    parcel_refused(&c, 400, "no member but");
    client_post(&c, PREDICT, "{\"instances\":[{\"input\":" X1 "]}");
    parcel_refused(&c, 400, "JSON");
    client_post(&c, PREDICT, "{\"instances\":[{\"input\":{}}]}");
    parcel_refused(&c, 400, "instances[0]");
    client_post(&c, PREDICT, "{\"inputs\":[" X1 "]}");
    parcel_refused(&c, 400, "inputs");
}
END_TEST

START_TEST(the_route_is_the_name_and_a_word)
{
    client_post(&c, "/v1/models/nosuch:predict", "{}");
    parcel_refused(&c, 404, "no model nosuch");
    client_post(&c, "/v1/models/small:explain", "{}");
    client_refused(&c, 404, "no such path");
    client_post(&c, "/v1/models/:predict", "{}");
    parcel_refused(&c, 404, "no such path");
    client_get(&c, PREDICT);
    parcel_refused(&c, 405, "POST");
    ck_assert_int_eq(client_post(&c, "/v1/models/small%3apredict",
                                 "{\"instances\":[" X1 "]}"),
                     200);
    char longest[120] = "/v1/models/";
    memset(longest + 11, 'n', 64);
    memcpy(longest + 75, ":predict", 9);
    client_post(&c, longest, "{}");
    parcel_refused(&c, 404, "no model nnn");
}
END_TEST

START_TEST(no_type_of_body_is_looked_at)
{
    const char *body = "{\"instances\":[" X1 "]}";

    c.request.content_type = "application/x-www-form-urlencoded";
    c.request.accept = "text/html";
    ck_assert_int_eq(client_send(&c, "POST", PREDICT, body, strlen(body)), 200);
    ck_assert_str_eq(c.response.content_type, "application/json");
}
END_TEST

START_TEST(a_model_says_that_it_is_ready)
{
    ck_assert_int_eq(client_get(&c, "/v1/models/small"), 200);
    ck_assert(json_bool(client_find(&c, "ready")));
}
END_TEST

Suite *suite_predict_route(void)
{
    Suite *s = suite_create("predict_route");
    TCase *t = tcase_create("predict");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, predictions_are_classes);
    tcase_add_test(t, without_classes_predictions_are_codes);
    tcase_add_test(t, instances_are_rows_or_objects_of_one);
    tcase_add_test(t, bad_instances_are_named);
    tcase_add_test(t, the_route_is_the_name_and_a_word);
    tcase_add_test(t, no_type_of_body_is_looked_at);
    tcase_add_test(t, a_model_says_that_it_is_ready);
    suite_add_tcase(s, t);
    return s;
}
