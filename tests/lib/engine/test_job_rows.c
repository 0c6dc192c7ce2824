/* Job rows: which samples a job gets, under the bounds it states, and options
 * of jobs as text and back.
 */
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/engine/job_rows.h"
#include "tests/support/blobs.h"
#include "tests/support/learning.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

Suite *suite_job_rows(void);

static struct learning_set set;
static const struct served *served;
static struct job_rows rows;
static struct err e;

static void setup(void)
{
    learning_make(&set);
    learning_open_store(&set);
    served = registry_acquire(set.registry, LEARNING_MODEL, 0, &e);
    ck_assert_ptr_nonnull(served);
}

static void teardown(void)
{
    job_rows_fini(&rows);
    registry_release(set.registry, served);
    learning_remove(&set);
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static bool count_down(void *arg)
{
    return --*(int *)arg > 0;
}

static struct job_rows_want want_all(void)
{
    return (struct job_rows_want){.name = LEARNING_MODEL,
                                  .model = served->model,
                                  .last_id = INT64_MAX,
                                  .max_rows = 100000,
                                  .max_bytes = SIZE_MAX,
                                  .go_on = always};
}

static void read_rows(const struct job_rows_want *want)
{
    job_rows_fini(&rows);
    ck_assert_msg(job_rows_read(&rows, set.store, want, &e) == ERR_OK, "%s",
                  e.msg);
}

/* Rows with that label, NULL: without one. */
static size_t count_rows(const char *label)
{
    size_t n = 0;

    for (size_t i = 0; i < rows.data.n; i++) {
        int32_t k = rows.data.labels[i];
        n += k < 0 ? label == NULL
                   : label != NULL && strcmp(rows.names[k], label) == 0;
    }
    return n;
}

START_TEST(all_samples_are_read_with_their_labels)
{
    struct job_rows_want want = want_all();

    learning_post(&set, 50, 1, "zebra");
    learning_post(&set, 20, 2, "ape");
    learning_post_unlabelled(&set, 10, 3);
    read_rows(&want);
    ck_assert_uint_eq(rows.data.n, 80);
    ck_assert_uint_eq(rows.data.row_size, BLOBS_INPUTS);
    ck_assert_uint_eq(rows.data.n_classes, 2);
    ck_assert_str_eq(rows.names[0], "ape");
    ck_assert_uint_eq(count_rows("zebra"), 50);
    ck_assert_uint_eq(count_rows("ape"), 20);
    ck_assert_uint_eq(count_rows(NULL), 10);
    size_t held_out = 0;
    for (size_t i = 0; i < rows.data.n; i++)
        held_out += rows.held_out[i];
    ck_assert_uint_eq(held_out, 80 / SAMPLES_HELD_OUT_EVERY);
}
END_TEST

START_TEST(rows_are_the_same_each_time_until_samples_change)
{
    struct job_rows_want want = want_all();

    learning_post(&set, 50, 1, NULL);
    read_rows(&want);
    uint64_t hash = rows.data.hash;
    read_rows(&want);
    ck_assert_uint_eq(rows.data.hash, hash);
    want.last_id = 50;
    learning_post(&set, 50, 2, NULL);
    read_rows(&want);
    ck_assert_uint_eq(rows.data.hash, hash);
    ck_assert_uint_eq(rows.data.n, 50);
    learning_delete(&set, "1");
    read_rows(&want);
    ck_assert_uint_ne(rows.data.hash, hash);
}
END_TEST

START_TEST(rare_labels_stay_whole_where_not_all_fits)
{
    struct job_rows_want want = want_all();

    learning_post(&set, 400, 1, "many");
    learning_post(&set, 300, 2, "more");
    learning_post(&set, 10, 3, "few");
    learning_post_unlabelled(&set, 100, 4);
    for (want.max_rows = 10; want.max_rows < 900; want.max_rows += 89) {
        read_rows(&want);
        ck_assert_uint_le(rows.data.n, want.max_rows);
        if (want.max_rows > 100)
            ck_assert_uint_eq(count_rows("few"), 10);
    }
    want.max_rows = 100000;
    want.max_bytes = 100 * BLOBS_INPUTS * sizeof(float) + 1;
    read_rows(&want);
    ck_assert_uint_le(rows.data.n, 100);
    ck_assert_uint_gt(rows.data.n, 80);
}
END_TEST

START_TEST(what_does_not_fit_or_suit_is_refused)
{
    struct job_rows_want want = want_all();
    struct model other = *served->model;
    int left = 1;

    read_rows(&want); /* none is no error */
    ck_assert_uint_eq(rows.data.n, 0);
    job_rows_fini(&rows);
    learning_post(&set, 50, 1, NULL);
    want.max_rows = 2;
    ck_assert_int_eq(job_rows_read(&rows, set.store, &want, &e), ERR_TOO_LARGE);
    want = want_all();
    want.go_on = count_down;
    want.arg = &left;
    ck_assert_int_eq(job_rows_read(&rows, set.store, &want, &e), ERR_CONFLICT);
    want = want_all();
    other.input.width++;
    want.model = &other;
    ck_assert_int_eq(job_rows_read(&rows, set.store, &want, &e), ERR_SHAPE);
    ck_assert_ptr_nonnull(strstr(e.msg, "12 numbers"));
}
END_TEST

/* ---- options ---- */

static void check_round_trip(const struct learner_options *o, const char *want)
{
    struct learner_options back;
    struct buf b;
    struct json *j = learner_options_json(o);

    buf_init(&b, 1000);
    json_print(&b, j);
    json_free(j);
    ck_assert(!buf_failed(&b));
    ck_assert_str_eq(b.data, want);
    ck_assert_msg(learner_options_read(&back, b.data, &e) == ERR_OK, "%s",
                  e.msg);
    ck_assert(back.epochs == o->epochs && back.promote == o->promote &&
              back.seed == o->seed && back.learning_rate == o->learning_rate);
    buf_fini(&b);
}

START_TEST(options_come_back_as_they_were)
{
    struct learner_options o = {.promote = LEARNER_PROMOTE_IF_BETTER};

    check_round_trip(&o, "{\"promote\":\"if_better\"}");
    o = (struct learner_options){.epochs = 7,
                                 .learning_rate = 0.25,
                                 .promote = LEARNER_PROMOTE_NEVER,
                                 .seed = ((uint64_t)1 << 53) - 1};
    check_round_trip(&o, "{\"epochs\":7,\"learning_rate\":0.25,"
                         "\"promote\":\"never\",\"seed\":9007199254740991}");
}
END_TEST

START_TEST(other_options_are_damage)
{
    static const char *const texts[] = {"",          "[]",
                                        "{",         "{\"epochs\":1001}",
                                        "{\"x\":1}", "{\"learning_rate\":-1}"};
    struct learner_options o;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_int_eq(learner_options_read(&o, texts[i], &e), ERR_CORRUPT);
}
END_TEST

Suite *suite_job_rows(void)
{
    Suite *s = suite_create("job_rows");
    TCase *t = tcase_create("rows");

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, all_samples_are_read_with_their_labels);
    tcase_add_test(t, rows_are_the_same_each_time_until_samples_change);
    tcase_add_test(t, rare_labels_stay_whole_where_not_all_fits);
    tcase_add_test(t, what_does_not_fit_or_suit_is_refused);
    suite_add_tcase(s, t);
    t = tcase_create("options");
    tcase_add_test(t, options_come_back_as_they_were);
    tcase_add_test(t, other_options_are_damage);
    suite_add_tcase(s, t);
    return s;
}
