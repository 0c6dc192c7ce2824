/* Steps against numbers computed by hand, and what must not move. */
#include "lib/train/optimiser.h"
#include "tests/support/near.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct params params;
static struct optimiser optimiser;
static float grads[3000];
static bool trained[PARAM_MAX];

/* Two tensors: "a" (rows, columns), and "b" of one number. */
static void setup_params(size_t rows, size_t columns)
{
    struct err e;
    const enum param_axis axes[2] = {AXIS_CODE, AXIS_INPUT};
    memset(&params, 0, sizeof params);
    ck_assert_ptr_nonnull(
        params_add(&params, "a", 2, (size_t[]){rows, columns}, axes, &e));
    ck_assert_ptr_nonnull(params_add(&params, "b", 1, (size_t[]){1}, axes, &e));
    ck_assert(!params_allocate(&params, &e));
    ck_assert_uint_le(params.total, sizeof grads / sizeof *grads);
    trained[0] = trained[1] = true;
}

static void setup_optimiser(struct optimiser_settings settings)
{
    struct err e;
    settings.project_every =
        settings.project_every ? settings.project_every : 1;
    ck_assert(!optimiser_init(&optimiser, &settings, params.total, &e));
}

static void teardown(void)
{
    optimiser_fini(&optimiser);
    params_fini(&params);
}

/* A whole step at once, as the stepper takes it with a team. */
static void optimiser_step(struct optimiser *o, struct params *table,
                           const bool *rows, const float *gradient, double rate)
{
    float factor = 1.0f;
    optimiser_begin(o, rate);
    if (o->settings.clip > 0)
        factor = optimiser_clip_factor(
            o, optimiser_square_sum(table, rows, gradient, 0, o->total));
    optimiser_update(o, table, rows, gradient, factor, 0, o->total);
    if (optimiser_projects(o))
        optimiser_project(table, rows, 0, 1);
}

static const struct optimiser_settings adam = {
    .kind = OPTIMISER_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};

static void step(float gradient, double rate)
{
    for (size_t i = 0; i < params.total; i++)
        grads[i] = gradient;
    optimiser_step(&optimiser, &params, trained, grads, rate);
}

START_TEST(sgd_gathers_momentum)
{
    setup_params(1, 1);
    setup_optimiser(
        (struct optimiser_settings){.kind = OPTIMISER_SGD, .momentum = 0.9});
    params.values[0] = 1;
    step(0.5f, 0.1); /* v = 0.5 */
    near(params.values[0], 0.95, 1e-6);
    step(-0.25f, 0.1); /* v = 0.45 - 0.25 */
    near(params.values[0], 0.93, 1e-6);
    teardown();
}
END_TEST

START_TEST(adam_corrects_both_moments)
{
    setup_params(1, 1);
    setup_optimiser(adam);
    params.values[0] = 1;
    step(0.5f, 0.1); /* m^ = 0.5, v^ = 0.25 */
    near(params.values[0], 0.9, 1e-6);
    /* m^ = 0.02 / 0.19, v^ = 0.00031225 / 0.001999 */
    step(-0.25f, 0.1);
    near(params.values[0], 0.8733664, 1e-6);
    ck_assert_uint_eq(optimiser.steps, 2);
    teardown();
}
END_TEST

START_TEST(adam_epsilon_bounds_the_step_of_tiny_gradients)
{
    struct optimiser_settings settings = adam;
    settings.epsilon = 0.5;
    setup_params(1, 1);
    setup_optimiser(settings);
    step(0.5f, 1); /* 0.5 / (0.5 + 0.5) */
    near(params.values[0], -0.5, 1e-6);
    teardown();
}
END_TEST

START_TEST(rows_have_their_own_rate_and_sign)
{
    setup_params(1, 2);
    setup_optimiser((struct optimiser_settings){.kind = OPTIMISER_SGD});
    params.list[0].rate = 0.5f;
    params.list[1].sign = -1;
    step(1, 0.1);
    near(params.values[0], -0.05, 1e-7);
    near(params.values[1], -0.05, 1e-7);
    near(params.values[2], 0.1, 1e-7);
    teardown();
}
END_TEST

static void frozen_stays(void)
{
    float before[3];
    setup_optimiser(adam);
    params.values[0] = 3;
    params.values[1] = 4;
    params.list[0].project = param_limit_rows;
    params.list[0].bound = 1;
    memcpy(before, params.values, sizeof before);
    step(1, 0.1);
    ck_assert_mem_eq(params.values, before, 2 * sizeof *before);
    ck_assert(optimiser.first[0] == 0.0f && optimiser.second[1] == 0.0f);
    ck_assert(params.values[2] < 0.0f);
    teardown();
}

START_TEST(rows_that_are_not_trained_stay_to_the_bit)
{
    setup_params(1, 2);
    trained[0] = false;
    frozen_stays();
}
END_TEST

START_TEST(rows_with_rate_0_stay_to_the_bit)
{
    setup_params(1, 2);
    params.list[0].rate = 0;
    frozen_stays();
}
END_TEST

START_TEST(clipping_bounds_the_norm_of_what_is_trained)
{
    setup_params(1, 2);
    setup_optimiser(
        (struct optimiser_settings){.kind = OPTIMISER_SGD, .clip = 1});
    trained[1] = false;
    grads[0] = 3;
    grads[1] = 4;
    grads[2] = 1000; /* frozen: does not count */
    optimiser_step(&optimiser, &params, trained, grads, 1);
    near(params.values[0], -0.6, 1e-6);
    near(params.values[1], -0.8, 1e-6);
    optimiser_step(&optimiser, &params, trained, (float[]){0.3f, 0.4f, 0}, 1);
    near(params.values[0], -0.9, 1e-6); /* short enough: unchanged */
    teardown();
}
END_TEST

START_TEST(bounds_are_repaired_every_so_many_steps)
{
    setup_params(1, 2);
    setup_optimiser(
        (struct optimiser_settings){.kind = OPTIMISER_SGD, .project_every = 2});
    params.list[0].project = param_limit_rows;
    params.list[0].bound = 1;
    params.values[0] = 3;
    params.values[1] = 4;
    step(0, 1);
    near(params.values[0], 3, 0);
    step(0, 1);
    near(params.values[0], 0.6, 1e-6);
    near(params.values[1], 0.8, 1e-6);
    teardown();
}
END_TEST

START_TEST(a_dead_unit_leaves_no_denormal_moments)
{
    setup_params(1, 1);
    setup_optimiser(adam);
    step(1e-3f, 0.1);
    for (int i = 0; i < 2000; i++)
        step(0, 0.1);
    ck_assert(optimiser.first[0] == 0.0f);
    ck_assert(optimiser.second[0] > 0.0f);
    teardown();
}
END_TEST

static void random_step(void)
{
    srand(3);
    for (size_t i = 0; i < params.total; i++) {
        params.values[i] = (float)rand() / (float)RAND_MAX;
        grads[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    }
    params.list[0].project = param_limit_rows;
    params.list[0].bound = 1;
}

START_TEST(a_step_in_parts_equals_the_whole_to_the_bit)
{
    const size_t cuts[] = {0, 16, 48, 1008, 1500, 2500};
    struct optimiser_settings settings = adam;
    float whole[2500];
    settings.project_every = 1;
    setup_params(51, 49);
    setup_optimiser(settings);
    random_step();
    optimiser_step(&optimiser, &params, trained, grads, 0.1);
    memcpy(whole, params.values, sizeof whole);
    optimiser_fini(&optimiser);

    setup_optimiser(settings);
    random_step();
    optimiser_begin(&optimiser, 0.1);
    for (int i = 4; i >= 0; i--)
        optimiser_update(&optimiser, &params, trained, grads, 1, cuts[i],
                         cuts[i + 1]);
    ck_assert(optimiser_projects(&optimiser));
    for (size_t i = 0; i < 3; i++)
        optimiser_project(&params, trained, i, 3);
    ck_assert_uint_eq(params.total, 2500);
    ck_assert_mem_eq(params.values, whole, sizeof whole);
    teardown();
}
END_TEST

Suite *suite_optimiser(void);
Suite *suite_optimiser(void)
{
    Suite *s = suite_create("optimiser");
    TCase *steps = tcase_create("steps");
    TCase *policy = tcase_create("rates, bounds and parts");
    tcase_add_test(steps, sgd_gathers_momentum);
    tcase_add_test(steps, adam_corrects_both_moments);
    tcase_add_test(steps, adam_epsilon_bounds_the_step_of_tiny_gradients);
    tcase_add_test(steps, a_dead_unit_leaves_no_denormal_moments);
    tcase_add_test(policy, rows_have_their_own_rate_and_sign);
    tcase_add_test(policy, rows_that_are_not_trained_stay_to_the_bit);
    tcase_add_test(policy, rows_with_rate_0_stay_to_the_bit);
    tcase_add_test(policy, clipping_bounds_the_norm_of_what_is_trained);
    tcase_add_test(policy, bounds_are_repaired_every_so_many_steps);
    tcase_add_test(policy, a_step_in_parts_equals_the_whole_to_the_bit);
    suite_add_tcase(s, steps);
    suite_add_tcase(s, policy);
    return s;
}
