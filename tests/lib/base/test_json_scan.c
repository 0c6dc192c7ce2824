/* Reading checked JSON text: numbers as exact as strtod, spans of members and
 * elements.
 */
#include "lib/base/json.h"
#include "lib/base/rng.h"
#include "tests/support/guard.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_json_scan(void);

/* strtod of the C library is the judge; the text ends where memory ends. */
static void check_number(const char *text)
{
    size_t length = strlen(text);
    struct guard g = guard_copy(text, length);
    double want = strtod(text, NULL);
    double got = 0;

    ck_assert_uint_eq(json_scan_number(g.bytes, length, &got), length);
    ck_assert_msg(got == want && !signbit(got) == !signbit(want),
                  "%s: got %.17g, want %.17g", text, got, want);
    guard_free(&g);
}

START_TEST(numbers_of_many_forms_are_exact)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "1",
        "-1",
        "0.1",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "9007199254740993",
        "9007199254740992.5",
        "18446744073709551615",
        "18446744073709551616",
        "9999999999999999999",
        "0.3",
        "2.5e-5",
        "0.12156862745098039",
        "1.7976931348623157e308",
        "5e-324",
        "2e-324",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "1e-400",
        "179769313486231580793728971405301e276",
        "0e5",
        "0.0",
        "-0.000e9",
        "00000000000001",
        "1.00000000000000000000000000000000000001",
        "8.5e-27",
        "12345678901234567e-27",
        "1e27",
        "123e-30",
        "0.000001",
        "6929495644600919.5",
        "3.518437208883201171875e13",
        "9007199254740991.4999999999999999999999999999999995",
        "1e0000000000000000000000000000000000005",
        "1E+2",
        "1e1",
        "12345678",
        "123456789",
        "12345678.12345678",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_number(texts[i]);
}
END_TEST

/* A number of up to max_digits digits, a point anywhere, and an exponent. */
static void make_number(struct rng *r, char *text, size_t max_digits)
{
    size_t digits = 1 + rng_below(r, max_digits);
    size_t point = rng_below(r, digits + 1);
    char *at = text;

    if (rng_below(r, 2) == 0)
        *at++ = '-';
    for (size_t i = 0; i < digits; i++) {
        if (i > 0 && i == point)
            *at++ = '.';
        *at++ = (char)('0' + rng_below(r, 10));
    }
    *at = 0;
    if (rng_below(r, 2) == 0)
        snprintf(at, 16, "e%d", (int)rng_below(r, 700) - 350);
    else if (rng_below(r, 2) == 0)
        snprintf(at, 16, "E%+d", (int)rng_below(r, 60) - 30);
}

START_TEST(random_numbers_of_many_digits_are_exact)
{
    struct rng r = rng_make(6, "numbers", 0);
    char text[128];

    for (int i = 0; i < 100000; i++) {
        double got = 0;
        make_number(&r, text, i % 2 == 0 ? 20 : 60);
        double want = strtod(text, NULL);
        if (json_scan_number(text, strlen(text), &got) != strlen(text) ||
            got != want)
            ck_abort_msg("%s: got %.17g, want %.17g", text, got, want);
    }
}
END_TEST

/* The middle between two doubles has up to 767 digits; a digit after those
 * decides. */
START_TEST(halves_with_far_away_digits_are_exact)
{
    static const char *const halves[] = {
        "9007199254740993.0",
        "1.00000000000000011102230246251565404236316680"
        "908203125",
    };
    char text[3000];

    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        for (size_t zeros = 0; zeros < 2500; zeros += 83) {
            int n = snprintf(text, sizeof text, "%s", halves[i]);
            memset(text + n, '0', zeros);
            text[(size_t)n + zeros] = 0;
            check_number(text);
            text[(size_t)n + zeros] = '1';
            text[(size_t)n + zeros + 1] = 0;
            check_number(text);
        }
    }
}
END_TEST

START_TEST(exact_middles_of_doubles_round_to_even)
{
    struct rng r = rng_make(7, "halves", 0);
    char text[1200];

    for (int i = 0; i < 300; i++) {
        uint64_t bits = rng_u64(&r) & 0x7FFFFFFFFFFFFFFFu;
        double low;
        if (i % 3 == 0)
            bits &= 0x001FFFFFFFFFFFFFu; /* the smallest, with most digits */
        memcpy(&low, &bits, sizeof low);
        double high = nextafter(low, INFINITY);
        if (!isfinite(high))
            continue;
        long double middle = ((long double)low + (long double)high) / 2;
        snprintf(text, sizeof text, "%.800Le", middle);
        check_number(text);
    }
}
END_TEST

START_TEST(hundreds_of_zeros_shift_the_exponent)
{
    char text[5000];

    for (size_t zeros = 1; zeros < 4000; zeros += 401) {
        text[0] = '1';
        memset(text + 1, '0', zeros);
        snprintf(text + 1 + zeros, 32, "e-%zu", zeros);
        check_number(text);
        memcpy(text, "0.", 2);
        memset(text + 2, '0', zeros);
        snprintf(text + 2 + zeros, 32, "7e%zu", zeros);
        check_number(text);
    }
}
END_TEST

START_TEST(a_number_ends_where_it_ends)
{
    static const struct {
        const char *text;
        size_t used;
        double value;
    } cases[] = {
        {"1,2", 1, 1},
        {"12]", 2, 12},
        {"-3.5 ", 4, -3.5},
        {"1.", 1, 1},
        {"1.x", 1, 1},
        {"2e", 1, 2},
        {"2e+", 1, 2},
        {"2ex", 1, 2},
        {"1-2", 1, 1},
        {"0.5.5", 3, 0.5},
        {"12345678,", 8, 12345678},
        {"123456789012345678,1", 18, 123456789012345678.0},
    };
    static const char *const none[] = {"", "-", "x", ".5", "+1", "-x", " 1"};
    double value;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = cases[i].text;
        ck_assert_uint_eq(json_scan_number(text, strlen(text), &value),
                          cases[i].used);
        ck_assert(value == cases[i].value);
    }
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        ck_assert_uint_eq(json_scan_number(none[i], strlen(none[i]), &value),
                          0);
    }
}
END_TEST

static struct json_span span(const char *text)
{
    return (struct json_span){text, strlen(text)};
}

static void check_span(struct json_span got, const char *want)
{
    ck_assert_msg(got.length == strlen(want) &&
                      memcmp(got.text, want, got.length) == 0,
                  "got '%.*s', want '%s'", (int)got.length, got.text, want);
}

START_TEST(members_are_walked_in_order)
{
    static const char *const want[][2] = {
        {"a", "1"},        {"b\\\"", "\"}\\\"\""},
        {"", "[1,[2,3]]"}, {"d", "{\"x\":[{}]}"},
        {"e", "null"},     {"f", "-1.5e3"},
    };
    struct json_span object =
        span(" { \"a\" : 1 , \"b\\\"\":\"}\\\"\",\"\":[1,[2,3]] ,"
             "\"d\":{\"x\":[{}]},\"e\":null,\n\"f\":-1.5e3}");
    struct json_span key;
    struct json_span value;
    size_t cursor = 0;

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        ck_assert(json_next_member(object, &cursor, &key, &value));
        check_span(key, want[i][0]);
        check_span(value, want[i][1]);
    }
    ck_assert(!json_next_member(object, &cursor, &key, &value));
    ck_assert(!json_next_member(object, &cursor, &key, &value));
}
END_TEST

START_TEST(elements_are_walked_in_order)
{
    static const char *const want[] = {"[0.5,1]", "[]", "\",\"", "{\"a\":[]}",
                                       "7"};
    struct json_span array = span("[[0.5,1],[] , \",\",{\"a\":[]}, 7 ]");
    struct json_span value;
    size_t cursor = 0;

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        ck_assert(json_next_element(array, &cursor, &value));
        check_span(value, want[i]);
    }
    ck_assert(!json_next_element(array, &cursor, &value));
    ck_assert(!json_next_element(array, &cursor, &value));
}
END_TEST

START_TEST(other_values_have_no_members)
{
    static const char *const texts[] = {"{}",    "[]", "[ ]", " { } ", "1",
                                        "\"{\"", "",   " ",   "null"};
    struct json_span key;
    struct json_span value;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t cursor = 0;
        ck_assert(!json_next_member(span(texts[i]), &cursor, &key, &value));
        cursor = 0;
        ck_assert(!json_next_element(span(texts[i]), &cursor, &value));
    }
}
END_TEST

/* Walks all values below a span; counts them. */
static size_t walk(struct json_span v, int depth)
{
    struct json_span key;
    struct json_span inner;
    size_t cursor = 0;
    size_t n = 1;

    if (depth == 0)
        return n;
    while (json_next_member(v, &cursor, &key, &inner)) {
        ck_assert(key.length <= v.length && key.text >= v.text &&
                  key.text + key.length <= v.text + v.length);
        n += walk(inner, depth - 1);
    }
    cursor = 0;
    while (json_next_element(v, &cursor, &inner)) {
        ck_assert(inner.text >= v.text &&
                  inner.text + inner.length <= v.text + v.length);
        n += walk(inner, depth - 1);
    }
    return n;
}

START_TEST(unchecked_text_is_walked_within_its_bounds)
{
    static const char symbols[] = "{}[],:\"\\ 1ax\0";
    struct rng r = rng_make(8, "walk", 0);

    for (int i = 0; i < 20000; i++) {
        char text[16];
        size_t length = rng_below(&r, sizeof text + 1);
        for (size_t k = 0; k < length; k++)
            text[k] = symbols[rng_below(&r, sizeof symbols - 1)];
        struct guard g = guard_copy(text, length);
        double value;
        ck_assert_uint_ge(walk((struct json_span){g.bytes, length}, 8), 1);
        ck_assert_uint_le(json_scan_number(g.bytes, length, &value), length);
        guard_free(&g);
    }
}
END_TEST

Suite *suite_json_scan(void)
{
    Suite *s = suite_create("json_scan");
    TCase *numbers = tcase_create("numbers");
    TCase *spans = tcase_create("spans");

    tcase_add_test(numbers, numbers_of_many_forms_are_exact);
    tcase_add_test(numbers, random_numbers_of_many_digits_are_exact);
    tcase_add_test(numbers, halves_with_far_away_digits_are_exact);
    tcase_add_test(numbers, exact_middles_of_doubles_round_to_even);
    tcase_add_test(numbers, hundreds_of_zeros_shift_the_exponent);
    tcase_add_test(numbers, a_number_ends_where_it_ends);
    tcase_add_test(spans, members_are_walked_in_order);
    tcase_add_test(spans, elements_are_walked_in_order);
    tcase_add_test(spans, other_values_have_no_members);
    tcase_add_test(spans, unchecked_text_is_walked_within_its_bounds);
    suite_add_tcase(s, numbers);
    suite_add_tcase(s, spans);
    return s;
}
