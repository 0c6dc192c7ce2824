/* Growing: with classes added, every composition says of the old ones what it
 * did.
 */
#include "lib/model/grow.h"

#include "lib/base/mem.h"
#include "lib/model/model_file.h"
#include "tests/support/compositions.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { ROWS = 5, OLD = COMPOSITION_CLASSES, NEW = 2, ALL = OLD + NEW };

static const char *const names[NEW] = {"eight", "\xc3\xa9"};
static struct arena memory;
static struct err e;

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
}

static void teardown(void)
{
    arena_fini(&memory);
}

/* The i-th composition with a bias for each class, and facts. */
static struct model *make(size_t i)
{
    struct model *m = composition_model(i);
    for (size_t k = 0; k < OLD; k++)
        m->classifier.bias->value[k] = 0.3f * (float)(k + 1);
    m->metrics = json_new_object();
    m->training = json_new_object();
    json_set(m->training, "batch", json_new_number(7));
    ck_assert(!rehearsal_init(&m->rehearsal, 2, COMPOSITION_INPUTS, &e));
    m->rehearsal.inputs[7] = 200;
    m->rehearsal.labels[1] = 2;
    m->rehearsal.held_out[0] = 1;
    return m;
}

static struct pass classify(const struct model *m)
{
    static float x[ROWS * COMPOSITION_INPUTS];
    struct pass p;
    struct model_options options = {0};
    composition_rows(x, NULL, ROWS, 4);
    ck_assert_msg(!model_encode(m, &p, x, ROWS, &options, &memory, &e), "%s",
                  e.msg);
    ck_assert_msg(!model_classify(m, &p, &memory, &e), "%s", e.msg);
    return p;
}

/* What softmax is given for class k of a row. */
static double score(const struct model *m, const struct pass *p, size_t row,
                    size_t k)
{
    const struct classifier *c = &m->classifier;
    double sum = (double)c->bias->value[k];
    for (size_t i = 0; i < c->inputs; i++)
        sum += (double)(c->weight->value[k * c->inputs + i] *
                        p->h[row * c->inputs + i]);
    return sum;
}

START_TEST(scores_of_old_classes_stay)
{
    struct model *m = make((size_t)_i);
    struct model *grown = model_add_classes(m, names, NEW, &e);
    ck_assert_msg(grown != NULL, "%s: %s", composition_name((size_t)_i), e.msg);
    ck_assert_uint_eq(grown->classifier.classes, ALL);
    struct pass before = classify(m), after = classify(grown);
    size_t top = m->n_layers - 1;
    near_all(after.layers[top].z, before.layers[top].z,
             ROWS * layer_units(model_top(m)), 0);
    for (size_t b = 0; b < ROWS; b++) {
        const float *p = before.probabilities + b * OLD;
        const float *q = after.probabilities + b * ALL;
        for (size_t k = 0; k < OLD; k++) {
            near(score(grown, &after, b, k), score(m, &before, b, k), 0);
            near(log((double)(q[k] / q[0])), log((double)(p[k] / p[0])), 1e-4);
        }
        for (size_t k = OLD; k < ALL; k++)
            near(log((double)(q[k] / q[0])), -score(m, &before, b, 0), 1e-4);
    }
    model_free(grown);
    model_free(m);
}
END_TEST

START_TEST(all_else_stays)
{
    struct model *m = make((size_t)_i);
    struct model *grown = model_add_classes(m, names, NEW, &e);
    ck_assert_msg(grown != NULL, "%s", e.msg);
    ck_assert_uint_eq(grown->params.n, m->params.n);
    for (size_t i = 0; i < m->params.n; i++) {
        const struct param *p = &m->params.list[i];
        const struct param *q = &grown->params.list[i];
        ck_assert_str_eq(q->name, p->name);
        ck_assert_mem_eq(q->value, p->value, p->count * sizeof *p->value);
        ck_assert((q->count > p->count) == (p->axes[0] == AXIS_CLASS));
        for (size_t k = p->count; k < q->count; k++)
            near(q->value[k], 0, 0);
    }
    ck_assert_str_eq(grown->classes[0], m->classes[0]);
    ck_assert_str_eq(grown->classes[OLD], names[0]);
    ck_assert_str_eq(grown->classes[OLD + 1], names[1]);
    ck_assert_ptr_nonnull(grown->metrics);
    near(json_number(json_get(grown->training, "batch")), 7, 0);
    ck_assert_uint_eq(grown->rehearsal.n, 2);
    ck_assert_int_eq(grown->rehearsal.inputs[7], 200);
    ck_assert_int_eq(grown->rehearsal.labels[1], 2);
    ck_assert_int_eq(grown->rehearsal.held_out[0], 1);
    model_free(grown);
    model_free(m);
}
END_TEST

START_TEST(a_grown_model_is_saved_and_loaded)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct model *m = make((size_t)_i);
    struct model *grown = model_add_classes(m, names, NEW, &e);
    ck_assert_msg(grown != NULL, "%s", e.msg);
    ck_assert_msg(!model_save(grown, path, &e), "%s", e.msg);
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    near_all(back->params.values, grown->params.values, grown->params.total, 0);
    ck_assert_str_eq(back->classes[OLD + 1], names[1]);
    model_free(back);
    model_free(grown);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

/* ---- refusals ---- */

static void refused(const struct model *m, const char *const *list, size_t n,
                    enum err_code code, const char *words)
{
    ck_assert_ptr_null(model_add_classes(m, list, n, &e));
    ck_assert_int_eq(e.code, code);
    ck_assert_msg(strstr(e.msg, words) != NULL, "%s", e.msg);
}

START_TEST(names_must_be_new)
{
    const char *const there[] = {"eight", "2"}, *const twice[] = {"a", "a"};
    struct model *m = make(0);
    refused(m, there, 2, ERR_INVALID, "class \"2\" is there already");
    refused(m, twice, 2, ERR_INVALID, "class \"a\" is there already");
    ck_assert_uint_eq(m->classifier.classes, OLD);
    model_free(m);
}
END_TEST

START_TEST(there_is_a_limit)
{
    struct model *m = make(0);
    refused(m, names, CLASSIFIER_MAX_CLASSES - OLD + 1, ERR_TOO_LARGE,
            "at most 65536");
    refused(m, names, SIZE_MAX, ERR_TOO_LARGE, "at most 65536");
    model_free(m);
}
END_TEST

START_TEST(without_a_classifier_there_is_nothing_to_grow)
{
    static const char text[] =
        "{\"input\":{\"shape\":[3]},\"layers\":[{\"operator\":\"dense\","
        "\"units\":4,\"encoder\":{\"kind\":\"feedforward\"},"
        "\"structure\":{\"kind\":\"l1\"}}]}";
    struct json *j = json_parse(text, strlen(text), &e);
    struct model *m = model_new(j, NULL, 0, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    refused(m, names, NEW, ERR_CONFLICT, "no classifier");
    model_free(m);
    json_free(j);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    struct model *m = make(0);
    for (size_t n = 0;; n++) {
        mem_fail_after(n);
        struct model *grown = model_add_classes(m, names, NEW, &e);
        mem_fail_after(SIZE_MAX);
        if (grown) {
            ck_assert_uint_gt(n, 20);
            ck_assert_uint_eq(grown->rehearsal.n, 2);
            ck_assert_ptr_nonnull(grown->training);
            model_free(grown);
            break;
        }
        ck_assert_msg(e.code == ERR_NO_MEMORY, "%zu: %s", n, e.msg);
    }
    model_free(m);
}
END_TEST

Suite *suite_grow(void);
Suite *suite_grow(void)
{
    Suite *s = suite_create("grow");
    TCase *t = tcase_create("every composition");
    int n = (int)compositions_count();
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, scores_of_old_classes_stay, 0, n);
    tcase_add_loop_test(t, all_else_stays, 0, n);
    tcase_add_loop_test(t, a_grown_model_is_saved_and_loaded, 0, n);
    suite_add_tcase(s, t);
    TCase *one = tcase_create("refusals");
    tcase_add_test(one, names_must_be_new);
    tcase_add_test(one, there_is_a_limit);
    tcase_add_test(one, without_a_classifier_there_is_nothing_to_grow);
    tcase_add_test(one, every_allocation_may_fail);
    suite_add_tcase(s, one);
    return s;
}
