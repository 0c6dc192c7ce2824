/* Samples: what comes is kept as it came, counted and deleted.
 */
#include "lib/base/mem.h"
#include "lib/store/samples.h"
#include "tests/support/stores.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_samples(void);

#define SIZE 5

static const struct samples_limits wide = {.max_samples = 1000000,
                                           .max_labels = 256};
static const struct samples_filter any;

static char *folder;
static struct database *db;

static void set_up(void)
{
    folder = tmp_folder();
    db = stores_new(folder, 7);
}

static void tear_down(void)
{
    stores_close(db);
    tmp_remove(folder);
}

/* ---- helpers ---- */

static enum err_code try_add(const char *model, const char *label, size_t size,
                             const struct samples_limits *limits, struct err *e)
{
    float x[SIZE + 1] = {0};
    int64_t batch, id;
    const struct samples_batch b = {.model = model,
                                    .n = 1,
                                    .size = size,
                                    .x = x,
                                    .labels = &label,
                                    .wall_ms = 1};

    return samples_add(db, &b, limits, &batch, &id, e);
}

/* ---- keeping ---- */

START_TEST(a_batch_comes_back_as_it_came)
{
    const float x[2][SIZE] = {{0, -1.5f, 3e38f, 1e-45f, 1}, {5, 6, 7, 8, 0.1f}};
    const char *const labels[] = {"sieben", NULL};
    const struct samples_batch b = {.model = "m",
                                    .n = 2,
                                    .size = SIZE,
                                    .x = x[0],
                                    .labels = labels,
                                    .wall_ms = 1234567890123};
    int64_t batch, ids[2];
    struct err e;

    ck_assert_int_eq(samples_add(db, &b, &wide, &batch, ids, &e), ERR_OK);
    ck_assert_int_ge(batch, 1);
    ck_assert_int_ge(ids[0], 1);
    ck_assert_int_eq(ids[1], ids[0] + 1);
    const struct stores_seen *seen = stores_each(db, "m", &any, 0, 100);
    ck_assert_uint_eq(seen->n, 2);
    ck_assert_int_eq(seen->samples[1].id, ids[1]);
    ck_assert_int_eq(seen->samples[0].batch, batch);
    ck_assert_str_eq(seen->samples[0].label, "sieben");
    ck_assert_str_eq(seen->samples[1].label, "");
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(c.total, 2);
    ck_assert_uint_eq(c.stored, 2);
    ck_assert_uint_eq(c.accepted, 2);
    ck_assert_uint_eq(c.unlabelled, 1);
    ck_assert_int_eq(c.last_id, ids[1]);
    ck_assert_uint_eq(c.n_labels, 1);
    samples_counts_fini(&c);
    stores_check_counts(db, "m");
}
END_TEST

static bool compare_row(void *arg, const struct sample *s)
{
    uint64_t *which = arg;
    float want[300];

    ck_assert_uint_eq(s->size, 300);
    stores_row(want, 300, (*which)++);
    ck_assert_mem_eq(s->x, want, sizeof want);
    return true;
}

START_TEST(all_numbers_of_all_rows_come_back)
{
    uint64_t which = 50;
    struct err e;

    stores_add(db, "m", "a", 100, 300, 50, &wide, NULL);
    stores_add(db, "other", "a", 10, 300, 1000, &wide, NULL);
    stores_add(db, "m", "b", 100, 300, 150, &wide, NULL);
    ck_assert_int_eq(
        samples_each(db, "m", &any, 0, SIZE_MAX, compare_row, &which, &e),
        ERR_OK);
    ck_assert_uint_eq(which, 250);
}
END_TEST

START_TEST(an_unknown_model_has_nothing)
{
    struct samples_counts c = stores_count(db, "none");

    ck_assert_uint_eq(c.total + c.stored + c.accepted + c.n_labels, 0);
    samples_counts_fini(&c);
    ck_assert_uint_eq(stores_each(db, "none", &any, 0, 10)->n, 0);
}
END_TEST

START_TEST(rows_of_another_size_are_refused_with_both)
{
    struct err e;

    stores_add(db, "m", "a", 3, SIZE, 0, &wide, NULL);
    ck_assert_int_eq(try_add("m", "a", SIZE + 1, &wide, &e), ERR_SHAPE);
    ck_assert_ptr_nonnull(strstr(e.msg, " 5;"));
    ck_assert_ptr_nonnull(strstr(e.msg, " 6 "));
    uint64_t deleted;
    ck_assert_int_eq(samples_delete(db, "m", &any, &deleted, &e), ERR_OK);
    ck_assert_int_eq(try_add("m", "a", SIZE + 1, &wide, &e), ERR_OK);
}
END_TEST

START_TEST(labels_are_bounded_and_named)
{
    const struct samples_limits two = {.max_samples = 100, .max_labels = 2};
    struct err e;

    stores_add(db, "m", "a", 1, SIZE, 0, &two, NULL);
    stores_add(db, "m", "b", 1, SIZE, 0, &two, NULL);
    stores_add(db, "m", NULL, 1, SIZE, 0, &two, NULL);
    ck_assert_int_eq(try_add("m", "c", SIZE, &two, &e), ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "'c'"));
    ck_assert_ptr_nonnull(strstr(e.msg, "2"));
    ck_assert_int_eq(try_add("m", "b", SIZE, &two, &e), ERR_OK);
    ck_assert_int_eq(try_add("m", "\xff", SIZE, &wide, &e), ERR_SHAPE);
    char text[SAMPLES_MAX_LABEL_BYTES + 2];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    ck_assert_int_eq(try_add("m", text, SIZE, &wide, &e), ERR_SHAPE);
    text[sizeof text - 2] = 0;
    ck_assert_int_eq(try_add("m", text, SIZE, &wide, &e), ERR_OK);
}
END_TEST

START_TEST(every_fifth_of_a_label_is_held_out)
{
    stores_add(db, "m", "a", 23, SIZE, 0, &wide, NULL);
    for (int i = 0; i < 12; i++)
        stores_add(db, "m", "b", 1, SIZE, 0, &wide, NULL);
    stores_add(db, "m", "a", 2, SIZE, 0, &wide, NULL);
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(c.labels[0].held_out, 5);
    ck_assert_uint_eq(c.labels[1].held_out, 2);
    samples_counts_fini(&c);
    const struct stores_seen *seen = stores_each(db, "m", &any, 0, 100);
    for (size_t i = 0; i < 23; i++)
        ck_assert_int_eq(seen->samples[i].held_out, i % 5 == 4);
    ck_assert(seen->samples[36].held_out);
    stores_check_counts(db, "m");
}
END_TEST

/* ---- filters, pages ---- */

START_TEST(filters_and_pages_find_what_fits)
{
    stores_add(db, "m", "a", 10, SIZE, 0, &wide, NULL);
    stores_add(db, "m", "b", 10, SIZE, 0, &wide, NULL);
    stores_add(db, "other", "a", 10, SIZE, 0, &wide, NULL);
    stores_add(db, "m", NULL, 10, SIZE, 0, &wide, NULL);
    const struct samples_filter a = {.label = "a"};
    const struct samples_filter none = {.unlabelled = true};
    const struct samples_filter batch = {.batch = 2};
    const struct samples_filter both = {.label = "b", .batch = 2};
    const struct samples_filter neither = {.label = "a", .batch = 2};
    const struct samples_filter foreign = {.batch = 3};
    const struct samples_filter unknown = {.label = "zz"};
    const struct samples_filter absurd = {.label = "a", .unlabelled = true};

    ck_assert_uint_eq(stores_each(db, "m", &a, 0, 100)->n, 10);
    ck_assert_uint_eq(stores_each(db, "m", &none, 0, 100)->n, 10);
    ck_assert_uint_eq(stores_each(db, "m", &batch, 0, 100)->n, 10);
    ck_assert_uint_eq(stores_each(db, "m", &both, 0, 100)->n, 10);
    ck_assert_uint_eq(stores_each(db, "m", &neither, 0, 100)->n, 0);
    ck_assert_uint_eq(stores_each(db, "m", &foreign, 0, 100)->n, 0);
    ck_assert_uint_eq(stores_each(db, "m", &unknown, 0, 100)->n, 0);
    ck_assert_uint_eq(stores_each(db, "m", &absurd, 0, 100)->n, 0);

    int64_t after = 0;
    size_t pages = 0, rows = 0;
    for (const struct stores_seen *s;
         (s = stores_each(db, "m", &any, after, 7))->n > 0; pages++) {
        for (size_t i = 0; i < s->n; i++) {
            ck_assert_int_gt(s->samples[i].id, after);
            after = s->samples[i].id;
        }
        rows += s->n;
    }
    ck_assert_uint_eq(pages, 5);
    ck_assert_uint_eq(rows, 30);
}
END_TEST

START_TEST(a_visit_can_stop)
{
    struct stores_seen *seen = stores_each(db, "m", &any, 0, 1);
    struct err e;

    stores_add(db, "m", "a", 10, SIZE, 0, &wide, NULL);
    seen->n = 0;
    seen->stop_after = 4;
    ck_assert_int_eq(samples_each(db, "m", &any, 0, 100, stores_see, seen, &e),
                     ERR_OK);
    ck_assert_uint_eq(seen->n, 4);
    seen->n = 0;
    ck_assert_int_eq(samples_draw(db, "m", 100, 100, stores_see, seen, &e),
                     ERR_OK);
    ck_assert_uint_eq(seen->n, 4);
}
END_TEST

static bool count_names(void *arg, const char *model)
{
    char *names = arg;
    size_t length = strlen(names);

    snprintf(names + length, 100 - length, "%s ", model);
    return true;
}

START_TEST(models_with_samples_are_named)
{
    char names[100] = "";
    uint64_t deleted;
    struct err e;

    stores_add(db, "b", "a", 1, SIZE, 0, &wide, NULL);
    stores_add(db, "c", "a", 1, SIZE, 0, &wide, NULL);
    stores_add(db, "a", "a", 1, SIZE, 0, &wide, NULL);
    ck_assert_int_eq(samples_delete(db, "c", &any, &deleted, &e), ERR_OK);
    ck_assert_int_eq(samples_models(db, count_names, names, &e), ERR_OK);
    ck_assert_str_eq(names, "a b ");
}
END_TEST

/* ---- deleting ---- */

static uint64_t delete (const char *model, const struct samples_filter *f)
{
    uint64_t deleted;
    struct err e = {.code = ERR_OK};

    ck_assert_msg(samples_delete(db, model, f, &deleted, &e) == ERR_OK, "%s",
                  e.msg);
    stores_check_counts(db, "m");
    return deleted;
}

START_TEST(deleting_takes_what_fits_and_no_more)
{
    const char *mixed[] = {"a", "b", NULL, "b"};
    float x[4 * SIZE] = {0};
    int64_t batch, ids[4];
    struct err e;

    stores_add(db, "m", "a", 10, SIZE, 0, &wide, NULL);
    stores_add(db, "m", NULL, 10, SIZE, 0, &wide, NULL);
    stores_add(db, "other", "a", 10, SIZE, 0, &wide, NULL);
    const struct samples_batch b = {
        .model = "m", .n = 4, .size = SIZE, .x = x, .labels = mixed};
    ck_assert_int_eq(samples_add(db, &b, &wide, &batch, ids, &e), ERR_OK);

    ck_assert_uint_eq(delete ("m", &(struct samples_filter){.label = "zz"}), 0);
    ck_assert_uint_eq(
        delete ("m", &(struct samples_filter){.label = "b", .batch = batch}),
        2);
    ck_assert_uint_eq(delete ("m", &(struct samples_filter){.batch = batch}),
                      2);
    ck_assert_uint_eq(delete ("m", &(struct samples_filter){.batch = 3}), 0);
    ck_assert_uint_eq(delete ("m", &(struct samples_filter){.label = "a"}), 10);
    ck_assert_uint_eq(
        delete ("m", &(struct samples_filter){.unlabelled = true}), 10);
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(c.total, 0);
    ck_assert_uint_eq(c.n_labels, 0);
    ck_assert_uint_eq(c.accepted, 24);
    samples_counts_fini(&c);
    ck_assert_uint_eq(stores_each(db, "other", &any, 0, 100)->n, 10);
    ck_assert_uint_eq(delete ("other", &any), 10);
    ck_assert_uint_eq(delete ("none", &any), 0);
}
END_TEST

START_TEST(numbers_are_never_given_twice)
{
    int64_t ids[3];

    stores_add(db, "m", "a", 3, SIZE, 0, &wide, ids);
    ck_assert_uint_eq(delete ("m", &any), 3);
    int64_t before = ids[2];
    stores_add(db, "m", "a", 3, SIZE, 0, &wide, ids);
    ck_assert_int_gt(ids[0], before);
    ck_assert_int_eq(stores_each(db, "m", &any, 0, 10)->samples[0].batch, 2);
}
END_TEST

Suite *suite_samples(void)
{
    Suite *s = suite_create("samples");
    TCase *t = tcase_create("keeping");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_batch_comes_back_as_it_came);
    tcase_add_test(t, all_numbers_of_all_rows_come_back);
    tcase_add_test(t, an_unknown_model_has_nothing);
    tcase_add_test(t, rows_of_another_size_are_refused_with_both);
    tcase_add_test(t, labels_are_bounded_and_named);
    tcase_add_test(t, every_fifth_of_a_label_is_held_out);
    suite_add_tcase(s, t);

    t = tcase_create("reading");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, filters_and_pages_find_what_fits);
    tcase_add_test(t, a_visit_can_stop);
    tcase_add_test(t, models_with_samples_are_named);
    suite_add_tcase(s, t);

    t = tcase_create("deleting");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, deleting_takes_what_fits_and_no_more);
    tcase_add_test(t, numbers_are_never_given_twice);
    suite_add_tcase(s, t);

    return s;
}
