/* Growable bytes: the maximum, the sticky failure, the JSON pieces. */
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_buf(void);

static const char *text_of(struct buf *b, float value)
{
    buf_reset(b);
    buf_json_float(b, value);
    return b->data;
}

START_TEST(appends_add_up_and_stay_terminated)
{
    struct buf b;
    size_t length;

    buf_init(&b, 1000000);
    for (int i = 0; i < 1000; i++) {
        buf_text(&b, "ab");
        buf_char(&b, 'c');
        buf_printf(&b, "%d", i % 10);
        ck_assert_uint_eq(strlen(b.data), b.length);
    }
    ck_assert_uint_eq(b.length, 4000);
    ck_assert_int_eq(memcmp(b.data + 3996, "abc9", 5), 0);
    char *taken = buf_take(&b, &length);
    ck_assert_uint_eq(length, 4000);
    ck_assert_ptr_null(b.data);
    mem_free(taken);
    buf_text(&b, "again");
    ck_assert_str_eq(b.data, "again");
    buf_fini(&b);
}
END_TEST

START_TEST(the_maximum_holds_and_failure_sticks)
{
    struct buf b;
    size_t length = 7;

    buf_init(&b, 10);
    buf_text(&b, "0123456789");
    ck_assert(!buf_failed(&b));
    buf_char(&b, 'x');
    ck_assert(buf_failed(&b));
    buf_text(&b, "");
    ck_assert_str_eq(b.data, "0123456789");
    ck_assert_ptr_null(buf_take(&b, &length));
    ck_assert_uint_eq(length, 0);
    buf_reset(&b);
    ck_assert(!buf_failed(&b));
    buf_printf(&b, "%s", "01234567890");
    ck_assert(buf_failed(&b));
    buf_reset(&b);
    ck_assert_ptr_null(buf_reserve(&b, 11));
    buf_advance(&b, 11);
    ck_assert_uint_eq(b.length, 0);
    buf_fini(&b);
}
END_TEST

START_TEST(reserved_room_is_counted_by_advance)
{
    struct buf b;

    buf_init(&b, 1000);
    char *room = buf_reserve(&b, 1000);
    ck_assert_ptr_nonnull(room);
    memset(room, 'y', 1000);
    ck_assert_uint_eq(b.length, 0);
    buf_advance(&b, 1000);
    ck_assert_uint_eq(strlen(b.data), 1000);
    ck_assert_ptr_null(buf_reserve(&b, 1));
    buf_fini(&b);
}
END_TEST

START_TEST(no_memory_is_a_sticky_failure)
{
    struct buf b;

    buf_init(&b, SIZE_MAX / 4);
    mem_fail_after(0);
    buf_text(&b, "x");
    ck_assert(buf_failed(&b));
    buf_text(&b, "x");
    ck_assert_uint_eq(b.length, 0);
    buf_reset(&b);
    buf_add(&b, "", SIZE_MAX / 3);
    ck_assert(buf_failed(&b));
    buf_fini(&b);
}
END_TEST

START_TEST(floats_are_short)
{
    static const struct {
        float value;
        const char *text;
    } cases[] = {
        {0.0f, "0"},
        {-0.0f, "-0"},
        {1.0f, "1"},
        {-1.0f, "-1"},
        {255.0f, "255"},
        {0.5f, "0.5"},
        {0.1f, "0.1"},
        {-0.25f, "-0.25"},
        {1.5f, "1.5"},
        {100.25f, "100.25"},
        {0.001f, "0.001"},
        {0.00001f, "0.00001"},
        {1e-6f, "1e-6"},
        {-1.5e-7f, "-1.5e-7"},
        {16777216, "16777216"},
        {1e10f, "10000000000"},
        {1e20f, "1e+20"},
        {1e-20f, "1e-20"},
        {FLT_MAX, "3.4028235e+38"},
    };
    struct buf b;

    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_str_eq(text_of(&b, cases[i].value), cases[i].text);
    buf_fini(&b);
}
END_TEST

/* Both a reader that goes by double and one that reads floats. One check at
 * the end: each is a system call, and this runs very often. */
static void check_round_trip(struct buf *b, float value)
{
    struct err e = {0};
    double read = 0;
    const char *text = text_of(b, value);
    bool good = json_check(text, b->length, &e) == ERR_OK &&
                json_scan_number(text, b->length, &read) == b->length;
    bool sign = signbit(value) != 0;

    if (!good || (float)read != value || strtof(text, NULL) != value ||
        (signbit(read) != 0) != sign)
        ck_abort_msg("%s is not %.9g", text, (double)value);
}

START_TEST(random_bit_patterns_read_back_the_same)
{
    struct rng r = rng_make(2, "floats", 0);
    struct buf b;

    buf_init(&b, 100);
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = (uint32_t)rng_u64(&r);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            check_round_trip(&b, value);
    }
    buf_fini(&b);
}
END_TEST

START_TEST(floats_around_powers_of_two_and_ten_read_back_the_same)
{
    struct buf b;

    buf_init(&b, 100);
    for (int power = -149; power < 128; power++) {
        float two = ldexpf(1, power);
        check_round_trip(&b, two);
        check_round_trip(&b, nextafterf(two, 0));
        check_round_trip(&b, -nextafterf(two, INFINITY));
    }
    for (int power = -45; power < 39; power++) {
        float ten = (float)pow(10, power);
        check_round_trip(&b, ten);
        check_round_trip(&b, nextafterf(ten, 0));
        check_round_trip(&b, -nextafterf(ten, INFINITY));
    }
    buf_fini(&b);
}
END_TEST

START_TEST(doubles_read_back_the_same)
{
    struct rng r = rng_make(3, "doubles", 0);
    struct buf b;

    buf_init(&b, 100);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_u64(&r);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        buf_reset(&b);
        buf_json_double(&b, value);
        if (strtod(b.data, NULL) != value)
            ck_abort_msg("%s is not %.17g", b.data, value);
    }
    buf_reset(&b);
    buf_json_double(&b, 9007199254740991.0);
    buf_char(&b, ' ');
    buf_json_double(&b, 0.1);
    buf_char(&b, ' ');
    buf_json_double(&b, -1e300);
    ck_assert_str_eq(b.data, "9007199254740991 0.1 -1e+300");
    buf_fini(&b);
}
END_TEST

START_TEST(integers_are_whole)
{
    struct buf b;

    buf_init(&b, 100);
    buf_json_uint(&b, 0);
    buf_char(&b, ' ');
    buf_json_uint(&b, 1234567890);
    buf_char(&b, ' ');
    buf_json_uint(&b, UINT64_MAX);
    ck_assert_str_eq(b.data, "0 1234567890 18446744073709551615");
    buf_fini(&b);
}
END_TEST

START_TEST(text_is_escaped)
{
    struct buf b;

    buf_init(&b, 100);
    buf_json_text(&b, "a\"b\\c\n\r\t\x01/\x7F\xC3\xA9");
    ck_assert_str_eq(b.data, "\"a\\\"b\\\\c\\n\\r\\t\\u0001/\x7F\xC3\xA9\"");
    buf_reset(&b);
    buf_json_text_n(&b, "a\0b", 3);
    ck_assert_str_eq(b.data, "\"a\\u0000b\"");
    buf_reset(&b);
    buf_json_text(&b, "");
    ck_assert_str_eq(b.data, "\"\"");
    buf_fini(&b);
}
END_TEST

START_TEST(any_bytes_become_valid_json_text)
{
    struct rng r = rng_make(4, "bytes", 0);
    struct err e = {0};
    struct buf b;

    buf_init(&b, 1000);
    buf_json_text(&b, "x\xFFy\xC3");
    ck_assert_str_eq(b.data, "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\"");
    for (int i = 0; i < 5000; i++) {
        char text[24];
        for (size_t k = 0; k < sizeof text; k++)
            text[k] = (char)rng_below(&r, 256);
        buf_reset(&b);
        buf_json_text_n(&b, text, sizeof text);
        ck_assert_int_eq(json_check(b.data, b.length, &e), ERR_OK);
    }
    buf_fini(&b);
}
END_TEST

Suite *suite_buf(void)
{
    Suite *s = suite_create("buf");
    TCase *bytes = tcase_create("bytes");
    TCase *numbers = tcase_create("numbers");
    TCase *text = tcase_create("text");

    tcase_add_test(bytes, appends_add_up_and_stay_terminated);
    tcase_add_test(bytes, the_maximum_holds_and_failure_sticks);
    tcase_add_test(bytes, reserved_room_is_counted_by_advance);
    tcase_add_test(bytes, no_memory_is_a_sticky_failure);
    tcase_add_test(numbers, floats_are_short);
    tcase_add_test(numbers, random_bit_patterns_read_back_the_same);
    tcase_add_test(numbers,
                   floats_around_powers_of_two_and_ten_read_back_the_same);
    tcase_add_test(numbers, doubles_read_back_the_same);
    tcase_add_test(numbers, integers_are_whole);
    tcase_add_test(text, text_is_escaped);
    tcase_add_test(text, any_bytes_become_valid_json_text);
    suite_add_tcase(s, bytes);
    suite_add_tcase(s, numbers);
    suite_add_tcase(s, text);
    return s;
}
