/* Rows: every one has its place, and the order is told by numbers alone.
 */
#include "lib/train/rows.h"
#include "tests/support/blobs.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static struct err e;

static struct recipe *parse_with(const char *labelled)
{
    static char text[1024];
    snprintf(text, sizeof text,
             "{\"validation\":50,\"batch\":16,%s"
             "\"model\":{\"input\":{\"shape\":[12]},\"layers\":[{"
             "\"operator\":\"dense\",\"units\":16,"
             "\"encoder\":{\"kind\":\"recurrent\",\"steps\":3},"
             "\"structure\":{\"kind\":\"l1\",\"lambda\":0.02}}]},"
             "\"phases\":[{\"name\":\"alone\",\"epochs\":3,"
             "\"weights\":{\"reconstruction\":1,\"structure\":1},"
             "\"optimiser\":{\"kind\":\"sgd\",\"rate\":0.2},"
             "\"train\":[\"layers\"]},"
             "{\"rows\":\"labelled\",\"epochs\":1,"
             "\"weights\":{\"reconstruction\":1},"
             "\"optimiser\":{\"rate\":0.2}}]}",
             labelled);
    struct recipe *r = recipe_parse(text, strlen(text), &e);

    ck_assert_msg(r != NULL, "%s", e.msg);
    return r;
}

static struct recipe *parse(void)
{
    return parse_with("");
}

START_TEST(every_row_is_for_validation_or_in_one_batch_of_each_epoch)
{
    struct recipe *r = parse();
    struct rows rows;
    bool seen[300] = {false};
    size_t n, total = 0;
    ck_assert(!rows_init(&rows, r, blobs(300, 1), NULL, 3, &e));
    ck_assert_uint_eq(rows.n_validation, 50);
    for (size_t i = 0; i < rows.n_validation; i++)
        seen[rows.validation[i]] = true;
    rows_order(&rows, 3, 0, 0);
    ck_assert_uint_eq(rows.n_batches, 16);
    for (size_t i = 0; i < rows.n_batches; i++) {
        const uint32_t *batch = rows_batch(&rows, i, &n);
        ck_assert(n == 15 || n == 16);
        total += n;
        for (size_t k = 0; k < n; k++) {
            ck_assert(!seen[batch[k]]);
            seen[batch[k]] = true;
        }
    }
    ck_assert_uint_eq(total, 250);
    rows_fini(&rows);
    recipe_free(r);
}
END_TEST

START_TEST(orders_differ_by_seed_phase_and_epoch_alone)
{
    struct recipe *r = parse();
    struct rows rows;
    uint32_t first[250];
    ck_assert(!rows_init(&rows, r, blobs(300, 1), NULL, 3, &e));
    rows_order(&rows, 3, 1, 2);
    memcpy(first, rows.order, sizeof first);
    rows_order(&rows, 4, 1, 2);
    ck_assert_mem_ne(first, rows.order, sizeof first);
    rows_order(&rows, 3, 0, 2);
    ck_assert_mem_ne(first, rows.order, sizeof first);
    rows_order(&rows, 3, 1, 3);
    ck_assert_mem_ne(first, rows.order, sizeof first);
    rows_order(&rows, 3, 1, 2);
    ck_assert_mem_eq(first, rows.order, sizeof first);
    rows_fini(&rows);
    recipe_free(r);
}
END_TEST

/* How many training rows of each class show their label; *hidden: do not. */
static void count_labels(const struct rows *rows, size_t of_class[3],
                         size_t *hidden)
{
    memset(of_class, 0, 3 * sizeof *of_class);
    *hidden = 0;
    for (size_t i = 0; i < rows->n_training; i++) {
        int32_t label = rows->labels[rows->training[i]];
        *hidden += label < 0;
        if (label >= 0)
            of_class[label]++;
    }
}

START_TEST(labels_are_left_to_as_many_rows_of_each_class)
{
    struct recipe *r = parse_with("\"labelled\":20,");
    struct dataset *d = blobs(300, 1);
    struct rows rows, others;
    size_t of_class[3], hidden;
    ck_assert(!rows_init(&rows, r, d, NULL, 3, &e));
    count_labels(&rows, of_class, &hidden);
    ck_assert_uint_eq(of_class[0], 7);
    ck_assert_uint_eq(of_class[1], 7);
    ck_assert_uint_eq(of_class[2], 6);
    ck_assert_uint_eq(hidden, 230);
    ck_assert_uint_eq(rows.n_labelled, 20);
    for (size_t i = 0; i < rows.n_labelled; i++) {
        uint32_t row = rows.labelled[i];
        ck_assert_int_eq(rows.labels[row], d->labels[row]);
    }
    for (size_t i = 0; i < rows.n_validation; i++) {
        uint32_t row = rows.validation[i];
        ck_assert_int_eq(rows.labels[row], d->labels[row]);
    }
    ck_assert(!rows_init(&others, r, d, NULL, 4, &e));
    ck_assert_mem_ne(rows.labels, others.labels, 300 * sizeof(int32_t));
    rows_fini(&rows);
    rows_fini(&others);
    recipe_free(r);
}
END_TEST

START_TEST(a_rare_class_gives_what_it_has)
{
    struct recipe *r = parse_with("\"labelled\":20,");
    struct dataset *d = blobs(300, 1);
    struct rows rows;
    size_t of_class[3], hidden, rare = 0;
    ck_assert(!rows_init(&rows, r, d, NULL, 3, &e));
    for (size_t i = 0; i < rows.n_training; i++) {
        int32_t *label = &d->labels[rows.training[i]];
        if (*label == 1 && rare++ >= 2)
            *label = DATASET_NO_LABEL;
    }
    rows_fini(&rows);
    ck_assert(!rows_init(&rows, r, d, NULL, 3, &e));
    count_labels(&rows, of_class, &hidden);
    ck_assert_uint_eq(of_class[0], 9);
    ck_assert_uint_eq(of_class[1], 2);
    ck_assert_uint_eq(of_class[2], 9);
    rows_fini(&rows);
    recipe_free(r);
}
END_TEST

START_TEST(more_labels_than_there_are_are_refused)
{
    struct recipe *r = parse_with("\"labelled\":251,");
    struct dataset *d = blobs(300, 1);
    struct rows rows;
    ck_assert_int_eq(rows_init(&rows, r, d, NULL, 3, &e), ERR_SHAPE);
    ck_assert_ptr_nonnull(strstr(e.msg, "wants 251 labelled rows"));
    d->labels = NULL;
    d->n_classes = 0;
    ck_assert_int_eq(rows_init(&rows, r, d, NULL, 3, &e), ERR_SHAPE);
    recipe_free(r);
}
END_TEST

START_TEST(an_epoch_of_labelled_rows_takes_each_once)
{
    struct recipe *r = parse_with("\"labelled\":40,");
    struct rows rows;
    bool seen[300] = {false};
    size_t n, total = 0;
    ck_assert(!rows_init(&rows, r, blobs(300, 1), NULL, 3, &e));
    ck_assert_uint_eq(rows_count(&rows, 0), 250);
    ck_assert_uint_eq(rows_count(&rows, 1), 40);
    rows_order(&rows, 3, 1, 0);
    ck_assert_uint_eq(rows.n_batches, 3);
    for (size_t i = 0; i < rows.n_batches; i++) {
        const uint32_t *batch = rows_batch(&rows, i, &n);
        total += n;
        for (size_t k = 0; k < n; k++) {
            ck_assert(!seen[batch[k]] && rows.labels[batch[k]] >= 0);
            seen[batch[k]] = true;
        }
    }
    ck_assert_uint_eq(total, 40);
    rows_order(&rows, 3, 0, 0);
    ck_assert_uint_eq(rows.n_order, 250);
    rows_fini(&rows);
    recipe_free(r);
}
END_TEST

Suite *suite_rows(void);
Suite *suite_rows(void)
{
    Suite *s = suite_create("rows");
    TCase *t = tcase_create("rows");

    tcase_add_test(t,
                   every_row_is_for_validation_or_in_one_batch_of_each_epoch);
    tcase_add_test(t, orders_differ_by_seed_phase_and_epoch_alone);
    suite_add_tcase(s, t);
    t = tcase_create("labels");
    tcase_add_test(t, labels_are_left_to_as_many_rows_of_each_class);
    tcase_add_test(t, a_rare_class_gives_what_it_has);
    tcase_add_test(t, more_labels_than_there_are_are_refused);
    tcase_add_test(t, an_epoch_of_labelled_rows_takes_each_once);
    suite_add_tcase(s, t);
    return s;
}
