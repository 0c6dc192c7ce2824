/* Samples: what comes is kept as it came, counted, bounded, deleted; labels
 * that come later.
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

struct seen {
    size_t n;
    int64_t ids[4096];
    int64_t batches[4096];
    bool held_out[4096];
    char labels[4096][SAMPLES_MAX_LABEL_BYTES + 1];
    float first[4096];
    size_t stop_after; /* 0: never */
};

static bool note(void *arg, const struct sample *s)
{
    struct seen *seen = arg;

    ck_assert_uint_lt(seen->n, 4096);
    seen->ids[seen->n] = s->id;
    seen->batches[seen->n] = s->batch;
    seen->held_out[seen->n] = s->held_out;
    seen->first[seen->n] = s->x[0];
    snprintf(seen->labels[seen->n], sizeof seen->labels[0], "%s",
             s->label != NULL ? s->label : "");
    seen->n++;
    return seen->n != seen->stop_after;
}

static struct seen *each(const char *model, const struct samples_filter *f,
                         int64_t after, size_t limit)
{
    static struct seen seen;
    struct err e = {.code = ERR_OK};

    seen.n = seen.stop_after = 0;
    ck_assert_msg(samples_each(db, model, f, after, limit, note, &seen, &e) ==
                      ERR_OK,
                  "%s", e.msg);
    return &seen;
}

static struct samples_counts count(const char *model)
{
    struct samples_counts c;
    struct err e = {.code = ERR_OK};

    ck_assert_msg(samples_count(db, model, &c, &e) == ERR_OK, "%s", e.msg);
    return c;
}

static uint64_t stored_of(const struct samples_counts *c, const char *label)
{
    for (size_t i = 0; i < c->n_labels; i++) {
        if (strcmp(c->labels[i].name, label) == 0)
            return c->labels[i].stored;
    }
    return 0;
}

/* The tallies say what the rows say. */
static void check_tallies(const char *model)
{
    static struct seen rows;
    struct samples_counts c = count(model);
    uint64_t unlabelled = 0;
    struct err e;

    rows.n = rows.stop_after = 0;
    ck_assert_int_eq(samples_each(db, model, &any, 0, 4096, note, &rows, &e),
                     ERR_OK);
    ck_assert_uint_eq(c.stored, rows.n);
    ck_assert_uint_eq(c.total, c.stored + c.evicted);
    for (size_t i = 0; i < c.n_labels; i++) {
        uint64_t n = 0, held = 0;
        for (size_t k = 0; k < rows.n; k++) {
            if (strcmp(rows.labels[k], c.labels[i].name) == 0) {
                n++;
                held += rows.held_out[k];
            }
        }
        ck_assert_uint_eq(c.labels[i].stored, n);
        ck_assert_uint_eq(c.labels[i].held_out, held);
    }
    for (size_t k = 0; k < rows.n; k++)
        unlabelled += rows.labels[k][0] == 0;
    ck_assert_uint_eq(c.unlabelled, unlabelled);
    samples_counts_fini(&c);
}

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
    const struct seen *seen = each("m", &any, 0, 100);
    ck_assert_uint_eq(seen->n, 2);
    ck_assert_int_eq(seen->ids[1], ids[1]);
    ck_assert_int_eq(seen->batches[0], batch);
    ck_assert_str_eq(seen->labels[0], "sieben");
    ck_assert_str_eq(seen->labels[1], "");
    struct samples_counts c = count("m");
    ck_assert_uint_eq(c.total, 2);
    ck_assert_uint_eq(c.stored, 2);
    ck_assert_uint_eq(c.accepted, 2);
    ck_assert_uint_eq(c.unlabelled, 1);
    ck_assert_int_eq(c.last_id, ids[1]);
    ck_assert_uint_eq(c.n_labels, 1);
    samples_counts_fini(&c);
    check_tallies("m");
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
    struct samples_counts c = count("none");

    ck_assert_uint_eq(c.total + c.stored + c.accepted + c.n_labels, 0);
    samples_counts_fini(&c);
    ck_assert_uint_eq(each("none", &any, 0, 10)->n, 0);
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
    struct samples_counts c = count("m");
    ck_assert_uint_eq(c.labels[0].held_out, 5);
    ck_assert_uint_eq(c.labels[1].held_out, 2);
    samples_counts_fini(&c);
    const struct seen *seen = each("m", &any, 0, 100);
    for (size_t i = 0; i < 23; i++)
        ck_assert_int_eq(seen->held_out[i], i % 5 == 4);
    ck_assert(seen->held_out[36]);
    check_tallies("m");
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

    ck_assert_uint_eq(each("m", &a, 0, 100)->n, 10);
    ck_assert_uint_eq(each("m", &none, 0, 100)->n, 10);
    ck_assert_uint_eq(each("m", &batch, 0, 100)->n, 10);
    ck_assert_uint_eq(each("m", &both, 0, 100)->n, 10);
    ck_assert_uint_eq(each("m", &neither, 0, 100)->n, 0);
    ck_assert_uint_eq(each("m", &foreign, 0, 100)->n, 0);
    ck_assert_uint_eq(each("m", &unknown, 0, 100)->n, 0);
    ck_assert_uint_eq(each("m", &absurd, 0, 100)->n, 0);

    int64_t after = 0;
    size_t pages = 0, rows = 0;
    for (const struct seen *s; (s = each("m", &any, after, 7))->n > 0;
         pages++) {
        for (size_t i = 0; i < s->n; i++) {
            ck_assert_int_gt(s->ids[i], after);
            after = s->ids[i];
        }
        rows += s->n;
    }
    ck_assert_uint_eq(pages, 5);
    ck_assert_uint_eq(rows, 30);
}
END_TEST

START_TEST(a_visit_can_stop)
{
    struct seen *seen = each("m", &any, 0, 1);
    struct err e;

    stores_add(db, "m", "a", 10, SIZE, 0, &wide, NULL);
    seen->n = 0;
    seen->stop_after = 4;
    ck_assert_int_eq(samples_each(db, "m", &any, 0, 100, note, seen, &e),
                     ERR_OK);
    ck_assert_uint_eq(seen->n, 4);
    seen->n = 0;
    ck_assert_int_eq(samples_draw(db, "m", 100, 100, note, seen, &e), ERR_OK);
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
    check_tallies("m");
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
    struct samples_counts c = count("m");
    ck_assert_uint_eq(c.total, 0);
    ck_assert_uint_eq(c.n_labels, 0);
    ck_assert_uint_eq(c.accepted, 24);
    samples_counts_fini(&c);
    ck_assert_uint_eq(each("other", &any, 0, 100)->n, 10);
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
    ck_assert_int_eq(each("m", &any, 0, 10)->batches[0], 2);
}
END_TEST

/* ---- labels later ---- */

static enum err_code label(int64_t id, const char *to, struct err *e)
{
    enum err_code code = samples_set_label(db, "m", id, to, &wide, e);

    check_tallies("m");
    return code;
}

START_TEST(labels_may_come_later_and_change)
{
    int64_t ids[20];
    struct err e;

    stores_add(db, "m", NULL, 20, SIZE, 100, &wide, ids);
    stores_add(db, "other", "b", 1, SIZE, 0, &wide, NULL);
    ck_assert_int_eq(label(ids[0], "a", &e), ERR_OK);
    ck_assert_int_eq(label(ids[1], "a", &e), ERR_OK);
    ck_assert_int_eq(label(ids[1], "a", &e), ERR_OK);
    struct samples_counts c = count("m");
    ck_assert_uint_eq(stored_of(&c, "a"), 2);
    ck_assert_uint_eq(c.unlabelled, 18);
    ck_assert_uint_eq(c.accepted, 20);
    samples_counts_fini(&c);
    ck_assert_int_eq(label(ids[0], "b", &e), ERR_OK);
    ck_assert_int_eq(label(ids[1], NULL, &e), ERR_OK);
    c = count("m");
    ck_assert_uint_eq(c.n_labels, 1);
    ck_assert_uint_eq(stored_of(&c, "b"), 1);
    samples_counts_fini(&c);

    uint64_t which = 100;
    float want[SIZE];
    const struct seen *seen = each("m", &any, 0, 100);
    for (size_t i = 0; i < seen->n; i++) {
        stores_row(want, SIZE, which++);
        ck_assert_mem_eq(&seen->first[i], want, sizeof want[0]);
    }
    ck_assert_int_eq(label(999, "a", &e), ERR_NOT_FOUND);
    ck_assert_int_eq(label(21, "a", &e), ERR_NOT_FOUND); /* another model's */
    ck_assert_int_eq(samples_set_label(db, "none", 1, "a", &wide, &e),
                     ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_label_that_comes_later_has_its_share_held_out)
{
    for (int i = 0; i < 50; i++) {
        int64_t id;
        struct err e;
        stores_add(db, "m", NULL, 1, SIZE, 0, &wide, &id);
        ck_assert_int_eq(label(id, i % 2 ? "a" : "b", &e), ERR_OK);
    }
    struct samples_counts c = count("m");
    ck_assert_uint_eq(c.labels[0].held_out, 5);
    ck_assert_uint_eq(c.labels[1].held_out, 5);
    samples_counts_fini(&c);
}
END_TEST

START_TEST(what_is_held_out_stays_so)
{
    int64_t ids[5];
    struct err e;

    stores_add(db, "m", "a", 5, SIZE, 0, &wide, ids);
    ck_assert_int_eq(label(ids[4], "b", &e), ERR_OK);
    ck_assert_int_eq(label(ids[0], "b", &e), ERR_OK);
    const struct seen *seen = each("m", &any, 0, 10);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(seen->held_out[i], i == 4);
}
END_TEST

START_TEST(a_new_label_must_have_room)
{
    const struct samples_limits one = {.max_samples = 10, .max_labels = 1};
    int64_t ids[2];
    struct err e;

    stores_add(db, "m", "a", 2, SIZE, 0, &one, ids);
    ck_assert_int_eq(samples_set_label(db, "m", ids[0], "b", &one, &e),
                     ERR_TOO_LARGE);
    check_tallies("m");
    ck_assert_int_eq(samples_set_label(db, "m", ids[0], NULL, &one, &e),
                     ERR_OK);
    ck_assert_int_eq(samples_set_label(db, "m", ids[1], "b", &one, &e), ERR_OK);
    check_tallies("m");
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

    t = tcase_create("labels later");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, labels_may_come_later_and_change);
    tcase_add_test(t, a_label_that_comes_later_has_its_share_held_out);
    tcase_add_test(t, what_is_held_out_stays_so);
    tcase_add_test(t, a_new_label_must_have_room);
    suite_add_tcase(s, t);
    return s;
}
