/* Data sets: each format, the wanted shape, labels, and what is refused. */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/dataset.h"
#include "lib/data/image.h"
#include "lib/data/npz.h"
#include "tests/lib/data/hostile.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

Suite *suite_dataset(void);

#define MINI "tests/data/mnist-mini"

static char *folder;

static void make_folder(void)
{
    folder = tmp_folder();
}

static void remove_folder(void)
{
    tmp_remove(folder);
}

static struct dataset *load(const char *path, struct dataset_want want)
{
    struct err e;
    struct dataset *d = dataset_load(path, &want, &e);
    ck_assert_msg(d != NULL, "%s: %s", path, e.msg);
    return d;
}

static void refuse(const char *path, struct dataset_want want,
                   enum err_code code, const char *message)
{
    struct err e = {.code = ERR_OK};
    struct dataset *d = dataset_load(path, &want, &e);
    ck_assert_msg(d == NULL, "%s was accepted, want '%s'", path, message);
    ck_assert_msg(e.code == code, "%s: %s", err_name(e.code), e.msg);
    ck_assert_msg(strstr(e.msg, message) != NULL, "want '%s', got '%s'",
                  message, e.msg);
}

static const char *write_buf(const char *name, struct buf *b)
{
    ck_assert(!buf_failed(b));
    const char *path = tmp_write(folder, name, b->data, b->length);
    buf_fini(b);
    return path;
}

static const char *write_npy(const char *name, const size_t *shape, size_t rank,
                             const float *values)
{
    struct buf b;
    buf_init(&b, 100000);
    npy_print_floats(&b, shape, rank, values);
    return write_buf(name, &b);
}

/* ---- IDX ---- */

START_TEST(idx_folders_have_splits)
{
    struct dataset *train = load(MINI, (struct dataset_want){0});
    struct dataset *test =
        load(MINI, (struct dataset_want){.split = DATASET_TEST});
    ck_assert_uint_eq(train->n, 200);
    ck_assert_uint_eq(test->n, 100);
    ck_assert_uint_eq(test->rank, 2);
    ck_assert_uint_eq(test->shape[0], 28);
    ck_assert_uint_eq(test->row_size, 784);
    ck_assert_ptr_nonnull(test->bytes);
    ck_assert_ptr_null(test->floats);
    ck_assert_uint_eq(test->n_classes, 10);
    ck_assert_ptr_null(test->classes);
    int count[10] = {0};
    for (size_t i = 0; i < 100; i++)
        count[test->labels[i]]++;
    for (size_t k = 0; k < 10; k++)
        ck_assert_int_eq(count[k], 10);
    ck_assert(train->hash != test->hash);
    dataset_free(train);
    dataset_free(test);
}
END_TEST

/* An IDX file of n rows of 2 x 2, or n labels that count up from 0. */
static void write_idx(const char *name, size_t n, bool labels)
{
    struct buf b;
    buf_init(&b, 100000);
    buf_add(&b, labels ? "\0\0\x08\1" : "\0\0\x08\3", 4);
    buf_add(&b, "\0\0\0", 3);
    buf_char(&b, (char)n);
    if (!labels)
        buf_add(&b, "\0\0\0\2\0\0\0\2", 8);
    for (size_t i = 0; i < (labels ? n : 4 * n); i++)
        buf_char(&b, (char)i);
    write_buf(name, &b);
}

START_TEST(idx_rows_without_labels_are_unlabelled)
{
    write_idx("t10k-images-idx3-ubyte", 3, false);
    struct dataset *d =
        load(folder, (struct dataset_want){.split = DATASET_TEST});
    ck_assert_uint_eq(d->n, 3);
    ck_assert_ptr_null(d->labels);
    ck_assert_uint_eq(d->n_classes, 0);
    dataset_free(d);
    refuse(folder, (struct dataset_want){0}, ERR_NOT_FOUND,
           "no file train-*images*");
}
END_TEST

START_TEST(idx_counts_must_agree)
{
    write_idx("train-images-idx3-ubyte", 3, false);
    write_idx("train-labels-idx1-ubyte", 2, true);
    refuse(folder, (struct dataset_want){0}, ERR_CORRUPT,
           "train-labels-idx1-ubyte: 3 rows but 2 labels");
    write_idx("train-labels-idx1-ubyte", 3, false);
    refuse(folder, (struct dataset_want){0}, ERR_CORRUPT,
           "labels: an array of 3 axes");
    tmp_write(folder, "train-labels-idx1-ubyte", "\0\0\x08\1", 4);
    refuse(folder, (struct dataset_want){0}, ERR_CORRUPT, "cut off");
}
END_TEST

START_TEST(plain_idx_comes_before_gzipped)
{
    write_idx("train-images-idx3-ubyte", 2, false);
    tmp_write(folder, "train-images-idx3-ubyte.gz", "damaged", 7);
    struct dataset *d = load(folder, (struct dataset_want){0});
    ck_assert_uint_eq(d->n, 2);
    dataset_free(d);
}
END_TEST

/* ---- npy, npz, csv ---- */

START_TEST(npy_bytes_stay_bytes_and_numbers_become_floats)
{
    static const float values[6] = {0, -1, 2.5f, 3, 4, 5};
    const size_t shape[2] = {2, 3};
    struct dataset *d =
        load(write_npy("a.npy", shape, 2, values), (struct dataset_want){0});
    ck_assert_uint_eq(d->n, 2);
    ck_assert_uint_eq(d->rank, 1);
    ck_assert_uint_eq(d->row_size, 3);
    ck_assert_ptr_null(d->labels);
    float out[6];
    dataset_rows(d, (const uint32_t[]){1, 0}, 2, -5, 5, out);
    ck_assert(out[0] == 3 && out[3] == 0 && out[5] == 2.5f);
    dataset_free(d);

    struct buf b;
    buf_init(&b, 1000);
    buf_add(&b, "\x93NUMPY\1\0\x40\0", 10);
    buf_printf(&b, "%-63s\n",
               "{'descr': '|u1', 'fortran_order': False, 'shape': (2,2)}");
    buf_add(&b, "\0\x33\xff\x80", 4);
    d = load(write_buf("b.NPY", &b), (struct dataset_want){0});
    ck_assert_ptr_nonnull(d->bytes);
    dataset_rows(d, (const uint32_t[]){0, 1}, 2, 0, 1, out);
    ck_assert(out[0] == 0 && out[2] == 1);
    ck_assert(out[1] == 51 / 255.0f && out[3] == 128 / 255.0f);
    dataset_rows(d, (const uint32_t[]){1}, 1, -1, 1, out);
    ck_assert(out[0] == 1);
    dataset_rows(d, (const uint32_t[]){0}, 1, -1, 1, out);
    ck_assert(out[0] == -1);
    dataset_free(d);
}
END_TEST

START_TEST(npy_that_are_no_rows_are_refused)
{
    static const float values[3] = {1, NAN, 2};
    const size_t flat[1] = {3}, empty[2] = {0, 3}, one[2] = {1, 3};
    const size_t deep[5] = {1, 1, 1, 1, 1};
    refuse(write_npy("a.npy", flat, 1, values), (struct dataset_want){0},
           ERR_CORRUPT, "a.npy: an array of 1 axes");
    refuse(write_npy("a.npy", deep, 5, values), (struct dataset_want){0},
           ERR_CORRUPT, "an array of 5 axes");
    refuse(write_npy("a.npy", empty, 2, values), (struct dataset_want){0},
           ERR_CORRUPT, "no rows");
    refuse(write_npy("a.npy", one, 2, values), (struct dataset_want){0},
           ERR_CORRUPT, "row 0 has a number that is not finite");
    refuse(tmp_write(folder, "b.npy", "", 0), (struct dataset_want){0},
           ERR_CORRUPT, "b.npy: not an npy file");
}
END_TEST

static const char *write_npz_of(const char *x_key, const char *y_key,
                                long long last_label, size_t labels)
{
    static const float x[4] = {1, 2, 3, 4};
    const long long y[3] = {1, last_label, 0};
    const struct npz_array arrays[] = {
        {.key = x_key, .rank = 2, .shape = {2, 2}, .floats = x},
        {.key = y_key, .rank = 1, .shape = {labels}, .ints = y},
    };
    struct err e;
    const char *path = tmp_path(folder, "a.npz");
    ck_assert_int_eq(npz_write(path, arrays, 2, &e), ERR_OK);
    return path;
}

START_TEST(npz_labels_may_be_missing_by_row_or_altogether)
{
    struct dataset_want want = {0};
    struct dataset *d = load(write_npz_of("x", "y", -1, 2), want);
    ck_assert_int_eq(d->labels[0], 1);
    ck_assert_int_eq(d->labels[1], DATASET_NO_LABEL);
    ck_assert_uint_eq(d->n_classes, 2);
    dataset_free(d);
    d = load(write_npz_of("x", "z", 0, 2), want);
    ck_assert_ptr_null(d->labels);
    dataset_free(d);
    d = load(write_npz_of("x_train", "y_train", 5, 2), want);
    ck_assert_uint_eq(d->n_classes, 6);
    dataset_free(d);
    want.split = DATASET_TEST;
    refuse(tmp_path(folder, "a.npz"), want, ERR_NOT_FOUND,
           "a.npz: npz: no member x.npy");
}
END_TEST

START_TEST(npz_labels_must_fit)
{
    struct dataset_want want = {0};
    refuse(write_npz_of("x", "y", -2, 2), want, ERR_CORRUPT,
           "y.npy: label -2 of row 1: want 0 to 65535");
    refuse(write_npz_of("x", "y", 65536, 2), want, ERR_CORRUPT,
           "label 65536 of row 1");
    struct dataset *d = load(write_npz_of("x", "y", 65535, 2), want);
    ck_assert_uint_eq(d->n_classes, 65536);
    dataset_free(d);
    refuse(write_npz_of("x", "y", 0, 3), want, ERR_CORRUPT,
           "2 rows but 3 labels");
    want.max_rows = 1;
    refuse(write_npz_of("x", "y", 0, 2), want, ERR_TOO_LARGE,
           "2 rows, more than 1");
}
END_TEST

START_TEST(csv_columns_are_a_row)
{
    const char *text = "a,b,label\n1,2,1\n3,4,0\n";
    struct dataset_want want = {0};
    struct dataset *d =
        load(tmp_write(folder, "a.csv", text, strlen(text)), want);
    ck_assert_uint_eq(d->n, 2);
    ck_assert_uint_eq(d->row_size, 2);
    ck_assert_uint_eq(d->n_classes, 2);
    ck_assert_int_eq(d->labels[0], 1);
    dataset_free(d);
    refuse(tmp_write(folder, "b.csv", "1,2\n3\n", 6), want, ERR_CORRUPT,
           "b.csv: line 2 has fewer");
    want.max_rows = 1;
    refuse(tmp_path(folder, "a.csv"), want, ERR_TOO_LARGE, "a.csv: 2 rows");
}
END_TEST

/* ---- folders of pictures ---- */

static void write_png(const char *class, const char *name, size_t height,
                      size_t width, size_t channels, uint8_t value)
{
    uint8_t pixels[400];
    struct buf b;
    struct err e;
    char path[256];
    ck_assert_uint_le(height * width * channels, sizeof(pixels));
    memset(pixels, value, sizeof(pixels));
    if (channels == 3) /* red */
        for (size_t i = 0; i < height * width; i++)
            pixels[3 * i + 1] = pixels[3 * i + 2] = 0;
    struct image image = {height, width, channels, pixels};
    mkdir(tmp_path(folder, class), 0777);
    snprintf(path, sizeof(path), "%s/%s", class, name);
    buf_init(&b, 10000);
    ck_assert_int_eq(image_encode_png(&b, &image, &e), ERR_OK);
    write_buf(path, &b);
}

START_TEST(class_folders_are_labels_in_the_order_of_names)
{
    write_png("b", "2.png", 2, 3, 1, 20);
    write_png("b", "1.PNG", 2, 3, 1, 10);
    write_png("a", "9.png", 2, 3, 1, 90);
    tmp_write(folder, "a/readme.txt", "x", 1);
    tmp_write(folder, "a/.hidden.png", "x", 1);
    tmp_write(folder, "stray.png", "x", 1);
    struct dataset *d = load(folder, (struct dataset_want){0});
    ck_assert_uint_eq(d->n, 3);
    ck_assert_uint_eq(d->rank, 2);
    ck_assert_uint_eq(d->shape[0], 2);
    ck_assert_uint_eq(d->shape[1], 3);
    ck_assert_uint_eq(d->n_classes, 2);
    ck_assert_str_eq(d->classes[0], "a");
    ck_assert_str_eq(d->classes[1], "b");
    ck_assert_int_eq(d->labels[0], 0);
    ck_assert_int_eq(d->labels[2], 1);
    ck_assert_uint_eq(d->bytes[0], 90);
    ck_assert_uint_eq(d->bytes[6], 10);
    ck_assert_uint_eq(d->bytes[12], 20);
    dataset_free(d);
}
END_TEST

START_TEST(pictures_are_converted_to_the_wanted_shape)
{
    struct dataset_want want = {.rank = 2, .shape = {4, 4}};
    write_png("a", "1.png", 8, 8, 1, 50);
    write_png("a", "2.png", 3, 3, 3, 255);
    struct dataset *d = load(folder, want);
    ck_assert_uint_eq(d->n, 2);
    ck_assert_uint_eq(d->row_size, 16);
    ck_assert_uint_eq(d->bytes[0], 50);
    ck_assert_uint_eq(d->bytes[16], 76);
    dataset_free(d);
    want = (struct dataset_want){.rank = 3, .shape = {3, 2, 2}};
    d = load(folder, want);
    ck_assert_uint_eq(d->row_size, 12);
    ck_assert_uint_eq(d->bytes[12 + 3], 255); /* planes: red first */
    ck_assert_uint_eq(d->bytes[12 + 4], 0);
    dataset_free(d);
    want = (struct dataset_want){.rank = 3, .shape = {1, 2, 2}};
    d = load(folder, want);
    ck_assert_uint_eq(d->rank, 3);
    ck_assert_uint_eq(d->row_size, 4);
    dataset_free(d);
    want = (struct dataset_want){.rank = 3, .shape = {2, 2, 2}};
    refuse(folder, want, ERR_SHAPE, "1 or 3 channels, the model takes 2");
}
END_TEST

START_TEST(pictures_that_do_not_fit_are_named)
{
    struct dataset_want none = {0};
    refuse(folder, none, ERR_CORRUPT, "no class folders with");
    write_png("a", "1.png", 2, 2, 1, 1);
    write_png("b", "1.png", 2, 3, 1, 1);
    refuse(folder, none, ERR_SHAPE, "b/1.png: picture of 3 x 2");
    tmp_write(folder, "b/1.png", "\x89PNG\r\n\x1a\nxx", 10);
    refuse(folder, none, ERR_CORRUPT, "b/1.png: damaged PNG");
    tmp_write(folder, "b/1.png", "GIF", 3);
    refuse(folder, none, ERR_CORRUPT, "b/1.png: neither PNG nor JPEG");
    none.max_rows = 1;
    refuse(folder, none, ERR_TOO_LARGE, "more than 1 pictures");
}
END_TEST

/* ---- for all of them ---- */

START_TEST(flat_rows_take_the_wanted_shape_and_images_must_have_it)
{
    static const float values[12];
    const size_t flat[2] = {1, 12}, last[4] = {1, 2, 2, 3};
    struct dataset_want want = {.rank = 2, .shape = {3, 4}};
    struct dataset *d = load(write_npy("a.npy", flat, 2, values), want);
    ck_assert_uint_eq(d->rank, 2);
    ck_assert_uint_eq(d->shape[1], 4);
    dataset_free(d);
    want = (struct dataset_want){.rank = 3, .shape = {3, 2, 2}};
    refuse(write_npy("b.npy", last, 4, values), want, ERR_SHAPE,
           "b.npy: rows of shape (2,2,3), want (3,2,2)");
    want = (struct dataset_want){.rank = 1, .shape = {12}};
    d = load(tmp_path(folder, "b.npy"), want);
    ck_assert_uint_eq(d->rank, 1);
    dataset_free(d);
    want = (struct dataset_want){.rank = 1, .shape = {13}};
    refuse(tmp_path(folder, "b.npy"), want, ERR_SHAPE,
           "rows of shape (2,2,3), want (13)");
    want = (struct dataset_want){.rank = 3, .shape = {1, 28, 28}};
    d = load(MINI, want);
    ck_assert_uint_eq(d->rank, 3);
    dataset_free(d);
    want = (struct dataset_want){.rank = 2, .shape = {14, 56}};
    refuse(MINI, want, ERR_SHAPE, "rows of shape (28,28), want (14,56)");
}
END_TEST

START_TEST(fingerprint_tells_rows_labels_and_shape_apart)
{
    struct dataset_want want = {0};
    uint64_t hash[4];
    struct dataset *d = load(write_npz_of("x", "y", 0, 2), want);
    hash[0] = d->hash;
    dataset_free(d);
    d = load(write_npz_of("x", "y", 1, 2), want);
    hash[1] = d->hash;
    dataset_free(d);
    d = load(write_npz_of("x", "z", 1, 2), want);
    hash[2] = d->hash;
    dataset_free(d);
    want = (struct dataset_want){.rank = 2, .shape = {2, 1}};
    d = load(tmp_path(folder, "a.npz"), want);
    hash[3] = d->hash;
    dataset_free(d);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert(hash[i] != hash[k]);
    d = load(write_npz_of("x", "y", 0, 2), (struct dataset_want){0});
    ck_assert(d->hash == hash[0]);
    dataset_free(d);
}
END_TEST

START_TEST(what_is_no_data_set_gets_the_list_of_formats)
{
    struct dataset_want want = {0};
    refuse(tmp_path(folder, "none"), want, ERR_NOT_FOUND, "no data set: want");
    refuse(tmp_write(folder, "a.txt", "1", 1), want, ERR_NOT_FOUND,
           "a .npy file, a .npz file, a .csv file");
    refuse("", want, ERR_NOT_FOUND, "no data set");
}
END_TEST

static enum err_code load_any(void *path, struct err *e)
{
    struct dataset_want want = {0};
    struct dataset *d = dataset_load(path, &want, e);
    enum err_code code = d != NULL ? ERR_OK : e->code;
    dataset_free(d);
    return code;
}

START_TEST(out_of_memory_is_an_error_like_others)
{
    char path[256];
    snprintf(path, sizeof(path), "%s", write_npz_of("x", "y", 0, 2));
    hostile_memory(load_any, path);
    char mini[] = MINI;
    hostile_memory(load_any, mini);
    const char *text = "a,label\n1,2\n";
    snprintf(path, sizeof(path), "%s",
             tmp_write(folder, "a.csv", text, strlen(text)));
    hostile_memory(load_any, path);
    write_png("a", "1.png", 2, 2, 1, 1);
    write_png("b", "1.png", 2, 2, 1, 1);
    hostile_memory(load_any, folder);
}
END_TEST

Suite *suite_dataset(void)
{
    Suite *s = suite_create("dataset");
    TCase *t = tcase_create("idx");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, idx_folders_have_splits);
    tcase_add_test(t, idx_rows_without_labels_are_unlabelled);
    tcase_add_test(t, idx_counts_must_agree);
    tcase_add_test(t, plain_idx_comes_before_gzipped);
    suite_add_tcase(s, t);
    t = tcase_create("files");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, npy_bytes_stay_bytes_and_numbers_become_floats);
    tcase_add_test(t, npy_that_are_no_rows_are_refused);
    tcase_add_test(t, npz_labels_may_be_missing_by_row_or_altogether);
    tcase_add_test(t, npz_labels_must_fit);
    tcase_add_test(t, csv_columns_are_a_row);
    suite_add_tcase(s, t);
    t = tcase_create("pictures");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, class_folders_are_labels_in_the_order_of_names);
    tcase_add_test(t, pictures_are_converted_to_the_wanted_shape);
    tcase_add_test(t, pictures_that_do_not_fit_are_named);
    suite_add_tcase(s, t);
    t = tcase_create("all formats");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, flat_rows_take_the_wanted_shape_and_images_must_have_it);
    tcase_add_test(t, fingerprint_tells_rows_labels_and_shape_apart);
    tcase_add_test(t, what_is_no_data_set_gets_the_list_of_formats);
    tcase_add_test(t, out_of_memory_is_an_error_like_others);
    suite_add_tcase(s, t);
    return s;
}
