/* Errors: codes, cut messages, context. */
#include "lib/base/err.h"

#include <check.h>
#include <errno.h>
#include <string.h>

Suite *suite_err(void);

START_TEST(set_stores_code_and_message)
{
    struct err e = {0};

    ck_assert_int_eq(err_set(&e, ERR_SHAPE, "want %d, got %d", 3, 4),
                     ERR_SHAPE);
    ck_assert_int_eq(e.code, ERR_SHAPE);
    ck_assert_str_eq(e.msg, "want 3, got 4");
}
END_TEST

START_TEST(wrap_puts_context_in_front_and_keeps_the_code)
{
    struct err e = {0};

    err_set(&e, ERR_INVALID, "bad");
    ck_assert_int_eq(err_wrap(&e, "recipe %s", "a.json"), ERR_INVALID);
    ck_assert_str_eq(e.msg, "recipe a.json: bad");
}
END_TEST

START_TEST(old_message_may_be_an_argument_of_the_new_one)
{
    struct err e = {0};

    err_set(&e, ERR_IO, "inner");
    err_set(&e, ERR_CORRUPT, "outer (%s)", e.msg);
    ck_assert_str_eq(e.msg, "outer (inner)");
}
END_TEST

START_TEST(long_messages_are_cut_and_stay_terminated)
{
    struct err e = {0};
    char text[1000];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    err_set(&e, ERR_INVALID, "%s", text);
    ck_assert_uint_eq(strlen(e.msg), sizeof e.msg - 1);
    err_wrap(&e, "%s", text);
    ck_assert_uint_eq(strlen(e.msg), sizeof e.msg - 1);
}
END_TEST

START_TEST(a_cut_leaves_whole_utf8_characters)
{
    struct err e = {0};
    const char *characters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};

    for (size_t c = 0; c < 3; c++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char text[600] = "";
            size_t width = strlen(characters[c]);
            memset(text, 'a', shift);
            for (size_t at = shift; at + width < sizeof text; at += width)
                memcpy(text + at, characters[c], width + 1);
            err_set(&e, ERR_INVALID, "%s", text);
            ck_assert_uint_eq((strlen(e.msg) - shift) % width, 0);
            ck_assert_uint_gt(strlen(e.msg), sizeof e.msg - 1 - width);
        }
    }
}
END_TEST

START_TEST(errno_decides_the_code)
{
    struct err e = {0};

    ck_assert_int_eq(err_set_errno(&e, ENOSPC, "write"), ERR_NO_SPACE);
    ck_assert_int_eq(err_set_errno(&e, EDQUOT, "write"), ERR_NO_SPACE);
    ck_assert_int_eq(err_set_errno(&e, ENOENT, "open"), ERR_NOT_FOUND);
    ck_assert_int_eq(err_set_errno(&e, EACCES, "open %s", "f"), ERR_IO);
    ck_assert_str_eq(e.msg, "open f: Permission denied");
}
END_TEST

START_TEST(every_code_has_a_name_and_a_text)
{
    for (int i = 0; i <= (int)ERR_INTERNAL; i++) {
        ck_assert_str_ne(err_name((enum err_code)i), "UNKNOWN");
        ck_assert_uint_gt(strlen(err_text((enum err_code)i)), 1);
    }
    ck_assert_str_eq(err_name(ERR_NO_SPACE), "NO_SPACE");
    ck_assert_str_eq(err_text(ERR_BUSY), "busy");
}
END_TEST

Suite *suite_err(void)
{
    Suite *s = suite_create("err");
    TCase *messages = tcase_create("messages");
    TCase *codes = tcase_create("codes");

    tcase_add_test(messages, set_stores_code_and_message);
    tcase_add_test(messages, wrap_puts_context_in_front_and_keeps_the_code);
    tcase_add_test(messages, old_message_may_be_an_argument_of_the_new_one);
    tcase_add_test(messages, long_messages_are_cut_and_stay_terminated);
    tcase_add_test(messages, a_cut_leaves_whole_utf8_characters);
    tcase_add_test(codes, errno_decides_the_code);
    tcase_add_test(codes, every_code_has_a_name_and_a_text);
    suite_add_tcase(s, messages);
    suite_add_tcase(s, codes);
    return s;
}
