/* The gate: what it calls better, label by label, and what it shows.
 */
#include "lib/train/gate.h"
#include "tests/support/compositions.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *suite_gate(void);

enum { ROWS = 100, KNOWN = 3, CLASSES = 4 };

static struct err e;

static struct gate_figures figures(struct label_measures labels[CLASSES])
{
    return (struct gate_figures){.n_labels = CLASSES, .labels = labels};
}

START_TEST(a_label_may_lose_two_rows_or_a_point)
{
    struct label_measures before[CLASSES] = {{20, 0}, {1000, 10}, {0, 0}},
                          after[CLASSES] = {{20, 2}, {1000, 20}, {0, 0}};
    struct gate_figures b = figures(before), a = figures(after);
    ck_assert_uint_eq(gate_worse_label(&b, &a, KNOWN), KNOWN);
    after[0].wrong = 3;
    ck_assert_uint_eq(gate_worse_label(&b, &a, KNOWN), 0);
    after[0].wrong = 0;
    after[1].wrong = 21;
    ck_assert_uint_eq(gate_worse_label(&b, &a, KNOWN), 1);
}
END_TEST

START_TEST(labels_that_the_parent_does_not_know_are_not_held_against_it)
{
    struct label_measures before[CLASSES] = {{20, 0}, {20, 0}, {20, 0}},
                          after[CLASSES] = {
                              {20, 0}, {20, 0}, {20, 0}, {20, 20}};
    struct gate_figures b = figures(before), a = figures(after);
    ck_assert_uint_eq(gate_worse_label(&b, &a, KNOWN), KNOWN);
}
END_TEST

/* Rows with the labels that the child of i gives them. */
struct rows {
    float x[ROWS * COMPOSITION_INPUTS];
    int32_t labels[ROWS];
    struct dataset d;
};

static void fill(struct rows *r)
{
    int labels[ROWS];
    composition_rows(r->x, labels, ROWS, 3);
    for (size_t i = 0; i < ROWS; i++)
        r->labels[i] = labels[i];
    r->d = (struct dataset){.n = ROWS,
                            .row_size = COMPOSITION_INPUTS,
                            .floats = r->x,
                            .labels = r->labels,
                            .n_classes = CLASSES};
}

static void judge(struct rows *r, const struct gate_rows *test,
                  enum recipe_measure measure, struct gate_verdict *v)
{
    struct model *m = composition_model(0);
    struct team *team = team_new(1);
    struct loss_weights weights = {
        .reconstruction = 1, .structure = 1, .classification = 1};
    struct gate_rows rows = {.rows = &r->d, .n = r->d.n};
    ck_assert_msg(
        !gate_judge(m, m, &weights, measure, &rows, test, team, v, &e), "%s",
        e.msg);
    team_free(team);
    model_free(m);
}

static void verdict_fini(struct gate_verdict *v)
{
    json_free(v->before);
    json_free(v->after);
}

START_TEST(what_is_the_same_is_not_better)
{
    struct rows r;
    struct gate_verdict v;
    fill(&r);
    judge(&r, NULL, RECIPE_ERROR, &v);
    ck_assert(!v.better);
    ck_assert(strstr(v.reason, "error per label") != NULL);
    verdict_fini(&v);
    judge(&r, NULL, RECIPE_LOSS, &v);
    ck_assert(!v.better);
    ck_assert(strstr(v.reason, "mean loss") != NULL);
    verdict_fini(&v);
}
END_TEST

START_TEST(no_rows_are_no_reason)
{
    struct rows r;
    struct gate_verdict v;
    fill(&r);
    r.d.n = 0;
    judge(&r, NULL, RECIPE_ERROR, &v);
    ck_assert(!v.better);
    ck_assert(strstr(v.reason, "no held-out rows") != NULL);
    verdict_fini(&v);
}
END_TEST

START_TEST(figures_name_every_label_and_the_test_rows)
{
    struct rows r;
    struct gate_verdict v;
    fill(&r);
    for (size_t i = 0; i < ROWS; i++)
        r.labels[i] = r.labels[i] == 2 ? DATASET_NO_LABEL : r.labels[i];
    struct gate_rows test = {.rows = &r.d, .n = 10};
    judge(&r, &test, RECIPE_ERROR, &v);
    const struct json *labels = json_get(v.after, "labels");
    ck_assert(json_is_object(labels));
    ck_assert(json_number(json_get(v.after, "rows")) == ROWS);
    ck_assert(json_number(json_get(json_get(labels, "2"), "rows")) == 0);
    ck_assert(json_get(json_get(labels, "2"), "error") == NULL);
    ck_assert(json_number(json_get(json_get(labels, "0"), "rows")) > 0);
    ck_assert(json_number(json_get(json_get(v.before, "test"), "rows")) == 10);
    verdict_fini(&v);
}
END_TEST

START_TEST(a_label_that_the_model_does_not_know_is_wrong_throughout)
{
    struct rows r;
    struct gate_figures f;
    struct model *m = composition_model(0);
    struct team *team = team_new(1);
    struct loss_weights weights = {.classification = 1};
    fill(&r);
    for (size_t i = 0; i < 10; i++)
        r.labels[i] = 3;
    struct gate_rows rows = {.rows = &r.d, .n = ROWS};
    ck_assert(!gate_measure(&f, m, CLASSES, &weights, &rows, team, &e));
    ck_assert_uint_eq(f.labels[3].rows, 10);
    ck_assert_uint_eq(f.labels[3].wrong, 10);
    ck_assert(f.error >= 0.25);
    gate_figures_fini(&f);
    team_free(team);
    model_free(m);
}
END_TEST

Suite *suite_gate(void)
{
    Suite *s = suite_create("gate");
    TCase *t = tcase_create("labels");
    tcase_add_test(t, a_label_may_lose_two_rows_or_a_point);
    tcase_add_test(
        t, labels_that_the_parent_does_not_know_are_not_held_against_it);
    tcase_add_test(t, a_label_that_the_model_does_not_know_is_wrong_throughout);
    suite_add_tcase(s, t);
    t = tcase_create("verdict");
    tcase_add_test(t, what_is_the_same_is_not_better);
    tcase_add_test(t, no_rows_are_no_reason);
    tcase_add_test(t, figures_name_every_label_and_the_test_rows);
    suite_add_tcase(s, t);
    return s;
}
