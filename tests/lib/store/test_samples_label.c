/* Samples, labels that come later: counts follow, and a fair share is held
 * out.
 */
#include "lib/store/samples.h"
#include "tests/support/stores.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <string.h>

Suite *suite_samples_label(void);

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

static uint64_t stored_of(const struct samples_counts *c, const char *label)
{
    for (size_t i = 0; i < c->n_labels; i++) {
        if (strcmp(c->labels[i].name, label) == 0)
            return c->labels[i].stored;
    }
    return 0;
}

static enum err_code label(int64_t id, const char *to, struct err *e)
{
    enum err_code code = samples_set_label(db, "m", id, to, &wide, e);

    stores_check_counts(db, "m");
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
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(stored_of(&c, "a"), 2);
    ck_assert_uint_eq(c.unlabelled, 18);
    ck_assert_uint_eq(c.accepted, 20);
    samples_counts_fini(&c);
    ck_assert_int_eq(label(ids[0], "b", &e), ERR_OK);
    ck_assert_int_eq(label(ids[1], NULL, &e), ERR_OK);
    c = stores_count(db, "m");
    ck_assert_uint_eq(c.n_labels, 1);
    ck_assert_uint_eq(stored_of(&c, "b"), 1);
    samples_counts_fini(&c);

    uint64_t which = 100;
    float want[SIZE];
    const struct stores_seen *seen = stores_each(db, "m", &any, 0, 100);
    for (size_t i = 0; i < seen->n; i++) {
        stores_row(want, SIZE, which++);
        ck_assert_mem_eq(&seen->samples[i].first, want, sizeof want[0]);
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
    struct samples_counts c = stores_count(db, "m");
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
    const struct stores_seen *seen = stores_each(db, "m", &any, 0, 10);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(seen->samples[i].held_out, i == 4);
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
    stores_check_counts(db, "m");
    ck_assert_int_eq(samples_set_label(db, "m", ids[0], NULL, &one, &e),
                     ERR_OK);
    ck_assert_int_eq(samples_set_label(db, "m", ids[1], "b", &one, &e), ERR_OK);
    stores_check_counts(db, "m");
}
END_TEST

Suite *suite_samples_label(void)
{
    Suite *s = suite_create("samples_label");
    TCase *t = tcase_create("labels later");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, labels_may_come_later_and_change);
    tcase_add_test(t, a_label_that_comes_later_has_its_share_held_out);
    tcase_add_test(t, what_is_held_out_stays_so);
    tcase_add_test(t, a_new_label_must_have_room);
    suite_add_tcase(s, t);
    return s;
}
