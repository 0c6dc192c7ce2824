/* Samples, giving up: the bound holds, rare labels keep all, what is left is a
 * fair draw; and draws.
 *
 * Fair means: each row of a label is left with the same probability, whenever
 * it came. With 40 seeds the rows are counted by the tenth of the stream that
 * they came in, and compared by chi-square (9 degrees of freedom; 27.9 is
 * passed by chance once in a thousand). The seeds are fixed, so the outcome is
 * too. Rows are drawn without replacement, which only makes it smaller.
 */
#include "lib/store/samples.h"
#include "tests/support/stores.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <string.h>

Suite *suite_samples_evict(void);

#define SIZE 2
#define TENTHS 10
#define CHI_SQUARE_9_MAX 27.9

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

static const struct samples_label *label_of(const struct samples_counts *c,
                                            const char *name)
{
    for (size_t i = 0; i < c->n_labels; i++) {
        if (strcmp(c->labels[i].name, name) == 0)
            return &c->labels[i];
    }
    ck_abort_msg("no label %s", name);
    return NULL;
}

/* ---- the bound ---- */

START_TEST(the_bound_holds_and_the_counts_say_what_went)
{
    const struct samples_limits limits = {.max_samples = 50, .max_labels = 9};

    for (int i = 0; i < 20; i++)
        stores_add(db, "m", "a", 7, SIZE, 0, &limits, NULL);
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(c.stored, 50);
    ck_assert_uint_eq(c.total, 140);
    ck_assert_uint_eq(c.evicted, 90);
    ck_assert_uint_eq(c.accepted, 140);
    samples_counts_fini(&c);
    stores_check_counts(db, "m");
}
END_TEST

START_TEST(rare_labels_keep_all_they_have)
{
    const struct samples_limits limits = {.max_samples = 100, .max_labels = 9};

    stores_add(db, "m", "rare", 20, SIZE, 0, &limits, NULL);
    stores_add(db, "m", NULL, 15, SIZE, 0, &limits, NULL);
    for (int i = 0; i < 10; i++) {
        stores_add(db, "m", "a", 50, SIZE, 0, &limits, NULL);
        stores_add(db, "m", "b", 30, SIZE, 0, &limits, NULL);
    }
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(label_of(&c, "rare")->stored, 20);
    ck_assert_uint_eq(c.unlabelled, 15);
    ck_assert_uint_eq(label_of(&c, "a")->stored + label_of(&c, "b")->stored,
                      65);
    ck_assert_uint_ge(label_of(&c, "a")->stored, 30);
    ck_assert_uint_ge(label_of(&c, "b")->stored, 30);
    ck_assert_uint_eq(c.stored, 100);
    samples_counts_fini(&c);
    stores_check_counts(db, "m");
}
END_TEST

START_TEST(a_batch_over_the_bound_is_taken)
{
    const struct samples_limits limits = {.max_samples = 10, .max_labels = 9};

    stores_add(db, "m", "a", 1000, SIZE, 0, &limits, NULL);
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(c.stored, 10);
    ck_assert_uint_eq(c.total, 1000);
    samples_counts_fini(&c);
    stores_check_counts(db, "m");
}
END_TEST

START_TEST(a_lowered_bound_is_reached_step_by_step)
{
    const struct samples_limits limits = {.max_samples = 10, .max_labels = 9};
    struct samples_counts c;

    stores_add(db, "m", "a", 3000, SIZE, 0, &wide, NULL);
    stores_add(db, "m", "a", 1, SIZE, 0, &limits, NULL);
    c = stores_count(db, "m");
    ck_assert_uint_gt(c.stored, 1500);
    ck_assert_uint_lt(c.stored, 2500);
    samples_counts_fini(&c);
    for (int i = 0; i < 3; i++)
        stores_add(db, "m", "a", 1, SIZE, 0, &limits, NULL);
    c = stores_count(db, "m");
    ck_assert_uint_eq(c.stored, 10);
    samples_counts_fini(&c);
    stores_check_counts(db, "m");
}
END_TEST

START_TEST(deleting_makes_room_and_forgets)
{
    const struct samples_limits limits = {.max_samples = 50, .max_labels = 9};
    const struct samples_filter a = {.label = "a"};
    uint64_t deleted;
    struct err e;

    stores_add(db, "m", "a", 100, SIZE, 0, &limits, NULL);
    stores_add(db, "m", "b", 5, SIZE, 0, &limits, NULL);
    ck_assert_int_eq(samples_delete(db, "m", &a, &deleted, &e), ERR_OK);
    ck_assert_uint_eq(deleted, 45);
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(c.total, 5);
    ck_assert_uint_eq(c.evicted, 0);
    samples_counts_fini(&c);
    stores_add(db, "m", "a", 45, SIZE, 0, &limits, NULL);
    c = stores_count(db, "m");
    ck_assert_uint_eq(c.stored, 50);
    ck_assert_uint_eq(c.evicted, 0);
    samples_counts_fini(&c);
}
END_TEST

/* A label that gave up has room again: it keeps what comes. */
START_TEST(nothing_is_given_up_while_there_is_room)
{
    const struct samples_limits limits = {.max_samples = 50, .max_labels = 9};
    const struct samples_filter b = {.label = "b"};
    uint64_t deleted;
    struct err e;

    stores_add(db, "m", "b", 25, SIZE, 0, &limits, NULL);
    stores_add(db, "m", "a", 1000, SIZE, 0, &limits, NULL);
    ck_assert_int_eq(samples_delete(db, "m", &b, &deleted, &e), ERR_OK);
    ck_assert_uint_eq(deleted, 25);
    stores_add(db, "m", "a", 25, SIZE, 0, &limits, NULL);
    struct samples_counts c = stores_count(db, "m");
    ck_assert_uint_eq(c.stored, 50);
    ck_assert_uint_eq(c.evicted, 975);
    samples_counts_fini(&c);
}
END_TEST

/* ---- fairness ---- */

/* Counts by tenth of the stream the rows of `label` that are left: its ids came
 * in order, so their rank among all is asked of `came`. */
static void count_tenths(const char *label, const int64_t *came, size_t n,
                         double *tenths)
{
    const struct samples_filter f = {.label = label};
    const struct stores_seen *seen = stores_each(db, "m", &f, 0, STORES_SEEN);
    size_t at = 0;

    for (size_t i = 0; i < seen->n; i++) {
        while (at < n && came[at] != seen->samples[i].id)
            at++;
        ck_assert_uint_lt(at, n);
        tenths[at * TENTHS / n]++;
    }
}

static double chi_square(const double *tenths)
{
    double sum = 0, chi = 0;

    for (size_t i = 0; i < TENTHS; i++)
        sum += tenths[i];
    for (size_t i = 0; i < TENTHS; i++) {
        double d = tenths[i] - sum / TENTHS;
        chi += d * d * TENTHS / sum;
    }
    return chi;
}

/* One label comes first alone, the other joins later, in batches of several
 * sizes: who has the most changes, and each label's share shrinks. */
START_TEST(what_is_left_is_a_fair_draw)
{
    const struct samples_limits limits = {.max_samples = 120, .max_labels = 9};
    double tenths_a[TENTHS] = {0}, tenths_b[TENTHS] = {0};

    for (uint64_t seed = 1; seed <= 40; seed++) {
        static int64_t came_a[1000], came_b[600];
        size_t a = 0, b = 0;
        tear_down();
        folder = tmp_folder();
        db = stores_new(folder, seed * 1234567);
        while (a < 1000 || b < 600) {
            size_t n = a % 3 == 0 ? 50 : 10;
            if (a < 1000) {
                n = n < 1000 - a ? n : 1000 - a;
                stores_add(db, "m", "a", n, SIZE, 0, &limits, came_a + a);
                a += n;
            }
            if (a >= 400 && b < 600) {
                stores_add(db, "m", "b", 20, SIZE, 0, &limits, came_b + b);
                b += 20;
            }
        }
        count_tenths("a", came_a, 1000, tenths_a);
        count_tenths("b", came_b, 600, tenths_b);
    }
    ck_assert_msg(chi_square(tenths_a) < CHI_SQUARE_9_MAX, "a: %g",
                  chi_square(tenths_a));
    ck_assert_msg(chi_square(tenths_b) < CHI_SQUARE_9_MAX, "b: %g",
                  chi_square(tenths_b));
}
END_TEST

/* ---- draws ---- */

static struct stores_seen *draw(int64_t last_id, size_t per_label)
{
    static struct stores_seen seen[2];
    static size_t turn;
    struct stores_seen *out = &seen[turn++ % 2];
    struct err e = {.code = ERR_OK};

    out->n = out->stop_after = 0;
    ck_assert_msg(samples_draw(db, "m", last_id, per_label, stores_see, out,
                               &e) == ERR_OK,
                  "%s", e.msg);
    return out;
}

START_TEST(a_draw_takes_so_many_of_each_and_is_repeatable)
{
    stores_add(db, "m", "a", 200, SIZE, 0, &wide, NULL);
    stores_add(db, "m", "b", 12, SIZE, 0, &wide, NULL);
    stores_add(db, "other", "a", 12, SIZE, 0, &wide, NULL);
    stores_add(db, "m", NULL, 100, SIZE, 0, &wide, NULL);
    const struct stores_seen *all = stores_each(db, "m", &any, 0, STORES_SEEN);
    int64_t last = all->samples[all->n - 1].id;
    const struct stores_seen *first = draw(last, 10);

    ck_assert_uint_eq(first->n, 10 + 10 + 10 + 10 + 10 + 2);
    /* What comes later changes nothing below last. */
    stores_add(db, "m", "a", 100, SIZE, 0, &wide, NULL);
    const struct stores_seen *second = draw(last, 10);
    ck_assert_uint_eq(second->n, first->n);
    for (size_t i = 0; i < first->n; i++) {
        ck_assert_int_le(first->samples[i].id, last);
        ck_assert_int_eq(first->samples[i].id, second->samples[i].id);
    }
    /* Not simply the first ones. */
    int64_t sum = 0;
    for (size_t i = 10; i < 20; i++)
        sum += first->samples[i].id;
    ck_assert_int_gt(sum, 500);
    ck_assert_uint_eq(draw(last, 1000)->n, 312);
    ck_assert_uint_eq(draw(0, 1000)->n, 0);
}
END_TEST

Suite *suite_samples_evict(void)
{
    Suite *s = suite_create("samples_evict");
    TCase *t = tcase_create("bound");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, the_bound_holds_and_the_counts_say_what_went);
    tcase_add_test(t, rare_labels_keep_all_they_have);
    tcase_add_test(t, a_batch_over_the_bound_is_taken);
    tcase_add_test(t, a_lowered_bound_is_reached_step_by_step);
    tcase_add_test(t, deleting_makes_room_and_forgets);
    tcase_add_test(t, nothing_is_given_up_while_there_is_room);
    suite_add_tcase(s, t);

    t = tcase_create("fairness");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, what_is_left_is_a_fair_draw);
    suite_add_tcase(s, t);

    t = tcase_create("draws");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_draw_takes_so_many_of_each_and_is_repeatable);
    suite_add_tcase(s, t);
    return s;
}
