/* What a request's tensor becomes: every datatype in both forms, shapes, sizes
 * that lie.
 */
#include "api/oip/request.h"
#include "tests/api/client.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_oip_request(void);

static struct client c;
static struct run run;
static struct call call;
static struct oip_request request;
static struct err e;
static char *body;

static void open_model(const char *name)
{
    if (run.served != NULL)
        registry_release(c.api.registry, run.served);
    run.served = registry_acquire(c.api.registry, name, 0, &e);
    ck_assert_ptr_nonnull(run.served);
    run.model = run.served->model;
}

static void setup(void)
{
    client_open(&c);
    open_model("bare"); /* vectors of 6 */
}

static void teardown(void)
{
    registry_release(c.api.registry, run.served);
    free(body);
    client_close(&c);
}

/* Reads a body that is an exact copy, so that reading on is seen by the
 * sanitizers. header: NULL for none. */
static enum err_code read_body(const void *bytes, size_t length,
                               const char *header)
{
    free(body);
    body = malloc(length > 0 ? length : 1);
    ck_assert_ptr_nonnull(body);
    memcpy(body, bytes, length);
    arena_reset(&c.memory);
    c.request.memory = &c.memory;
    c.request.body = body;
    c.request.body_length = length;
    c.request.header_length = header;
    call = (struct call){
        .api = &c.api, .request = &c.request, .response = &c.response};
    options_init(&call.options);
    run.call = &call;
    request = (struct oip_request){.n_parts = 0};
    e = (struct err){0};
    return oip_request_read(&request, &run, &e);
}

static enum err_code read_text(const char *text)
{
    return read_body(text, strlen(text), NULL);
}

/* JSON with these bytes behind it. */
static enum err_code read_parcel(const char *json, const void *bytes, size_t n)
{
    char header[24];
    char both[4096];
    size_t length = strlen(json);

    ck_assert_uint_lt(length + n, sizeof both);
    memcpy(both, json, length);
    memcpy(both + length, bytes, n);
    snprintf(header, sizeof header, "%zu", length);
    return read_body(both, length + n, header);
}

static void check_said(const char *file, int line, enum err_code code,
                       const char *words)
{
    ck_assert_msg(code != ERR_OK, "%s:%d: was taken", file, line);
    ck_assert_msg(strstr(e.msg, words) != NULL, "%s:%d: no \"%s\" in \"%s\"",
                  file, line, words, e.msg);
}

/* code: what it must not be taken with; words of the message. */
#define said(code, words) check_said(__FILE__, __LINE__, (code), (words))

static void check_rows(const float *want, size_t B)
{
    ck_assert_uint_eq(run.rows.B, B);
    for (size_t i = 0; i < B * run.rows.size; i++)
        ck_assert_msg(run.rows.data[i] == want[i], "[%zu]: %.9g, want %.9g", i,
                      (double)run.rows.data[i], (double)want[i]);
}

/* ---- datatypes ---- */

#define TENSOR(datatype, shape, rest)                                          \
    "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"" datatype                \
    "\",\"shape\":" shape "," rest "}]}"
#define BINARY(n) "\"parameters\":{\"binary_data_size\":" #n "}"

static enum err_code read_words(const char *datatype, const void *bytes,
                                size_t item)
{
    char json[200];

    snprintf(json, sizeof json,
             "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"%s\",\"shape\":"
             "[1,6],\"parameters\":{\"binary_data_size\":%zu}}]}",
             datatype, 6 * item);
    return read_parcel(json, bytes, 6 * item);
}

#define takes_words(datatype, ctype, ...)                                      \
    do {                                                                       \
        static const ctype words_[6] = __VA_ARGS__;                            \
        ck_assert_msg(read_words(datatype, words_, sizeof(ctype)) == ERR_OK,   \
                      "%s: %s", datatype, e.msg);                              \
    } while (0)

START_TEST(integers_are_plain_numbers_in_binary)
{
    takes_words("BOOL", uint8_t, {0, 1, 1, 0, 1, 0});
    check_rows((const float[]){0, 1, 1, 0, 1, 0}, 1);
    takes_words("UINT8", uint8_t, {0, 1, 127, 128, 254, 255});
    check_rows((const float[]){0, 1, 127, 128, 254, 255}, 1);
    takes_words("UINT16", uint16_t, {0, 1, 255, 256, 65534, 65535});
    check_rows((const float[]){0, 1, 255, 256, 65534, 65535}, 1);
    takes_words("UINT32", uint32_t, {0, 1, 2, 16777216, 16777217, UINT32_MAX});
    check_rows((const float[]){0, 1, 2, 16777216, 16777216, 0x1p32f}, 1);
    takes_words("UINT64", uint64_t, {0, 1, 2, 3, 16777219, UINT64_MAX});
    check_rows((const float[]){0, 1, 2, 3, 16777220, 0x1p64f}, 1);
    takes_words("INT8", int8_t, {0, 1, -1, 127, -128, -127});
    check_rows((const float[]){0, 1, -1, 127, -128, -127}, 1);
    takes_words("INT16", int16_t, {0, 1, -1, 32767, -32768, -2});
    check_rows((const float[]){0, 1, -1, 32767, -32768, -2}, 1);
    takes_words("INT32", int32_t, {0, 1, -1, INT32_MAX, INT32_MIN, -2});
    check_rows((const float[]){0, 1, -1, 0x1p31f, -0x1p31f, -2}, 1);
    takes_words("INT64", int64_t, {0, 1, -1, INT64_MAX, INT64_MIN, -16777219});
    check_rows((const float[]){0, 1, -1, 0x1p63f, -0x1p63f, -16777220}, 1);
}
END_TEST

START_TEST(floats_keep_their_value_in_binary)
{
    takes_words("FP32", float, {0, -1.5f, FLT_MAX, FLT_TRUE_MIN, 0.1f, -0.0f});
    check_rows((const float[]){0, -1.5f, FLT_MAX, FLT_TRUE_MIN, 0.1f, 0}, 1);
    takes_words("FP64", double, {0, 0.1, 1e-320, -3e38, 1e-45, 0.5});
    check_rows((const float[]){0, 0.1f, 0, -3e38f, FLT_TRUE_MIN, 0.5f}, 1);
    /* 1, largest, smallest normal, largest and smallest below it */
    takes_words("FP16", uint16_t,
                {0x3C00, 0x7BFF, 0x0400, 0x03FF, 0x0001, 0x8001});
    check_rows((const float[]){1, 65504, 0x1p-14f, 1023 * 0x1p-24f, 0x1p-24f,
                               -0x1p-24f},
               1);
    takes_words("BF16", uint16_t,
                {0x3F80, 0x7F7F, 0x0080, 0x007F, 0x0001, 0x8001});
    check_rows((const float[]){1, 0x1.FEp127f, 0x1p-126f, 127 * 0x1p-133f,
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
    return read_text(json);
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
                      "%s: %s", types[i].datatype, e.msg);
        ck_assert(run.rows.data[0] == strtof(types[i].low, NULL));
        ck_assert(run.rows.data[1] == strtof(types[i].high, NULL));
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
    check_rows((const float[]){1, 2.5f, -0.03f, 0, 0, 0.1f}, 1);
    ck_assert_int_eq(read_json_data("FP64", "[1,2,3,4,5,6]"), ERR_OK);
    ck_assert_int_eq(read_json_data("BOOL", "[true,false,1,0,true,true]"),
                     ERR_OK);
    check_rows((const float[]){1, 0, 1, 0, 1, 1}, 1);
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
                      nested[i], e.msg);
        check_rows(want, 1);
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
    enum err_code code = read_body(text.data, text.length, NULL);
    buf_fini(&text);
    return code;
}

START_TEST(shapes_are_flat_or_the_inputs_own)
{
    ck_assert_int_eq(read_shape("[3,6]", 18), ERR_OK);
    ck_assert_uint_eq(run.rows.B, 3);
    ck_assert_int_eq(read_shape("[6]", 6), ERR_OK);
    ck_assert_uint_eq(run.rows.B, 1);
    open_model("small"); /* (2,3) */
    ck_assert_int_eq(read_shape("[4,2,3]", 24), ERR_OK);
    ck_assert_uint_eq(run.rows.B, 4);
    ck_assert_int_eq(read_shape("[4,6]", 24), ERR_OK);
    ck_assert_uint_eq(run.rows.B, 4);
    ck_assert_int_eq(read_shape("[2,3]", 6), ERR_OK);
    ck_assert_uint_eq(run.rows.B, 1);
    said(read_shape("[3,2]", 6), "(B,6) or (B,2,3), got (3,2)");
    said(read_shape("[1,1,2,3]", 6), "got (1,1,2,3)");
    open_model("colour"); /* (3,2,2) */
    ck_assert_int_eq(read_shape("[2,3,2,2]", 24), ERR_OK);
    ck_assert_uint_eq(run.rows.B, 2);
    ck_assert_int_eq(read_shape("[3,2,2]", 12), ERR_OK);
    ck_assert_uint_eq(run.rows.B, 1);
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
    ck_assert_uint_eq(run.rows.B, 1024);
    ck_assert_int_eq(read_shape("[1025,6]", 6150), ERR_TOO_LARGE);
    said(read_shape("[1024,6]", 6150), "data has 6150");
    ck_assert_int_eq(read_shape("[1073741824,6]", 6), ERR_TOO_LARGE);
}
END_TEST

/* ---- binary data ---- */

static const float ones[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

START_TEST(sizes_that_lie_are_refused)
{
    ck_assert_int_eq(read_parcel(TENSOR("FP32", "[1,6]", BINARY(24)), ones, 24),
                     ERR_OK);
    check_rows(ones, 1);
    said(read_parcel(TENSOR("FP32", "[1,6]", BINARY(24)), ones, 23),
         "23 bytes follow");
    said(read_parcel(TENSOR("FP32", "[1,6]", BINARY(24)), ones, 25),
         "1 bytes are left over");
    said(read_parcel(TENSOR("FP32", "[1,6]", BINARY(20)), ones, 20),
         "binary_data_size is 20");
    said(read_parcel(TENSOR("FP32", "[1,6]", BINARY(28)), ones, 28),
         "binary_data_size is 28");
    said(read_parcel(TENSOR("FP64", "[1,6]", BINARY(24)), ones, 24),
         "6 elements of 8 bytes");
    said(read_parcel(TENSOR("FP32", "[2,6]", BINARY(24)), ones, 24),
         "12 elements");
    said(read_parcel(TENSOR("FP32", "[3074457345618258603,6]", BINARY(24)),
                     ones, 24),
         "shape");
    said(read_parcel(TENSOR("FP32", "[1,6]", BINARY(-24)), ones, 24),
         "binary_data_size");
    said(read_parcel(TENSOR("FP32", "[1,6]", BINARY(24.5)), ones, 24),
         "binary_data_size");
    said(read_parcel(TENSOR("FP32", "[1,6]", BINARY(1e30)), ones, 24),
         "binary_data_size");
    said(read_parcel(TENSOR("FP32", "[1,6]", BINARY("24")), ones, 24),
         "binary_data_size");
    said(read_parcel(TENSOR("FP32", "[0,6]", BINARY(0)), ones, 0), "empty");
    said(read_text(TENSOR("FP32", "[1,6]", BINARY(24))), "0 bytes follow");
}
END_TEST

START_TEST(data_comes_in_one_form)
{
    said(read_parcel(
             TENSOR("FP32", "[1,6]", "\"data\":[1,1,1,1,1,1]," BINARY(24)),
             ones, 24),
         "either");
    said(read_parcel(TENSOR("FP32", "[1,6]", "\"data\":null"), ones, 24),
         "either");
    said(read_text(TENSOR("FP32", "[1,6]", "\"parameters\":{}")), "either");
    said(read_parcel(TENSOR("FP32", "[1,6]", "\"data\":[1,1,1,1,1,1]"), ones,
                     24),
         "24 bytes follow");
    said(read_text(TENSOR("FP32", "[1,6]",
                          "\"parameters\":{\"shared_memory_region\":\"r\"}")),
         "shared memory");
    said(read_text(TENSOR("FP32", "[1,6]",
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
        said(read_body(json, strlen(json), bad[i]),
             "Inference-Header-Content-Length");
    snprintf(header, sizeof header, "%zu", strlen(json));
    ck_assert_int_eq(read_body(json, strlen(json), header), ERR_OK);
    snprintf(header, sizeof header, "%zu", strlen(json) + 1);
    said(read_body(json, strlen(json), header), "bytes are JSON");
    snprintf(header, sizeof header, "%zu", strlen(json) - 1);
    said(read_body(json, strlen(json), header), "JSON");
    said(read_body(json, strlen(json), "1"), "JSON");
    said(read_body("", 0, NULL), "JSON");
    said(read_body("", 0, "0"), "want rows");
}
END_TEST

START_TEST(a_header_of_zero_is_rows_and_nothing_else)
{
    ck_assert_int_eq(read_body(ones, 48, "0"), ERR_OK);
    check_rows(ones, 2);
    ck_assert_uint_eq(request.n_parts, 2);
    ck_assert(request.parts[0].binary && request.parts[1].binary);
    said(read_body(ones, 23, "0"), "24 bytes each, got 23");
    said(read_body(ones, 25, "0"), "24 bytes each");
    float *many = calloc(1025, 24);
    ck_assert_int_eq(read_body(many, 1025 * 24, "0"), ERR_TOO_LARGE);
    free(many);
}
END_TEST

/* ---- what stands around it ---- */

#define DATA "\"shape\":[1,6],\"datatype\":\"FP32\",\"data\":[1,1,1,1,1,1]"
#define INPUTS "\"inputs\":[{\"name\":\"input\"," DATA "}]"

START_TEST(members_come_in_any_order_and_may_be_null)
{
    ck_assert_int_eq(
        read_text("{\"outputs\":null,\"id\":null,\"parameters\":null,"
                  "\"inputs\":[{\"parameters\":null,\"x\":[{}],"
                  "\"da\\u0074a\":[1,1,1,1,1,1],\"datatype\":\"FP32\","
                  "\"shape\":[1,6],\"name\":\"input\"}],"
                  "\"model_name\":\"other\",\"future\":{\"a\":[1]}}"),
        ERR_OK);
    check_rows(ones, 1);
    ck_assert_uint_eq(request.id.length, 0);
    ck_assert_uint_eq(request.n_parts, 2);
    ck_assert(!request.parts[0].binary);
}
END_TEST

START_TEST(there_is_one_tensor_called_input)
{
    said(read_text("{}"), "inputs: missing");
    said(read_text("[]"), "object");
    said(read_text("{\"inputs\":null}"), "inputs");
    said(read_text("{\"inputs\":{}}"), "inputs");
    said(read_text("{\"inputs\":[]}"), "inputs: empty");
    said(read_text("{\"inputs\":[null]}"), "inputs[0]");
    said(read_text("{\"inputs\":[7]}"), "inputs[0]");
    said(read_text("{\"inputs\":[{" DATA "}]}"), "\"input\"");
    said(read_text("{\"inputs\":[{\"name\":\"Input\"," DATA "}]}"),
         "got \"Input\"");
    said(read_text("{\"inputs\":[{\"name\":7," DATA "}]}"), "name");
    said(read_text("{\"inputs\":[{\"name\":\"input\"," DATA
                   "},{\"name\":\"input\"," DATA "}]}"),
         "one tensor");
    said(read_text("{" INPUTS "," INPUTS "}"), "duplicate");
    said(read_text("{" INPUTS "} x"), "JSON");
    said(read_text("{" INPUTS ",}"), "JSON");
    said(read_text("{\"inputs\":[{\"name\":\"input\"," DATA "}"), "JSON");
}
END_TEST

START_TEST(ids_are_kept_as_they_are_written)
{
    ck_assert_int_eq(read_text("{\"id\":\"he\\u0000llo\"," INPUTS "}"), ERR_OK);
    ck_assert_uint_eq(request.id.length, 13);
    ck_assert(memcmp(request.id.text, "\"he\\u0000llo\"", 13) == 0);
    ck_assert_int_eq(read_text("{\"id\":\"\"," INPUTS "}"), ERR_OK);
    ck_assert_uint_eq(request.id.length, 0);
    said(read_text("{\"id\":7," INPUTS "}"), "id");
    said(read_text("{\"id\":[]," INPUTS "}"), "id");
    said(read_text("{\"id\":nul," INPUTS "}"), "JSON");
    said(read_text("{\"id\":\"\\x\"," INPUTS "}"), "JSON");
    said(read_text("{\"id\":\"\xff\"," INPUTS "}"), "UTF-8");
    said(read_text("{\"id\":\"a\nb\"," INPUTS "}"), "control");
    said(read_text("{\"id\":\"a\",\"id\":\"b\"," INPUTS "}"), "duplicate");

    struct buf text;
    buf_init(&text, 1 << 20);
    buf_text(&text, "{\"id\":\"");
    for (int i = 0; i < 5000; i++)
        buf_char(&text, 'x');
    buf_text(&text, "\"," INPUTS "}");
    said(read_body(text.data, text.length, NULL), "id: want");
    buf_fini(&text);
}
END_TEST

START_TEST(parameters_are_options_or_somebody_elses)
{
    ck_assert_int_eq(
        read_text("{" INPUTS ",\"parameters\":{\"steps\":3,\"top_k\":2,"
                  "\"threshold\":0.5,\"layer\":0,\"priority\":1,"
                  "\"headers\":{\"a\":1},\"sequence_id\":7,\"top\":9}}"),
        ERR_OK);
    ck_assert_uint_eq(call.options.steps, 3);
    ck_assert_uint_eq(call.options.top_k, 2);
    ck_assert(call.options.threshold == 0.5);
    ck_assert_uint_eq(call.options.layer, 0);
    said(read_text("{" INPUTS ",\"parameters\":{\"steps\":0}}"), "steps");
    said(read_text("{" INPUTS ",\"parameters\":{\"steps\":\"3\"}}"), "steps");
    said(read_text("{" INPUTS ",\"parameters\":[]}"), "parameters");
    said(read_text("{" INPUTS ",\"parameters\":{\"triton_x\":1}}"), "triton_x");
    said(read_text("{" INPUTS ",\"parameters\":{\"binary_data_output\":1}}"),
         "binary_data_output");
    said(read_text(TENSOR("FP32", "[1,6]", "\"parameters\":7")), "parameters");
}
END_TEST

START_TEST(a_timeout_only_shortens_the_deadline)
{
    usec now = clock_now();

    ck_assert_int_eq(
        read_text("{" INPUTS ",\"parameters\":{\"timeout\":60000000}}"),
        ERR_OK);
    ck_assert(call.deadline >= now + 60000000 &&
              call.deadline <= clock_now() + 60000000);
    ck_assert_int_eq(read_text("{" INPUTS ",\"parameters\":{\"timeout\":0}}"),
                     ERR_OK);
    ck_assert(call.deadline == 0);
    ck_assert_int_eq(
        read_text("{" INPUTS ",\"parameters\":{\"timeout\":1e200}}"), ERR_OK);
    ck_assert(call.deadline == 0);
    said(read_text("{" INPUTS ",\"parameters\":{\"timeout\":-1}}"), "timeout");
    said(read_text("{" INPUTS ",\"parameters\":{\"timeout\":\"1\"}}"),
         "timeout");
}
END_TEST

Suite *suite_oip_request(void)
{
    Suite *s = suite_create("oip_request");
    TCase *t = tcase_create("datatypes");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, integers_are_plain_numbers_in_binary);
    tcase_add_test(t, floats_keep_their_value_in_binary);
    tcase_add_test(t, what_is_not_finite_is_refused);
    tcase_add_test(t, json_numbers_are_as_wide_as_their_datatype);
    tcase_add_test(t, json_data_is_numbers);
    tcase_add_test(t, any_nesting_is_flattened);
    suite_add_tcase(s, t);

    t = tcase_create("sizes");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, shapes_are_flat_or_the_inputs_own);
    tcase_add_test(t, shapes_that_lie_are_refused);
    tcase_add_test(t, sizes_that_lie_are_refused);
    tcase_add_test(t, data_comes_in_one_form);
    tcase_add_test(t, header_lengths_that_lie_are_refused);
    tcase_add_test(t, a_header_of_zero_is_rows_and_nothing_else);
    suite_add_tcase(s, t);

    t = tcase_create("around");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, members_come_in_any_order_and_may_be_null);
    tcase_add_test(t, there_is_one_tensor_called_input);
    tcase_add_test(t, ids_are_kept_as_they_are_written);
    tcase_add_test(t, parameters_are_options_or_somebody_elses);
    tcase_add_test(t, a_timeout_only_shortens_the_deadline);
    suite_add_tcase(s, t);
    return s;
}
