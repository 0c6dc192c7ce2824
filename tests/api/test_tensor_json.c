/* Scanning JSON arrays straight into floats: the shapes that are taken, the
 * message of each that is not, and that nothing passes which is not JSON.
 */
#include "api/tensor_json.h"
#include "lib/base/rng.h"
#include "tests/support/guard.h"

#include <check.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_tensor_json(void);

static struct arena memory;
static struct err e;
static struct tensor rows;

static void setup(void)
{
    arena_init(&memory, (size_t)16 << 20);
    rows = (struct tensor){.name = "inputs",
                           .size = 6,
                           .rank = 2,
                           .shape = {2, 3},
                           .memory = &memory};
    e = (struct err){0};
}

static void teardown(void)
{
    arena_fini(&memory);
}

/* The rest of the object, or NULL with e set. */
static struct json *read_text(const char *text, size_t length)
{
    struct tensor_member member = {
        .name = "inputs", .read = tensor_read_rows, .out = &rows};

    return tensor_json_read(text, length, &member, 1, &memory, &e);
}

static void accept(const char *text)
{
    struct guard g = guard_copy(text, strlen(text));
    struct json *rest = read_text(g.bytes, g.length);

    ck_assert_msg(rest != NULL, "%.300s: %s", text, e.msg);
    json_free(rest);
    guard_free(&g);
}

static void refuse(const char *text, enum err_code code, const char *words)
{
    struct guard g = guard_copy(text, strlen(text));
    struct json *rest = read_text(g.bytes, g.length);

    ck_assert_msg(rest == NULL, "%.300s was taken", text);
    ck_assert_msg(e.code == code, "%.300s: %s, want %s: %s", text,
                  err_name(e.code), err_name(code), e.msg);
    ck_assert_msg(strstr(e.msg, words) != NULL, "%.300s: no \"%s\" in: %s",
                  text, words, e.msg);
    guard_free(&g);
}

START_TEST(rows_may_be_flat_or_nested)
{
    static const float want[] = {1, 2, 3, 4, 5, 6, -1, 0, 0.5f, 0, 1e-3f, 7};

    accept("{\"inputs\":[[1,2,3,4,5,6],[[-1,0,0.5],[0,1e-3,7.0]]]}");
    ck_assert_uint_eq(rows.B, 2);
    ck_assert_mem_eq(rows.data, want, sizeof want);
}
END_TEST

START_TEST(white_space_stands_anywhere)
{
    static const float want[] = {0, 0, 3, 0, 5, 0};

    accept(" { \"inputs\" : [ [ 0 , 0.0 ,3\n,0\t, 5 ,0 ] ] } \r\n");
    ck_assert_uint_eq(rows.B, 1);
    ck_assert_mem_eq(rows.data, want, sizeof want);
}
END_TEST

START_TEST(other_members_come_back_with_zero_in_the_place)
{
    const char *text = "{\"top\":3,\"inputs\":[[1,2,3,4,5,6]],\"x\":[{}]}";
    struct json *rest = read_text(text, strlen(text));

    ck_assert_msg(rest != NULL, "%s", e.msg);
    ck_assert_uint_eq(json_count(json_get(rest, "x")), 1);
    ck_assert(json_number(json_get(rest, "top")) == 3);
    ck_assert(json_number(json_get(rest, "inputs")) == 0);
    json_free(rest);
}
END_TEST

START_TEST(keys_with_escapes_are_understood)
{
    accept("{\"\\u0069nputs\":[[1,2,3,4,5,6]]}");
    ck_assert_uint_eq(rows.B, 1);
}
END_TEST

START_TEST(floats_come_back_as_they_were_printed)
{
    struct rng r = rng_make(7, "floats", 0);
    char text[512];

    for (int round = 0; round < 2000; round++) {
        float want[6];
        for (size_t i = 0; i < 6; i++) {
            uint32_t bits = (uint32_t)rng_u64(&r) & 0xbfffffffu;
            memcpy(&want[i], &bits, sizeof want[i]);
        }
        int n = snprintf(text, sizeof text, "{\"inputs\":[[");
        for (size_t i = 0; i < 6; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, "%s%.9g",
                          i > 0 ? ", " : "", (double)want[i]);
        snprintf(text + n, sizeof text - (size_t)n, "]]}");
        arena_reset(&memory);
        accept(text);
        ck_assert_mem_eq(rows.data, want, sizeof want);
    }
}
END_TEST

START_TEST(a_wrong_shape_names_its_row)
{
    refuse("{\"inputs\":[[1,2,3,4,5,6],[1,2,3,4,5]]}", ERR_SHAPE,
           "inputs[1]: want 6 numbers, got 5");
    refuse("{\"inputs\":[[1,2,3,4,5,6,7,8]]}", ERR_SHAPE,
           "inputs[0]: want 6 numbers, got 8");
    refuse("{\"inputs\":[[]]}", ERR_SHAPE, "inputs[0]: want 6 numbers, got 0");
    refuse("{\"inputs\":[[[1,2,3],[4,5]]]}", ERR_SHAPE,
           "inputs[0][1]: want 3 numbers, got 2");
    refuse("{\"inputs\":[[[1,2,3],[4,5,6],[7,8,9]]]}", ERR_SHAPE,
           "inputs[0]: want 2 arrays");
    refuse("{\"inputs\":[[[1,2,3]]]}", ERR_SHAPE,
           "inputs[0]: want 2 arrays, got 1");
    refuse("{\"inputs\":[[[[1]]]]}", ERR_SHAPE, "inputs[0][0][0]");
    refuse("{\"inputs\":[[1,2,[3],4,5,6]]}", ERR_SHAPE, "inputs[0][2]");
    refuse("{\"inputs\":[[1,2,\"3\",4,5,6]]}", ERR_SHAPE, "inputs[0][2]");
    refuse("{\"inputs\":[[1,2,null,4,5,6]]}", ERR_SHAPE, "inputs[0][2]");
    refuse("{\"inputs\":[{}]}", ERR_SHAPE, "inputs[0]");
    refuse("{\"inputs\":{}}", ERR_SHAPE, "inputs: want an array");
    refuse("{\"inputs\":null}", ERR_SHAPE, "inputs: want an array");
    refuse("{\"inputs\":[]}", ERR_SHAPE, "empty");
    refuse("[1]", ERR_SHAPE, "object");
    refuse("3", ERR_SHAPE, "object");
}
END_TEST

START_TEST(a_missing_outer_array_is_hinted_at)
{
    refuse("{\"inputs\":[1,2,3,4,5,6]}", ERR_SHAPE, "[[...]]");
    refuse("{\"inputs\":[[1,2,3],[4,5,6]]}", ERR_SHAPE,
           "around one input is missing");
}
END_TEST

START_TEST(numbers_that_no_float_holds_are_refused)
{
    refuse("{\"inputs\":[[1,2,3,4,5,1e39]]}", ERR_SHAPE,
           "inputs[0][5]: 1e39 is not finite");
    refuse("{\"inputs\":[[-3.5e38,2,3,4,5,6]]}", ERR_SHAPE, "not finite");
    refuse("{\"inputs\":[[1,2,3,4,5,1e999]]}", ERR_INVALID, "JSON");
    accept("{\"inputs\":[[3.40282347e+38,-3.40282347e+38,1e-60,4,5,6]]}");
    ck_assert(rows.data[0] == FLT_MAX && rows.data[1] == -FLT_MAX);
    ck_assert(rows.data[2] == 0.0f);
}
END_TEST

START_TEST(malformed_text_wins_over_a_wrong_shape)
{
    refuse("{\"inputs\":[[1]],\"top\":tru}", ERR_INVALID, "JSON");
    refuse("{\"inputs\":[[1]]", ERR_INVALID, "JSON");
    refuse("{\"inputs\":[[1]]} x", ERR_INVALID, "JSON");
}
END_TEST

START_TEST(what_is_not_json_is_malformed)
{
    static const char *const texts[] = {
        "",
        "{",
        "nonsense",
        "{\"inputs\":[[1,2,3,4,5,6]],}",
        "{\"inputs\":[[1,2,3,4,5,6],]}",
        "{\"inputs\":[[1,2,3,4,5,6,]]}",
        "{\"inputs\":[[1,,3,4,5,6]]}",
        "{\"inputs\":[[01,2,3,4,5,6]]}",
        "{\"inputs\":[[-01,2,3,4,5,6]]}",
        "{\"inputs\":[[1.,2,3,4,5,6]]}",
        "{\"inputs\":[[.5,2,3,4,5,6]]}",
        "{\"inputs\":[[+1,2,3,4,5,6]]}",
        "{\"inputs\":[[1e,2,3,4,5,6]]}",
        "{\"inputs\":[[0x1,2,3,4,5,6]]}",
        "{\"inputs\":[[-,2,3,4,5,6]]}",
        "{\"inputs\":[[NaN,2,3,4,5,6]]}",
        "{\"inputs\":[[Infinity,2,3,4,5,6]]}",
        "{\"inputs\":[[-Infinity,2,3,4,5,6]]}",
        "{\"inputs\":[[nan,2,3,4,5,6]]}",
        "{\"inputs\":[[1 2,3,4,5,6]]}",
        "{\"inputs\":[[1,2,3,4,5,6]][]}",
        "{\"inputs\":[[1,2,3,4,5,6]}",
        "{\"inputs\":[[1,2,3,4,5,6}]}",
        "{\"inputs\" [[1,2,3,4,5,6]]}",
        "{inputs:[[1,2,3,4,5,6]]}",
        "{\"inputs\":[[1,2,3,4,5,6]],\"inputs\":[[1,2,3,4,5,6]]}",
        "{\"inputs\":[[1,2,3,4,5,6]],\"a\":\"\xff\"}",
        "{\"inputs\":[[1,2,3,4,5,6]],\"a\":\"\x01\"}",
        "{\"a\":[[[1}}},\"inputs\":[[1,2,3,4,5,6]]}",
        "\xef\xbb\xbf{\"inputs\":[[1,2,3,4,5,6]]}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        refuse(texts[i], ERR_INVALID, "JSON");
}
END_TEST

START_TEST(deep_nesting_is_malformed)
{
    char text[200] = "{\"inputs\":";

    memset(text + strlen(text), '[', 40);
    refuse(text, ERR_INVALID, "JSON");
    char closed[200] = "{\"inputs\":";
    size_t at = strlen(closed);
    memset(closed + at, '[', 40);
    memset(closed + at + 40, ']', 40);
    closed[at + 80] = '}';
    refuse(closed, ERR_INVALID, "JSON");
}
END_TEST

START_TEST(every_cut_of_a_body_is_refused)
{
    const char *text = "{\"top\":3, \"inputs\":[[1,2.5,3,4,5,6e1],"
                       "[[1,2,3],[4,5,6]]], \"format\":\"de\\u0041nse\"}";

    for (size_t length = 0; length < strlen(text); length++) {
        struct guard g = guard_copy(text, length);
        ck_assert_msg(read_text(g.bytes, length) == NULL, "cut at %zu", length);
        ck_assert_int_eq(e.code, ERR_INVALID);
        guard_free(&g);
        arena_reset(&memory);
    }
}
END_TEST

/* json_check is the judge: what it refuses is ERR_INVALID here, and what is
 * taken here it takes. */
START_TEST(random_damage_is_judged_as_json_check_does)
{
    static const char bytes[] = "[]{},:\"\\0123456789.eE+-tfn \n\x80u";
    const char *whole = "{\"steps\":2,\"inputs\":[[0,2.5,-3,4,5,6e1],"
                        "[[1,2,3],[4,0.0,6]]],\"a\":[\"x\",{\"b\":null}]}";
    struct rng r = rng_make(3, "damage", 0);
    char text[256];
    int taken = 0;

    for (int round = 0; round < 60000; round++) {
        size_t length = strlen(whole);
        memcpy(text, whole, length);
        for (size_t k = rng_below(&r, 3) + 1; k > 0; k--) {
            size_t at = rng_below(&r, length);
            size_t kind = rng_below(&r, 3);
            if (kind == 0) {
                text[at] = bytes[rng_below(&r, sizeof bytes - 1)];
            } else if (kind == 1) {
                memmove(text + at, text + at + 1, --length - at);
            } else {
                memmove(text + at + 1, text + at, length++ - at);
                text[at] = bytes[rng_below(&r, sizeof bytes - 1)];
            }
        }
        struct err judge = {0};
        bool valid = json_check(text, length, &judge) == ERR_OK;
        struct json *rest = read_text(text, length);
        if (rest != NULL)
            taken++;
        ck_assert_msg(valid || (rest == NULL && e.code == ERR_INVALID),
                      "%.*s: %s, but %s", (int)length, text,
                      rest != NULL ? "taken" : e.msg, judge.msg);
        ck_assert_msg(!valid || rest != NULL || e.code == ERR_SHAPE ||
                          strstr(e.msg, "u0000") != NULL,
                      "%.*s: %s", (int)length, text, e.msg);
        json_free(rest);
        arena_reset(&memory);
    }
    ck_assert_int_gt(taken, 1000);
}
END_TEST

START_TEST(too_many_rows_are_too_large)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    rows.size = 1;
    rows.rank = 1;
    buf_text(&b, "{\"inputs\":[[1]");
    for (int i = 1; i < 1024; i++)
        buf_text(&b, ",[1]");
    buf_text(&b, "]}");
    accept(b.data);
    ck_assert_uint_eq(rows.B, 1024);
    b.length -= 2;
    buf_text(&b, ",[1]]}");
    refuse(b.data, ERR_TOO_LARGE, "1024");
    buf_fini(&b);
}
END_TEST

START_TEST(rows_over_the_memory_are_too_large)
{
    char text[200];

    memset(text, ' ', sizeof text);
    memcpy(text, "{\"inputs\":[[1", 13);
    memcpy(text + sizeof text - 4, "]]}", 4);
    rows.size = (size_t)1 << 30;
    refuse(text, ERR_TOO_LARGE, "inputs");
}
END_TEST

START_TEST(long_other_members_are_refused_by_name)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    buf_text(&b, "{\"inputs\":[[1,2,3,4,5,6]],\"noise\":[0");
    while (b.length < TENSOR_JSON_MAX_REST + 100)
        buf_text(&b, ",0");
    buf_text(&b, "]}");
    refuse(b.data, ERR_SHAPE, "noise");
    buf_reset(&b);
    buf_text(&b, "{\"inputs\":[[1,2,3,4,5,6]]");
    while (b.length < TENSOR_JSON_MAX_REST + 100)
        buf_char(&b, ' ');
    buf_text(&b, "}");
    refuse(b.data, ERR_SHAPE, "white space counted");
    buf_fini(&b);
}
END_TEST

/* ---- codes ---- */

static bool read_codes(const char *text)
{
    struct scan s = {text, text + strlen(text)};

    rows = (struct tensor){
        .name = "codes", .size = 4, .rank = 1, .memory = &memory};
    return tensor_read_codes(&rows, &s, &e) == ERR_OK && s.at == s.end;
}

START_TEST(codes_may_be_dense_or_sparse)
{
    static const float want[] = {1, 0, 0, 2, 0, 7, 0, 5, 0, 0, 0, 0};

    ck_assert_msg(read_codes("[[1,0,0,2], {\"values\": [5, 7], "
                             "\"indices\": [3, 1]},{\"indices\":[],"
                             "\"values\":[]}]"),
                  "%s", e.msg);
    ck_assert_uint_eq(rows.B, 3);
    ck_assert_mem_eq(rows.data, want, sizeof want);
}
END_TEST

START_TEST(bad_codes_name_their_place)
{
    static const struct {
        const char *text, *words;
        enum err_code code;
    } cases[] = {
        {"[[1,2,3]]", "codes[0]: want 4 numbers, got 3", ERR_SHAPE},
        {"[[1,2,3,4,5]]", "codes[0]: want 4 numbers, got 5", ERR_SHAPE},
        {"[]", "empty", ERR_SHAPE},
        {"7", "codes", ERR_SHAPE},
        {"[7]", "codes[0]", ERR_SHAPE},
        {"[{\"indices\":[4],\"values\":[1]}]", "indices[0]", ERR_SHAPE},
        {"[{\"indices\":[-1],\"values\":[1]}]", "indices[0]", ERR_SHAPE},
        {"[{\"indices\":[0.5],\"values\":[1]}]", "indices[0]", ERR_SHAPE},
        {"[{\"indices\":[1,1],\"values\":[1,2]}]", "twice", ERR_SHAPE},
        {"[{\"indices\":[1,2],\"values\":[1]}]", "2 indices and 1 values",
         ERR_SHAPE},
        {"[{\"indices\":[0,1,2,3,0],\"values\":[1]}]", "more than", ERR_SHAPE},
        {"[{\"indices\":[1],\"values\":[1e39]}]", "values[0]", ERR_SHAPE},
        {"[{\"indices\":[1]}]", "both", ERR_SHAPE},
        {"[{\"indices\":[1],\"value\":[1]}]", "\"value\"", ERR_SHAPE},
        {"[[1,2,3,4] [1,2,3,4]]", "JSON", ERR_INVALID},
        {"[{\"indices\":[1,],\"values\":[1]}]", "JSON", ERR_INVALID},
        {"[{\"indices\":[1],\"values\":[1],}]", "JSON", ERR_INVALID},
        {"[[1,2,3,4]", "JSON", ERR_INVALID},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        e = (struct err){0};
        ck_assert_msg(!read_codes(cases[i].text), "%s", cases[i].text);
        ck_assert_msg(e.code == cases[i].code &&
                          strstr(e.msg, cases[i].words) != NULL,
                      "%s: %s", cases[i].text, e.msg);
    }
}
END_TEST

START_TEST(an_index_is_free_again_in_the_next_row)
{
    ck_assert_msg(read_codes("[{\"indices\":[1],\"values\":[1]},"
                             "{\"indices\":[1],\"values\":[2]}]"),
                  "%s", e.msg);
    ck_assert(rows.data[1] == 1 && rows.data[5] == 2);
}
END_TEST

Suite *suite_tensor_json(void)
{
    Suite *s = suite_create("tensor_json");
    TCase *t = tcase_create("rows");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, rows_may_be_flat_or_nested);
    tcase_add_test(t, white_space_stands_anywhere);
    tcase_add_test(t, other_members_come_back_with_zero_in_the_place);
    tcase_add_test(t, keys_with_escapes_are_understood);
    tcase_add_test(t, floats_come_back_as_they_were_printed);
    tcase_add_test(t, a_wrong_shape_names_its_row);
    tcase_add_test(t, a_missing_outer_array_is_hinted_at);
    tcase_add_test(t, numbers_that_no_float_holds_are_refused);
    tcase_add_test(t, too_many_rows_are_too_large);
    tcase_add_test(t, rows_over_the_memory_are_too_large);
    suite_add_tcase(s, t);

    t = tcase_create("strictness");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, malformed_text_wins_over_a_wrong_shape);
    tcase_add_test(t, what_is_not_json_is_malformed);
    tcase_add_test(t, deep_nesting_is_malformed);
    tcase_add_test(t, every_cut_of_a_body_is_refused);
    tcase_add_test(t, random_damage_is_judged_as_json_check_does);
    tcase_add_test(t, long_other_members_are_refused_by_name);
    suite_add_tcase(s, t);

    t = tcase_create("codes");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, codes_may_be_dense_or_sparse);
    tcase_add_test(t, bad_codes_name_their_place);
    tcase_add_test(t, an_index_is_free_again_in_the_next_row);
    suite_add_tcase(s, t);
    return s;
}
