/* npy: element types, orders, the header's dict, hostile bytes. */
#include "lib/base/mem.h"
#include "lib/data/npy.h"
#include "tests/lib/data/hostile.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_npy(void);

/* A version 1.0 file of this dict and these bytes. */
static char *make_file(const char *dict, const void *data, size_t bytes,
                       size_t *length)
{
    size_t n = strlen(dict);
    *length = 10 + n + bytes;
    char *file = malloc(*length);
    memcpy(file, "\x93NUMPY\1\0", 8);
    file[8] = (char)(n & 255);
    file[9] = (char)(n >> 8);
    memcpy(file + 10, dict, n);
    if (bytes > 0)
        memcpy(file + 10 + n, data, bytes);
    return file;
}

#define DICT(descr, order, shape)                                              \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape       \
    ", }     \n"

static enum err_code parse(const void *bytes, size_t length, struct err *e)
{
    struct npy a;
    enum err_code code = npy_parse(&a, bytes, length, e);
    if (code == ERR_OK && a.count < 100000) {
        float *floats = calloc(a.count + 1, sizeof(*floats));
        npy_to_floats(&a, floats);
        free(floats);
    }
    return code;
}

static const struct {
    const char *dict;
    const char *data;
    size_t bytes;
    float want[3];
} types[] = {
    {DICT("<f4", "False", "(2,)"), "\0\0\x80\x3f\0\0\0\xc0", 8, {1, -2}},
    {DICT(">f4", "False", "(2,)"), "\x3f\x80\0\0\xc0\0\0\0", 8, {1, -2}},
    {DICT("<f8", "False", "(1,)"), "\0\0\0\0\0\0\xf8\x3f", 8, {1.5f}},
    {DICT(">f8", "False", "(1,)"), "\x3f\xf8\0\0\0\0\0\0", 8, {1.5f}},
    {DICT("<f2", "False", "(3,)"),
     "\0\x3c\xff\x7b\1\x80",
     6,
     {1, 65504, -5.9604645e-8f}},
    {DICT("|u1", "False", "(2,)"), "\0\xff", 2, {0, 255}},
    {DICT("|i1", "False", "(2,)"), "\x7f\xff", 2, {127, -1}},
    {DICT("<i2", "False", "(2,)"), "\1\2\xfe\xff", 4, {513, -2}},
    {DICT(">i2", "False", "(2,)"), "\2\1\xff\xfe", 4, {513, -2}},
    {DICT("<u2", "False", "(1,)"), "\xfe\xff", 2, {65534}},
    {DICT("=i4", "False", "(1,)"), "\0\0\0\x80", 4, {-2147483648.0f}},
    {DICT("<u4", "False", "(1,)"), "\0\0\0\x80", 4, {2147483648.0f}},
    {DICT("<i8", "False", "(1,)"), "\xff\xff\xff\xff\xff\xff\xff\xff", 8, {-1}},
    {DICT("<u8", "False", "(1,)"),
     "\0\0\0\0\0\0\0\x80",
     8,
     {9223372036854775808.0f}},
    {DICT("|b1", "False", "(3,)"), "\0\1\2", 3, {0, 1, 1}},
    {DICT("<f4", "True", "()"), "\0\0\x80\x3f", 4, {1}},
    {"{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"|u1\"}",
     "\7",
     1,
     {7}},
};

START_TEST(every_element_type_is_read)
{
    size_t length;
    struct err e;
    struct npy a;
    float got[3];
    char *file =
        make_file(types[_i].dict, types[_i].data, types[_i].bytes, &length);
    ck_assert_msg(npy_parse(&a, file, length, &e) == ERR_OK, "%s: %s",
                  types[_i].dict, e.msg);
    ck_assert_uint_le(a.count, 3);
    npy_to_floats(&a, got);
    for (size_t k = 0; k < a.count; k++)
        ck_assert_msg(got[k] == types[_i].want[k], "%s: %.9g, want %.9g",
                      types[_i].dict, (double)got[k],
                      (double)types[_i].want[k]);
    free(file);
}
END_TEST

START_TEST(halves_that_are_not_finite_stay_so)
{
    size_t length;
    struct err e;
    struct npy a;
    float got[3];
    char *file = make_file(DICT("<f2", "False", "(3,)"), "\0\x7c\0\xfc\1\x7c",
                           6, &length);
    ck_assert_int_eq(npy_parse(&a, file, length, &e), ERR_OK);
    npy_to_floats(&a, got);
    ck_assert(isinf(got[0]) && got[0] > 0 && isinf(got[1]) && got[1] < 0);
    ck_assert(isnan(got[2]));
    free(file);
}
END_TEST

START_TEST(fortran_order_comes_out_row_major)
{
    size_t length;
    struct err e;
    struct npy a;
    /* element (i,j,k) of (2,3,2) is 100 i + 10 j + k, first axis fastest */
    static const uint8_t data[12] = {0, 100, 10, 110, 20, 120,
                                     1, 101, 11, 111, 21, 121};
    static const float want[12] = {0,   1,   10,  11,  20,  21,
                                   100, 101, 110, 111, 120, 121};
    float floats[12];
    uint8_t bytes[12];
    long long ints[12];
    char *file = make_file(DICT("|u1", "True", "(2, 3, 2)"), data, 12, &length);
    ck_assert_int_eq(npy_parse(&a, file, length, &e), ERR_OK);
    ck_assert(npy_is_bytes(&a));
    npy_to_floats(&a, floats);
    npy_to_bytes(&a, bytes);
    ck_assert_int_eq(npy_to_int64(&a, ints, &e), ERR_OK);
    for (size_t i = 0; i < 12; i++) {
        ck_assert(floats[i] == want[i]);
        ck_assert(bytes[i] == (uint8_t)want[i]);
        ck_assert(ints[i] == (long long)want[i]);
    }
    free(file);
}
END_TEST

START_TEST(integers_are_exact_and_floats_are_not_taken_for_them)
{
    size_t length;
    struct err e;
    struct npy a;
    long long got[2];
    char *file = make_file(DICT("<i8", "False", "(2,)"),
                           "\1\0\0\0\0\0\x20\0\0\0\0\0\0\0\0\x80", 16, &length);
    ck_assert_int_eq(npy_parse(&a, file, length, &e), ERR_OK);
    ck_assert_int_eq(npy_to_int64(&a, got, &e), ERR_OK);
    ck_assert(got[0] == 9007199254740993LL);
    ck_assert(got[1] == INT64_MIN);
    free(file);
    file = make_file(DICT("<u8", "False", "(1,)"), "\0\0\0\0\0\0\0\x80", 8,
                     &length);
    ck_assert_int_eq(npy_parse(&a, file, length, &e), ERR_OK);
    ck_assert_int_eq(npy_to_int64(&a, got, &e), ERR_INVALID);
    free(file);
    file = make_file(DICT("<f4", "False", "(1,)"), "\0\0\x80\x3f", 4, &length);
    ck_assert_int_eq(npy_parse(&a, file, length, &e), ERR_OK);
    ck_assert_int_eq(npy_to_int64(&a, got, &e), ERR_INVALID);
    free(file);
}
END_TEST

static const struct {
    const char *dict;
    size_t bytes;
    const char *message; /* a part of it; NULL: accepted */
} dicts[] = {
    {DICT("|u1", "False", "(0, 5)"), 0, NULL},
    {DICT("|u1", "False", "(1, 1, 1, 1, 1, 1, 1, 1)"), 1, NULL},
    {DICT("|u1", "False", "(2,)"), 1, "want 2 bytes of data, the file has 1"},
    {DICT("|u1", "False", "(2,)"), 3, "want 2 bytes of data, the file has 3"},
    {DICT("|O", "False", "(2,)"), 2, "pickled"},
    {DICT("|O8", "False", "(2,)"), 16, "pickled"},
    {DICT("<c8", "False", "(1,)"), 8, "'<c8' is not supported"},
    {DICT("<U3", "False", "(1,)"), 12, "'<U3' is not supported"},
    {DICT("<f3", "False", "(1,)"), 3, "'<f3' is not supported"},
    {DICT("<b2", "False", "(1,)"), 2, "'<b2' is not supported"},
    {DICT("f4", "False", "(1,)"), 4, "'f4' is not supported"},
    {DICT("", "False", "(1,)"), 4, "'' is not supported"},
    {DICT("<f4", "0", "(1,)"), 4, "fortran_order"},
    {DICT("<f4", "False", "[1]"), 4, "shape: not a tuple"},
    {DICT("<f4", "False", "(1)"), 4, "shape: not a tuple"},
    {DICT("<f4", "False", "1,"), 4, "shape: not a tuple"},
    {DICT("<f4", "False", "(-1,)"), 4, "axis 0 is no size"},
    {DICT("<f4", "False", "(1.0,)"), 4, "shape: not a tuple"},
    {DICT("<f4", "False", "(,)"), 4, "axis 0 is no size"},
    {DICT("<f4", "False", "(18446744073709551616,)"), 4, "axis 0 is no size"},
    {DICT("<f4", "False", "(1,1,1,1,1,1,1,1,1)"), 4, "more than 8 axes"},
    {DICT("<f4", "False", "(4294967296, 4294967296)"), 4, "overflows"},
    {DICT("<f8", "False", "(2305843009213693952,)"), 8, "overflows"},
    {DICT("<f4", "False", "(0, 4294967296, 4294967296)"), 0, "overflows"},
    {"{'descr': [('a','<f4')], 'fortran_order': False, 'shape': (1,)}", 4,
     "structured"},
    {"{'descr': '<f4', 'fortran_order': False}", 4, "'shape' is missing"},
    {"{'descr': '<f4', 'shape': (1,), 'x': 1}", 4, "unknown key 'x'"},
    {"{'shape': (1,), 'shape': (1,)}", 4, "repeated key 'shape'"},
    {"{'shape': (1,)", 4, "not a Python dict"},
    {"{'shape' (1,)}", 4, "not a Python dict"},
    {"{'shape': (1,) 'descr': '<f4'}", 4, "not a Python dict"},
    {"", 4, "not a Python dict"},
    {DICT("<f4", "False", "(1,)") "x", 4, "not a Python dict"},
};

START_TEST(header_is_one_literal_of_three_keys)
{
    static const char zeros[64];
    size_t length;
    struct err e = {.code = ERR_OK};
    char *file = make_file(dicts[_i].dict, zeros, dicts[_i].bytes, &length);
    enum err_code code = parse(file, length, &e);
    if (dicts[_i].message == NULL) {
        ck_assert_msg(code == ERR_OK, "%s: %s", dicts[_i].dict, e.msg);
    } else {
        ck_assert_msg(code == ERR_INVALID, "%s accepted", dicts[_i].dict);
        ck_assert_msg(strstr(e.msg, dicts[_i].message) != NULL,
                      "%s: want '%s', got '%s'", dicts[_i].dict,
                      dicts[_i].message, e.msg);
    }
    free(file);
}
END_TEST

START_TEST(versions_two_and_three_have_a_longer_length)
{
    struct err e;
    struct npy a;
    const char *dict = DICT("|u1", "False", "(1,)");
    char file[200] = "\x93NUMPY\2\0";
    size_t n = strlen(dict);
    file[8] = (char)n;
    memcpy(file + 12, dict, n);
    ck_assert_int_eq(npy_parse(&a, file, 12 + n + 1, &e), ERR_OK);
    file[6] = 3;
    ck_assert_int_eq(npy_parse(&a, file, 12 + n + 1, &e), ERR_OK);
    file[6] = 4;
    ck_assert_int_eq(npy_parse(&a, file, 12 + n + 1, &e), ERR_INVALID);
    file[6] = 2;
    file[11] = 1; /* 16 MiB */
    ck_assert_int_eq(npy_parse(&a, file, 12 + n + 1, &e), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "more than 65536"));
}
END_TEST

/* UTF-32 of "a", "\u00e9\u20ac\U0001f600", "" , each three long. */
static const char points[] = "a\0\0\0\0\0\0\0\0\0\0\0"
                             "\xe9\0\0\0\xac\x20\0\0\0\xf6\1\0"
                             "\0\0\0\0\0\0\0\0\0\0\0";
static const char *const texts[] = {"a", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
                                    ""};

static void check_texts(const char *dict, const char *data, size_t bytes)
{
    size_t length;
    char *file = make_file(dict, data, bytes, &length), out[10];
    struct npy a;
    struct err e = {0};

    ck_assert_int_eq(npy_parse(&a, file, length, &e), ERR_INVALID);
    ck_assert_msg(npy_parse_any(&a, file, length, &e) == ERR_OK, "%s", e.msg);
    ck_assert(npy_is_text(&a) && a.count == 3);
    for (size_t i = 0; i < 3; i++) {
        size_t n = 0;
        ck_assert_msg(npy_text(&a, i, out, 10, &n, &e) == ERR_OK, "%s", e.msg);
        ck_assert_uint_eq(n, strlen(texts[i]));
        ck_assert_str_eq(out, texts[i]);
    }
    size_t n;
    ck_assert_int_eq(npy_text(&a, 1, out, 9, &n, &e), ERR_TOO_LARGE);
    free(file);
}

START_TEST(texts_come_as_utf8)
{
    char swapped[36];

    check_texts(DICT("<U3", "False", "(3,)"), points, 36);
    for (size_t i = 0; i < 36; i++)
        swapped[i] = points[i / 4 * 4 + 3 - i % 4];
    check_texts(DICT(">U3", "False", "(3,)"), swapped, 36);
    check_texts(DICT("|S9", "False", "(3,)"),
                "a\0\0\0\0\0\0\0\0"
                "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
                "\0\0\0\0\0\0\0\0\0",
                27);
}
END_TEST

START_TEST(texts_that_are_none_are_refused)
{
    static const struct {
        const char *dict;
        const char *data;
        size_t bytes;
    } cases[] = {
        {DICT("<U1", "False", "(1,)"), "\0\xd8\0\0", 4}, /* a surrogate */
        {DICT("<U1", "False", "(1,)"), "\0\0\x11\0", 4}, /* over the last */
        {DICT("<U1", "False", "(1,)"), "\1\0\0\xff", 4},
        {DICT("|S2", "False", "(1,)"), "a\xff", 2},
        {DICT("|S1", "False", "(1,)"), "\xc3", 1},
    };
    static const char *const wrong[] = {
        DICT("<U0", "False", "(1,)"),           DICT("<U", "False", "(1,)"),
        DICT("<U-1", "False", "(1,)"),          DICT("<U1x", "False", "(1,)"),
        DICT("<U99999999999", "False", "(1,)"), DICT("|O", "False", "(1,)")};
    struct npy a;
    struct err e = {0};
    char out[16];
    size_t length, n;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *file =
            make_file(cases[i].dict, cases[i].data, cases[i].bytes, &length);
        ck_assert_int_eq(npy_parse_any(&a, file, length, &e), ERR_OK);
        ck_assert_int_eq(npy_text(&a, 0, out, sizeof out, &n, &e), ERR_INVALID);
        free(file);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char *file = make_file(wrong[i], "\0\0\0\0", 4, &length);
        ck_assert_int_eq(npy_parse_any(&a, file, length, &e), ERR_INVALID);
        free(file);
    }
}
END_TEST

START_TEST(what_is_printed_is_read_back)
{
    static const float floats[6] = {0, 1, -2, 3.5f, 1e-30f, 5};
    static const long long ints[2] = {-1, 1LL << 62};
    const size_t shape[2] = {2, 3};
    const size_t count[1] = {2};
    struct err e;
    struct npy a;
    struct buf b;
    float got[6];
    long long got_ints[2];
    buf_init(&b, 10000);
    npy_print_floats(&b, shape, 2, floats);
    ck_assert_uint_eq((b.length - sizeof(floats)) % 64, 0);
    ck_assert_int_eq(npy_parse(&a, b.data, b.length, &e), ERR_OK);
    ck_assert_uint_eq(a.rank, 2);
    ck_assert_uint_eq(a.shape[1], 3);
    npy_to_floats(&a, got);
    near_all(got, floats, 6, 0);
    ck_assert_ptr_nonnull(strstr(b.data + 10, "(2, 3), }"));
    buf_reset(&b);
    npy_print_int64(&b, count, 1, ints);
    ck_assert_ptr_nonnull(strstr(b.data + 10, "(2,), }"));
    ck_assert_int_eq(npy_parse(&a, b.data, b.length, &e), ERR_OK);
    ck_assert_int_eq(npy_to_int64(&a, got_ints, &e), ERR_OK);
    ck_assert(got_ints[0] == ints[0] && got_ints[1] == ints[1]);
    buf_reset(&b);
    npy_print_floats(&b, NULL, 0, floats);
    ck_assert_int_eq(npy_parse(&a, b.data, b.length, &e), ERR_OK);
    ck_assert_uint_eq(a.count, 1);
    buf_fini(&b);
}
END_TEST

START_TEST(no_prefix_and_no_changed_byte_does_harm)
{
    size_t length;
    char *file = make_file(DICT("<f4", "True", "(2, 1, 2)"), "0123456789abcdef",
                           16, &length);
    hostile_prefixes(file, length, parse);
    ck_assert_uint_gt(hostile_mutations(file, length, parse), 200);
    free(file);
}
END_TEST

Suite *suite_npy(void)
{
    Suite *s = suite_create("npy");
    TCase *t = tcase_create("values");
    tcase_add_loop_test(t, every_element_type_is_read, 0,
                        sizeof(types) / sizeof(types[0]));
    tcase_add_test(t, halves_that_are_not_finite_stay_so);
    tcase_add_test(t, fortran_order_comes_out_row_major);
    tcase_add_test(t, integers_are_exact_and_floats_are_not_taken_for_them);
    tcase_add_test(t, texts_come_as_utf8);
    tcase_add_test(t, texts_that_are_none_are_refused);
    tcase_add_test(t, what_is_printed_is_read_back);
    suite_add_tcase(s, t);
    t = tcase_create("hostile files");
    tcase_add_loop_test(t, header_is_one_literal_of_three_keys, 0,
                        sizeof(dicts) / sizeof(dicts[0]));
    tcase_add_test(t, versions_two_and_three_have_a_longer_length);
    tcase_add_test(t, no_prefix_and_no_changed_byte_does_harm);
    suite_add_tcase(s, t);
    return s;
}
