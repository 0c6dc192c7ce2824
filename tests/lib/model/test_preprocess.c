/* Whitening: what it makes of rows, the way back, and what is refused. What
 * holds for every model is held here for one that whitens.
 */
#include "lib/base/mem.h"
#include "lib/model/model.h"
#include "lib/model/model_file.h"
#include "lib/train/loss.h"
#include "tests/support/compositions.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Suite *suite_preprocess(void);

enum { SAMPLES = 3000, INPUTS = 6, ROWS = 7 };

static float samples[SAMPLES * INPUTS], white[SAMPLES * INPUTS];
static float rows[ROWS * INPUTS];
static struct arena memory;
static struct err e;

/* Neighbours agree, sizes and means differ: what whitening is for. */
static void correlated(float *x, size_t n, unsigned seed)
{
    struct rng rng = rng_make(seed, "correlated", 0);
    for (size_t b = 0; b < n; b++) {
        float walk = 0;
        for (size_t i = 0; i < INPUTS; i++) {
            walk += rng_normal(&rng);
            x[b * INPUTS + i] = 3.0f + (float)i + (1 + (float)i) * 0.2f * walk;
        }
    }
}

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
    correlated(samples, SAMPLES, 1);
    correlated(rows, ROWS, 2);
}

static void teardown(void)
{
    arena_fini(&memory);
}

static struct json *config_of(const char *steps, size_t inputs)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[%zu]},\"preprocess\":%s,\"layers\":["
             "{\"operator\":\"dense\",\"units\":8,"
             "\"encoder\":{\"kind\":\"feedforward\"},"
             "\"structure\":{\"kind\":\"l1\",\"lambda\":0.05}}]}",
             inputs, steps);
    struct json *config = json_parse(text, strlen(text), &e);
    ck_assert_msg(config != NULL, "%s: %s", text, e.msg);
    return config;
}

/* A model with these steps, not started; NULL if they are refused. */
static struct model *compose(const char *steps, size_t inputs)
{
    struct json *config = config_of(steps, inputs);
    struct model *m = model_new(config, NULL, 0, &e);
    json_free(config);
    return m;
}

static struct model *started(const char *steps)
{
    struct model *m = compose(steps, INPUTS);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_msg(!model_start(m, 1, samples, SAMPLES, &e), "%s", e.msg);
    return m;
}

/* samples through the steps into white; their covariance into c. */
static void whiten(const struct model *m, double c[INPUTS][INPUTS])
{
    static float scale[SAMPLES];
    double mean[INPUTS] = {0};
    memcpy(white, samples, sizeof white);
    preprocess_apply(&m->preprocess, white, scale, SAMPLES, INPUTS, &memory);
    for (size_t b = 0; b < SAMPLES; b++)
        for (size_t i = 0; i < INPUTS; i++)
            mean[i] += (double)white[b * INPUTS + i] / SAMPLES;
    for (size_t i = 0; i < INPUTS; i++) {
        near(mean[i], 0, 1e-4);
        for (size_t j = 0; j < INPUTS; j++) {
            c[i][j] = 0;
            for (size_t b = 0; b < SAMPLES; b++)
                c[i][j] += ((double)white[b * INPUTS + i] - mean[i]) *
                           ((double)white[b * INPUTS + j] - mean[j]) / SAMPLES;
        }
    }
}

START_TEST(whitened_rows_are_uncorrelated_and_of_one_size)
{
    double c[INPUTS][INPUTS];
    struct model *m = started("[{\"op\":\"whiten\",\"epsilon\":1e-6}]");
    whiten(m, c);
    for (size_t i = 0; i < INPUTS; i++)
        for (size_t j = 0; j < INPUTS; j++)
            near(c[i][j], i == j ? 1 : 0, 2e-3);
    model_free(m);
}
END_TEST

/* W (C + epsilon trace(C)/m I) W = I, with C of the raw rows. */
START_TEST(epsilon_is_a_share_of_the_mean_eigenvalue)
{
    enum { N = INPUTS };
    double c[N][N], mean[N] = {0}, trace = 0, wc[N][N] = {{0}};
    struct model *m = started("[{\"op\":\"whiten\",\"epsilon\":0.3}]");
    const float *w = params_find(&m->params, "preprocess.whiten")->value;
    for (size_t b = 0; b < SAMPLES; b++)
        for (size_t i = 0; i < N; i++)
            mean[i] += (double)samples[b * N + i] / SAMPLES;
    near(mean[2], 5, 0.1);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            c[i][j] = 0;
            for (size_t b = 0; b < SAMPLES; b++)
                c[i][j] += ((double)samples[b * N + i] - mean[i]) *
                           ((double)samples[b * N + j] - mean[j]) / SAMPLES;
        }
    for (size_t i = 0; i < N; i++)
        trace += c[i][i];
    for (size_t i = 0; i < N; i++)
        c[i][i] += 0.3 * trace / N;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            for (size_t k = 0; k < N; k++)
                wc[i][j] += (double)w[i * N + k] * c[k][j];
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            double sum = 0;
            for (size_t k = 0; k < N; k++)
                sum += wc[i][k] * (double)w[k * N + j];
            near(sum, i == j ? 1 : 0, 1e-4);
            near((double)w[i * N + j], (double)w[j * N + i], 1e-6);
        }
    model_free(m);
}
END_TEST

static const char *const lists[] = {
    "[{\"op\":\"whiten\"}]",
    "[{\"op\":\"whiten\",\"epsilon\":1e-4},{\"op\":\"unit_norm\"}]",
    "[{\"op\":\"unit_norm\"},{\"op\":\"whiten\",\"epsilon\":0.1}]",
};

START_TEST(undo_is_the_way_back)
{
    float x[ROWS * INPUTS], scale[ROWS];
    struct model *m = started(lists[_i]);
    memcpy(x, rows, sizeof x);
    preprocess_apply(&m->preprocess, x, scale, ROWS, INPUTS, &memory);
    ck_assert(fabsf(x[0] - rows[0]) > 0.1f);
    preprocess_undo(&m->preprocess, x, scale, ROWS, INPUTS, &memory);
    near_all(x, rows, ROWS * INPUTS, 1e-4);
    ck_assert(preprocess_mixes(&m->preprocess));
    ck_assert(preprocess_scales(&m->preprocess) == (_i > 0));
    ck_assert_uint_eq(model_check_restores(m, &e), ERR_CONFLICT);
    model_free(m);
}
END_TEST

START_TEST(a_step_learns_from_what_the_steps_before_it_make)
{
    double c[INPUTS][INPUTS];
    struct model *m = started(
        "[{\"op\":\"unit_norm\"},{\"op\":\"whiten\",\"epsilon\":1e-6}]");
    whiten(m, c);
    /* Of unit vectors, which vary less in one direction. */
    near(c[0][0], 1, 0.05);
    near(c[0][5], 0, 0.05);
    model_free(m);
}
END_TEST

START_TEST(two_samples_are_enough_to_go_on)
{
    float x[ROWS * INPUTS], scale[ROWS];
    struct model *m = compose("[{\"op\":\"whiten\"}]", INPUTS);
    ck_assert_ptr_nonnull(m);
    ck_assert_msg(!model_start(m, 1, samples, 2, &e), "%s", e.msg);
    memcpy(x, rows, sizeof x);
    preprocess_apply(&m->preprocess, x, scale, ROWS, INPUTS, &memory);
    preprocess_undo(&m->preprocess, x, scale, ROWS, INPUTS, &memory);
    near_all(x, rows, ROWS * INPUTS, 1e-3);
    model_free(m);
}
END_TEST

START_TEST(the_tensors_are_fixed)
{
    static const char *const names[] = {"preprocess.mean", "preprocess.whiten",
                                        "preprocess.unwhiten"};
    struct model *m = composition_whitened();
    for (size_t i = 0; i < 3; i++) {
        const struct param *p = params_find(&m->params, names[i]);
        ck_assert_ptr_nonnull(p);
        ck_assert(p->rate == 0);
        ck_assert_ptr_null(p->project);
        ck_assert_uint_eq(p->dims[0], INPUTS);
        ck_assert_int_eq(p->axes[0], AXIS_FIXED);
    }
    model_free(m);
}
END_TEST

/* ---- whole models ---- */

static struct pass encode(const struct model *m, const float *x, size_t B,
                          struct arena *arena)
{
    struct pass p;
    struct model_options options = {.trace = true};
    ck_assert_msg(!model_encode(m, &p, x, B, &options, arena, &e), "%s", e.msg);
    ck_assert_msg(!model_classify(m, &p, arena, &e), "%s", e.msg);
    return p;
}

START_TEST(a_batch_equals_its_rows_and_keeps_to_its_bytes)
{
    struct model *m = composition_whitened();
    struct model_options options = {.trace = true};
    float drawn[ROWS * INPUTS], one[INPUTS], relative[ROWS];
    struct arena tight;
    composition_rows(rows, NULL, ROWS, 5);
    arena_init(&tight, model_pass_bytes(m, ROWS, &options));
    struct pass p = encode(m, rows, ROWS, &tight);
    ck_assert(!model_reconstruct(m, &p, 0, drawn, relative, &tight, &e));
    for (size_t b = 0; b < ROWS; b++) {
        struct pass q = encode(m, rows + b * INPUTS, 1, &memory);
        near_all(q.layers[0].z, p.layers[0].z + b * 8, 8, 1e-5);
        ck_assert(!model_reconstruct(m, &q, 0, one, NULL, &memory, &e));
        near_all(one, drawn + b * INPUTS, INPUTS, 1e-5);
    }
    arena_fini(&tight);
    arena_init(&tight, 1024); /* room for x, none for scratch */
    ck_assert_int_eq(model_encode(m, &p, rows, ROWS, &options, &tight, &e),
                     ERR_NO_MEMORY);
    arena_fini(&tight);
    model_free(m);
}
END_TEST

START_TEST(a_perfect_code_draws_the_row)
{
    struct model *m = composition_whitened();
    float drawn[INPUTS], z[8] = {0}, scale[1], x[INPUTS];
    memcpy(x, rows, sizeof x);
    preprocess_apply(&m->preprocess, x, scale, 1, INPUTS, &memory);
    /* Six atoms that draw an input each, and a code that says x. */
    struct param *dec = params_find(&m->params, "layers.0.decoder.weight");
    memset(dec->value, 0, dec->count * sizeof *dec->value);
    for (size_t i = 0; i < INPUTS; i++) {
        dec->value[i * 8 + i] = 1;
        z[i] = x[i];
    }
    ck_assert(!model_decode(m, 0, drawn, z, scale, 1, &memory, &e));
    near_all(drawn, rows, INPUTS, 1e-4);
    model_free(m);
}
END_TEST

START_TEST(a_file_holds_what_was_learned)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct model *m = composition_whitened();
    float want[ROWS * INPUTS], got[ROWS * INPUTS];
    ck_assert_msg(!model_save(m, path, &e), "%s", e.msg);
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    struct model *copy = model_copy(back, &e);
    ck_assert_ptr_nonnull(copy);
    struct pass p = encode(m, rows, ROWS, &memory);
    ck_assert(!model_reconstruct(m, &p, 0, want, NULL, &memory, &e));
    p = encode(copy, rows, ROWS, &memory);
    ck_assert(!model_reconstruct(copy, &p, 0, got, NULL, &memory, &e));
    near_all(got, want, ROWS * INPUTS, 0);
    model_free(m);
    model_free(back);
    model_free(copy);
    tmp_remove(folder);
}
END_TEST

/* The adversarial input is already preprocessed: with a radius of nothing its
 * loss is that of the input. */
START_TEST(the_adversarial_input_is_not_whitened_twice)
{
    struct model *m = composition_whitened();
    struct loss_weights w = {.classification = 1};
    struct loss_sums clean = {0}, both = {0};
    int32_t labels[ROWS] = {0, 1, 2, 0, 1, 2, 0};
    composition_rows(rows, NULL, ROWS, 5);
    struct loss_rows all = {.B = ROWS, .x = rows, .labels = labels};
    ck_assert(!loss_run(m, &w, &all, 1, NULL, &clean, &memory, &e));
    w.adversarial = 1;
    w.adversarial_radius = 1e-6f;
    ck_assert(!loss_run(m, &w, &all, 1, NULL, &both, &memory, &e));
    ck_assert(clean.total > 0);
    near(both.total, 2 * clean.total, 1e-4);
    model_free(m);
}
END_TEST

/* ---- refusals ---- */

static const struct {
    const char *steps, *message;
} refused[] = {
    {"[{\"op\":\"whiten\",\"epsilon\":0}]", "preprocess[0].epsilon"},
    {"[{\"op\":\"whiten\",\"epsilon\":-1}]", "preprocess[0].epsilon"},
    {"[{\"op\":\"whiten\",\"epsilon\":1e9}]", "preprocess[0].epsilon"},
    {"[{\"op\":\"whiten\",\"epsilon\":\"x\"}]", "preprocess[0].epsilon"},
    {"[{\"op\":\"whiten\",\"eps\":1}]", "preprocess[0].eps"},
    {"[{\"op\":\"unit_norm\",\"epsilon\":1}]", "preprocess[0].epsilon"},
    {"[{\"op\":\"whiten\"},{\"op\":\"whiten\"}]", "preprocess[1].op"},
    {"[{\"op\":\"unit_norm\"},{\"op\":\"unit_norm\"}]", "preprocess[1].op"},
    {"[{\"epsilon\":1}]", "preprocess[0].op"},
    {"[{\"op\":7}]", "preprocess[0].op"},
    {"[\"whiten\"]", "preprocess[0]: must be an object"},
    {"{\"op\":\"whiten\"}", "preprocess: must be an array"},
};

START_TEST(bad_settings_are_named)
{
    struct model *m = compose(refused[_i].steps, INPUTS);
    ck_assert_msg(m == NULL, "%s: taken", refused[_i].steps);
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, refused[_i].message) != NULL, "%s: %s",
                  refused[_i].steps, e.msg);
}
END_TEST

START_TEST(too_many_inputs_are_refused)
{
    struct model *m = compose("[{\"op\":\"whiten\"}]", 4096);
    ck_assert_msg(m != NULL, "%s", e.msg);
    model_free(m);
    ck_assert_ptr_null(compose("[{\"op\":\"whiten\"}]", 4097));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    ck_assert_msg(strstr(e.msg, "preprocess[0]: takes at most 4096") != NULL,
                  "%s", e.msg);
}
END_TEST

START_TEST(samples_that_teach_nothing_are_refused)
{
    struct model *m = compose("[{\"op\":\"whiten\"}]", INPUTS);
    ck_assert_ptr_nonnull(m);
    for (size_t n = 0; n < 2; n++) {
        ck_assert_int_eq(model_start(m, 1, samples, n, &e), ERR_SHAPE);
        ck_assert_msg(strstr(e.msg, "preprocess[0]: ") != NULL, "%s", e.msg);
    }
    for (size_t i = 0; i < 10 * INPUTS; i++)
        samples[i] = 0.3f;
    ck_assert_int_eq(model_start(m, 1, samples, 10, &e), ERR_SHAPE);
    ck_assert_msg(strstr(e.msg, "all the same") != NULL, "%s", e.msg);
    samples[3] = 3e38f;
    samples[9] = -3e38f;
    ck_assert_int_ne(model_start(m, 1, samples, 10, &e), ERR_OK);
    model_free(m);
}
END_TEST

START_TEST(a_row_too_large_to_be_whitened_is_refused)
{
    struct model_options options = {0};
    struct pass p;
    struct model *m = started(lists[_i]);
    for (size_t i = 0; i < INPUTS; i++)
        rows[INPUTS + i] = i % 2 ? 3e38f : -3e38f;
    ck_assert_int_eq(model_encode(m, &p, rows, ROWS, &options, &memory, &e),
                     ERR_SHAPE);
    ck_assert_msg(strstr(e.msg, "inputs[1]") != NULL, "%s", e.msg);
    model_free(m);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error_at_every_allocation)
{
    struct json *config = config_of("[{\"op\":\"whiten\"}]", INPUTS);
    for (size_t n = 0; n < 400; n++) {
        mem_fail_after(n);
        struct model *m = model_new(config, NULL, 0, &e);
        bool failed = !m || model_start(m, 1, samples, 20, &e);
        mem_fail_after(SIZE_MAX);
        model_free(m);
        if (!failed) {
            ck_assert_uint_gt(n, 8);
            json_free(config);
            return;
        }
        ck_assert_int_eq(e.code, ERR_NO_MEMORY);
    }
    ck_abort_msg("never succeeded");
}
END_TEST

Suite *suite_preprocess(void)
{
    Suite *s = suite_create("preprocess");
    TCase *t = tcase_create("whitening");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, whitened_rows_are_uncorrelated_and_of_one_size);
    tcase_add_test(t, epsilon_is_a_share_of_the_mean_eigenvalue);
    tcase_add_loop_test(t, undo_is_the_way_back, 0, 3);
    tcase_add_test(t, a_step_learns_from_what_the_steps_before_it_make);
    tcase_add_test(t, two_samples_are_enough_to_go_on);
    tcase_add_test(t, the_tensors_are_fixed);
    suite_add_tcase(s, t);
    t = tcase_create("whole models");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_batch_equals_its_rows_and_keeps_to_its_bytes);
    tcase_add_test(t, a_perfect_code_draws_the_row);
    tcase_add_test(t, a_file_holds_what_was_learned);
    tcase_add_test(t, the_adversarial_input_is_not_whitened_twice);
    suite_add_tcase(s, t);
    t = tcase_create("refusals");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, bad_settings_are_named, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(t, too_many_inputs_are_refused);
    tcase_add_test(t, samples_that_teach_nothing_are_refused);
    tcase_add_loop_test(t, a_row_too_large_to_be_whitened_is_refused, 0, 3);
    tcase_add_test(t, running_out_of_memory_is_an_error_at_every_allocation);
    suite_add_tcase(s, t);
    return s;
}
