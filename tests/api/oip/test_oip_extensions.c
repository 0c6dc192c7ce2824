/* What inference gives besides plain tensors: codes as lists, options, classes
 * as texts.
 */
#include "tests/api/judge.h"
#include "tests/api/oip/parcel.h"

#include "tests/support/near.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_oip_extensions(void);

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

/* ---- lists ---- */

START_TEST(a_code_comes_as_three_lists)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(parcel_json(&c, INFER,
                                 OUTPUTS(NAME("code_indptr") "," NAME(
                                     "code_indices") "," NAME("code_values"))),
                     200);
    shape_is(&c, "code_indptr", "INT64", 3);
    size_t nnz = client_count(&c, parcel_member(&c, "code_indices", "data"));
    shape_is(&c, "code_indices", "INT64", nnz);
    shape_is(&c, "code_values", "FP32", nnz);
    ck_assert_uint_gt(nnz, 0);
    float dense[10] = {0};
    for (size_t row = 0; row < 2; row++) {
        char rest[32];
        snprintf(rest, sizeof rest, "data[%zu]", row);
        size_t i =
            (size_t)client_number(&c, parcel_member(&c, "code_indptr", rest));
        snprintf(rest, sizeof rest, "data[%zu]", row + 1);
        size_t end =
            (size_t)client_number(&c, parcel_member(&c, "code_indptr", rest));
        ck_assert(row > 0 || i == 0);
        ck_assert(row == 0 || end == nnz);
        for (; i < end; i++) {
            snprintf(rest, sizeof rest, "data[%zu]", i);
            size_t k = (size_t)client_number(
                &c, parcel_member(&c, "code_indices", rest));
            ck_assert_uint_lt(k, 5);
            dense[5 * row + k] = (float)client_number(
                &c, parcel_member(&c, "code_values", rest));
        }
    }
    for (size_t i = 0; i < 10; i++)
        ck_assert(dense[i] == judge_code(&judge, 0)[i]);
}
END_TEST

START_TEST(lists_are_bytes_too)
{
    size_t n, size;
    int64_t pointers[3];

    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(
        parcel_json(&c, INFER,
                    OUTPUTS(AS_BYTES("code_values") "," AS_BYTES(
                        "code_indptr") "," AS_BYTES("code_indices"))),
        200);
    const unsigned char *bytes = parcel_open(&c, &n);
    memcpy(pointers, parcel_bytes(&c, bytes, "code_indptr", &size),
           sizeof pointers);
    ck_assert_uint_eq(size, sizeof pointers);
    const unsigned char *values = parcel_bytes(&c, bytes, "code_values", &size);
    ck_assert_uint_eq(size, (size_t)pointers[2] * 4);
    const unsigned char *indices =
        parcel_bytes(&c, bytes, "code_indices", &size);
    ck_assert_uint_eq(size, (size_t)pointers[2] * 8);
    for (int64_t i = 0; i < pointers[2]; i++) {
        int64_t index;
        float value;
        memcpy(&index, indices + 8 * i, 8);
        memcpy(&value, values + 4 * i, 4);
        ck_assert(value == judge_code(&judge, i < pointers[1] ? 0 : 1)[index]);
    }
}
END_TEST

START_TEST(nothing_but_empty_bytes_is_plain_json)
{
    ck_assert_int_eq(parcel_json(&c, INFER,
                                 "{" INPUT
                                 ",\"parameters\":{\"threshold\":1e30},"
                                 "\"outputs\":[" AS_BYTES("code_values") "]}"),
                     200);
    ck_assert_str_eq(c.response.content_type, "application/json");
    ck_assert_ptr_null(client_header(&c, "Inference-Header-Content-Length"));
    shape_is(&c, "code_values", "FP32", 0);
    ck_assert(client_number(&c, parcel_member(&c, "code_values",
                                              "parameters.binary_data_size")) ==
              0);
}
END_TEST

/* ---- options ---- */

START_TEST(options_are_those_of_the_other_routes)
{
    judge_ask(&judge, "small", 2, 2);
    ck_assert_int_eq(
        parcel_json(&c, INFER, "{" INPUT ",\"parameters\":{\"steps\":2}}"),
        200);
    client_same_floats(&c, parcel_member(&c, "code", "data"),
                       judge_code(&judge, 0), 10);

    ck_assert_int_eq(parcel_json(&c, INFER,
                                 "{" INPUT
                                 ",\"parameters\":{\"steps\":2,\"top_k\":1}}"),
                     200);
    size_t sent = 0;
    for (size_t i = 0; i < 10; i++) {
        char rest[16];
        snprintf(rest, sizeof rest, "data[%zu]", i);
        double z = client_number(&c, parcel_member(&c, "code", rest));
        ck_assert(z == 0 || (float)z == judge_code(&judge, 0)[i]);
        sent += z != 0;
    }
    ck_assert_uint_eq(sent, 2);
}
END_TEST

START_TEST(any_layer_can_be_asked)
{
    const char *json = "{" INPUT ",\"parameters\":{\"layer\":0}}";

    ck_assert_int_eq(parcel_json(&c, "/v2/models/tall/infer", json), 200);
    shape_is(&c, "code", "FP32", 2, 5);
    ck_assert_int_eq(parcel_json(&c, "/v2/models/tall/infer", "{" INPUT "}"),
                     200);
    shape_is(&c, "code", "FP32", 2, 3);
    parcel_json(&c, INFER, "{" INPUT ",\"parameters\":{\"layer\":1}}");
    parcel_refused(&c, 400, "layer");
}
END_TEST

/* ---- classification ---- */

#define TOP(name, k)                                                           \
    "{\"name\":\"" name "\",\"parameters\":{\"classification\":" #k "}}"

START_TEST(the_largest_come_as_texts)
{
    char want[64];

    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(parcel_json(&c, INFER, OUTPUTS(TOP("probabilities", 2))),
                     200);
    shape_is(&c, "probabilities", "BYTES", 2, 2);
    for (size_t row = 0; row < 2; row++) {
        const float *p = judge.pass.probabilities + 3 * row;
        size_t best = p[1] > p[0] ? 1 : 0;
        char rest[16];
        best = p[2] > p[best] ? 2 : best;
        snprintf(want, sizeof want, "%f:%zu:%c", (double)p[best], best,
                 "abc"[best]);
        snprintf(rest, sizeof rest, "data[%zu]", 2 * row);
        ck_assert_str_eq(
            client_text(&c, parcel_member(&c, "probabilities", rest)), want);
    }
    /* No more than there are; no names where there are none. */
    ck_assert_int_eq(parcel_json(&c, INFER,
                                 OUTPUTS(TOP("probabilities", 9000000) "," TOP(
                                     "reconstruction", 1))),
                     200);
    shape_is(&c, "probabilities", "BYTES", 2, 3);
    shape_is(&c, "reconstruction", "BYTES", 2, 1);
    const char *text =
        client_text(&c, parcel_member(&c, "reconstruction", "data[0]"));
    ck_assert_ptr_eq(strchr(text, ':'), strrchr(text, ':'));
    ck_assert_int_eq(parcel_json(&c, INFER, OUTPUTS(TOP("probabilities", 0))),
                     200);
    shape_is(&c, "probabilities", "FP32", 2, 3);
}
END_TEST

START_TEST(only_rows_of_numbers_are_classified)
{
    parcel_json(&c, INFER, OUTPUTS(TOP("class", 1)));
    parcel_refused(&c, 400, "class: classification");
    parcel_json(&c, INFER, OUTPUTS(TOP("code_values", 1)));
    parcel_refused(&c, 400, "code_values: classification");
    parcel_json(&c, INFER, OUTPUTS(TOP("probabilities", -1)));
    parcel_refused(&c, 400, "classification");
    parcel_json(&c, INFER, OUTPUTS(TOP("probabilities", 1.5)));
    parcel_refused(&c, 400, "classification");
    parcel_json(&c, INFER, OUTPUTS(TOP("probabilities", "2")));
    parcel_refused(&c, 400, "classification");
}
END_TEST

Suite *suite_oip_extensions(void)
{
    Suite *s = suite_create("oip_extensions");
    TCase *t = tcase_create("extensions");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_code_comes_as_three_lists);
    tcase_add_test(t, lists_are_bytes_too);
    tcase_add_test(t, nothing_but_empty_bytes_is_plain_json);
    tcase_add_test(t, options_are_those_of_the_other_routes);
    tcase_add_test(t, any_layer_can_be_asked);
    tcase_add_test(t, the_largest_come_as_texts);
    tcase_add_test(t, only_rows_of_numbers_are_classified);
    suite_add_tcase(s, t);
    return s;
}
