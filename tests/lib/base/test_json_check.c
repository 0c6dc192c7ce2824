/* The strict JSON checker: what it takes, what it refuses and how it says so,
 * and that it never reads on.
 */
#include "lib/base/json.h"
#include "lib/base/rng.h"
#include "tests/support/guard.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_json_check(void);

static const char *const good[] = {
    "0",
    "-0",
    "-0.0e-0",
    "10.25E+3",
    "1e308",
    "1.7976931348623157e308",
    "1e-999",
    "0e999",
    "0.0000e9999999999999999999999",
    "123456789012345678901234567890",
    "true",
    "false",
    "null",
    "\"\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
    "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x7F\"",
    "[]",
    "{}",
    " [ ] ",
    "\t{\r\n}\n",
    "[1,2 , 3]",
    "[[],{},[{}]]",
    "{\"a\":1,\"b\":[true,null],\"A\":{\"a\":2}}",
    "{\"\":0}",
    "[{\"a\":1},{\"a\":2}]",
    "{\"inputs\":[[0.5,-1e-3],[1,12345678]],\"top\":5,\"\\u00e9\":\"x\"}",
};

static const struct {
    const char *text;
    const char *message; /* part of it */
} bad[] = {
    {"", "empty text at byte 0"},
    {" \n ", "empty text at byte 3 (line 2)"},
    {"\xEF\xBB\xBF{}", "byte order mark"},
    {"01", "leading zero"},
    {"-01", "leading zero"},
    {"00", "leading zero"},
    {"1.", "within a number"},
    {"[1.]", "digit expected at byte 3"},
    {".5", "value expected"},
    {"+1", "value expected"},
    {"-", "within a number"},
    {"[-]", "digit expected"},
    {"1e", "within a number"},
    {"[1e+]", "digit expected"},
    {"--1", "digit expected"},
    {"0x10", "text after the value"},
    {"NaN", "value expected"},
    {"nan", "value expected"},
    {"Infinity", "value expected"},
    {"-Infinity", "digit expected"},
    {"1e999", "1e999 is not a finite number, at byte 0"},
    {"[0,-1e309]", "-1e309 is not a finite number, at byte 3"},
    {"1.7976931348623159e308", "not a finite number"},
    {"1e99999999999999999999999999", "not a finite number"},
    {"tru", "value expected"},
    {"True", "value expected"},
    {"nul", "value expected"},
    {"truefalse", "text after the value at byte 4"},
    {"{}{}", "text after the value at byte 2"},
    {"{\"a\":1}junk", "text after the value at byte 7"},
    {"[1]]", "text after the value"},
    {"[", "text ends where a value is expected"},
    {"[1", "text ends within an array"},
    {"[1,", "text ends where a value is expected"},
    {"[1,]", "value expected"},
    {"[,1]", "value expected"},
    {"[1 2]", "',' or ']' expected at byte 3"},
    {"[1}", "',' or ']' expected"},
    {"]", "value expected"},
    {"{", "text ends within an object"},
    {"{\"a\"", "text ends within an object"},
    {"{\"a\":", "text ends where a value is expected"},
    {"{\"a\":1", "text ends within an object"},
    {"{\"a\":1,}", "key in quotes expected"},
    {"{a:1}", "key in quotes expected"},
    {"{1:1}", "key in quotes expected"},
    {"{\"a\" 1}", "':' expected"},
    {"{\"a\":1 \"b\":2}", "',' or '}' expected"},
    {"{\"a\":1]", "',' or '}' expected"},
    {"{\n\"a\":1,\n\"a\":2}", "duplicate key at byte 9 (line 3)"},
    {"\"a", "text ends within a string"},
    {"\"a\\", "text ends within a string"},
    {"\"\\x\"", "unknown escape"},
    {"\"\\u12\"", "four hexadecimal digits"},
    {"\"\\u12g4\"", "four hexadecimal digits"},
    {"\"\\u12", "four hexadecimal digits"},
    {"\"\\uD800\"", "lone high surrogate"},
    {"\"\\uD800\\n\"", "lone high surrogate"},
    {"\"\\uD800\\u0041\"", "lone high surrogate"},
    {"\"\\uD800\\uD800\"", "lone high surrogate"},
    {"\"\\uDC00\"", "lone low surrogate"},
    {"\"a\nb\"", "control character in a string at byte 2"},
    {"\"\x1F\"", "control character"},
    {"\"\x80\"", "invalid UTF-8 at byte 1"},
    {"\"\xC0\xAF\"", "invalid UTF-8"},
    {"\"\xE0\x80\xAF\"", "invalid UTF-8"},
    {"\"\xED\xA0\x80\"", "invalid UTF-8"},
    {"\"\xF4\x90\x80\x80\"", "invalid UTF-8"},
    {"\"\xE2\x82\"", "invalid UTF-8"},
    {"\"\xFF\"", "invalid UTF-8"},
    {"[1,\xC3\xA9]", "value expected"},
    {"'a'", "value expected"},
    {"[1] // no", "text after the value"},
    {"/* no */ 1", "value expected"},
    {"\f1", "value expected"},
};

/* Checks a copy that ends where memory ends. */
static enum err_code check_guarded(const char *text, size_t length,
                                   struct err *e)
{
    struct guard g = guard_copy(text, length);
    enum err_code code = json_check(g.bytes, length, e);

    guard_free(&g);
    return code;
}

START_TEST(standard_text_is_taken)
{
    const char *text = good[_i];
    struct err e = {0};

    ck_assert_msg(check_guarded(text, strlen(text), &e) == ERR_OK, "%s: %s",
                  text, e.msg);
}
END_TEST

START_TEST(other_text_is_refused_with_the_reason)
{
    const char *text = bad[_i].text;
    struct err e = {0};

    ck_assert_int_eq(check_guarded(text, strlen(text), &e), ERR_INVALID);
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, bad[_i].message) != NULL, "%s: %s", text,
                  e.msg);
    ck_assert_ptr_nonnull(strstr(e.msg, "byte"));
}
END_TEST

START_TEST(a_number_without_exponent_can_be_too_large)
{
    char text[512];
    struct err e = {0};

    memset(text, '9', sizeof text);
    ck_assert_int_eq(json_check(text, 308, &e), ERR_OK);
    ck_assert_int_eq(json_check(text, 309, &e), ERR_INVALID);
    ck_assert_int_eq(json_check(text, sizeof text, &e), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "999... is not a finite number"));
    text[200] = '.';
    ck_assert_int_eq(json_check(text, sizeof text, &e), ERR_OK);
}
END_TEST

START_TEST(a_zero_byte_is_no_end)
{
    struct err e = {0};

    ck_assert_int_eq(json_check("1\0", 2, &e), ERR_INVALID);
    ck_assert_int_eq(json_check("\"a\0b\"", 5, &e), ERR_INVALID);
    ck_assert_int_eq(json_check("\"\\\0\"", 4, &e), ERR_INVALID);
}
END_TEST

START_TEST(every_prefix_is_refused_without_reading_on)
{
    const char *text = good[_i];
    size_t end = strlen(text);
    struct err e = {0};

    while (end > 0 && strchr(" \t\r\n", text[end - 1]) != NULL)
        end--;
    if (strchr("]}\"el", text[end - 1]) == NULL)
        return; /* the beginning of a number is a number */
    for (size_t length = 0; length < end; length++) {
        ck_assert_msg(check_guarded(text, length, &e) == ERR_INVALID, "%.*s",
                      (int)length, text);
    }
}
END_TEST

/* `depth` times `open`, `inner`, and `depth` times `close`, in text. */
static size_t nest(char *text, const char *open, const char *inner,
                   const char *close, size_t depth)
{
    struct buf b;

    buf_init(&b, 4096);
    for (size_t i = 0; i < depth; i++)
        buf_text(&b, open);
    buf_text(&b, inner);
    for (size_t i = 0; i < depth; i++)
        buf_text(&b, close);
    ck_assert(!buf_failed(&b));
    size_t length = b.length;
    memcpy(text, b.data, length + 1);
    buf_fini(&b);
    return length;
}

START_TEST(nesting_has_a_limit_that_the_message_says)
{
    char text[4097];
    struct err e = {0};

    for (size_t depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        bool fits = depth <= JSON_MAX_DEPTH;
        size_t n = nest(text, "[", "1", "]", depth);
        ck_assert_int_eq(check_guarded(text, n, &e) == ERR_OK, fits);
        n = nest(text, "{\"a\":", "1", "}", depth);
        ck_assert_int_eq(check_guarded(text, n, &e) == ERR_OK, fits);
    }
    ck_assert_ptr_nonnull(strstr(e.msg, "nesting over 32 levels"));
}
END_TEST

START_TEST(a_million_brackets_are_refused_at_the_limit)
{
    size_t length = 1000000;
    char *text = malloc(length);
    struct err e = {0};

    memset(text, '[', length);
    ck_assert_int_eq(json_check(text, length, &e), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "at byte 32"));
    free(text);
}
END_TEST

START_TEST(duplicates_are_found_among_many_keys)
{
    char text[4096];
    struct err e = {0};

    for (int twin = 0; twin < 64; twin++) {
        int n = snprintf(text, sizeof text, "{");
        for (int i = 0; i < 64; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, "\"key%d\":0,", i);
        int plain = n;
        n += snprintf(text + n, sizeof text - (size_t)n, "\"key%d\":0}", twin);
        ck_assert_int_eq(json_check(text, (size_t)n, &e), ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(e.msg, "duplicate key"));
        text[plain - 1] = '}';
        ck_assert_int_eq(json_check(text, (size_t)plain, &e), ERR_OK);
    }
}
END_TEST

START_TEST(changed_bytes_never_crash_and_agree_with_the_tree)
{
    static const char source[] =
        "{\"inputs\":[[0.5,-1e-3,12345678901],[1,2]],\"o\":{\"k\":\"\\u00e9"
        "\\n\xC3\xA9\"},\"t\":[true,false,null,{}]}";
    static const char common[] = "\"\\{}[],:0123456789eE+-.tfnu \n\xC3\x80";
    struct rng r = rng_make(5, "mutations", 0);
    size_t length = sizeof source - 1;
    struct guard g = guard_copy(source, length);
    size_t taken = 0;

    for (int i = 0; i < 50000; i++) {
        struct err e = {0};
        memcpy(g.bytes, source, length);
        for (size_t k = 1 + rng_below(&r, 3); k > 0; k--)
            g.bytes[rng_below(&r, length)] =
                rng_below(&r, 4) == 0
                    ? (char)rng_below(&r, 256)
                    : common[rng_below(&r, sizeof common - 1)];
        if (json_check(g.bytes, length, &e) != ERR_OK) {
            ck_assert_uint_gt(strlen(e.msg), 10);
            continue;
        }
        /* What the checker takes, the tree's parser takes as well. */
        struct json *j = json_parse(g.bytes, length, &e);
        ck_assert_msg(j != NULL || strstr(e.msg, "\\u0000") != NULL, "%.*s: %s",
                      (int)length, g.bytes, e.msg);
        json_free(j);
        taken++;
    }
    ck_assert_uint_gt(taken, 100);
    guard_free(&g);
}
END_TEST

Suite *suite_json_check(void)
{
    Suite *s = suite_create("json_check");
    TCase *text = tcase_create("text");
    TCase *limits = tcase_create("limits");
    TCase *hostile = tcase_create("hostile");
    int n_good = (int)(sizeof good / sizeof good[0]);
    int n_bad = (int)(sizeof bad / sizeof bad[0]);

    tcase_add_loop_test(text, standard_text_is_taken, 0, n_good);
    tcase_add_loop_test(text, other_text_is_refused_with_the_reason, 0, n_bad);
    tcase_add_test(text, a_number_without_exponent_can_be_too_large);
    tcase_add_test(text, a_zero_byte_is_no_end);
    tcase_add_test(limits, nesting_has_a_limit_that_the_message_says);
    tcase_add_test(limits, a_million_brackets_are_refused_at_the_limit);
    tcase_add_test(limits, duplicates_are_found_among_many_keys);
    tcase_add_loop_test(hostile, every_prefix_is_refused_without_reading_on, 0,
                        n_good);
    tcase_add_test(hostile, changed_bytes_never_crash_and_agree_with_the_tree);
    suite_add_tcase(s, text);
    suite_add_tcase(s, limits);
    suite_add_tcase(s, hostile);
    return s;
}
