/* Pictures: colour types, real digits, sizes before pixels, resizing, hostile
 * bytes. PNG files are laid by hand, so that they can be of any kind. */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/idx.h"
#include "lib/data/image.h"
#include "tests/lib/data/hostile.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_image(void);

#define MINI "tests/data/mnist-mini/t10k-"

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGBA = 6 };

static void add_number(struct buf *b, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_char(b, (char)(value >> shift & 255));
}

static uint32_t crc32_of(const char *data, size_t length)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void add_chunk(struct buf *b, const char *kind, const void *data,
                      size_t length)
{
    add_number(b, (uint32_t)length);
    size_t start = b->length;
    buf_text(b, kind);
    buf_add(b, data, length);
    add_number(b, crc32_of(b->data + start, b->length - start));
}

/* One stored zlib block. */
static void add_pixels(struct buf *b, const unsigned char *rows, size_t length)
{
    struct buf z;
    uint32_t low = 1, high = 0;
    buf_init(&z, 1 << 16);
    buf_add(&z, "\x78\1\1", 3);
    for (int k = 0; k < 2; k++) {
        size_t value = k == 0 ? length : ~length;
        buf_char(&z, (char)(value & 255));
        buf_char(&z, (char)(value >> 8 & 255));
    }
    buf_add(&z, rows, length);
    for (size_t i = 0; i < length; i++) {
        low = (low + rows[i]) % 65521;
        high = (high + low) % 65521;
    }
    add_number(&z, high << 16 | low);
    add_chunk(b, "IDAT", z.data, z.length);
    buf_fini(&z);
}

/* A PNG file; rows have their filter byte before them. `more` is a chunk for
 * before the pixels: four letters, then its data. */
static struct buf lay_png(uint32_t width, uint32_t height, int depth, int type,
                          const char *more, size_t more_length,
                          const void *rows, size_t length)
{
    struct buf b, head;
    buf_init(&b, 1 << 20);
    buf_init(&head, 100);
    buf_add(&b, "\x89PNG\r\n\x1a\n", 8);
    add_number(&head, width);
    add_number(&head, height);
    buf_char(&head, (char)depth);
    buf_char(&head, (char)type);
    buf_add(&head, "\0\0\0", 3);
    add_chunk(&b, "IHDR", head.data, head.length);
    buf_fini(&head);
    if (type == PALETTE)
        add_chunk(&b, "PLTE", "\xff\0\0\0\xff\0\x0a\x14\x1e", 9);
    if (more != NULL) {
        char kind[5] = {0};
        memcpy(kind, more, 4);
        add_chunk(&b, kind, more + 4, more_length - 4);
    }
    add_pixels(&b, rows, length);
    add_chunk(&b, "IEND", "", 0);
    ck_assert(!buf_failed(&b));
    return b;
}

static const struct {
    int depth, type;
    const char *more;
    size_t more_length;
    const char *row; /* of two pixels */
    size_t length;
    int grey[2];
    int rgb[6];
    size_t channels; /* as image_probe tells them */
} kinds[] = {
    {8,
     GREY,
     NULL,
     0,
     "\0\x10\xff",
     3,
     {16, 255},
     {16, 16, 16, 255, 255, 255},
     1},
    {1, GREY, NULL, 0, "\0\x40", 2, {0, 255}, {0, 0, 0, 255, 255, 255}, 1},
    {4, GREY, NULL, 0, "\0\x2f", 2, {34, 255}, {34, 34, 34, 255, 255, 255}, 1},
    {16,
     GREY,
     NULL,
     0,
     "\0\x80\x80\x12\x12",
     5,
     {128, 18},
     {128, 128, 128, 18, 18, 18},
     1},
    /* the first grey is transparent */
    {8,
     GREY,
     "tRNS\0\x10",
     6,
     "\0\x10\xff",
     3,
     {0, 255},
     {0, 0, 0, 255, 255, 255},
     1},
    {8,
     GREY_ALPHA,
     NULL,
     0,
     "\0\xc8\x80\x64\xff",
     5,
     {100, 100},
     {100, 100, 100, 100, 100, 100},
     1},
    /* 0.299 R + 0.587 G + 0.114 B */
    {8,
     RGB,
     NULL,
     0,
     "\0\xff\0\0\x0a\x14\x1e",
     7,
     {76, 18},
     {255, 0, 0, 10, 20, 30},
     3},
    {8,
     RGBA,
     NULL,
     0,
     "\0\xff\xff\xff\0\x0a\x14\x1e\xff",
     9,
     {0, 18},
     {0, 0, 0, 10, 20, 30},
     3},
    {8, PALETTE, NULL, 0, "\0\1\2", 3, {150, 18}, {0, 255, 0, 10, 20, 30}, 3},
    {2, PALETTE, NULL, 0, "\0\x80", 2, {18, 76}, {10, 20, 30, 255, 0, 0}, 3},
};

START_TEST(every_kind_of_png_is_read_as_grey_and_colour)
{
    struct err e;
    struct image image;
    struct buf b =
        lay_png(2, 1, kinds[_i].depth, kinds[_i].type, kinds[_i].more,
                kinds[_i].more_length, kinds[_i].row, kinds[_i].length);
    ck_assert_msg(image_probe(&image, b.data, b.length, &e) == ERR_OK, "%s",
                  e.msg);
    ck_assert_uint_eq(image.width, 2);
    ck_assert_uint_eq(image.height, 1);
    ck_assert_uint_eq(image.channels, kinds[_i].channels);
    ck_assert_ptr_null(image.pixels);
    for (size_t channels = 1; channels <= 3; channels += 2) {
        const int *want = channels == 1 ? kinds[_i].grey : kinds[_i].rgb;
        ck_assert_msg(image_decode(&image, b.data, b.length, channels, &e) ==
                          ERR_OK,
                      "%s", e.msg);
        ck_assert_uint_eq(image.channels, channels);
        for (size_t k = 0; k < 2 * channels; k++)
            ck_assert_msg(image.pixels[k] == want[k],
                          "kind %d, %zu channels, [%zu]: %d, want %d", _i,
                          channels, k, image.pixels[k], want[k]);
        image_fini(&image);
    }
    buf_fini(&b);
}
END_TEST

/* The first image of that label in the small test set. */
static void find_digit(int label, uint8_t pixels[784])
{
    struct err e;
    struct idx_file images, labels;
    ck_assert_int_eq(idx_open(&images, MINI "images-idx3-ubyte", 1 << 20, &e),
                     ERR_OK);
    ck_assert_int_eq(idx_open(&labels, MINI "labels-idx1-ubyte", 1 << 20, &e),
                     ERR_OK);
    size_t i = 0;
    while (labels.array.data[i] != label)
        i++;
    memcpy(pixels, images.array.data + 784 * i, 784);
    idx_close(&images);
    idx_close(&labels);
}

static struct image read_digit(const char *name)
{
    struct err e;
    struct image image;
    size_t length;
    char *file = file_read(name, 1 << 20, &length, &e);
    ck_assert_msg(file != NULL, "%s", e.msg);
    ck_assert_msg(image_decode(&image, file, length, 1, &e) == ERR_OK, "%s",
                  e.msg);
    mem_free(file);
    ck_assert_uint_eq(image.height, 28);
    ck_assert_uint_eq(image.width, 28);
    return image;
}

START_TEST(digits_are_the_pixels_of_the_data_set)
{
    char name[64];
    uint8_t want[784];
    snprintf(name, sizeof(name), "tests/data/digit-%d.png", _i);
    struct image image = read_digit(name);
    find_digit(_i, want);
    ck_assert_int_eq(memcmp(image.pixels, want, 784), 0);
    image_fini(&image);
}
END_TEST

START_TEST(a_jpeg_digit_is_close_to_the_pixels_of_the_data_set)
{
    uint8_t want[784];
    struct image image = read_digit("tests/data/digit-7.jpg");
    find_digit(7, want);
    int sum = 0;
    for (size_t i = 0; i < 784; i++) {
        int difference = abs(image.pixels[i] - want[i]);
        ck_assert_int_le(difference, 40);
        sum += difference;
    }
    ck_assert_int_le(sum, 3 * 784);
    image_fini(&image);
}
END_TEST

START_TEST(what_is_encoded_is_decoded_the_same)
{
    for (size_t channels = 1; channels <= 3; channels += 2) {
        uint8_t pixels[2 * 3 * 3];
        for (size_t i = 0; i < sizeof(pixels); i++)
            pixels[i] = (uint8_t)(i * 14);
        struct image in = {2, 3, channels, pixels}, out;
        struct buf b;
        struct err e;
        buf_init(&b, 10000);
        buf_text(&b, "x");
        ck_assert_int_eq(image_encode_png(&b, &in, &e), ERR_OK);
        ck_assert(image_is_png(b.data + 1, b.length - 1));
        ck_assert_int_eq(
            image_decode(&out, b.data + 1, b.length - 1, channels, &e), ERR_OK);
        ck_assert_uint_eq(out.height, 2);
        ck_assert_uint_eq(out.width, 3);
        ck_assert_int_eq(memcmp(out.pixels, pixels, 6 * channels), 0);
        image_fini(&out);
        buf_fini(&b);
        buf_init(&b, 20);
        ck_assert_int_eq(image_encode_png(&b, &in, &e), ERR_TOO_LARGE);
        buf_fini(&b);
    }
}
END_TEST

START_TEST(size_is_refused_before_pixels_are_allocated)
{
    static const struct {
        uint32_t width, height;
        const char *message;
    } sizes[] = {
        {60000, 60000, "60000 x 60000"}, {16385, 1, "16385 x 1 "},
        {1, 16385, "1 x 16385 "},        {16384, 16384, "16384 x 16384"},
        {4097, 4096, "4097 x 4096"},
    };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct err e = {.code = ERR_OK};
        struct image image;
        struct buf b = lay_png(sizes[i].width, sizes[i].height, 8, GREY, NULL,
                               0, "\0\0", 2);
        mem_fail_after(0);
        enum err_code code = image_decode(&image, b.data, b.length, 1, &e);
        mem_fail_after(SIZE_MAX);
        ck_assert_msg(code == ERR_TOO_LARGE, "%s", e.msg);
        ck_assert_msg(strstr(e.msg, sizes[i].message) != NULL, "%s", e.msg);
        ck_assert_ptr_nonnull(strstr(e.msg, "at most 16384 a side and "
                                            "16777216 in all"));
        ck_assert_ptr_null(image.pixels);
        buf_fini(&b);
    }
}
END_TEST

START_TEST(a_jpeg_too_large_is_refused_by_its_header)
{
    struct err e;
    struct image image;
    size_t length;
    char *file = file_read("tests/data/digit-7.jpg", 1 << 20, &length, &e);
    size_t i = 0;
    while (memcmp(file + i, "\xff\xc0", 2) != 0)
        i++;
    memcpy(file + i + 5, "\xea\x60\xea\x60", 4); /* 60000 x 60000 */
    ck_assert_int_eq(image_decode(&image, file, length, 1, &e), ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "60000 x 60000"));
    mem_free(file);
}
END_TEST

static enum err_code parse(const void *bytes, size_t length, struct err *e)
{
    struct image image;
    enum err_code code = image_decode(&image, bytes, length, 1, e);
    if (code == ERR_OK)
        ck_assert_ptr_nonnull(image.pixels);
    else
        ck_assert_ptr_null(image.pixels);
    image_fini(&image);
    return code;
}

START_TEST(what_is_no_picture_is_refused)
{
    struct err e;
    ck_assert_int_eq(parse("GIF89a..........", 16, &e), ERR_INVALID);
    ck_assert_str_eq(e.msg, "neither PNG nor JPEG");
    ck_assert_int_eq(parse("", 0, &e), ERR_INVALID);
    struct buf b = lay_png(0, 1, 8, GREY, NULL, 0, "\0", 1);
    ck_assert_int_eq(parse(b.data, b.length, &e), ERR_INVALID);
    buf_fini(&b);
}
END_TEST

/* All but what follows the last pixel: libpng needs no IEND. */
START_TEST(png_prefixes_and_changed_bytes_do_no_harm)
{
    struct buf b =
        lay_png(2, 1, 8, RGBA, NULL, 0, "\0\xff\xff\xff\0\x0a\x14\x1e\xff", 9);
    hostile_prefixes(b.data, b.length - 17, parse);
    ck_assert_uint_gt(hostile_mutations(b.data, b.length, parse), 200);
    buf_fini(&b);
}
END_TEST

START_TEST(a_jpeg_of_tables_alone_is_damaged)
{
    static const unsigned char bytes[] = {0xff, 0xd8, 0xff, 0xd9};
    struct image image = {0};
    struct err e;
    ck_assert_int_eq(image_decode(&image, bytes, sizeof bytes, 1, &e),
                     ERR_INVALID);
    ck_assert_msg(strstr(e.msg, "damaged JPEG") != NULL, "%s", e.msg);
}
END_TEST

START_TEST(jpeg_prefixes_and_changed_bytes_do_no_harm)
{
    struct err e;
    size_t length;
    char *file = file_read("tests/data/digit-7.jpg", 1 << 20, &length, &e);
    ck_assert_msg(file != NULL, "%s", e.msg);
    hostile_prefixes(file, length - 2, parse);
    ck_assert_uint_gt(hostile_mutations(file, length, parse), 200);
    mem_free(file);
}
END_TEST

static void check_resize(size_t height, size_t width, const uint8_t *pixels,
                         size_t new_height, size_t new_width,
                         const uint8_t *want)
{
    uint8_t copy[64];
    struct image in = {height, width, 1, copy}, out;
    struct err e;
    memcpy(copy, pixels, height * width);
    ck_assert_int_eq(image_resize(&out, &in, new_height, new_width, &e),
                     ERR_OK);
    for (size_t i = 0; i < new_height * new_width; i++)
        ck_assert_msg(out.pixels[i] == want[i],
                      "%zux%zu to %zux%zu: [%zu] is %d, want %d", height, width,
                      new_height, new_width, i, out.pixels[i], want[i]);
    image_fini(&out);
}

START_TEST(shrinking_takes_the_mean_of_the_area)
{
    static const uint8_t four[16] = {0,  100, 10, 10, 100, 200, 10, 10,
                                     50, 50,  0,  1,  50,  50,  1,  0};
    check_resize(4, 4, four, 2, 2, (const uint8_t[]){100, 10, 50, 1});
    /* each of two covers one and a half of three */
    check_resize(1, 3, (const uint8_t[]){0, 30, 60}, 1, 2,
                 (const uint8_t[]){10, 50});
    check_resize(3, 1, (const uint8_t[]){0, 30, 60}, 2, 1,
                 (const uint8_t[]){10, 50});
    check_resize(4, 4, four, 1, 1, (const uint8_t[]){40});
}
END_TEST

START_TEST(growing_interpolates_between_centres)
{
    check_resize(1, 2, (const uint8_t[]){0, 100}, 1, 4,
                 (const uint8_t[]){0, 25, 75, 100});
    check_resize(1, 1, (const uint8_t[]){77}, 2, 2,
                 (const uint8_t[]){77, 77, 77, 77});
    check_resize(2, 2, (const uint8_t[]){0, 100, 100, 200}, 2, 2,
                 (const uint8_t[]){0, 100, 100, 200});
    /* one axis shrinks, the other grows */
    check_resize(2, 2, (const uint8_t[]){0, 100, 100, 200}, 1, 4,
                 (const uint8_t[]){50, 75, 125, 150});
}
END_TEST

START_TEST(an_even_picture_stays_even_at_any_size)
{
    uint8_t pixels[13 * 13 * 3];
    struct err e;
    memset(pixels, 255, sizeof(pixels));
    for (size_t in_size = 1; in_size <= 13; in_size += 3)
        for (size_t size = 1; size <= 29; size++) {
            struct image in = {in_size, 13, 3, pixels}, out;
            ck_assert_int_eq(image_resize(&out, &in, size, size, &e), ERR_OK);
            for (size_t i = 0; i < size * size * 3; i++)
                ck_assert_int_eq(out.pixels[i], 255);
            image_fini(&out);
        }
    struct image in = {13, 13, 1, pixels}, out;
    ck_assert_int_eq(image_resize(&out, &in, 16385, 1, &e), ERR_TOO_LARGE);
}
END_TEST

static enum err_code decode_and_resize(void *arg, struct err *e)
{
    const struct buf *b = arg;
    struct image image, small = {0};
    enum err_code code = image_decode(&image, b->data, b->length, 1, e);
    if (code == ERR_OK)
        code = image_resize(&small, &image, 1, 1, e);
    image_fini(&image);
    image_fini(&small);
    return code;
}

START_TEST(out_of_memory_is_an_error_like_others)
{
    struct buf b = lay_png(2, 1, 8, RGB, NULL, 0, "\0\xff\0\0\x0a\x14\x1e", 7);
    hostile_memory(decode_and_resize, &b);
    buf_fini(&b);
}
END_TEST

Suite *suite_image(void)
{
    Suite *s = suite_create("image");
    TCase *t = tcase_create("pictures");
    tcase_add_loop_test(t, every_kind_of_png_is_read_as_grey_and_colour, 0,
                        sizeof(kinds) / sizeof(kinds[0]));
    tcase_add_loop_test(t, digits_are_the_pixels_of_the_data_set, 0, 10);
    tcase_add_test(t, a_jpeg_digit_is_close_to_the_pixels_of_the_data_set);
    tcase_add_test(t, what_is_encoded_is_decoded_the_same);
    suite_add_tcase(s, t);
    t = tcase_create("resizing");
    tcase_add_test(t, shrinking_takes_the_mean_of_the_area);
    tcase_add_test(t, growing_interpolates_between_centres);
    tcase_add_test(t, an_even_picture_stays_even_at_any_size);
    suite_add_tcase(s, t);
    t = tcase_create("hostile files");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, size_is_refused_before_pixels_are_allocated);
    tcase_add_test(t, a_jpeg_too_large_is_refused_by_its_header);
    tcase_add_test(t, what_is_no_picture_is_refused);
    tcase_add_test(t, png_prefixes_and_changed_bytes_do_no_harm);
    tcase_add_test(t, a_jpeg_of_tables_alone_is_damaged);
    tcase_add_test(t, jpeg_prefixes_and_changed_bytes_do_no_harm);
    tcase_add_test(t, out_of_memory_is_an_error_like_others);
    suite_add_tcase(s, t);
    return s;
}
