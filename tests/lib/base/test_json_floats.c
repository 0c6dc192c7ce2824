/* Long arrays of numbers: every float is what the exact reader gives, and what
 * the fast one leaves alone it leaves where it stands.
 */
#include "lib/base/json.h"
#include "lib/base/rng.h"
#include "tests/support/guard.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Suite *suite_json_floats(void);

#define MOST 64
/* What the fast reader wants to see behind a number. */
static const char tail[] = "12345678,12345678,12345678,12345678,12345678,0";

static float out[MOST];
static size_t used;

/* How many of the array's numbers are read; memory ends behind the text. */
static size_t scan(const char *text, size_t n)
{
    struct guard g = guard_copy(text, strlen(text));
    size_t got = json_scan_floats(g.bytes, g.length, out, n, &used);

    guard_free(&g);
    return got;
}

static void check_exact(const char *number, float got)
{
    double wide;

    ck_assert_uint_eq(json_scan_number(number, strlen(number), &wide),
                      strlen(number));
    ck_assert_msg(got == (float)wide && !signbit(got) == !signbit(wide),
                  "%s: got %.9g, want %.9g", number, (double)got, wide);
}

/* True if it was read; then it was right. */
static bool takes(const char *number)
{
    char text[160];

    snprintf(text, sizeof text, "%s,%s", number, tail);
    size_t got = scan(text, 1);
    ck_assert_uint_eq(used, got > 0 ? strlen(number) + 1 : 0);
    if (got > 0)
        check_exact(number, out[0]);
    return got > 0;
}

START_TEST(numbers_as_programs_write_them_are_taken)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1",
        "255",
        "-1.5",
        "0.5",
        "0.3294",
        "1234567",
        "0.1234567890123456",
        "0.30000000000000004",
        "0.30196078431372547",
        "0.011764705882352941",
        "0.00784313725490196",
        "0.003921568859368563",
        "89.99999999999999999",
        "-1234567.123456789012",
        "0.9223372036854775807",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_msg(takes(texts[i]), "%s is left", texts[i]);
}
END_TEST

START_TEST(what_is_unusual_or_wrong_is_left_where_it_stands)
{
    static const char *const texts[] = {
        "",
        "-",
        "01",
        "-00",
        "00.5",
        ".5",
        "1.",
        "-.5",
        "+1",
        "1e3",
        "0.5E1",
        "12345678",
        "null",
        "\"1\"",
        "[1]",
        "1 ",
        "0x1",
        "1.5.5",
        "1-",
        "0.12345678901234567890",
        "0.123456789012345678901234567890",
        "1.9999999999999999999",
        "99.99999999999999999",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_msg(!takes(texts[i]), "%s is taken", texts[i]);
}
END_TEST

/* Middles between two floats, and their neighbours: there the short way may
 * not decide. */
START_TEST(middles_of_floats_round_as_the_exact_reader_does)
{
    static const char *const texts[] = {
        "8388608.5",
        "8388609.5",
        "4194304.25",
        "4194304.2500000001",
        "4194304.2499999999",
        "1.000000059604644775",
        "1.000000059604644776",
        "0.500000029802322387",
        "0.500000029802322388",
        "2097152.125",
        "2097152.1250000000001",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        (void)takes(texts[i]);
    ck_assert(!takes("1048576.0625"));
    ck_assert(takes("1048576.06"));
}
END_TEST

START_TEST(random_numbers_are_exact)
{
    struct rng r = rng_make(4, "floats", 0);
    char text[40];
    size_t taken = 0;

    for (int i = 0; i < 60000; i++) {
        uint64_t bits = rng_u64(&r);
        snprintf(text, sizeof text, "%s%.*f", bits % 2 ? "-" : "",
                 (int)(bits >> 8 & 31) % 20,
                 (double)(rng_u64(&r) >> 11) * 0x1p-53 *
                     ((bits & 2) != 0 ? 1 : 1e6));
        taken += takes(text);
    }
    ck_assert_uint_gt(taken, 30000);
}
END_TEST

/* Every float, told by 9 digits, comes back. */
START_TEST(floats_come_back)
{
    struct rng r = rng_make(5, "floats", 0);
    char text[40];
    size_t taken = 0;

    for (int i = 0; i < 30000; i++) {
        float x = rng_uniform(&r, 0, 1);
        snprintf(text, sizeof text, "%.9f", (double)x);
        taken += takes(text);
        snprintf(text, sizeof text, "%.17f", (double)x);
        taken += takes(text);
    }
    ck_assert_uint_gt(taken, 59000);
}
END_TEST

START_TEST(runs_are_read_to_where_they_end)
{
    char text[300];

    snprintf(text, sizeof text, "0, 0, 0, 0, 0.0, 0.0, 1,0,0.5,0.5,-1,00,%s",
             tail);
    ck_assert_uint_eq(scan(text, MOST), 11);
    ck_assert_uint_eq(used, strlen("0, 0, 0, 0, 0.0, 0.0, 1,0,0.5,0.5,-1,"));
    for (size_t i = 0; i < 8; i++)
        ck_assert(out[i] == (i == 6 ? 1 : 0));
    ck_assert(out[8] == 0.5f && out[9] == 0.5f && out[10] == -1);
    ck_assert_uint_eq(scan(text, 9), 9);
    ck_assert_uint_eq(scan("1,2,3]", MOST), 0);
    ck_assert_uint_eq(scan("", MOST), 0);
}
END_TEST

/* At any length of text, whatever is cut. */
START_TEST(nothing_is_read_behind_the_text)
{
    char text[300];

    snprintf(text, sizeof text, "0,0,-0.12345678901234567,0,0,0,0,%s", tail);
    for (size_t length = strlen(text); length > 0; length--) {
        text[length] = 0;
        size_t got = scan(text, MOST);
        ck_assert_uint_le(used, length);
        ck_assert_uint_le(got, length / 2);
    }
}
END_TEST

Suite *suite_json_floats(void)
{
    Suite *s = suite_create("json_floats");
    TCase *t = tcase_create("floats");

    tcase_add_test(t, numbers_as_programs_write_them_are_taken);
    tcase_add_test(t, what_is_unusual_or_wrong_is_left_where_it_stands);
    tcase_add_test(t, middles_of_floats_round_as_the_exact_reader_does);
    tcase_add_test(t, random_numbers_are_exact);
    tcase_add_test(t, floats_come_back);
    tcase_add_test(t, runs_are_read_to_where_they_end);
    tcase_add_test(t, nothing_is_read_behind_the_text);
    suite_add_tcase(s, t);
    return s;
}
