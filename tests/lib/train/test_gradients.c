/* Every gradient of every composition against finite differences.
 *
 * A central difference over relu or shrink is wrong where the step crosses a
 * kink: there two step sizes, or the two sides, disagree, and the entry is left
 * out; the test fails if that happens often.
 */
#include "lib/model/model.h"
#include "lib/train/loss.h"
#include "lib/train/packing.h"
#include "tests/support/compositions.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { ROWS = 5 };

static const struct loss_weights weights = {
    .reconstruction = 0.8f, .structure = 0.9f, .classification = 0.7f};

static float rows[ROWS * COMPOSITION_INPUTS];
static int labels[ROWS];

static double loss_of(const struct model *m, const struct loss_weights *w,
                      float *grads)
{
    struct err e;
    struct arena memory;
    struct loss_sums sums = {0};
    arena_init(&memory, SIZE_MAX);
    struct loss_rows all = {.B = ROWS, .x = rows, .labels = labels, .noise = 7};
    ck_assert_msg(!loss_run(m, w, &all, 1, grads, &sums, &memory, &e), "%s",
                  e.msg);
    arena_fini(&memory);
    ck_assert_uint_eq(sums.rows, ROWS);
    return sums.total;
}

/* *gap is by how much the slopes to both sides differ: where the loss only
 * bends, half as much for half the step. */
static double difference(const struct model *m, const struct loss_weights *w,
                         float *value, float step, double *gap)
{
    float old = *value;
    double here = loss_of(m, w, NULL), at = (double)old;
    *value = old + step;
    double above = loss_of(m, w, NULL), high = (double)*value;
    *value = old - step;
    double below = loss_of(m, w, NULL), low = (double)*value;
    *value = old;
    *gap = fabs((above - here) / (high - at) - (here - below) / (at - low));
    return (above - below) / (high - low);
}

static void check_param(const struct model *m, const struct loss_weights *w,
                        const struct param *p, const float *grads,
                        double tolerance, size_t *kinks, size_t *entries,
                        const char *name)
{
    double scale = 0;
    for (size_t k = 0; k < p->count; k++)
        scale = fmax(scale, fabs((double)grads[p->offset + k]));
    for (size_t k = 0; k < p->count; k++) {
        double gap, wide_gap;
        double wide = difference(m, w, &p->value[k], 2e-3f, &wide_gap);
        double narrow = difference(m, w, &p->value[k], 1e-3f, &gap);
        double got = (double)grads[p->offset + k];
        ++*entries;
        if (fabs(wide - narrow) > tolerance / 2 * (1 + scale) ||
            fabs(gap - wide_gap / 2) > tolerance * (1 + scale)) {
            ++*kinks;
            continue;
        }
        ck_assert_msg(fabs(got - narrow) < tolerance * (1 + scale),
                      "%s\n%s[%zu]: gradient %g, finite difference %g", name,
                      p->name, k, got, narrow);
    }
}

/* Of all parameters, or of those of one layer (the number of layers: the
 * classifier's). */
enum { ALL_LAYERS = 99 };

static void check_all(size_t i, const struct loss_weights *w, size_t layer,
                      double tolerance)
{
    struct model *m = composition_model(i);
    size_t kinks = 0, entries = 0;
    composition_rows(rows, labels, ROWS, 3);
    labels[ROWS - 1] = -1; /* a row without a label */
    float *grads = calloc(m->params.total, sizeof *grads);
    double with = loss_of(m, w, grads), without = loss_of(m, w, NULL);
    ck_assert_double_eq_tol(with, without, 1e-6 * fabs(without));
    for (size_t k = 0; k < m->params.n; k++) {
        const struct param *p = &m->params.list[k];
        if (layer == ALL_LAYERS || p->layer == layer)
            check_param(m, w, p, grads, tolerance, &kinks, &entries,
                        composition_name(i));
    }
    ck_assert_uint_gt(entries, 0);
    ck_assert_msg(kinks * 10 < entries, "%s: %zu of %zu entries at a kink",
                  composition_name(i), kinks, entries);
    free(grads);
    model_free(m);
}

/* Whether some code is held while the weights learn. */
static bool holds_codes(const struct model *m)
{
    for (size_t i = 0; i < m->n_layers; i++)
        if (!m->layers[i].encoder.kind->backward)
            return true;
    return false;
}

/* Codes that are held follow the weights in truth. But the energy that they
 * minimise has no slope along them (envelope theorem), so with its own weights
 * the top layer's gradient is exact all the same; and the classifier's is, as
 * no code depends on it. */
START_TEST(every_gradient_is_a_finite_difference)
{
    static const struct loss_weights energy = {.reconstruction = 1,
                                               .structure = 1};
    static const struct loss_weights classes = {.classification = 1};
    struct model *m = composition_model((size_t)_i);
    size_t layers = m->n_layers;
    bool held = holds_codes(m);
    model_free(m);
    if (held) {
        check_all((size_t)_i, &energy, layers - 1, 1e-3);
        check_all((size_t)_i, &classes, layers, 4e-3);
    } else {
        check_all((size_t)_i, &weights, ALL_LAYERS, 4e-3);
    }
}
END_TEST

/* The adversarial input depends on the parameters, but its gradient treats it
 * as given (as in the paper), so only the value is held here: the term is the
 * classification loss at the worse input, never below the loss at the input
 * itself by more than rounding for a small radius. */
START_TEST(the_adversarial_input_is_a_worse_one)
{
    struct loss_weights clean = {.classification = 1}, both = clean;
    struct model *m = composition_model((size_t)_i);
    both.adversarial = 1;
    both.adversarial_radius = 1e-3f;
    composition_rows(rows, labels, ROWS, 3);
    double value = loss_of(m, &clean, NULL);
    double twice = loss_of(m, &both, NULL);
    ck_assert_msg(twice >= 2 * value - 1e-5,
                  "%s: %g at the input, %g beside it",
                  composition_name((size_t)_i), value, twice - value);
    model_free(m);
}
END_TEST

/* Training reads packed weights where there are any. */
START_TEST(packed_weights_give_the_same_gradients)
{
    struct err e;
    struct packing packing;
    struct model *m = composition_model((size_t)_i);
    size_t total = m->params.total;
    composition_rows(rows, labels, ROWS, 3);
    float *want = calloc(total, sizeof *want);
    float *got = calloc(total, sizeof *got);
    ck_assert(!packing_init(&packing, m, &e));
    m->params.values[0] += 0.01f; /* copies made before are wrong now */
    double plain = loss_of(m, &weights, want);
    packing_lend(&packing);
    packing_renew(&packing, 0, 2);
    packing_renew(&packing, 1, 2);
    near(loss_of(m, &weights, got), plain, 1e-5);
    near_all(got, want, total, 1e-5);
    packing_return(&packing);
    for (size_t i = 0; i < m->n_layers; i++)
        for (size_t k = 0; k < OPERATOR_ROLES; k++)
            ck_assert(!layer_operator(&m->layers[i], k)->packed);
    packing_fini(&packing);
    free(want);
    free(got);
    model_free(m);
}
END_TEST

Suite *suite_gradients(void);
Suite *suite_gradients(void)
{
    Suite *s = suite_create("gradients");
    TCase *t = tcase_create("finite differences");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, every_gradient_is_a_finite_difference, 0,
                        (int)compositions_count());
    tcase_add_loop_test(t, packed_weights_give_the_same_gradients, 0,
                        (int)compositions_count());
    tcase_add_loop_test(t, the_adversarial_input_is_a_worse_one, 0,
                        (int)compositions_count());
    suite_add_tcase(s, t);
    return s;
}
