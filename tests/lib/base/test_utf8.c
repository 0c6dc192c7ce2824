/* UTF-8: the decoder step against one written from the definition. */
#include "lib/base/utf8.h"
#include "tests/support/guard.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

Suite *suite_utf8(void);

/* Encodes as RFC 3629, section 3, says; returns the length. */
static size_t encode(unsigned char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (unsigned char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (unsigned char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (unsigned char)(lead[length] | code);
    return length;
}

START_TEST(every_character_is_taken_whole_and_no_surrogate)
{
    for (uint32_t code = 0; code < 0x120000; code++) {
        unsigned char bytes[4];
        size_t length = encode(bytes, code);
        bool good = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        if (utf8_step((const char *)bytes, length) != (good ? length : 0))
            ck_abort_msg("U+%X", code);
    }
}
END_TEST

START_TEST(only_what_encodes_a_character_is_taken)
{
    size_t taken[5] = {0};

    /* All beginnings of three bytes; the fourth of a longer one is fixed. */
    for (uint32_t i = 0; i < 0x1000000; i++) {
        char bytes[4] = {(char)(i >> 16), (char)(i >> 8), (char)i, (char)0x80};
        if ((i & 0xFF) != 0x80 && (unsigned char)bytes[0] < 0xE0)
            continue; /* the third byte does not matter */
        taken[utf8_step(bytes, 4)]++;
    }
    ck_assert_uint_eq(taken[1], 128 * 256);               /* any second */
    ck_assert_uint_eq(taken[2], 0x800 - 0x80);            /* U+80 on */
    ck_assert_uint_eq(taken[3], 0x10000 - 0x800 - 0x800); /* no surrogates */
    ck_assert_uint_eq(taken[4], 0x100000 / 64);           /* one last byte */
}
END_TEST

START_TEST(a_cut_character_is_refused_without_reading_on)
{
    const char *characters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};

    for (size_t c = 0; c < 3; c++) {
        for (size_t length = 0; length < c + 2; length++) {
            struct guard g = guard_copy(characters[c], length);
            ck_assert_uint_eq(utf8_step(g.bytes, length), 0);
            guard_free(&g);
        }
    }
}
END_TEST

Suite *suite_utf8(void)
{
    Suite *s = suite_create("utf8");
    TCase *step = tcase_create("step");

    tcase_add_test(step, every_character_is_taken_whole_and_no_surrogate);
    tcase_add_test(step, only_what_encodes_a_character_is_taken);
    tcase_add_test(step, a_cut_character_is_refused_without_reading_on);
    suite_add_tcase(s, step);
    return s;
}
