/* What runs over a code with windows, against the same groups told as lists
 * and computed by plain loops in double.
 */
#include "tests/support/near.h"
#include "tests/support/pools_by_hand.h"
#include "tests/support/windows_by_hand.h"

#include "lib/base/mem.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { ROWS = WINDOWS_ROWS };

static struct windows_case c;
static const struct structure_kind *kind;

static void make(int i)
{
    windows_case_init(&c, i);
    kind = c.s.kind;
}

static void end(void)
{
    windows_case_fini(&c);
}

static void widen(double *x, const float *row)
{
    for (size_t i = 0; i < c.units; i++)
        x[i] = (double)row[i];
}

START_TEST(pool_and_value_are_those_of_lists)
{
    make(_i);
    double sum = 0, *row = mem_must(c.units, sizeof *row);
    kind->pool(&c.s, c.v, c.z, ROWS);
    for (size_t b = 0; b < ROWS; b++) {
        widen(row, c.z + b * c.units);
        for (size_t g = 0; g < c.groups; g++)
            near(c.v[b * c.groups + g], hand_pool(&c.lists, row, g), 1e-6);
        sum += hand_value(&c.lists, (double)c.s.lambda, row);
    }
    near(kind->value(&c.s, c.z, ROWS), sum, 1e-6);
    near(kind->value(&c.s, c.z, 1), 0, 0);
    mem_free(row);
    end();
}
END_TEST

/* Of sum_g share_g v_g by unit i, by central differences; where the unit is
 * off it is 0 by convention. */
static double slope(double *x, const float *share, size_t i)
{
    const struct pools *p = &c.lists;
    const double h = 1e-6, was = x[i];
    double sum = 0;
    for (uint32_t k = p->unit_first[i]; was != 0 && k < p->unit_first[i + 1];
         k++) {
        size_t g = p->unit_group[k];
        x[i] = was + h;
        double above = hand_pool(p, x, g);
        x[i] = was - h;
        sum += (share ? (double)share[g] : 1) * (above - hand_pool(p, x, g)) /
               (2 * h);
        x[i] = was;
    }
    return sum;
}

START_TEST(gradients_are_differences_and_are_added)
{
    make(_i);
    double *row = mem_must(c.units, sizeof *row);
    for (size_t k = 0; k < ROWS * c.units; k++)
        c.dz[k] = c.out[k] = 2;
    kind->pool(&c.s, c.v, c.z, ROWS);
    kind->gradient(&c.s, c.dz, c.z, ROWS, 0.5f);
    kind->pool_backward(&c.s, c.out, c.dv, c.z, c.v, ROWS);
    for (size_t b = 0; b < ROWS; b++) {
        widen(row, c.z + b * c.units);
        /* all units of small codes, some of large ones */
        for (size_t i = 0; i < c.units; i += c.units < 2000 ? 1 : 13) {
            double want = 0.5 * (double)c.s.lambda * slope(row, NULL, i);
            near(c.dz[b * c.units + i], 2 + want, 2e-5);
            want = slope(row, c.dv + b * c.groups, i);
            near(c.out[b * c.units + i], 2 + want, 2e-5);
        }
    }
    mem_free(row);
    end();
}
END_TEST

/* Unit i of row b times the weighted mean of wanted / v. */
static double rescaled(size_t b, size_t i)
{
    const struct pools *p = &c.lists;
    double sum = 0, all = 0;
    for (uint32_t k = p->unit_first[i]; k < p->unit_first[i + 1]; k++) {
        size_t at = b * c.groups + p->unit_group[k];
        double w = (double)p->unit_weight[k];
        all += w;
        if (c.v[at] > 0)
            sum += w * (double)c.dv[at] / (double)c.v[at];
    }
    return (double)c.z[b * c.units + i] * sum / all;
}

START_TEST(unpooling_undoes_pooling)
{
    make(_i);
    kind->pool(&c.s, c.v, c.z, ROWS);
    kind->unpool(&c.s, c.out, c.v, c.z, c.v, ROWS);
    near_all(c.out, c.z, ROWS * c.units, 3e-6);
    for (size_t k = 0; k < ROWS * c.groups; k++)
        c.dv[k] *= c.v[k];
    kind->unpool(&c.s, c.out, c.dv, c.z, c.v, ROWS);
    for (size_t k = 0; k < ROWS * c.units; k++)
        near(c.out[k], rescaled(k / c.units, k % c.units), 3e-6);
    for (size_t k = 0; k < ROWS * c.groups; k++)
        c.dv[k] = 1; /* of pools that are 0, too */
    kind->unpool(&c.s, c.out, c.dv, c.z, c.v, ROWS);
    for (size_t k = 0; k < ROWS * c.units; k++)
        ck_assert(isfinite(c.out[k]) && (c.z[k] != 0 || c.out[k] == 0));
    end();
}
END_TEST

START_TEST(a_row_does_not_depend_on_the_others)
{
    make(_i);
    kind->pool(&c.s, c.v, c.z, ROWS);
    for (size_t b = 0; b < ROWS; b++) {
        kind->pool(&c.s, c.dv, c.z + b * c.units, 1);
        near_all(c.dv, c.v + b * c.groups, c.groups, 0);
    }
    end();
}
END_TEST

/* ---- proximal step ---- */

/* At the minimum a group that is on gives t w z / v of each unit; what came to
 * one that is off was too small. */
static void check_group(size_t g, const float *got, const float *u, double t)
{
    const struct pools *p = &c.lists;
    double dual = 0, sum = 0;
    for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
        int64_t i = p->indices[k];
        double w = (double)p->weights[k];
        sum += w * (double)got[i] * (double)got[i];
        dual += (double)u[i] * (double)u[i] / w;
    }
    for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
        int64_t i = p->indices[k];
        double given = (double)u[i] - (double)got[i];
        if (sum > 0)
            near(given, t * (double)p->weights[k] * (double)got[i] / sqrt(sum),
                 2e-6);
        else
            ck_assert(got[i] == 0.0f);
    }
    if (sum == 0)
        ck_assert_double_le(sqrt(dual), t * (1 + 1e-6));
}

START_TEST(prox_is_the_minimum)
{
    make(_i);
    for (float step = 0.125f; kind->prox && step < 9; step *= 2) {
        kind->prox(&c.s, c.out, c.z, step, ROWS, NULL, NULL);
        for (size_t b = 0; b < ROWS; b++)
            for (size_t g = 0; g < c.groups; g++)
                check_group(g, c.out + b * c.units, c.z + b * c.units,
                            (double)step * (double)c.s.lambda);
        memcpy(c.dz, c.z, ROWS * c.units * sizeof *c.dz);
        kind->prox(&c.s, c.dz, c.dz, step, ROWS, NULL, NULL);
        near_all(c.dz, c.out, ROWS * c.units, 0);
    }
    if (kind->prox) {
        kind->prox(&c.s, c.out, c.z, 0, ROWS, NULL, NULL);
        near_all(c.out, c.z, ROWS * c.units, 0);
    }
    end();
}
END_TEST

START_TEST(only_windows_apart_have_a_prox)
{
    size_t with = 0;
    for (int i = 0; i < WINDOWS_CASES; i++) {
        make(i);
        with += kind->prox != NULL;
        ck_assert(!kind->prox || c.lists.disjoint);
        end();
    }
    ck_assert_uint_eq(with, 3);
}
END_TEST

Suite *suite_windows(void);
Suite *suite_windows(void)
{
    Suite *suite = suite_create("windows");
    TCase *t = tcase_create("every rule");
    tcase_set_timeout(t, 60);
    const TTest *tests[] = {
        pool_and_value_are_those_of_lists,
        gradients_are_differences_and_are_added,
        unpooling_undoes_pooling,
        a_row_does_not_depend_on_the_others,
        prox_is_the_minimum,
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_loop_test(t, tests[i], 0, WINDOWS_CASES);
    tcase_add_test(t, only_windows_apart_have_a_prox);
    suite_add_tcase(suite, t);
    return suite;
}
