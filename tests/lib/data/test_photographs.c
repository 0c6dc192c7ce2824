/* Photographs: what is cut, from where, how many, and what is refused. */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/data/dataset.h"
#include "lib/data/image.h"
#include "lib/data/photographs.h"
#include "tests/lib/data/hostile.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

Suite *suite_photographs(void);

enum { SIDE = 6, SIZE = SIDE * SIDE };

static char *folder;

static void make_folder(void)
{
    folder = tmp_folder();
}

static void remove_folder(void)
{
    tmp_remove(folder);
}

static struct dataset_want grey(size_t count, uint64_t seed)
{
    return (struct dataset_want){
        .rank = 2, .shape = {SIDE, SIDE}, .patches = {count, seed}};
}

static struct dataset *load(struct dataset_want want)
{
    struct err e;
    struct dataset *d = dataset_load(folder, &want, &e);
    ck_assert_msg(d != NULL, "%s", e.msg);
    ck_assert_ptr_null(d->labels);
    ck_assert_ptr_nonnull(d->bytes);
    return d;
}

static void refuse(struct dataset_want want, enum err_code code,
                   const char *message)
{
    struct err e = {.code = ERR_OK};
    struct dataset *d = dataset_load(folder, &want, &e);
    ck_assert_msg(d == NULL, "accepted, want '%s'", message);
    ck_assert_msg(e.code == code, "%s: %s", err_name(e.code), e.msg);
    ck_assert_msg(strstr(e.msg, message) != NULL, "want '%s', got '%s'",
                  message, e.msg);
}

static const char *write_picture(const char *name, const struct image *image)
{
    struct buf b;
    struct err e;
    buf_init(&b, 1 << 20);
    ck_assert_int_eq(image_encode_png(&b, image, &e), ERR_OK);
    const char *path = tmp_write(folder, name, b.data, b.length);
    buf_fini(&b);
    return path;
}

/* Random pixels of [low, low + range). */
static void write_noise(const char *name, size_t height, size_t width,
                        size_t low, size_t range)
{
    struct image image = {height, width, 1, mem_array(height, width)};
    struct rng rng = rng_make(height, name, width);
    for (size_t i = 0; i < height * width; i++)
        image.pixels[i] = (uint8_t)(low + rng_below(&rng, range));
    write_picture(name, &image);
    image_fini(&image);
}

/* ---- what is cut ---- */

enum { HALF_HEIGHT = 10, HALF_WIDTH = 17 };

static unsigned mark(size_t y, size_t x)
{
    return (unsigned)(5 + 13 * y + 7 * x) % 240;
}

/* Each square of four pixels has the mean mark(y, x) + channel. */
static void write_marks(const char *name, size_t channels)
{
    static const int around[2][2] = {{-3, 2}, {5, -4}};
    static uint8_t pixels[4 * HALF_HEIGHT * HALF_WIDTH * 3];
    struct image image = {2 * HALF_HEIGHT, 2 * HALF_WIDTH, channels, pixels};
    for (size_t y = 0; y < image.height; y++)
        for (size_t x = 0; x < image.width; x++)
            for (size_t c = 0; c < channels; c++)
                pixels[(y * image.width + x) * channels + c] =
                    (uint8_t)((int)(5 + mark(y / 2, x / 2) + c) +
                              around[y % 2][x % 2]);
    write_picture(name, &image);
}

static bool is_at(const uint8_t *patch, size_t top, size_t left,
                  size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < SIZE; i++)
            if (patch[c * SIZE + i] !=
                5 + mark(top + i / SIDE, left + i % SIDE) + c)
                return false;
    return true;
}

/* Counts in seen where each patch was cut. */
static void find_places(const struct dataset *d, size_t channels,
                        size_t seen[HALF_HEIGHT][HALF_WIDTH])
{
    memset(seen, 0, HALF_HEIGHT * sizeof *seen);
    for (size_t i = 0; i < d->n; i++) {
        size_t found = 0;
        for (size_t y = 0; y + SIDE <= HALF_HEIGHT; y++)
            for (size_t x = 0; x + SIDE <= HALF_WIDTH; x++)
                if (is_at(d->bytes + i * d->row_size, y, x, channels)) {
                    found++;
                    seen[y][x]++;
                }
        ck_assert_msg(found == 1, "patch %zu is at %zu places", i, found);
    }
}

START_TEST(patches_are_windows_of_the_halved_picture)
{
    size_t seen[HALF_HEIGHT][HALF_WIDTH];
    write_marks("a.png", 1);
    struct dataset *d = load(grey(2000, 1));
    ck_assert_uint_eq(d->n, 2000);
    ck_assert_uint_eq(d->rank, 2);
    ck_assert_uint_eq(d->shape[0], SIDE);
    ck_assert_uint_eq(d->row_size, SIZE);
    find_places(d, 1, seen);
    /* 60 places, so 33 patches each, the corners too. */
    for (size_t y = 0; y + SIDE <= HALF_HEIGHT; y++)
        for (size_t x = 0; x + SIDE <= HALF_WIDTH; x++)
            ck_assert_msg(seen[y][x] > 5 && seen[y][x] < 100,
                          "(%zu,%zu): %zu patches", y, x, seen[y][x]);
    dataset_free(d);
}
END_TEST

START_TEST(colour_comes_in_planes)
{
    size_t seen[HALF_HEIGHT][HALF_WIDTH];
    write_marks("a.png", 3);
    struct dataset_want want = {
        .rank = 3, .shape = {3, SIDE, SIDE}, .patches = {50, 1}};
    struct dataset *d = load(want);
    ck_assert_uint_eq(d->rank, 3);
    ck_assert_uint_eq(d->row_size, 3 * SIZE);
    find_places(d, 3, seen);
    dataset_free(d);
    want.shape[0] = 1;
    d = load(want);
    ck_assert_uint_eq(d->rank, 3);
    ck_assert_uint_eq(d->row_size, SIZE);
    dataset_free(d);
}
END_TEST

START_TEST(the_seed_says_what_is_cut)
{
    write_noise("a.png", 40, 40, 0, 255);
    write_noise("b.png", 30, 50, 0, 255);
    struct dataset *a = load(grey(100, 1)), *b = load(grey(100, 1));
    struct dataset *c = load(grey(100, 2));
    ck_assert_mem_eq(a->bytes, b->bytes, 100 * SIZE);
    ck_assert(a->hash == b->hash);
    ck_assert_mem_ne(a->bytes, c->bytes, 100 * SIZE);
    ck_assert(a->hash != c->hash);
    dataset_free(a);
    dataset_free(b);
    dataset_free(c);
}
END_TEST

START_TEST(jpeg_and_a_standard_number_are_taken)
{
    struct err e;
    size_t length;
    char *jpeg = file_read("tests/data/digit-7.jpg", 1 << 20, &length, &e);
    ck_assert_msg(jpeg != NULL, "%s", e.msg);
    tmp_write(folder, "a.JPEG", jpeg, length);
    mem_free(jpeg);
    struct dataset *d = load(grey(0, 0));
    ck_assert_uint_eq(d->n, DATASET_STANDARD_PATCHES);
    dataset_free(d);
}
END_TEST

/* ---- from where ---- */

/* Six pictures that are told by their values: picture i has 40 i .. 40 i + 39.
 */
static void write_six(void)
{
    write_noise("1.png", 40, 40, 0, 40);
    write_noise("2.png", 40, 40, 40, 40);
    write_noise("3.png", 80, 40, 80, 40); /* twice as large */
    write_noise("4.png", 40, 40, 120, 40);
    write_noise("5.png", 40, 40, 160, 40);
    write_noise("6.png", 40, 40, 200, 40);
    tmp_write(folder, "notes.txt", "x", 1);
    tmp_write(folder, ".hidden.png", "x", 1);
}

static void count_sources(const struct dataset *d, size_t count[6])
{
    memset(count, 0, 6 * sizeof *count);
    for (size_t i = 0; i < d->n; i++) {
        size_t sum = 0;
        for (size_t k = 0; k < SIZE; k++)
            sum += d->bytes[i * SIZE + k];
        count[sum / SIZE / 40]++;
    }
}

START_TEST(every_fifth_photograph_is_for_testing)
{
    size_t count[6];
    write_six();
    struct dataset_want want = grey(601, 1);
    struct dataset *d = load(want);
    count_sources(d, count);
    ck_assert_uint_eq(count[4], 0);
    ck_assert_uint_eq(count[0] + count[1] + count[2] + count[3] + count[5],
                      601);
    dataset_free(d);
    want.split = DATASET_TEST;
    d = load(want);
    count_sources(d, count);
    ck_assert_uint_eq(count[4], 601);
    dataset_free(d);
}
END_TEST

START_TEST(large_photographs_give_more_patches)
{
    size_t count[6];
    write_six();
    struct dataset *d = load(grey(600, 1));
    count_sources(d, count);
    ck_assert_uint_eq(count[0], 100);
    ck_assert_uint_eq(count[1], 100);
    ck_assert_uint_eq(count[2], 200);
    ck_assert_uint_eq(count[3], 100);
    ck_assert_uint_eq(count[5], 100);
    dataset_free(d);
    d = load(grey(2, 1)); /* fewer than photographs */
    ck_assert_uint_eq(d->n, 2);
    dataset_free(d);
}
END_TEST

static size_t count_flat(const struct dataset *d)
{
    size_t flat = 0;
    for (size_t i = 0; i < d->n; i++) {
        const uint8_t *patch = d->bytes + i * SIZE;
        size_t same = 0;
        while (same < SIZE && patch[same] == patch[0])
            same++;
        flat += same == SIZE;
    }
    return flat;
}

START_TEST(flat_patches_are_drawn_again_but_not_for_ever)
{
    static uint8_t sky[60 * 60];
    struct image image = {60, 60, 1, sky};
    memset(sky, 200, sizeof sky);
    write_picture("a.png", &image);
    struct dataset *d = load(grey(50, 1));
    ck_assert_uint_eq(count_flat(d), 50);
    dataset_free(d);
    /* The lower third is dark: about half of all patches see only sky. */
    memset(sky + 40 * 60, 20, 20 * 60);
    for (size_t i = 40 * 60; i < 60 * 60; i++)
        sky[i] = (uint8_t)(20 + (i / 2 % 30 + i / 120) % 2 * 60);
    write_picture("a.png", &image);
    d = load(grey(1000, 1));
    ck_assert_uint_eq(count_flat(d), 0);
    dataset_free(d);
}
END_TEST

/* ---- refusals ---- */

START_TEST(the_shape_must_be_that_of_a_picture)
{
    write_noise("a.png", 40, 40, 0, 255);
    refuse((struct dataset_want){0}, ERR_SHAPE, "[height,width]");
    refuse((struct dataset_want){.rank = 1, .shape = {36}}, ERR_SHAPE,
           "[height,width]");
    refuse((struct dataset_want){.rank = 3, .shape = {2, 6, 6}}, ERR_SHAPE,
           "1 or 3 channels");
    refuse((struct dataset_want){.rank = 2, .shape = {1, 16385}}, ERR_SHAPE,
           "16384 a side");
    refuse((struct dataset_want){.rank = 2, .shape = {SIZE_MAX, SIZE_MAX}},
           ERR_SHAPE, "16384 a side");
}
END_TEST

START_TEST(too_many_patches_are_refused_before_any_is_cut)
{
    struct dataset_want want = {
        .rank = 2, .shape = {16384, 16384}, .patches = {1000, 1}};
    write_noise("a.png", 40, 40, 0, 255);
    refuse(want, ERR_TOO_LARGE, "take more than");
    want = grey(100, 1);
    want.max_rows = 99;
    refuse(want, ERR_TOO_LARGE, "100 rows, more than 99");
}
END_TEST

START_TEST(a_photograph_smaller_than_a_patch_is_named)
{
    write_noise("a.png", 40, 40, 0, 255);
    write_noise("b.png", 40, 11, 0, 255);
    refuse(grey(10, 1), ERR_SHAPE, "b.png: photograph of 40 x 11");
    write_noise("b.png", 1, 1, 0, 255);
    refuse(grey(10, 1), ERR_SHAPE, "b.png: photograph of 1 x 1");
    write_noise("b.png", 12, 12, 0, 255);
    dataset_free(load(grey(10, 1)));
}
END_TEST

START_TEST(a_split_without_photographs_is_refused)
{
    struct dataset_want want = grey(10, 1);
    write_noise("a.png", 40, 40, 0, 255);
    want.split = DATASET_TEST;
    refuse(want, ERR_NOT_FOUND, "1 photographs, none for testing");
}
END_TEST

START_TEST(damaged_files_are_named)
{
    struct err e;
    size_t length;
    write_noise("a.png", 40, 40, 0, 255);
    tmp_write(folder, "b.png", "GIF89a", 6);
    refuse(grey(10, 1), ERR_CORRUPT, "b.png: neither PNG nor JPEG");
    char *jpeg = file_read("tests/data/digit-7.jpg", 1 << 20, &length, &e);
    ck_assert_ptr_nonnull(jpeg);
    size_t sizes = 0; /* in the frame's header */
    while (memcmp(jpeg + sizes, "\xff\xc0", 2) != 0)
        sizes++;
    sizes += 5;
    /* The header is whole, the pixels are not. */
    tmp_write(folder, "b.png", jpeg, length / 2);
    refuse(grey(10, 1), ERR_CORRUPT, "b.png: damaged JPEG");
    memcpy(jpeg + sizes, "\xea\x60\xea\x60", 4); /* 60000 x 60000 */
    tmp_write(folder, "b.png", jpeg, length);
    refuse(grey(10, 1), ERR_TOO_LARGE, "b.png: picture of 60000 x 60000");
    mem_free(jpeg);
    tmp_write(folder, "b.png", "", 0);
    refuse(grey(10, 1), ERR_CORRUPT, "b.png: neither PNG nor JPEG");
}
END_TEST

START_TEST(too_many_files_are_refused)
{
    char name[32];
    for (size_t i = 0; i <= PHOTOGRAPHS_MAX_FILES; i++) {
        snprintf(name, sizeof name, "%zu.jpg", i);
        tmp_write(folder, name, "", 0);
    }
    refuse(grey(10, 1), ERR_TOO_LARGE, "more than 10000");
}
END_TEST

START_TEST(only_photographs_are_cut)
{
    struct dataset_want want = grey(10, 1);
    struct dataset_want plain = {.rank = 2, .shape = {SIDE, SIDE}};
    struct err e;
    struct dataset *d;
    mkdir(tmp_path(folder, "class"), 0777);
    write_noise("class/a.png", 40, 40, 0, 255);
    write_noise("stray.png", 40, 40, 0, 255);
    refuse(want, ERR_SHAPE, "cut from a folder of photographs");
    d = dataset_load(folder, &plain, &e);
    ck_assert_msg(d != NULL, "%s", e.msg);
    ck_assert_uint_eq(d->n, 1);
    ck_assert_ptr_nonnull(d->labels);
    dataset_free(d);
    ck_assert(!photographs_match(folder));
    ck_assert(photographs_match(tmp_path(folder, "class")));
    ck_assert(!photographs_match(tmp_path(folder, "none")));
}
END_TEST

static enum err_code load_any(void *arg, struct err *e)
{
    struct dataset *d = dataset_load(folder, arg, e);
    enum err_code code = d != NULL ? ERR_OK : e->code;
    dataset_free(d);
    return code;
}

START_TEST(out_of_memory_is_an_error_like_others)
{
    struct dataset_want want = grey(10, 1);
    write_noise("a.png", 14, 14, 0, 255);
    write_noise("b.png", 14, 14, 0, 255);
    hostile_memory(load_any, &want);
}
END_TEST

Suite *suite_photographs(void)
{
    Suite *s = suite_create("photographs");
    TCase *t = tcase_create("patches");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, patches_are_windows_of_the_halved_picture);
    tcase_add_test(t, colour_comes_in_planes);
    tcase_add_test(t, the_seed_says_what_is_cut);
    tcase_add_test(t, jpeg_and_a_standard_number_are_taken);
    tcase_add_test(t, every_fifth_photograph_is_for_testing);
    tcase_add_test(t, large_photographs_give_more_patches);
    tcase_add_test(t, flat_patches_are_drawn_again_but_not_for_ever);
    suite_add_tcase(s, t);
    t = tcase_create("refusals");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, the_shape_must_be_that_of_a_picture);
    tcase_add_test(t, too_many_patches_are_refused_before_any_is_cut);
    tcase_add_test(t, a_photograph_smaller_than_a_patch_is_named);
    tcase_add_test(t, a_split_without_photographs_is_refused);
    tcase_add_test(t, damaged_files_are_named);
    tcase_add_test(t, too_many_files_are_refused);
    tcase_add_test(t, only_photographs_are_cut);
    tcase_add_test(t, out_of_memory_is_an_error_like_others);
    suite_add_tcase(s, t);
    return s;
}
