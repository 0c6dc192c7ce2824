/* gzip and zlib streams: round trips, bounds, lies and bombs.
 */
#include "lib/data/gzip.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"

#include <check.h>
#include <string.h>

Suite *suite_gzip(void);

#define MANY ((size_t)600 * 1024)

static struct buf packed;
static struct err e;

static void setup(void)
{
    buf_init(&packed, 2 * MANY);
    e = (struct err){0};
}

static void teardown(void)
{
    buf_fini(&packed);
}

static void pack(const void *bytes, size_t length, enum gzip_form form)
{
    enum err_code code =
        gzip_deflate(&packed, bytes, length, form, GZIP_QUICK, &e);

    ck_assert_msg(code == ERR_OK, "%s", e.msg);
}

/* Reads `length` bytes of a stream in pieces of `room`; the code of the end,
 * with *got bytes in out (size bytes). */
static enum err_code unpack(const void *stream, size_t length, char *out,
                            size_t size, size_t room, size_t *got)
{
    struct gzip_reader *r = gzip_open(stream, length, &e);
    enum err_code code = ERR_OK;
    bool done = false;
    size_t n;

    ck_assert_ptr_nonnull(r);
    *got = 0;
    while (code == ERR_OK && !done && *got < size) {
        size_t piece = room < size - *got ? room : size - *got;
        code = gzip_read(r, out + *got, piece, &n, &done, &e);
        ck_assert_uint_le(n, piece);
        *got += n;
    }
    gzip_close(r);
    return code;
}

static void fill(char *text, size_t length)
{
    struct rng rng = rng_make(7, "gzip", 0);

    for (size_t i = 0; i < length; i++)
        text[i] = "0123456789,.-[]"[rng_below(&rng, 15)];
}

START_TEST(both_forms_come_back_at_every_size)
{
    static const size_t sizes[] = {0, 1, 511, 512, 513, 5000, MANY};
    char *text = mem_array(MANY, 1), *out = mem_array(MANY + 1, 1);

    fill(text, MANY);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int form = GZIP_FORM; form <= ZLIB_FORM; form++) {
            size_t got;
            buf_reset(&packed);
            pack(text, sizes[i], (enum gzip_form)form);
            ck_assert(gzip_is(packed.data, packed.length) ==
                      (form == GZIP_FORM));
            ck_assert_int_eq(
                unpack(packed.data, packed.length, out, MANY + 1, 4099, &got),
                ERR_OK);
            ck_assert_uint_eq(got, sizes[i]);
            ck_assert_mem_eq(out, text, sizes[i]);
        }
    }
    mem_free(text);
    mem_free(out);
}
END_TEST

START_TEST(a_text_that_does_not_fit_is_too_large)
{
    char text[4096];
    struct buf small;

    fill(text, sizeof text);
    buf_init(&small, 1000);
    ck_assert_int_eq(
        gzip_deflate(&small, text, sizeof text, GZIP_FORM, GZIP_QUICK, &e),
        ERR_TOO_LARGE);
    ck_assert_uint_le(small.length, 1000);
    buf_fini(&small);
}
END_TEST

START_TEST(pieces_of_one_byte_read_the_same)
{
    char text[700], out[701];
    size_t got;

    fill(text, sizeof text);
    pack(text, sizeof text, ZLIB_FORM);
    ck_assert_int_eq(
        unpack(packed.data, packed.length, out, sizeof out, 1, &got), ERR_OK);
    ck_assert_uint_eq(got, sizeof text);
    ck_assert_mem_eq(out, text, sizeof text);
}
END_TEST

START_TEST(every_prefix_is_cut_off)
{
    char text[700], out[701];
    size_t got;

    fill(text, sizeof text);
    for (int form = GZIP_FORM; form <= ZLIB_FORM; form++) {
        buf_reset(&packed);
        pack(text, sizeof text, (enum gzip_form)form);
        for (size_t n = 0; n < packed.length; n++)
            ck_assert_int_eq(unpack(packed.data, n, out, sizeof out, 64, &got),
                             ERR_INVALID);
    }
}
END_TEST

START_TEST(a_changed_byte_is_damage_or_harmless)
{
    char text[300], out[4096];
    size_t got;

    fill(text, sizeof text);
    pack(text, sizeof text, GZIP_FORM);
    for (size_t i = 0; i < packed.length; i++) {
        packed.data[i] ^= 0x55;
        enum err_code code =
            unpack(packed.data, packed.length, out, sizeof out, 100, &got);
        /* Name, time and system in the head say nothing about the text. */
        if (code == ERR_OK)
            ck_assert_mem_eq(out, text, sizeof text);
        ck_assert(code != ERR_OK || (i >= 4 && i < 10));
        packed.data[i] ^= 0x55;
    }
}
END_TEST

START_TEST(members_of_gzip_are_joined_and_nothing_else_follows)
{
    char out[64];
    size_t got;

    pack("one,", 4, GZIP_FORM);
    pack("two", 3, GZIP_FORM);
    size_t both = packed.length;
    ck_assert_int_eq(unpack(packed.data, both, out, sizeof out, 2, &got),
                     ERR_OK);
    ck_assert_uint_eq(got, 7);
    ck_assert_mem_eq(out, "one,two", 7);
    ck_assert_int_eq(unpack(packed.data, both - 1, out, sizeof out, 2, &got),
                     ERR_INVALID);
    buf_text(&packed, "{}");
    ck_assert_int_eq(
        unpack(packed.data, packed.length, out, sizeof out, 2, &got),
        ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "follows the end"));
}
END_TEST

START_TEST(the_forms_do_not_mix)
{
    static const enum gzip_form firsts[] = {ZLIB_FORM, ZLIB_FORM, GZIP_FORM};
    static const enum gzip_form seconds[] = {ZLIB_FORM, GZIP_FORM, ZLIB_FORM};
    char out[64];
    size_t got;

    for (size_t i = 0; i < 3; i++) {
        buf_reset(&packed);
        pack("one,", 4, firsts[i]);
        pack("two", 3, seconds[i]);
        ck_assert_int_eq(
            unpack(packed.data, packed.length, out, sizeof out, 64, &got),
            ERR_INVALID);
    }
}
END_TEST

START_TEST(what_is_neither_is_refused)
{
    static const char *const texts[] = {
        "",
        "x",
        "{\"inputs\":[]}",
        "PK\3\4",
        "\x1f\x8b",
        "\x1f\x8b\x08\xff",
        "\x4b\x04\x00", /* deflate without a wrapper */
        "\x78\xbb\x01\x02\x03\x04\x05\x06"};
    char out[64];
    size_t got;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_int_eq(
            unpack(texts[i], strlen(texts[i]), out, sizeof out, 64, &got),
            ERR_INVALID);
}
END_TEST

START_TEST(a_bomb_is_read_as_far_as_asked)
{
    char *zeros = mem_array(MANY, 1), *out = mem_array(1000, 1);
    size_t got;

    pack(zeros, MANY, GZIP_FORM);
    ck_assert_uint_lt(packed.length, MANY / 150);
    ck_assert_int_eq(unpack(packed.data, packed.length, out, 1000, 1000, &got),
                     ERR_OK);
    ck_assert_uint_eq(got, 1000);
    ck_assert_ptr_null(
        gzip_inflate(packed.data, packed.length, MANY - 1, &got, &e));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    char *all = gzip_inflate(packed.data, packed.length, MANY, &got, &e);
    ck_assert_ptr_nonnull(all);
    ck_assert_uint_eq(got, MANY);
    mem_free(all);
    mem_free(zeros);
    mem_free(out);
}
END_TEST

/* Unlike a body of HTTP, a file of that name has one form. */
START_TEST(a_file_is_gzip_only)
{
    size_t got;

    pack("one", 3, ZLIB_FORM);
    ck_assert_ptr_null(gzip_inflate(packed.data, packed.length, 100, &got, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

Suite *suite_gzip(void)
{
    Suite *s = suite_create("gzip");
    TCase *t = tcase_create("gzip");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, both_forms_come_back_at_every_size);
    tcase_add_test(t, a_text_that_does_not_fit_is_too_large);
    tcase_add_test(t, pieces_of_one_byte_read_the_same);
    tcase_add_test(t, every_prefix_is_cut_off);
    tcase_add_test(t, a_changed_byte_is_damage_or_harmless);
    tcase_add_test(t, members_of_gzip_are_joined_and_nothing_else_follows);
    tcase_add_test(t, the_forms_do_not_mix);
    tcase_add_test(t, what_is_neither_is_refused);
    tcase_add_test(t, a_bomb_is_read_as_far_as_asked);
    tcase_add_test(t, a_file_is_gzip_only);
    suite_add_tcase(s, t);
    return s;
}
