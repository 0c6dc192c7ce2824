/* Shapes and sizes of a request's tensor, and all the ways in which they can
 * lie.
 */
#include "tests/api/oip/reading.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_oip_sizes(void);

/* ---- shapes ---- */

static enum err_code read_shape(const char *shape, size_t n)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    buf_printf(&text, "{\"inputs\":[{\"data\":[");
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, i > 0 ? ",%zu" : "%zu", i % 10);
    buf_printf(&text,
               "],\"shape\":%s,\"datatype\":\"FP32\",\"name\":\"input\"}]}",
               shape);
    enum err_code code = reading_body(text.data, text.length, NULL);
    buf_fini(&text);
    return code;
}

START_TEST(shapes_are_flat_or_the_inputs_own)
{
    ck_assert_int_eq(read_shape("[3,6]", 18), ERR_OK);
    ck_assert_uint_eq(reading.run.rows.B, 3);
    ck_assert_int_eq(read_shape("[6]", 6), ERR_OK);
    ck_assert_uint_eq(reading.run.rows.B, 1);
    reading_model("small"); /* (2,3) */
    ck_assert_int_eq(read_shape("[4,2,3]", 24), ERR_OK);
    ck_assert_uint_eq(reading.run.rows.B, 4);
    ck_assert_int_eq(read_shape("[4,6]", 24), ERR_OK);
    ck_assert_uint_eq(reading.run.rows.B, 4);
    ck_assert_int_eq(read_shape("[2,3]", 6), ERR_OK);
    ck_assert_uint_eq(reading.run.rows.B, 1);
    said(read_shape("[3,2]", 6), "(B,6) or (B,2,3), got (3,2)");
    said(read_shape("[1,1,2,3]", 6), "got (1,1,2,3)");
    reading_model("colour"); /* (3,2,2) */
    ck_assert_int_eq(read_shape("[2,3,2,2]", 24), ERR_OK);
    ck_assert_uint_eq(reading.run.rows.B, 2);
    ck_assert_int_eq(read_shape("[3,2,2]", 12), ERR_OK);
    ck_assert_uint_eq(reading.run.rows.B, 1);
}
END_TEST

START_TEST(shapes_that_lie_are_refused)
{
    said(read_shape("[2,6]", 6), "12 numbers, data has 6");
    said(read_shape("[1,6]", 7), "6 numbers, data has 7");
    said(read_shape("[1,6]", 0), "6 numbers, data has 0");
    said(read_shape("[0,6]", 0), "empty");
    said(read_shape("[]", 6), "got ()");
    said(read_shape("[-1,6]", 6), "shape[0]");
    said(read_shape("[1,-6]", 6), "shape[1]");
    said(read_shape("[1.5,6]", 6), "shape[0]");
    said(read_shape("[1e300,6]", 6), "shape[0]");
    said(read_shape("[\"1\",6]", 6), "shape[0]");
    said(read_shape("[null,6]", 6), "shape[0]");
    said(read_shape("[[1,6]]", 6), "shape[0]");
    said(read_shape("6", 6), "shape");
    said(read_shape("null", 6), "shape");
    said(read_shape("[1,1,1,1,1,1,1,1,6]", 6), "up to 8");
    said(read_shape("[16,1152921504606846978]", 6), "shape[1]");
    said(read_shape("[4294967296,4294967296]", 6), "overflows");
    said(read_shape("[9007199254740992,2048,6]", 6), "overflows");
    ck_assert_int_eq(read_shape("[1024,6]", 6144), ERR_OK);
    ck_assert_uint_eq(reading.run.rows.B, 1024);
    ck_assert_int_eq(read_shape("[1025,6]", 6150), ERR_TOO_LARGE);
    said(read_shape("[1024,6]", 6150), "data has 6150");
    ck_assert_int_eq(read_shape("[1073741824,6]", 6), ERR_TOO_LARGE);
}
END_TEST

/* ---- binary data ---- */

static const float ones[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

START_TEST(sizes_that_lie_are_refused)
{
    ck_assert_int_eq(
        reading_parcel(TENSOR("FP32", "[1,6]", BINARY(24)), ones, 24), ERR_OK);
    reading_rows(ones, 1);
    said(reading_parcel(TENSOR("FP32", "[1,6]", BINARY(24)), ones, 23),
         "23 bytes follow");
    said(reading_parcel(TENSOR("FP32", "[1,6]", BINARY(24)), ones, 25),
         "1 bytes are left over");
    said(reading_parcel(TENSOR("FP32", "[1,6]", BINARY(20)), ones, 20),
         "binary_data_size is 20");
    said(reading_parcel(TENSOR("FP32", "[1,6]", BINARY(28)), ones, 28),
         "binary_data_size is 28");
    said(reading_parcel(TENSOR("FP64", "[1,6]", BINARY(24)), ones, 24),
         "6 elements of 8 bytes");
    said(reading_parcel(TENSOR("FP32", "[2,6]", BINARY(24)), ones, 24),
         "12 elements");
    said(reading_parcel(TENSOR("FP32", "[3074457345618258603,6]", BINARY(24)),
                        ones, 24),
         "shape");
    said(reading_parcel(TENSOR("FP32", "[1,6]", BINARY(-24)), ones, 24),
         "binary_data_size");
    said(reading_parcel(TENSOR("FP32", "[1,6]", BINARY(24.5)), ones, 24),
         "binary_data_size");
    said(reading_parcel(TENSOR("FP32", "[1,6]", BINARY(1e30)), ones, 24),
         "binary_data_size");
    said(reading_parcel(TENSOR("FP32", "[1,6]", BINARY("24")), ones, 24),
         "binary_data_size");
    said(reading_parcel(TENSOR("FP32", "[0,6]", BINARY(0)), ones, 0), "empty");
    said(reading_text(TENSOR("FP32", "[1,6]", BINARY(24))), "0 bytes follow");
}
END_TEST

START_TEST(data_comes_in_one_form)
{
    said(reading_parcel(
             TENSOR("FP32", "[1,6]", "\"data\":[1,1,1,1,1,1]," BINARY(24)),
             ones, 24),
         "either");
    said(reading_parcel(TENSOR("FP32", "[1,6]", "\"data\":null"), ones, 24),
         "either");
    said(reading_text(TENSOR("FP32", "[1,6]", "\"parameters\":{}")), "either");
    said(reading_parcel(TENSOR("FP32", "[1,6]", "\"data\":[1,1,1,1,1,1]"), ones,
                        24),
         "24 bytes follow");
    said(
        reading_text(TENSOR("FP32", "[1,6]",
                            "\"parameters\":{\"shared_memory_region\":\"r\"}")),
        "shared memory");
    said(reading_text(TENSOR("FP32", "[1,6]",
                             "\"data\":[1,1,1,1,1,1],\"data\":[1,1,1,1,1,1]")),
         "duplicate");
}
END_TEST

START_TEST(header_lengths_that_lie_are_refused)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "x",
                                      "1x",
                                      "1.0",
                                      "0x10",
                                      "4294967296",
                                      "2147483648",
                                      "18446744073709551617",
                                      "99999999999999999999999999"};
    const char *json = TENSOR("FP32", "[1,6]", "\"data\":[1,1,1,1,1,1]");
    char header[24];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        said(reading_body(json, strlen(json), bad[i]),
             "Inference-Header-Content-Length");
    snprintf(header, sizeof header, "%zu", strlen(json));
    ck_assert_int_eq(reading_body(json, strlen(json), header), ERR_OK);
    snprintf(header, sizeof header, "%zu", strlen(json) + 1);
    said(reading_body(json, strlen(json), header), "bytes are JSON");
    snprintf(header, sizeof header, "%zu", strlen(json) - 1);
    said(reading_body(json, strlen(json), header), "JSON");
    said(reading_body(json, strlen(json), "1"), "JSON");
    said(reading_body("", 0, NULL), "JSON");
    said(reading_body("", 0, "0"), "want rows");
}
END_TEST

START_TEST(a_header_of_zero_is_rows_and_nothing_else)
{
    ck_assert_int_eq(reading_body(ones, 48, "0"), ERR_OK);
    reading_rows(ones, 2);
    ck_assert_uint_eq(reading.request.n_parts, 2);
    ck_assert(reading.request.parts[0].binary &&
              reading.request.parts[1].binary);
    said(reading_body(ones, 23, "0"), "24 bytes each, got 23");
    said(reading_body(ones, 25, "0"), "24 bytes each");
    float *many = calloc(1025, 24);
    ck_assert_int_eq(reading_body(many, 1025 * 24, "0"), ERR_TOO_LARGE);
    free(many);
}
END_TEST

Suite *suite_oip_sizes(void)
{
    Suite *s = suite_create("oip_sizes");
    TCase *t = tcase_create("sizes");

    tcase_add_checked_fixture(t, reading_setup, reading_teardown);
    tcase_add_test(t, shapes_are_flat_or_the_inputs_own);
    tcase_add_test(t, shapes_that_lie_are_refused);
    tcase_add_test(t, sizes_that_lie_are_refused);
    tcase_add_test(t, data_comes_in_one_form);
    tcase_add_test(t, header_lengths_that_lie_are_refused);
    tcase_add_test(t, a_header_of_zero_is_rows_and_nothing_else);
    suite_add_tcase(s, t);
    return s;
}
