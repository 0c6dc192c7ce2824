/* Inference over the Open Inference Protocol from request to reply, with the
 * model itself as the judge of every number.
 */
#include "tests/api/judge.h"
#include "tests/api/oip/parcel.h"

#include "tests/support/near.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_oip_infer(void);

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

/* ---- which outputs ---- */

START_TEST(without_a_list_all_dense_outputs_come)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(parcel_json(&c, INFER, "{" INPUT "}"), 200);
    ck_assert_str_eq(c.response.content_type, "application/json");
    ck_assert_str_eq(client_text(&c, "model_name"), "small");
    ck_assert_str_eq(client_text(&c, "model_version"), "2");
    ck_assert_ptr_null(client_find(&c, "id"));
    ck_assert_ptr_null(client_find(&c, "parameters"));
    ck_assert_uint_eq(client_count(&c, "outputs"), 5);
    shape_is(&c, "code", "FP32", 2, 5);
    shape_is(&c, "groups", "FP32", 2, 5);
    shape_is(&c, "reconstruction", "FP32", 2, 2, 3);
    shape_is(&c, "probabilities", "FP32", 2, 3);
    shape_is(&c, "class", "BYTES", 2, 1);
    client_same_floats(&c, parcel_member(&c, "code", "data"),
                       judge_code(&judge, 0), 10);
    client_same_floats(&c, parcel_member(&c, "groups", "data"),
                       judge.pass.layers[0].v, 10);
    client_same_floats(&c, parcel_member(&c, "reconstruction", "data"),
                       judge.reconstruction, 12);
    client_same_floats(&c, parcel_member(&c, "probabilities", "data"),
                       judge.pass.probabilities, 6);
    for (size_t row = 0; row < 2; row++) {
        const float *p = judge.pass.probabilities + 3 * row;
        size_t best = p[1] > p[0] ? 1 : 0;
        char rest[16];
        best = p[2] > p[best] ? 2 : best;
        snprintf(rest, sizeof rest, "data[%zu]", row);
        ck_assert_str_eq(client_text(&c, parcel_member(&c, "class", rest)),
                         judge.m->classes[best]);
    }
    /* Clients choke on parameters where the data is JSON. */
    ck_assert_ptr_null(strstr(c.response.body.data, "parameters"));
    ck_assert_ptr_null(strstr(c.response.body.data, "null"));
}
END_TEST

START_TEST(a_model_gives_what_it_has)
{
    ck_assert_int_eq(parcel_json(&c, "/v2/models/bare/infer", "{" INPUT "}"),
                     200);
    ck_assert_uint_eq(client_count(&c, "outputs"), 2);
    parcel_place(&c, "code");
    parcel_place(&c, "groups");
    parcel_json(&c, "/v2/models/bare/infer", OUTPUTS(NAME("reconstruction")));
    parcel_refused(&c, 400, "\"reconstruction\"; the model has: code, groups");
    parcel_json(&c, "/v2/models/bare/infer", OUTPUTS(NAME("class")));
    parcel_refused(&c, 400, "the model has");
}
END_TEST

START_TEST(outputs_come_as_they_are_listed)
{
    ck_assert_int_eq(
        parcel_json(&c, INFER, OUTPUTS(NAME("class") "," NAME("code"))), 200);
    ck_assert_uint_eq(client_count(&c, "outputs"), 2);
    ck_assert_uint_eq(parcel_place(&c, "class"), 0);
    ck_assert_uint_eq(parcel_place(&c, "code"), 1);
    ck_assert_int_eq(parcel_json(&c, INFER, OUTPUTS("")), 200);
    ck_assert_uint_eq(client_count(&c, "outputs"), 5);
}
END_TEST

START_TEST(bad_lists_are_refused)
{
    parcel_json(&c, INFER, OUTPUTS(NAME("code") "," NAME("code")));
    parcel_refused(&c, 400, "code is asked for twice");
    parcel_json(&c, INFER, OUTPUTS(NAME("Code")));
    parcel_refused(&c, 400, "\"Code\"");
    parcel_json(&c, INFER, OUTPUTS("{}"));
    parcel_refused(&c, 400, "name");
    parcel_json(&c, INFER, OUTPUTS("\"code\""));
    parcel_refused(&c, 400, "name");
    parcel_json(&c, INFER, "{" INPUT ",\"outputs\":{}}");
    parcel_refused(&c, 400, "outputs: want an array");
    parcel_json(&c, INFER,
                OUTPUTS("{\"name\":\"code\",\"parameters\":{\"binary_data\":"
                        "1}}"));
    parcel_refused(&c, 400, "binary_data");
    parcel_json(&c, INFER,
                OUTPUTS("{\"name\":\"code\",\"parameters\":{"
                        "\"shared_memory_region\":\"r\"}}"));
    parcel_refused(&c, 400, "shared memory");
    parcel_json(&c, INFER,
                OUTPUTS("{\"name\":\"code\",\"parameters\":{\"triton_a\":1}}"));
    parcel_refused(&c, 400, "triton_a");
}
END_TEST

/* ---- bytes ---- */

static void check_floats(const unsigned char *bytes, const char *name,
                         const float *want, size_t n)
{
    size_t size;
    const unsigned char *at = parcel_bytes(&c, bytes, name, &size);

    ck_assert_uint_eq(size, n * sizeof *want);
    ck_assert_msg(memcmp(at, want, size) == 0, "%s", name);
}

START_TEST(all_outputs_can_be_bytes)
{
    size_t n, size;

    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(
        parcel_json(&c, INFER,
                    "{" INPUT ",\"parameters\":{\"binary_data_output\":true}}"),
        200);
    const unsigned char *bytes = parcel_open(&c, &n);
    check_floats(bytes, "code", judge_code(&judge, 0), 10);
    check_floats(bytes, "groups", judge.pass.layers[0].v, 10);
    check_floats(bytes, "reconstruction", judge.reconstruction, 12);
    check_floats(bytes, "probabilities", judge.pass.probabilities, 6);
    const unsigned char *names = parcel_bytes(&c, bytes, "class", &size);
    ck_assert_uint_eq(size, 10);
    ck_assert(memcmp(names, "\1\0\0\0", 4) == 0 && names[4] >= 'a');
    ck_assert(memcmp(names + 5, "\1\0\0\0", 4) == 0 && names[9] <= 'c');
    ck_assert_uint_eq(n, 4 * (10 + 10 + 12 + 6) + 10);
}
END_TEST

START_TEST(each_output_has_a_form_of_its_own)
{
    size_t n;

    judge_ask(&judge, "small", 2, 0);
    /* As Triton does it, what the request says holds only without a list. */
    ck_assert_int_eq(
        parcel_json(&c, INFER,
                    "{" INPUT
                    ",\"outputs\":[" NAME("probabilities") "," AS_BYTES(
                        "code") "," NAME("groups") "," AS_BYTES("reconstructio"
                                                                "n") "],"
                                                                     "\"paramet"
                                                                     "ers\":{"
                                                                     "\"binary_"
                                                                     "data_"
                                                                     "output\":"
                                                                     "true}}"),
        200);
    const unsigned char *bytes = parcel_open(&c, &n);
    ck_assert_uint_eq(n, 4 * (10 + 12));
    check_floats(bytes, "code", judge_code(&judge, 0), 10);
    check_floats(bytes, "reconstruction", judge.reconstruction, 12);
    client_same_floats(&c, parcel_member(&c, "probabilities", "data"),
                       judge.pass.probabilities, 6);
    client_same_floats(&c, parcel_member(&c, "groups", "data"),
                       judge.pass.layers[0].v, 10);
    ck_assert_int_eq(
        parcel_json(
            &c, INFER,
            "{" INPUT ",\"outputs\":[" NAME(
                "code") "],\"parameters\":{\"binary_data_output\":true}}"),
        200);
    ck_assert_str_eq(c.response.content_type, "application/json");
    ck_assert_ptr_null(client_header(&c, "Inference-Header-Content-Length"));
}
END_TEST

START_TEST(bytes_go_in_as_numbers_do)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(
        parcel_send(&c, INFER,
                    "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\","
                    "\"shape\":[2,2,3],\"parameters\":{\"binary_data_size\":"
                    "48}}],\"outputs\":[" NAME("code") "]}",
                    judge_inputs, 48),
        200);
    client_same_floats(&c, parcel_member(&c, "code", "data"),
                       judge_code(&judge, 0), 10);
}
END_TEST

START_TEST(raw_rows_get_bytes_back)
{
    size_t n;

    judge_ask(&judge, "small", 2, 0);
    c.request.header_length = "0";
    ck_assert_int_eq(client_send(&c, "POST", INFER, judge_inputs, 48), 200);
    const unsigned char *bytes = parcel_open(&c, &n);
    ck_assert_uint_eq(client_count(&c, "outputs"), 5);
    check_floats(bytes, "code", judge_code(&judge, 0), 10);
    check_floats(bytes, "probabilities", judge.pass.probabilities, 6);
    client_send(&c, "POST", INFER, judge_inputs, 47);
    parcel_refused(&c, 400, "got 47 bytes");
}
END_TEST

/* ---- the rest ---- */

START_TEST(ids_come_back_as_they_were)
{
    ck_assert_int_eq(parcel_json(&c, INFER,
                                 "{" INPUT
                                 ",\"id\":\"a\\u00e9\\/b\",\"outputs\":[" NAME(
                                     "class") "]}"),
                     200);
    ck_assert_ptr_nonnull(
        strstr(c.response.body.data, "\"id\":\"a\\u00e9\\/b\""));
    ck_assert_int_eq(
        parcel_json(&c, INFER,
                    "{" INPUT ",\"id\":\"\",\"outputs\":[" NAME("class") "]}"),
        200);
    ck_assert_ptr_null(client_find(&c, "id"));
}
END_TEST

/* Many rows in little memory go through in blocks. */
START_TEST(blocks_do_not_show_in_the_reply)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    buf_text(
        &text,
        "{\"outputs\":[" NAME("code") "," NAME("code_indptr") "," NAME(
            "class") "," NAME("reconstruction") "],\"inputs\":[{\"name\":"
                                                "\"input\",\"shape\":[200,6],"
                                                "\"datatype\":\"INT32\","
                                                "\"data\":[");
    for (int i = 0; i < 1200; i++)
        buf_printf(&text, i > 0 ? ",%d" : "%d", i * 7 % 11);
    buf_text(&text, "]}]}");
    ck_assert_int_eq(parcel_json(&c, INFER, text.data), 200);
    static float code[1000];
    for (size_t i = 0; i < 1000; i++) {
        char rest[16];
        snprintf(rest, sizeof rest, "data[%zu]", i);
        code[i] = (float)client_number(&c, parcel_member(&c, "code", rest));
    }
    double pointer =
        client_number(&c, parcel_member(&c, "code_indptr", "data[200]"));
    c.memory.max_bytes = 40 << 10;
    ck_assert_int_eq(parcel_json(&c, INFER, text.data), 200);
    shape_is(&c, "code", "FP32", 200, 5);
    shape_is(&c, "code_indptr", "INT64", 201);
    shape_is(&c, "class", "BYTES", 200, 1);
    ck_assert_uint_eq(
        client_count(&c, parcel_member(&c, "reconstruction", "data")), 1200);
    for (size_t i = 0; i < 1000; i++) {
        char rest[16];
        snprintf(rest, sizeof rest, "data[%zu]", i);
        near(client_number(&c, parcel_member(&c, "code", rest)),
             (double)code[i], 1e-6);
    }
    ck_assert(client_number(&c, parcel_member(&c, "code_indptr",
                                              "data[200]")) == pointer);
    c.memory.max_bytes = 12 << 10;
    parcel_json(&c, INFER, text.data);
    parcel_refused(&c, 413, "bytes");
    buf_fini(&text);
}
END_TEST

START_TEST(versions_are_named_in_the_path)
{
    ck_assert_int_eq(
        parcel_json(&c, "/v2/models/small/versions/1/infer", "{" INPUT "}"),
        200);
    ck_assert_str_eq(client_text(&c, "model_version"), "1");
    parcel_json(&c, "/v2/models/small/versions/9/infer", "{" INPUT "}");
    parcel_refused(&c, 404, "1, 2");
    parcel_json(&c, "/v2/models/small/versions/v1.2/infer", "{" INPUT "}");
    parcel_refused(&c, 404, "version");
    parcel_json(&c, "/v2/models/nosuch/infer", "{" INPUT "}");
    parcel_refused(&c, 404, "no model nosuch");
}
END_TEST

START_TEST(what_nobody_waits_for_is_dropped)
{
    c.request.deadline = 1; /* long ago */
    parcel_json(&c, INFER, "{" INPUT "}");
    parcel_refused(&c, 504, "");
    c.request.deadline = 0;
    ck_assert_int_eq(parcel_json(&c, INFER, "{" INPUT "}"), 200);
}
END_TEST

START_TEST(no_type_of_body_is_looked_at)
{
    static const char *const types[] = {
        NULL,         "",          "application/octet-stream",
        "text/plain", "image/png", "application/x-www-form-urlencoded",
        "nonsense"};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        c.request.content_type = types[i];
        c.request.accept = "text/html";
        ck_assert_int_eq(client_send(&c, "POST", INFER "?test_1=1&%zz",
                                     "{" INPUT "}", strlen("{" INPUT "}")),
                         200);
        ck_assert_str_eq(c.response.content_type, "application/json");
    }
}
END_TEST

START_TEST(slow_requests_are_told_from_quick_ones)
{
    struct api_request r = {.method = "POST",
                            .scopes = SCOPE_ALL,
                            .target = INFER,
                            .query = "test=1",
                            .body = "{" INPUT "}"};
    char big[8192] = "{}";

    r.body_length = strlen(r.body);
    ck_assert(!api_is_slow(&c.api, &r));
    r.body = big;
    r.header_length = "2";
    r.body_length = 4000;
    ck_assert(!api_is_slow(&c.api, &r));
    r.body_length = 8000;
    ck_assert(api_is_slow(&c.api, &r));
    r.header_length = "9000";
    ck_assert(!api_is_slow(&c.api, &r)); /* refused at once */
    r.header_length = NULL;
    r.body = "{\"parameters\":{\"steps\":900}}";
    r.body_length = strlen(r.body);
    ck_assert(api_is_slow(&c.api, &r));
}
END_TEST

Suite *suite_oip_infer(void)
{
    Suite *s = suite_create("oip_infer");
    TCase *t = tcase_create("outputs");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, without_a_list_all_dense_outputs_come);
    tcase_add_test(t, a_model_gives_what_it_has);
    tcase_add_test(t, outputs_come_as_they_are_listed);
    tcase_add_test(t, bad_lists_are_refused);
    suite_add_tcase(s, t);

    t = tcase_create("bytes");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, all_outputs_can_be_bytes);
    tcase_add_test(t, each_output_has_a_form_of_its_own);
    tcase_add_test(t, bytes_go_in_as_numbers_do);
    tcase_add_test(t, raw_rows_get_bytes_back);
    suite_add_tcase(s, t);

    t = tcase_create("requests");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, ids_come_back_as_they_were);
    tcase_add_test(t, blocks_do_not_show_in_the_reply);
    tcase_add_test(t, versions_are_named_in_the_path);
    tcase_add_test(t, what_nobody_waits_for_is_dropped);
    tcase_add_test(t, no_type_of_body_is_looked_at);
    tcase_add_test(t, slow_requests_are_told_from_quick_ones);
    suite_add_tcase(s, t);
    return s;
}
