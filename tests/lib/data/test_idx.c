/* IDX and gzip: element types, real digits, gzipped files and bombs, hostile
 * bytes. */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/gzip.h"
#include "lib/data/idx.h"
#include "tests/lib/data/hostile.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_idx(void);

/* Images (2,2,3) with pixels 0 to 11. */
static const char images[28] = "\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\3"
                               "\0\1\2\3\4\5\6\7\10\11\12\13";

/* The same, as gzip -9 writes it. */
static const unsigned char images_gz[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x63,
    0x60, 0xe0, 0x60, 0x66, 0x60, 0x60, 0x60, 0x82, 0x62, 0x66, 0x06,
    0x46, 0x26, 0x66, 0x16, 0x56, 0x36, 0x76, 0x0e, 0x4e, 0x2e, 0x6e,
    0x00, 0x78, 0x1e, 0x23, 0x84, 0x1c, 0x00, 0x00, 0x00};

/* 100,000 zeros in 132 bytes: here are the first 20 and the last 16. */
static void make_bomb(unsigned char bomb[132])
{
    static const unsigned char start[20] = {
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
        0xed, 0xc1, 0x31, 0x01, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0xf5};
    static const unsigned char next[6] = {0x4f, 0x6d, 0x0d, 0x0f, 0xa0, 0};
    static const unsigned char end[11] = {0x80, 0x57, 0x03, 0x7d, 0x95, 0x11,
                                          0xd4, 0xa0, 0x86, 0x01, 0x00};
    memset(bomb, 0, 132);
    memcpy(bomb, start, sizeof(start));
    memcpy(bomb + 20, next, sizeof(next));
    memcpy(bomb + 121, end, sizeof(end));
}

static enum err_code parse(const void *bytes, size_t length, struct err *e)
{
    struct npy a;
    enum err_code code = idx_parse(&a, bytes, length, e);
    if (code == ERR_OK) {
        ck_assert_uint_le(a.count, length);
        float *floats = calloc(a.count + 1, sizeof(*floats));
        npy_to_floats(&a, floats);
        free(floats);
    }
    return code;
}

static enum err_code inflate_all(const void *bytes, size_t length,
                                 struct err *e)
{
    size_t n = 0;
    char *out = gzip_inflate(bytes, length, 1000, &n, e);
    ck_assert_uint_le(n, 1000);
    mem_free(out);
    return out != NULL ? ERR_OK : e->code;
}

START_TEST(bytes_are_rows_of_pixels)
{
    struct npy a;
    struct err e;
    ck_assert_int_eq(idx_parse(&a, images, sizeof(images), &e), ERR_OK);
    ck_assert(npy_is_bytes(&a));
    ck_assert_uint_eq(a.rank, 3);
    ck_assert_uint_eq(a.shape[0], 2);
    ck_assert_uint_eq(a.shape[2], 3);
    ck_assert_uint_eq(a.count, 12);
    ck_assert_uint_eq(a.data[11], 11);
}
END_TEST

START_TEST(every_element_type_is_big_endian)
{
    static const struct {
        const char *bytes;
        size_t length;
        float want;
    } types[] = {
        {"\0\0\x09\1\0\0\0\1\xfe", 9, -2},
        {"\0\0\x0b\1\0\0\0\1\1\2", 10, 258},
        {"\0\0\x0c\1\0\0\0\1\xff\xff\xff\xfe", 12, -2},
        {"\0\0\x0d\1\0\0\0\1\x3f\x80\0\0", 12, 1},
        {"\0\0\x0e\1\0\0\0\1\xc0\0\0\0\0\0\0\0", 16, -2},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct npy a;
        struct err e;
        float got;
        ck_assert_int_eq(idx_parse(&a, types[i].bytes, types[i].length, &e),
                         ERR_OK);
        ck_assert_uint_eq(a.count, 1);
        npy_to_floats(&a, &got);
        ck_assert(got == types[i].want);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *message;
    } cases[] = {
        {"", 0, "not an IDX file"},
        {"\0\1\x08\1\0\0\0\0", 8, "not an IDX file"},
        {"\0\0\x0a\1\0\0\0\0", 8, "element type 0x0a"},
        {"\0\0\x08\0\0\0\0\0", 8, "0 axes"},
        {"\0\0\x08\x09\0\0\0\0", 8, "9 axes"},
        {"\0\0\x08\2\0\0\0\0", 8, "header is cut off"},
        {"\0\0\x08\1\0\0\0\2x", 9, "want 2 bytes of data, the file has 1"},
        {"\0\0\x08\1\0\0\0\2xxx", 11, "want 2 bytes of data, the file has 3"},
        {"\0\0\x0e\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16,
         "overflows"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = {.code = ERR_OK};
        ck_assert_int_eq(parse(cases[i].bytes, cases[i].length, &e),
                         ERR_INVALID);
        ck_assert_msg(strstr(e.msg, cases[i].message) != NULL,
                      "want '%s', got '%s'", cases[i].message, e.msg);
    }
}
END_TEST

START_TEST(no_prefix_and_no_changed_byte_does_harm)
{
    hostile_prefixes(images, sizeof(images), parse);
    ck_assert_uint_gt(hostile_mutations(images, sizeof(images), parse), 50);
}
END_TEST

START_TEST(real_digits_are_read)
{
    struct err e;
    struct idx_file f;
    ck_assert_msg(idx_open(&f, "tests/data/mnist-mini/t10k-images-idx3-ubyte",
                           1 << 20, &e) == ERR_OK,
                  "%s", e.msg);
    ck_assert_uint_eq(f.array.shape[0], 100);
    ck_assert_uint_eq(f.array.shape[1], 28);
    idx_close(&f);
    ck_assert_int_eq(
        idx_open(&f, "tests/data/mnist-mini/t10k-images-idx3-ubyte", 1000, &e),
        ERR_TOO_LARGE);
    ck_assert_int_eq(idx_open(&f, "tests/data/none", 1000, &e), ERR_NOT_FOUND);
}
END_TEST

START_TEST(gzipped_files_are_read_like_plain_ones)
{
    struct err e;
    struct idx_file f;
    char *folder = tmp_folder();
    const char *path = tmp_write(folder, "a.gz", images_gz, sizeof(images_gz));
    ck_assert_msg(idx_open(&f, path, 28, &e) == ERR_OK, "%s", e.msg);
    ck_assert_uint_eq(f.array.count, 12);
    ck_assert_uint_eq(f.array.data[11], 11);
    idx_close(&f);
    ck_assert_int_eq(idx_open(&f, path, 27, &e), ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "a.gz: "));
    tmp_remove(folder);
}
END_TEST

START_TEST(members_of_a_gzip_file_are_joined)
{
    unsigned char two[2 * sizeof(images_gz)];
    size_t length;
    struct err e;
    memcpy(two, images_gz, sizeof(images_gz));
    memcpy(two + sizeof(images_gz), images_gz, sizeof(images_gz));
    char *out = gzip_inflate(two, sizeof(two), 56, &length, &e);
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(length, 56);
    ck_assert_int_eq(memcmp(out, images, 28), 0);
    ck_assert_int_eq(memcmp(out + 28, images, 28), 0);
    mem_free(out);
    ck_assert_ptr_null(gzip_inflate(two, sizeof(two), 55, &length, &e));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    ck_assert_ptr_null(
        gzip_inflate(two, sizeof(images_gz) + 1, 100, &length, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

START_TEST(a_bomb_stops_at_the_limit)
{
    unsigned char bomb[132];
    size_t length;
    struct err e;
    make_bomb(bomb);
    char *out = gzip_inflate(bomb, sizeof(bomb), 100000, &length, &e);
    ck_assert_msg(out != NULL, "%s", e.msg);
    ck_assert_uint_eq(length, 100000);
    mem_free(out);
    ck_assert_ptr_null(gzip_inflate(bomb, sizeof(bomb), 99999, &length, &e));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "more than 99999 bytes"));
}
END_TEST

START_TEST(gzip_prefixes_and_changed_bytes_do_no_harm)
{
    hostile_prefixes(images_gz, sizeof(images_gz), inflate_all);
    /* All but the header's flags, time and system are under a checksum. */
    ck_assert_uint_gt(
        hostile_mutations(images_gz, sizeof(images_gz), inflate_all), 200);
}
END_TEST

static enum err_code open_gzipped(void *path, struct err *e)
{
    struct idx_file f;
    enum err_code code = idx_open(&f, path, 1000, e);
    if (code == ERR_OK)
        idx_close(&f);
    return code;
}

START_TEST(out_of_memory_is_an_error_like_others)
{
    char *folder = tmp_folder();
    char path[256];
    tmp_write(folder, "a.gz", images_gz, sizeof(images_gz));
    struct err e;
    ck_assert_int_eq(file_join(path, sizeof(path), folder, "a.gz", &e), ERR_OK);
    hostile_memory(open_gzipped, path);
    tmp_remove(folder);
}
END_TEST

Suite *suite_idx(void)
{
    Suite *s = suite_create("idx");
    TCase *t = tcase_create("files");
    tcase_add_test(t, bytes_are_rows_of_pixels);
    tcase_add_test(t, every_element_type_is_big_endian);
    tcase_add_test(t, real_digits_are_read);
    suite_add_tcase(s, t);
    t = tcase_create("gzip");
    tcase_add_test(t, gzipped_files_are_read_like_plain_ones);
    tcase_add_test(t, members_of_a_gzip_file_are_joined);
    suite_add_tcase(s, t);
    t = tcase_create("hostile files");
    tcase_add_test(t, what_does_not_fit_is_refused);
    tcase_add_test(t, no_prefix_and_no_changed_byte_does_harm);
    tcase_add_test(t, a_bomb_stops_at_the_limit);
    tcase_add_test(t, gzip_prefixes_and_changed_bytes_do_no_harm);
    tcase_add_test(t, out_of_memory_is_an_error_like_others);
    suite_add_tcase(s, t);
    return s;
}
