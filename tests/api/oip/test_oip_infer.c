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

#define INFER "/v2/models/small/infer"
#define NUMBERS                                                                \
    "0.5,0.25,0,1,0.125,0.75,"                                                 \
    "1,0,0,0.5,0.5,0.25"
#define INPUT                                                                  \
    "\"inputs\":[{\"name\":\"input\",\"shape\":[2,6],\"datatype\":\"FP32\","   \
    "\"data\":[" NUMBERS "]}]"
#define OUTPUTS(list) "{" INPUT ",\"outputs\":[" list "]}"
#define NAME(name) "{\"name\":\"" name "\"}"
#define AS_BYTES(name)                                                         \
    "{\"name\":\"" name "\",\"parameters\":{\"binary_data\":true}}"

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

/* The output's place among the reply's, which must have it. */
static size_t place_of(const char *name)
{
    size_t n = client_count(&c, "outputs");
    char path[64];

    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "outputs[%zu].name", i);
        if (strcmp(client_text(&c, path), name) == 0)
            return i;
    }
    ck_abort_msg("no output %s in %.400s", name, c.response.body.data);
    return 0;
}

/* The path of an output's member; valid until the next call. */
static const char *member(const char *name, const char *rest)
{
    static char path[96];

    snprintf(path, sizeof path, "outputs[%zu].%s", place_of(name), rest);
    return path;
}

static void check_shape(const char *name, const char *datatype, size_t n,
                        const size_t *shape)
{
    char rest[32];

    ck_assert_str_eq(client_text(&c, member(name, "datatype")), datatype);
    ck_assert_uint_eq(client_count(&c, member(name, "shape")), n);
    for (size_t i = 0; i < n; i++) {
        snprintf(rest, sizeof rest, "shape[%zu]", i);
        ck_assert(client_number(&c, member(name, rest)) == (double)shape[i]);
    }
}

#define shape_is(name, datatype, ...)                                          \
    check_shape(name, datatype,                                                \
                sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t),              \
                (const size_t[]){__VA_ARGS__})

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
    shape_is("code", "FP32", 2, 5);
    shape_is("groups", "FP32", 2, 5);
    shape_is("reconstruction", "FP32", 2, 2, 3);
    shape_is("probabilities", "FP32", 2, 3);
    shape_is("class", "BYTES", 2, 1);
    client_same_floats(&c, member("code", "data"), judge_code(&judge, 0), 10);
    client_same_floats(&c, member("groups", "data"), judge.pass.layers[0].v,
                       10);
    client_same_floats(&c, member("reconstruction", "data"),
                       judge.reconstruction, 12);
    client_same_floats(&c, member("probabilities", "data"),
                       judge.pass.probabilities, 6);
    for (size_t row = 0; row < 2; row++) {
        const float *p = judge.pass.probabilities + 3 * row;
        size_t best = p[1] > p[0] ? 1 : 0;
        char rest[16];
        best = p[2] > p[best] ? 2 : best;
        snprintf(rest, sizeof rest, "data[%zu]", row);
        ck_assert_str_eq(client_text(&c, member("class", rest)),
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
    place_of("code");
    place_of("groups");
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
    ck_assert_uint_eq(place_of("class"), 0);
    ck_assert_uint_eq(place_of("code"), 1);
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

/* The bytes of an output in a reply that parcel_open has opened. */
static const unsigned char *bytes_of(const unsigned char *bytes,
                                     const char *name, size_t *size)
{
    size_t place = place_of(name);
    char path[80];

    for (size_t i = 0;; i++) {
        snprintf(path, sizeof path, "outputs[%zu].parameters.binary_data_size",
                 i);
        if (i < place && client_find(&c, path) == NULL)
            continue;
        *size = (size_t)client_number(&c, path);
        if (i == place)
            break;
        bytes += *size;
    }
    ck_assert_ptr_null(client_find(&c, member(name, "data")));
    return bytes;
}

static void check_floats(const unsigned char *bytes, const char *name,
                         const float *want, size_t n)
{
    size_t size;
    const unsigned char *at = bytes_of(bytes, name, &size);

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
    const unsigned char *names = bytes_of(bytes, "class", &size);
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
    client_same_floats(&c, member("probabilities", "data"),
                       judge.pass.probabilities, 6);
    client_same_floats(&c, member("groups", "data"), judge.pass.layers[0].v,
                       10);
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
    client_same_floats(&c, member("code", "data"), judge_code(&judge, 0), 10);
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

/* ---- lists ---- */

START_TEST(a_code_comes_as_three_lists)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(parcel_json(&c, INFER,
                                 OUTPUTS(NAME("code_indptr") "," NAME(
                                     "code_indices") "," NAME("code_values"))),
                     200);
    shape_is("code_indptr", "INT64", 3);
    size_t nnz = client_count(&c, member("code_indices", "data"));
    shape_is("code_indices", "INT64", nnz);
    shape_is("code_values", "FP32", nnz);
    ck_assert_uint_gt(nnz, 0);
    float dense[10] = {0};
    for (size_t row = 0; row < 2; row++) {
        char rest[32];
        snprintf(rest, sizeof rest, "data[%zu]", row);
        size_t i = (size_t)client_number(&c, member("code_indptr", rest));
        snprintf(rest, sizeof rest, "data[%zu]", row + 1);
        size_t end = (size_t)client_number(&c, member("code_indptr", rest));
        ck_assert(row > 0 || i == 0);
        ck_assert(row == 0 || end == nnz);
        for (; i < end; i++) {
            snprintf(rest, sizeof rest, "data[%zu]", i);
            size_t k = (size_t)client_number(&c, member("code_indices", rest));
            ck_assert_uint_lt(k, 5);
            dense[5 * row + k] =
                (float)client_number(&c, member("code_values", rest));
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
    memcpy(pointers, bytes_of(bytes, "code_indptr", &size), sizeof pointers);
    ck_assert_uint_eq(size, sizeof pointers);
    const unsigned char *values = bytes_of(bytes, "code_values", &size);
    ck_assert_uint_eq(size, (size_t)pointers[2] * 4);
    const unsigned char *indices = bytes_of(bytes, "code_indices", &size);
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
    shape_is("code_values", "FP32", 0);
    ck_assert(client_number(&c, member("code_values",
                                       "parameters.binary_data_size")) == 0);
}
END_TEST

/* ---- options ---- */

START_TEST(options_are_those_of_the_other_routes)
{
    judge_ask(&judge, "small", 2, 2);
    ck_assert_int_eq(
        parcel_json(&c, INFER, "{" INPUT ",\"parameters\":{\"steps\":2}}"),
        200);
    client_same_floats(&c, member("code", "data"), judge_code(&judge, 0), 10);

    ck_assert_int_eq(parcel_json(&c, INFER,
                                 "{" INPUT
                                 ",\"parameters\":{\"steps\":2,\"top_k\":1}}"),
                     200);
    size_t sent = 0;
    for (size_t i = 0; i < 10; i++) {
        char rest[16];
        snprintf(rest, sizeof rest, "data[%zu]", i);
        double z = client_number(&c, member("code", rest));
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
    shape_is("code", "FP32", 2, 5);
    ck_assert_int_eq(parcel_json(&c, "/v2/models/tall/infer", "{" INPUT "}"),
                     200);
    shape_is("code", "FP32", 2, 3);
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
    shape_is("probabilities", "BYTES", 2, 2);
    for (size_t row = 0; row < 2; row++) {
        const float *p = judge.pass.probabilities + 3 * row;
        size_t best = p[1] > p[0] ? 1 : 0;
        char rest[16];
        best = p[2] > p[best] ? 2 : best;
        snprintf(want, sizeof want, "%f:%zu:%c", (double)p[best], best,
                 "abc"[best]);
        snprintf(rest, sizeof rest, "data[%zu]", 2 * row);
        ck_assert_str_eq(client_text(&c, member("probabilities", rest)), want);
    }
    /* No more than there are; no names where there are none. */
    ck_assert_int_eq(parcel_json(&c, INFER,
                                 OUTPUTS(TOP("probabilities", 9000000) "," TOP(
                                     "reconstruction", 1))),
                     200);
    shape_is("probabilities", "BYTES", 2, 3);
    shape_is("reconstruction", "BYTES", 2, 1);
    const char *text = client_text(&c, member("reconstruction", "data[0]"));
    ck_assert_ptr_eq(strchr(text, ':'), strrchr(text, ':'));
    ck_assert_int_eq(parcel_json(&c, INFER, OUTPUTS(TOP("probabilities", 0))),
                     200);
    shape_is("probabilities", "FP32", 2, 3);
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
        code[i] = (float)client_number(&c, member("code", rest));
    }
    double pointer = client_number(&c, member("code_indptr", "data[200]"));
    c.memory.max_bytes = 40 << 10;
    ck_assert_int_eq(parcel_json(&c, INFER, text.data), 200);
    shape_is("code", "FP32", 200, 5);
    shape_is("code_indptr", "INT64", 201);
    shape_is("class", "BYTES", 200, 1);
    ck_assert_uint_eq(client_count(&c, member("reconstruction", "data")), 1200);
    for (size_t i = 0; i < 1000; i++) {
        char rest[16];
        snprintf(rest, sizeof rest, "data[%zu]", i);
        near(client_number(&c, member("code", rest)), (double)code[i], 1e-6);
    }
    ck_assert(client_number(&c, member("code_indptr", "data[200]")) == pointer);
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

    t = tcase_create("extensions");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_code_comes_as_three_lists);
    tcase_add_test(t, lists_are_bytes_too);
    tcase_add_test(t, nothing_but_empty_bytes_is_plain_json);
    tcase_add_test(t, options_are_those_of_the_other_routes);
    tcase_add_test(t, any_layer_can_be_asked);
    tcase_add_test(t, the_largest_come_as_texts);
    tcase_add_test(t, only_rows_of_numbers_are_classified);
    suite_add_tcase(s, t);

    t = tcase_create("requests");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, ids_come_back_as_they_were);
    tcase_add_test(t, blocks_do_not_show_in_the_reply);
    tcase_add_test(t, versions_are_named_in_the_path);
    tcase_add_test(t, no_type_of_body_is_looked_at);
    tcase_add_test(t, slow_requests_are_told_from_quick_ones);
    suite_add_tcase(s, t);
    return s;
}
