/* Rows: every one has its place, and the order is told by numbers alone.
 */
#include "lib/train/rows.h"
#include "tests/support/blobs.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static struct err e;

static struct recipe *parse(void)
{
    static const char text[] =
        "{\"validation\":50,\"batch\":16,"
        "\"model\":{\"input\":{\"shape\":[12]},\"layers\":[{"
        "\"operator\":\"dense\",\"units\":16,"
        "\"encoder\":{\"kind\":\"recurrent\",\"steps\":3},"
        "\"structure\":{\"kind\":\"l1\",\"lambda\":0.02}}]},"
        "\"phases\":[{\"name\":\"alone\",\"epochs\":3,"
        "\"weights\":{\"reconstruction\":1,\"structure\":1},"
        "\"optimiser\":{\"kind\":\"sgd\",\"rate\":0.2},"
        "\"train\":[\"layers\"]}]}";
    struct recipe *r = recipe_parse(text, strlen(text), &e);

    ck_assert_msg(r != NULL, "%s", e.msg);
    return r;
}

START_TEST(every_row_is_for_validation_or_in_one_batch_of_each_epoch)
{
    struct recipe *r = parse();
    struct rows rows;
    bool seen[300] = {false};
    size_t n, total = 0;
    ck_assert(!rows_init(&rows, r, blobs(300, 1), 3, &e));
    ck_assert_uint_eq(rows.n_validation, 50);
    ck_assert_uint_eq(rows.n_batches, 16);
    for (size_t i = 0; i < rows.n_validation; i++)
        seen[rows.validation[i]] = true;
    rows_order(&rows, 3, 0, 0);
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
    ck_assert(!rows_init(&rows, r, blobs(300, 1), 3, &e));
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

Suite *suite_rows(void);
Suite *suite_rows(void)
{
    Suite *s = suite_create("rows");
    TCase *t = tcase_create("rows");

    tcase_add_test(t,
                   every_row_is_for_validation_or_in_one_batch_of_each_epoch);
    tcase_add_test(t, orders_differ_by_seed_phase_and_epoch_alone);
    suite_add_tcase(s, t);
    return s;
}
