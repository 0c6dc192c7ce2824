/* What runs over a code with weighted groups, and the proximal step, against
 * the plain formulas in double; for groups of every kind.
 */
#include "lib/model/structure/pools.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/math/kernels.h"
#include "tests/support/near.h"
#include "tests/support/pools_by_hand.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { UNITS = 24, ROWS = 37, MOST_GROUPS = 24 };

/* How near a prox comes, as a share of 1/2 |u|^2. */
#define EXACT 1e-6

static const struct {
    const char *structure;
    double gap;
    bool lone; /* has units without group */
} cases[] = {
    {"{\"kind\":\"groups\",\"lambda\":0.7,\"blocks\":4}", EXACT, false},
    {"{\"kind\":\"groups\",\"lambda\":0.7,\"blocks\":1}", EXACT, false},
    {"{\"kind\":\"groups\",\"lambda\":0.3,\"blocks\":24}", EXACT, false},
    {"{\"kind\":\"groups\",\"lambda\":0.5,\"lists\":[[23,0,7],[1,2,3,4,5],[8]],"
     "\"weights\":[[0.1,3,1],[1,2,3,4,1e-3],[5]]}",
     EXACT, true},
    {"{\"kind\":\"groups\",\"lambda\":0.3,\"lists\":[[0,1,2,3],[2,3,4,5,6],"
     "[6,7,8,0],[20,21],[21,22],[3]]}",
     1e-3, true},
    {"{\"kind\":\"groups\",\"lambda\":0.3,\"lists\":[[0,1,2,3],[2,3,4,5,6],"
     "[6,7,8,0],[9,1,2]],\"weights\":[[1,2,0.1,1],[0.5,1,1,3,1],[1,1,9,1],"
     "[0.01,1,100]]}",
     1e-3, true},
    {"{\"kind\":\"groups\",\"lambda\":1.2,\"map\":{\"height\":4,\"width\":6,"
     "\"window\":3,\"stride\":1}}",
     1e-3, false},
    {"{\"kind\":\"groups\",\"lambda\":1.2,\"map\":{\"height\":4,\"width\":6,"
     "\"window\":4,\"stride\":2,\"sigma\":1}}",
     1e-3, false},
    {"{\"kind\":\"tree\",\"lambda\":0.2,\"parents\":[-1,0,0,1,1,2,2,3,3,3,5,5,"
     "6,7,7,-1,15,15,16,16,17,20,-1,22]}",
     EXACT, false},
    {"{\"kind\":\"tree\",\"lambda\":0.2,\"parents\":[3,0,0,-1,1,2,2,3,3,3,5,5,"
     "6,7,7,4,15,15,16,16,17,23,-1,22],\"weights\":[1,2,0.5,1,1,1,3,1,0.1,1,1,"
     "1,1,2,1,1,0.7,1,1,1,1,1,1.5,1]}",
     EXACT, false},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static struct err e;
static struct model *model;
static const struct structure *s;
static const struct pools *p;
static size_t groups;
static float z[ROWS * UNITS];

/* Rows of growing size, some units and some whole groups off, the first row
 * all off. */
static void make(int i)
{
    struct rng rng = rng_make((uint64_t)i, "pools", 0);
    model = hand_model(UNITS, cases[i].structure, &e);
    ck_assert_msg(model != NULL, "%s: %s", cases[i].structure, e.msg);
    s = &model->layers[0].structure;
    p = s->kind->pools(s);
    groups = layer_groups(&model->layers[0]);
    ck_assert_uint_eq(groups, p->n);
    ck_assert_uint_le(groups, MOST_GROUPS);
    for (size_t k = 0; k < ROWS * UNITS; k++) {
        size_t row = k / UNITS, unit = k % UNITS;
        bool off = row == 0 || rng_below(&rng, 3) == 0 ||
                   (row % 3 == 0 && unit < UNITS / 2);
        float size = 0.1f * (float)row;
        z[k] = off ? 0 : rng_uniform(&rng, -size, size);
    }
}

static void end(void)
{
    model_free(model);
}

static void widen(double *out, const float *row)
{
    for (size_t i = 0; i < UNITS; i++)
        out[i] = (double)row[i];
}

START_TEST(pool_and_value_are_the_formula)
{
    float v[ROWS * MOST_GROUPS];
    double row[UNITS], sum = 0;
    make(_i);
    s->kind->pool(s, v, z, ROWS);
    for (size_t b = 0; b < ROWS; b++) {
        widen(row, z + b * UNITS);
        for (size_t g = 0; g < groups; g++)
            near(v[b * groups + g], hand_pool(p, row, g), 1e-6);
        sum += hand_value(p, (double)s->lambda, row);
    }
    near(s->kind->value(s, z, ROWS), sum, 1e-6);
    end();
}
END_TEST

/* Of `factor` times the weighted sum of pools, by central differences; where
 * the unit is off its gradient is 0 by convention. */
static double slope(const float *row, const float *dv, size_t i)
{
    double x[UNITS], sums[2];
    const double h = 1e-6;
    if (row[i] == 0.0f)
        return 0;
    for (int side = 0; side < 2; side++) {
        widen(x, row);
        x[i] += side ? h : -h;
        sums[side] = 0;
        for (size_t g = 0; g < groups; g++)
            sums[side] += (double)dv[g] * hand_pool(p, x, g);
    }
    return (sums[1] - sums[0]) / (2 * h);
}

START_TEST(gradients_are_differences_and_are_added)
{
    float dv[ROWS * MOST_GROUPS], v[ROWS * MOST_GROUPS], ones[MOST_GROUPS];
    float dz[ROWS * UNITS], through[ROWS * UNITS];
    struct rng rng = rng_make(5, "dv", 0);
    make(_i);
    for (size_t g = 0; g < groups; g++)
        ones[g] = 1;
    for (size_t k = 0; k < ROWS * groups; k++)
        dv[k] = rng_uniform(&rng, -1, 1);
    for (size_t k = 0; k < ROWS * UNITS; k++)
        dz[k] = through[k] = 2;
    s->kind->pool(s, v, z, ROWS);
    s->kind->gradient(s, dz, z, ROWS, 0.5f);
    s->kind->pool_backward(s, through, dv, z, v, ROWS);
    for (size_t b = 0; b < ROWS; b++)
        for (size_t i = 0; i < UNITS; i++) {
            const float *row = z + b * UNITS;
            double want = 0.5 * (double)s->lambda * slope(row, ones, i);
            near(dz[b * UNITS + i], 2 + want, 2e-5);
            want = slope(row, dv + b * groups, i);
            near(through[b * UNITS + i], 2 + want, 2e-5);
        }
    end();
}
END_TEST

START_TEST(unpooling_undoes_pooling)
{
    float v[ROWS * MOST_GROUPS], out[ROWS * UNITS];
    make(_i);
    s->kind->pool(s, v, z, ROWS);
    s->kind->unpool(s, out, v, z, v, ROWS);
    near_all(out, z, ROWS * UNITS, 2e-6);
    float twice[ROWS * MOST_GROUPS];
    for (size_t k = 0; k < ROWS * groups; k++)
        twice[k] = 2 * v[k];
    s->kind->unpool(s, out, twice, z, v, ROWS);
    for (size_t k = 0; k < ROWS * UNITS; k++)
        near(out[k], p->unit_sum[k % UNITS] > 0 ? 2 * z[k] : z[k], 4e-6);
    for (size_t k = 0; k < ROWS * groups; k++)
        twice[k] = 1; /* of pools that are 0, too */
    s->kind->unpool(s, out, twice, z, v, ROWS);
    for (size_t k = 0; k < ROWS * UNITS; k++)
        ck_assert(isfinite(out[k]) && (z[k] != 0 || out[k] == 0));
    end();
}
END_TEST

/* ---- proximal step ---- */

static float *state_of(size_t rows)
{
    size_t kept = s->kind->prox_state ? s->kind->prox_state(s) : 0;
    return kept ? calloc(rows * kept, sizeof(float)) : NULL;
}

/* With no more scratch than it says. */
static void prox(float *out, const float *u, float step, size_t B, float *state)
{
    struct arena scratch;
    arena_init(&scratch, s->kind->prox_bytes(s, B));
    s->kind->prox(s, out, u, step, B, state, &scratch);
    ck_assert_uint_eq(scratch.used_bytes, 0);
    arena_fini(&scratch);
}

static double half_square(const float *u)
{
    double sum = 0;
    for (size_t i = 0; i < UNITS; i++)
        sum += (double)u[i] * (double)u[i] / 2;
    return sum;
}

/* No energy is below the dual's value; nested and disjoint groups are served
 * exactly by the one pass from the smallest to the largest. */
static void check_prox(const float *out, const float *u, double t, double gap)
{
    double best[UNITS], got[UNITS];
    double bound = hand_prox(p, t, best, u), size = half_square(u);
    ck_assert_double_le(hand_energy(p, t, best, u) - bound,
                        1e-9 + gap / 10 * size);
    widen(got, out);
    ck_assert_double_le(hand_energy(p, t, got, u) - bound, gap * size + 1e-12);
    for (size_t i = 0; i < UNITS; i++)
        near(got[i], best[i], gap > EXACT ? 2e-3 * sqrt(2 * size) : 2e-6);
}

START_TEST(prox_is_the_minimum)
{
    float out[ROWS * UNITS];
    make(_i);
    for (float step = 0.25f; step < 3; step *= 2) {
        prox(out, z, step, ROWS, NULL);
        for (size_t b = 0; b < ROWS; b++)
            check_prox(out + b * UNITS, z + b * UNITS,
                       (double)(step * s->lambda), cases[_i].gap);
    }
    end();
}
END_TEST

START_TEST(prox_that_goes_on_arrives_too)
{
    float out[ROWS * UNITS];
    make(_i);
    float *state = state_of(ROWS);
    for (int k = 0; k < 300; k++) /* from another step's end, at first */
        prox(out, z, k < 20 ? 0.3f : 1, ROWS, state);
    for (size_t b = 0; b < ROWS; b++)
        check_prox(out + b * UNITS, z + b * UNITS, (double)s->lambda,
                   cases[_i].gap);
    free(state);
    end();
}
END_TEST

START_TEST(prox_has_exact_zeros)
{
    float out[ROWS * UNITS];
    double best[UNITS];
    size_t zeros = 0, off = 0;
    make(_i);
    prox(out, z, 1, ROWS, NULL);
    for (size_t b = 0; b < ROWS; b++) {
        hand_prox(p, (double)s->lambda, best, z + b * UNITS);
        for (size_t i = 0; i < UNITS; i++) {
            zeros += fabs(best[i]) < 1e-9;
            off += fabs(best[i]) < 1e-9 && out[b * UNITS + i] == 0.0f;
        }
    }
    ck_assert_uint_gt(zeros, 50);
    ck_assert_uint_ge(off, zeros * 9 / 10);
    end();
}
END_TEST

START_TEST(a_row_does_not_depend_on_the_others)
{
    float all[ROWS * UNITS], one[UNITS], v[ROWS * MOST_GROUPS];
    float w[MOST_GROUPS];
    make(_i);
    prox(all, z, 0.8f, ROWS, NULL);
    s->kind->pool(s, v, z, ROWS);
    for (size_t b = 0; b < ROWS; b++) {
        prox(one, z + b * UNITS, 0.8f, 1, NULL);
        near_all(one, all + b * UNITS, UNITS, 1e-6);
        s->kind->pool(s, w, z + b * UNITS, 1);
        near_all(w, v + b * groups, groups, 1e-7);
    }
    end();
}
END_TEST

START_TEST(prox_at_its_ends)
{
    float out[ROWS * UNITS], copy[ROWS * UNITS];
    make(_i);
    prox(out, z, 0, ROWS, NULL);
    near_all(out, z, ROWS * UNITS, 0);
    for (float step = 1e-8f; step > 1e-30f; step *= 1e-4f) {
        prox(out, z, step, ROWS, NULL);
        near_all(out, z, ROWS * UNITS, 1e-5);
    }
    prox(out, z, 1e4f, ROWS, NULL);
    for (size_t k = 0; k < ROWS * UNITS; k++)
        ck_assert(out[k] == (p->unit_sum[k % UNITS] > 0 ? 0 : z[k]));
    prox(out, z, 1, ROWS, NULL);
    memcpy(copy, z, sizeof copy);
    prox(copy, copy, 1, ROWS, NULL);
    near_all(copy, out, ROWS * UNITS, 0);
    end();
}
END_TEST

/* Squares overflow: then a row shows that it is not finite, or is right, but is
 * never silently off. */
START_TEST(prox_of_huge_numbers_is_no_lie)
{
    float u[ROWS * UNITS], out[ROWS * UNITS];
    make(_i);
    for (size_t k = 0; k < ROWS * UNITS; k++)
        u[k] = 1e25f * z[k];
    float *state = state_of(ROWS);
    prox(out, u, 1, ROWS, state);
    for (size_t k = 0; k < ROWS * UNITS; k += UNITS)
        if (vec_finite(out + k, UNITS))
            near_all(out + k, u + k, UNITS, 1e-5);
    free(state);
    end();
}
END_TEST

/* ---- limits ---- */

START_TEST(no_group_and_too_many_are_refused)
{
    struct pools own;
    ck_assert_int_eq(pools_init(&own, 4, 0, 0, &e), ERR_INVALID);
    ck_assert_int_eq(pools_init(&own, 4, POOLS_MAX_GROUPS + 1, 4, &e),
                     ERR_TOO_LARGE);
    ck_assert_int_eq(pools_init(&own, 4, 2, POOLS_MAX_ENTRIES + 1, &e),
                     ERR_TOO_LARGE);
    pools_fini(&own);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    make(_i);
    for (size_t n = 0;; n++) {
        mem_fail_after(n);
        struct model *m = model_new(model->config, NULL, 0, &e);
        mem_fail_after(SIZE_MAX);
        model_free(m);
        if (m) {
            ck_assert_uint_gt(n, 10);
            break;
        }
        ck_assert_msg(e.code == ERR_NO_MEMORY, "%zu: %s", n, e.msg);
    }
    end();
}
END_TEST

Suite *suite_pools(void);
Suite *suite_pools(void)
{
    Suite *suite = suite_create("pools");
    TCase *t = tcase_create("every kind of groups");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, pool_and_value_are_the_formula, 0, CASES);
    tcase_add_loop_test(t, gradients_are_differences_and_are_added, 0, CASES);
    tcase_add_loop_test(t, unpooling_undoes_pooling, 0, CASES);
    tcase_add_loop_test(t, prox_is_the_minimum, 0, CASES);
    tcase_add_loop_test(t, prox_that_goes_on_arrives_too, 0, CASES);
    tcase_add_loop_test(t, prox_has_exact_zeros, 0, CASES);
    tcase_add_loop_test(t, a_row_does_not_depend_on_the_others, 0, CASES);
    tcase_add_loop_test(t, prox_at_its_ends, 0, CASES);
    tcase_add_loop_test(t, prox_of_huge_numbers_is_no_lie, 0, CASES);
    suite_add_tcase(suite, t);
    TCase *limits = tcase_create("limits");
    tcase_add_test(limits, no_group_and_too_many_are_refused);
    tcase_add_loop_test(limits, every_allocation_may_fail, 0, CASES);
    suite_add_tcase(suite, limits);
    return suite;
}
