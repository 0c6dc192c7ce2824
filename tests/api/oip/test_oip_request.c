/* What a request becomes: its numbers in every datatype and form, and what
 * stands around them.
 */
#include "tests/api/oip/reading.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_oip_request(void);

/* ---- datatypes ---- */

static enum err_code read_words(const char *datatype, const void *bytes,
                                size_t item)
{
    char json[200];

    snprintf(json, sizeof json,
             "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"%s\",\"shape\":"
             "[1,6],\"parameters\":{\"binary_data_size\":%zu}}]}",
             datatype, 6 * item);
    return reading_parcel(json, bytes, 6 * item);
}

#define takes_words(datatype, ctype, ...)                                      \
    do {                                                                       \
        static const ctype words_[6] = __VA_ARGS__;                            \
        ck_assert_msg(read_words(datatype, words_, sizeof(ctype)) == ERR_OK,   \
                      "%s: %s", datatype, reading.e.msg);                      \
    } while (0)

START_TEST(integers_are_plain_numbers_in_binary)
{
    takes_words("BOOL", uint8_t, {0, 1, 1, 0, 1, 0});
    reading_rows((const float[]){0, 1, 1, 0, 1, 0}, 1);
    takes_words("UINT8", uint8_t, {0, 1, 127, 128, 254, 255});
    reading_rows((const float[]){0, 1, 127, 128, 254, 255}, 1);
    takes_words("UINT16", uint16_t, {0, 1, 255, 256, 65534, 65535});
    reading_rows((const float[]){0, 1, 255, 256, 65534, 65535}, 1);
    takes_words("UINT32", uint32_t, {0, 1, 2, 16777216, 16777217, UINT32_MAX});
    reading_rows((const float[]){0, 1, 2, 16777216, 16777216, 0x1p32f}, 1);
    takes_words("UINT64", uint64_t, {0, 1, 2, 3, 16777219, UINT64_MAX});
    reading_rows((const float[]){0, 1, 2, 3, 16777220, 0x1p64f}, 1);
    takes_words("INT8", int8_t, {0, 1, -1, 127, -128, -127});
    reading_rows((const float[]){0, 1, -1, 127, -128, -127}, 1);
    takes_words("INT16", int16_t, {0, 1, -1, 32767, -32768, -2});
    reading_rows((const float[]){0, 1, -1, 32767, -32768, -2}, 1);
    takes_words("INT32", int32_t, {0, 1, -1, INT32_MAX, INT32_MIN, -2});
    reading_rows((const float[]){0, 1, -1, 0x1p31f, -0x1p31f, -2}, 1);
    takes_words("INT64", int64_t, {0, 1, -1, INT64_MAX, INT64_MIN, -16777219});
    reading_rows((const float[]){0, 1, -1, 0x1p63f, -0x1p63f, -16777220}, 1);
}
END_TEST

START_TEST(floats_keep_their_value_in_binary)
{
    takes_words("FP32", float, {0, -1.5f, FLT_MAX, FLT_TRUE_MIN, 0.1f, -0.0f});
    reading_rows((const float[]){0, -1.5f, FLT_MAX, FLT_TRUE_MIN, 0.1f, 0}, 1);
    takes_words("FP64", double, {0, 0.1, 1e-320, -3e38, 1e-45, 0.5});
    reading_rows((const float[]){0, 0.1f, 0, -3e38f, FLT_TRUE_MIN, 0.5f}, 1);
    /* 1, largest, smallest normal, largest and smallest below it */
    takes_words("FP16", uint16_t,
                {0x3C00, 0x7BFF, 0x0400, 0x03FF, 0x0001, 0x8001});
    reading_rows((const float[]){1, 65504, 0x1p-14f, 1023 * 0x1p-24f, 0x1p-24f,
                                 -0x1p-24f},
                 1);
    takes_words("BF16", uint16_t,
                {0x3F80, 0x7F7F, 0x0080, 0x007F, 0x0001, 0x8001});
    reading_rows((const float[]){1, 0x1.FEp127f, 0x1p-126f, 127 * 0x1p-133f,
                                 0x1p-133f, -0x1p-133f},
                 1);
}
END_TEST

START_TEST(what_is_not_finite_is_refused)
{
    static const float singles[2][6] = {{0, NAN}, {0, 0, INFINITY}};
    static const double doubles[2][6] = {{1e39}, {-INFINITY}};
    static const uint16_t halves[3][6] = {{0x7C00}, {0xFC00}, {0x7E01}};
    static const uint16_t brains[3][6] = {{0x7F80}, {0xFF80}, {0x7FC1}};

    for (size_t i = 0; i < 2; i++) {
        said(read_words("FP32", singles[i], 4), "not finite");
        said(read_words("FP64", doubles[i], 8), "not finite");
    }
    for (size_t i = 0; i < 3; i++) {
        said(read_words("FP16", halves[i], 2), "not finite");
        said(read_words("BF16", brains[i], 2), "not finite");
    }
}
END_TEST

static enum err_code read_json_data(const char *datatype, const char *data)
{
    char json[1024];

    snprintf(json, sizeof json,
             "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"%s\",\"shape\":"
             "[1,6],\"data\":%s}]}",
             datatype, data);
    return reading_text(json);
}

START_TEST(json_numbers_are_as_wide_as_their_datatype)
{
    static const struct {
        const char *datatype, *low, *high, *under, *over;
    } types[] = {
        {"UINT8", "0", "255", "-1", "256"},
        {"UINT16", "0", "65535", "-1", "65536"},
        {"UINT32", "0", "4294967295", "-1", "4294967296"},
        {"UINT64", "0", "18446744073709551615", "-1", "18446744073709560000"},
        {"INT8", "-128", "127", "-129", "128"},
        {"INT16", "-32768", "32767", "-32769", "32768"},
        {"INT32", "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {"INT64", "-9223372036854775808", "9223372036854775807",
         "-9223372036854780000", "9223372036854780000"},
        {"BOOL", "0", "1", "-1", "2"},
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char data[200];
        snprintf(data, sizeof data, "[%s,%s,0,0,0,1]", types[i].low,
                 types[i].high);
        ck_assert_msg(read_json_data(types[i].datatype, data) == ERR_OK,
                      "%s: %s", types[i].datatype, reading.e.msg);
        ck_assert(reading.run.rows.data[0] == strtof(types[i].low, NULL));
        ck_assert(reading.run.rows.data[1] == strtof(types[i].high, NULL));
        snprintf(data, sizeof data, "[0,0,0,0,0,%s]", types[i].under);
        said(read_json_data(types[i].datatype, data), types[i].datatype);
        snprintf(data, sizeof data, "[0,0,0,0,0,%s]", types[i].over);
        said(read_json_data(types[i].datatype, data), types[i].datatype);
        said(read_json_data(types[i].datatype, "[0,0,0,0.5,0,0]"), "data[3]: ");
    }
}
END_TEST

START_TEST(json_data_is_numbers)
{
    ck_assert_int_eq(read_json_data("FP32", "[1,2.5,-3e-2,0,1e-50,0.1]"),
                     ERR_OK);
    reading_rows((const float[]){1, 2.5f, -0.03f, 0, 0, 0.1f}, 1);
    ck_assert_int_eq(read_json_data("FP64", "[1,2,3,4,5,6]"), ERR_OK);
    ck_assert_int_eq(read_json_data("BOOL", "[true,false,1,0,true,true]"),
                     ERR_OK);
    reading_rows((const float[]){1, 0, 1, 0, 1, 1}, 1);
    said(read_json_data("FP32", "[1,2,3,4,true,6]"), "data[4]");
    said(read_json_data("FP32", "[1,2,3,4,1e39,6]"), "data[4]");
    said(read_json_data("FP32", "[1,2,3,4,null,6]"), "want a number");
    said(read_json_data("FP32", "[1,2,3,4,\"5\",6]"), "want a number");
    said(read_json_data("FP32", "[1,2,3,4,NaN,6]"), "JSON");
    said(read_json_data("FP32", "[1,2,3,4,Infinity,6]"), "JSON");
    said(read_json_data("FP32", "[1,2,3,4,-Infinity,6]"), "JSON");
    said(read_json_data("FP32", "[1,2,3,4,01,6]"), "JSON");
    said(read_json_data("FP32", "7"), "an array");
    said(read_json_data("FP32", "{}"), "an array");
    said(read_json_data("FP16", "[1,2,3,4,5,6]"), "binary");
    said(read_json_data("BF16", "[1,2,3,4,5,6]"), "binary");
    said(read_json_data("BYTES", "[1,2,3,4,5,6]"), "FP32");
    said(read_json_data("fp32", "[1,2,3,4,5,6]"), "fp32");
    said(read_json_data("", "[1,2,3,4,5,6]"), "datatype");
}
END_TEST

START_TEST(any_nesting_is_flattened)
{
    static const float want[] = {1, 2, 3, 4, 5, 6};
    static const char *const nested[] = {
        "[[1,2,3,4,5,6]]",
        "[[1,2],[3,4],[5,6]]",
        "[ [[1, 2 , 3]],4 , [5,[6]] ]",
        "[[],1,2,[[],3,4],5,6,[]]",
        "[[[[[[[[1]]]]]]],2,3,4,5,6]",
    };
    static const char *const broken[] = {
        "[1,2,3,4,5,6",
        "[1,2,3,4,5,6]]",
        "[[1,2,3,4,5,6]",
        "[1,,2]",
        "[1,2,3,4,5,6,]",
        "[,1]",
        "[[]1,2]",
        "[1[2]]",
        "[1 2,3,4,5,6]",
        "[",
        "[[[",
        "]",
    };

    for (size_t i = 0; i < sizeof nested / sizeof nested[0]; i++) {
        ck_assert_msg(read_json_data("FP32", nested[i]) == ERR_OK, "%s: %s",
                      nested[i], reading.e.msg);
        reading_rows(want, 1);
    }
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        said(read_json_data("FP32", broken[i]), "");

    char deep[256] = "";
    memset(deep, '[', 40);
    memcpy(deep + 40, "1,2,3,4,5,6", 11);
    memset(deep + 51, ']', 40);
    said(read_json_data("FP32", deep), "nesting");
}
END_TEST

/* ---- what stands around it ---- */

#define DATA "\"shape\":[1,6],\"datatype\":\"FP32\",\"data\":[1,1,1,1,1,1]"
#define INPUTS "\"inputs\":[{\"name\":\"input\"," DATA "}]"

START_TEST(members_come_in_any_order_and_may_be_null)
{
    ck_assert_int_eq(
        reading_text("{\"outputs\":null,\"id\":null,\"parameters\":null,"
                     "\"inputs\":[{\"parameters\":null,\"x\":[{}],"
                     "\"da\\u0074a\":[1,1,1,1,1,1],\"datatype\":\"FP32\","
                     "\"shape\":[1,6],\"name\":\"input\"}],"
                     "\"model_name\":\"other\",\"future\":{\"a\":[1]}}"),
        ERR_OK);
    reading_rows((const float[]){1, 1, 1, 1, 1, 1}, 1);
    ck_assert_uint_eq(reading.request.id.length, 0);
    ck_assert_uint_eq(reading.request.n_parts, 2);
    ck_assert(!reading.request.parts[0].binary);
}
END_TEST

START_TEST(there_is_one_tensor_called_input)
{
    said(reading_text("{}"), "inputs: missing");
    said(reading_text("[]"), "object");
    said(reading_text("{\"inputs\":null}"), "inputs");
    said(reading_text("{\"inputs\":{}}"), "inputs");
    said(reading_text("{\"inputs\":[]}"), "inputs: empty");
    said(reading_text("{\"inputs\":[null]}"), "inputs[0]");
    said(reading_text("{\"inputs\":[7]}"), "inputs[0]");
    said(reading_text("{\"inputs\":[{" DATA "}]}"), "\"input\"");
    said(reading_text("{\"inputs\":[{\"name\":\"Input\"," DATA "}]}"),
         "got \"Input\"");
    said(reading_text("{\"inputs\":[{\"name\":7," DATA "}]}"), "name");
    said(reading_text("{\"inputs\":[{\"name\":\"input\"," DATA
                      "},{\"name\":\"input\"," DATA "}]}"),
         "one tensor");
    said(reading_text("{" INPUTS "," INPUTS "}"), "duplicate");
    said(reading_text("{" INPUTS "} x"), "JSON");
    said(reading_text("{" INPUTS ",}"), "JSON");
    said(reading_text("{\"inputs\":[{\"name\":\"input\"," DATA "}"), "JSON");
}
END_TEST

START_TEST(ids_are_kept_as_they_are_written)
{
    ck_assert_int_eq(reading_text("{\"id\":\"he\\u0000llo\"," INPUTS "}"),
                     ERR_OK);
    ck_assert_uint_eq(reading.request.id.length, 13);
    ck_assert(memcmp(reading.request.id.text, "\"he\\u0000llo\"", 13) == 0);
    ck_assert_int_eq(reading_text("{\"id\":\"\"," INPUTS "}"), ERR_OK);
    ck_assert_uint_eq(reading.request.id.length, 0);
    said(reading_text("{\"id\":7," INPUTS "}"), "id");
    said(reading_text("{\"id\":[]," INPUTS "}"), "id");
    said(reading_text("{\"id\":nul," INPUTS "}"), "JSON");
    said(reading_text("{\"id\":\"\\x\"," INPUTS "}"), "JSON");
    said(reading_text("{\"id\":\"\xff\"," INPUTS "}"), "UTF-8");
    said(reading_text("{\"id\":\"a\nb\"," INPUTS "}"), "control");
    said(reading_text("{\"id\":\"a\",\"id\":\"b\"," INPUTS "}"), "duplicate");

    struct buf text;
    buf_init(&text, 1 << 20);
    buf_text(&text, "{\"id\":\"");
    for (int i = 0; i < 5000; i++)
        buf_char(&text, 'x');
    buf_text(&text, "\"," INPUTS "}");
    said(reading_body(text.data, text.length, NULL), "id: want");
    buf_fini(&text);
}
END_TEST

START_TEST(parameters_are_options_or_somebody_elses)
{
    ck_assert_int_eq(
        reading_text("{" INPUTS ",\"parameters\":{\"steps\":3,\"top_k\":2,"
                     "\"threshold\":0.5,\"layer\":0,\"priority\":1,"
                     "\"headers\":{\"a\":1},\"sequence_id\":7,\"top\":9}}"),
        ERR_OK);
    ck_assert_uint_eq(reading.call.options.steps, 3);
    ck_assert_uint_eq(reading.call.options.top_k, 2);
    ck_assert(reading.call.options.threshold == 0.5);
    ck_assert_uint_eq(reading.call.options.layer, 0);
    said(reading_text("{" INPUTS ",\"parameters\":{\"steps\":0}}"), "steps");
    said(reading_text("{" INPUTS ",\"parameters\":{\"steps\":\"3\"}}"),
         "steps");
    said(reading_text("{" INPUTS ",\"parameters\":[]}"), "parameters");
    said(reading_text("{" INPUTS ",\"parameters\":{\"triton_x\":1}}"),
         "triton_x");
    said(reading_text("{" INPUTS ",\"parameters\":{\"binary_data_output\":1}}"),
         "binary_data_output");
    said(reading_text(TENSOR("FP32", "[1,6]", "\"parameters\":7")),
         "parameters");
}
END_TEST

START_TEST(a_timeout_only_shortens_the_deadline)
{
    usec now = clock_now();

    ck_assert_int_eq(
        reading_text("{" INPUTS ",\"parameters\":{\"timeout\":60000000}}"),
        ERR_OK);
    ck_assert(reading.call.deadline >= now + 60000000 &&
              reading.call.deadline <= clock_now() + 60000000);
    ck_assert_int_eq(
        reading_text("{" INPUTS ",\"parameters\":{\"timeout\":0}}"), ERR_OK);
    ck_assert(reading.call.deadline == 0);
    ck_assert_int_eq(
        reading_text("{" INPUTS ",\"parameters\":{\"timeout\":1e200}}"),
        ERR_OK);
    ck_assert(reading.call.deadline == 0);
    said(reading_text("{" INPUTS ",\"parameters\":{\"timeout\":-1}}"),
         "timeout");
    said(reading_text("{" INPUTS ",\"parameters\":{\"timeout\":\"1\"}}"),
         "timeout");
}
END_TEST

Suite *suite_oip_request(void)
{
    Suite *s = suite_create("oip_request");
    TCase *t = tcase_create("datatypes");

    tcase_add_checked_fixture(t, reading_setup, reading_teardown);
    tcase_add_test(t, integers_are_plain_numbers_in_binary);
    tcase_add_test(t, floats_keep_their_value_in_binary);
    tcase_add_test(t, what_is_not_finite_is_refused);
    tcase_add_test(t, json_numbers_are_as_wide_as_their_datatype);
    tcase_add_test(t, json_data_is_numbers);
    tcase_add_test(t, any_nesting_is_flattened);
    suite_add_tcase(s, t);

    t = tcase_create("around");
    tcase_add_checked_fixture(t, reading_setup, reading_teardown);
    tcase_add_test(t, members_come_in_any_order_and_may_be_null);
    tcase_add_test(t, there_is_one_tensor_called_input);
    tcase_add_test(t, ids_are_kept_as_they_are_written);
    tcase_add_test(t, parameters_are_options_or_somebody_elses);
    tcase_add_test(t, a_timeout_only_shortens_the_deadline);
    suite_add_tcase(s, t);
    return s;
}
