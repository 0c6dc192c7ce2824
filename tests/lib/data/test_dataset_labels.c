/* Labels of data sets that are texts: names in order, rows without one, what
 * cannot be a name; and texts written as npy.
 */
#include "lib/base/mem.h"
#include "lib/data/dataset.h"
#include "lib/data/npz.h"
#include "tests/lib/data/hostile.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_dataset_labels(void);

#define EURO "\xE2\x82\xAC"
#define SMILE "\xF0\x9F\x98\x80"

static const struct dataset_want want;
static char *folder;

static void set_up(void)
{
    folder = tmp_folder();
}

static void tear_down(void)
{
    tmp_remove(folder);
}

/* Rows of one number, with these labels. */
static const char *write_rows(const char *const *labels, size_t n)
{
    static const float x[8];
    const struct npz_array arrays[] = {
        {.key = "x", .rank = 2, .shape = {n, 1}, .floats = x},
        {.key = "y", .rank = 1, .shape = {n}, .texts = labels}};
    const char *path = tmp_path(folder, "a.npz");
    struct err e = {.code = ERR_OK};

    ck_assert_msg(npz_write(path, arrays, 2, &e) == ERR_OK, "%s", e.msg);
    return path;
}

START_TEST(names_are_classes_in_order_and_empty_is_none)
{
    static const char *const labels[] = {"b", "", EURO, "a", "b", "B" SMILE};
    static const char *const classes[] = {"B" SMILE, "a", "b", EURO};
    static const int32_t numbers[] = {2, -1, 3, 1, 2, 0};
    struct err e = {.code = ERR_OK};
    struct dataset *d = dataset_load(write_rows(labels, 6), &want, &e);

    ck_assert_msg(d != NULL, "%s", e.msg);
    ck_assert_uint_eq(d->n_classes, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(d->classes[i], classes[i]);
    ck_assert_mem_eq(d->labels, numbers, sizeof numbers);
    dataset_free(d);
}
END_TEST

START_TEST(rows_without_any_name_have_no_labels)
{
    static const char *const labels[] = {"", "", ""};
    struct err e = {.code = ERR_OK};
    struct dataset *d = dataset_load(write_rows(labels, 3), &want, &e);

    ck_assert_msg(d != NULL, "%s", e.msg);
    ck_assert_ptr_null(d->labels);
    ck_assert_uint_eq(d->n_classes, 0);
    dataset_free(d);
}
END_TEST

START_TEST(a_name_is_no_longer_than_a_folders)
{
    char longest[257];
    const char *labels[] = {"a", longest};
    struct err e;

    memset(longest, 'x', sizeof longest);
    longest[256] = 0;
    ck_assert_ptr_null(dataset_load(write_rows(labels, 2), &want, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "element 1"));
    longest[255] = 0;
    struct dataset *d = dataset_load(write_rows(labels, 2), &want, &e);
    ck_assert_ptr_nonnull(d);
    dataset_free(d);
}
END_TEST

static enum err_code load_again(void *path, struct err *e)
{
    struct dataset *d = dataset_load(path, &want, e);
    enum err_code code = d != NULL ? ERR_OK : e->code;

    dataset_free(d);
    return code;
}

START_TEST(out_of_memory_is_an_error_like_others)
{
    static const char *const labels[] = {"b", "", "a", "b"};
    char path[4096];

    snprintf(path, sizeof path, "%s", write_rows(labels, 4));
    hostile_memory(load_again, path);
}
END_TEST

START_TEST(printed_texts_are_read_back)
{
    static const char *const texts[] = {"", EURO SMILE "x", "a"};
    struct err e;
    struct npy a;
    struct buf b;

    buf_init(&b, 10000);
    npy_print_texts(&b, texts, 3);
    ck_assert_ptr_nonnull(strstr(b.data + 10, "'<U3'"));
    ck_assert_int_eq(npy_parse_any(&a, b.data, b.length, &e), ERR_OK);
    ck_assert_int_eq(npy_parse(&a, b.data, b.length, &e), ERR_INVALID);
    ck_assert_int_eq(npy_parse_any(&a, b.data, b.length, &e), ERR_OK);
    for (size_t i = 0; i < 3; i++) {
        char text[20];
        size_t length;
        ck_assert_int_eq(npy_text(&a, i, text, sizeof text, &length, &e),
                         ERR_OK);
        ck_assert_str_eq(text, texts[i]);
    }
    buf_fini(&b);
}
END_TEST

Suite *suite_dataset_labels(void)
{
    Suite *s = suite_create("dataset_labels");
    TCase *t = tcase_create("names");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, names_are_classes_in_order_and_empty_is_none);
    tcase_add_test(t, rows_without_any_name_have_no_labels);
    tcase_add_test(t, a_name_is_no_longer_than_a_folders);
    tcase_add_test(t, out_of_memory_is_an_error_like_others);
    tcase_add_test(t, printed_texts_are_read_back);
    suite_add_tcase(s, t);
    return s;
}
