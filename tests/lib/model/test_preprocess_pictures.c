/* Steps for pictures: what the filter passes and the way back; contrast that is
 * even. That graphs and files agree is held for both.
 */
#include "lib/base/mem.h"
#include "lib/model/model.h"
#include "lib/model/model_file.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { H = 10, W = 14, C = 2, N = C * H * W, ROWS = 30 };

static float rows[ROWS * N], x[ROWS * N], scale[ROWS];
static struct arena memory;
static struct err e;

/* Shades that change slowly, edges, noise. */
static void setup(void)
{
    struct rng rng = rng_make(1, "pictures", 0);
    for (size_t b = 0; b < ROWS * C; b++) {
        double slant = (double)rng_uniform(&rng, -1, 1);
        size_t edge = rng_below(&rng, W);
        for (size_t i = 0; i < H * W; i++)
            rows[b * H * W + i] = (float)(0.5 + 0.02 * slant * (double)(i / W) +
                                          (i % W > edge ? 0.3 : 0)) +
                                  rng_uniform(&rng, -0.05f, 0.05f);
    }
    memcpy(x, rows, sizeof x);
    arena_init(&memory, SIZE_MAX);
}

static void teardown(void)
{
    arena_fini(&memory);
}

static struct json *config_of(const char *shape, const char *steps)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[%s]},\"preprocess\":[%s],\"layers\":["
             "{\"operator\":\"dense\",\"units\":3,"
             "\"encoder\":{\"kind\":\"feedforward\"},"
             "\"structure\":{\"kind\":\"l1\",\"lambda\":0.05}}]}",
             shape, steps);
    struct json *config = json_parse(text, strlen(text), &e);
    ck_assert_msg(config != NULL, "%s: %s", text, e.msg);
    return config;
}

static struct model *compose(const char *shape, const char *steps)
{
    struct json *config = config_of(shape, steps);
    struct model *m = model_new(config, NULL, 0, &e);
    json_free(config);
    return m;
}

static struct model *started(const char *steps)
{
    struct model *m = compose("2,10,14", steps);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_msg(!model_start(m, 1, rows, ROWS, &e), "%s", e.msg);
    return m;
}

static void apply(const struct model *m, size_t B)
{
    ck_assert(
        arena_reserve(&memory, preprocess_scratch_bytes(&m->preprocess, B, N)));
    preprocess_apply(&m->preprocess, x, scale, B, N, &memory);
}

static double mean_square(const float *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    return sum / (double)n;
}

/* ---- whiten_filter ---- */

#define FILTER(settings) "{\"op\":\"whiten_filter\"" settings "}"

START_TEST(filtered_rows_have_mean_0_and_a_mean_square_of_1)
{
    struct model *m = started(FILTER(""));
    apply(m, ROWS);
    near(mean_square(x, ROWS * N), 1, 1e-4);
    for (size_t p = 0; p < ROWS * C; p++) {
        double sum = 0;
        for (size_t i = 0; i < H * W; i++)
            sum += (double)x[p * H * W + i];
        near(sum / (H * W), 0, 1e-5);
    }
    model_free(m);
}
END_TEST

/* The cosine k,l over the picture, in its first channel. */
static void wave(float *out, size_t k, size_t l)
{
    memset(out, 0, N * sizeof *out);
    for (size_t i = 0; i < H * W; i++)
        out[i] = (float)(cos(M_PI * (double)k * ((double)(i / W) + 0.5) / H) *
                         cos(M_PI * (double)l * ((double)(i % W) + 0.5) / W));
}

/* A wave stays what it is, as large as the formula says beside another. */
START_TEST(waves_pass_by_their_frequency)
{
    static const size_t waves[][2] = {{0, 3}, {2, 0}, {3, 5}, {9, 13}, {1, 1}};
    double unit = 0;
    struct model *m = started(FILTER(",\"cutoff\":0.2,\"power\":2"));
    for (size_t i = 0; i < sizeof waves / sizeof waves[0]; i++) {
        float in[N];
        wave(in, waves[i][0], waves[i][1]);
        memcpy(x, in, sizeof in);
        apply(m, 1);
        double f = hypot((double)waves[i][0] / (2 * H),
                         (double)waves[i][1] / (2 * W)) /
                   0.2;
        double want = f * f * exp(-f * f * f * f);
        unit = i ? unit : (double)x[0] / (double)in[0] / want;
        for (size_t k = 0; k < N; k++)
            near((double)x[k], unit * want * (double)in[k], 1e-5 * unit);
    }
    model_free(m);
}
END_TEST

/* Filters do not move things: a flipped picture gives the flipped answer. */
START_TEST(filters_have_no_side)
{
    struct model *m = started(FILTER(""));
    for (size_t i = 0; i < N; i++)
        x[N + i] = x[i / W * W + W - 1 - i % W];
    apply(m, 2);
    for (size_t i = 0; i < N; i++)
        near((double)x[N + i], (double)x[i / W * W + W - 1 - i % W], 1e-4);
    model_free(m);
}
END_TEST

/* With little regard for noise all comes back but the mean, which is that of
 * the rows to start from. */
START_TEST(undo_is_the_way_back_but_for_the_mean)
{
    struct model *m = started(FILTER(",\"cutoff\":0.8,\"epsilon\":1e-6"));
    const float *mean = params_find(&m->params, "preprocess.mean")->value;
    apply(m, 3);
    preprocess_undo(&m->preprocess, x, scale, 3, N, &memory);
    for (size_t p = 0; p < 3 * C; p++) {
        double own = 0;
        for (size_t i = 0; i < H * W; i++)
            own += (double)rows[p * H * W + i] / (H * W);
        for (size_t i = p * H * W; i < (p + 1) * H * W; i++)
            near((double)x[i], (double)rows[i] - own + (double)mean[p % C],
                 2e-3);
    }
    near((double)mean[0], (double)mean[1], 0.1);
    model_free(m);
}
END_TEST

/* What is drawn at a frequency that hardly passes is not blown up. */
START_TEST(undo_leaves_errors_small)
{
    struct model *m = started(FILTER(",\"cutoff\":0.2,\"power\":4"));
    const struct param *r = params_find(&m->params, "preprocess.whiten");
    const struct param *back = params_find(&m->params, "preprocess.unwhiten");
    float most = 0;
    for (size_t i = 0; i < r->count; i++)
        most = fmaxf(most, r->value[i]);
    for (size_t i = 0; i < r->count; i++) {
        ck_assert(back->value[i] >= 0);
        ck_assert(back->value[i] <= 5.001f / most);
        if (r->value[i] > 0.9f * most)
            near((double)(back->value[i] * r->value[i]), 1, 0.02);
    }
    ck_assert(r->value[0] == 0.0f && back->value[0] == 0.0f);
    model_free(m);
}
END_TEST

START_TEST(the_filter_is_fixed_and_in_the_file)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct model *m = started(FILTER(",\"power\":3"));
    for (size_t i = 0; i < m->params.n; i++)
        if (strstr(m->params.list[i].name, "preprocess."))
            ck_assert(m->params.list[i].rate == 0.0f);
    ck_assert_msg(!model_save(m, path, &e), "%s", e.msg);
    struct model *loaded = model_load(path, &e);
    ck_assert_msg(loaded != NULL, "%s", e.msg);
    apply(m, 4);
    float want[4 * N];
    memcpy(want, x, sizeof want);
    memcpy(x, rows, sizeof want);
    apply(loaded, 4);
    near_all(x, want, 4 * N, 0);
    model_free(m);
    model_free(loaded);
    tmp_remove(folder);
}
END_TEST

/* ---- local_contrast ---- */

#define CONTRAST(settings) "{\"op\":\"local_contrast\"" settings "}"

/* By loops: the Gaussian mean over the mirrored picture. */
static double deviation_at(const float *picture, ptrdiff_t y, ptrdiff_t z,
                           double sigma)
{
    double sum = 0, all = 0;
    ptrdiff_t R = (ptrdiff_t)ceil(3 * sigma);
    for (ptrdiff_t dy = -R; dy <= R; dy++)
        for (ptrdiff_t dz = -R; dz <= R; dz++) {
            ptrdiff_t i = y + dy, k = z + dz;
            while (i < 0 || i >= H)
                i = i < 0 ? -1 - i : 2 * H - 1 - i;
            while (k < 0 || k >= W)
                k = k < 0 ? -1 - k : 2 * W - 1 - k;
            double g = exp(-(double)(dy * dy + dz * dz) / (2 * sigma * sigma));
            all += g;
            for (size_t c = 0; c < C; c++) {
                double v = (double)picture[c * H * W + (size_t)(i * W + k)];
                sum += g * v * v / C;
            }
        }
    return sqrt(sum / all);
}

START_TEST(pixels_are_divided_by_the_deviation_around_them)
{
    static const double sigmas[] = {0.5, 1.3, 4, 11};
    char steps[100];
    snprintf(steps, sizeof steps, CONTRAST(",\"sigma\":%g,\"floor\":0.6"),
             sigmas[_i]);
    struct model *m = started(steps);
    size_t low = 0;
    apply(m, 3);
    for (size_t i = 0; i < 3 * N; i++) {
        double d = deviation_at(rows + i / N * N, (ptrdiff_t)(i / W % H),
                                (ptrdiff_t)(i % W), sigmas[_i]);
        low += d < 0.6;
        near((double)x[i], (double)rows[i] / fmax(d, 0.6), 1e-4);
    }
    ck_assert_uint_gt(low, 10);
    ck_assert_uint_lt(low, 3 * N - 10);
    for (size_t b = 0; b < 3; b++)
        ck_assert(scale[b] == 1.0f);
    model_free(m);
}
END_TEST

START_TEST(faint_parts_count_as_much_as_strong_ones)
{
    struct model *m = started(CONTRAST(",\"sigma\":1,\"floor\":1e-4"));
    for (size_t i = 0; i < N; i++)
        x[i] = (i % W < W / 2 ? 0.01f : 1) * (i % 2 ? 1.0f : -1.0f);
    apply(m, 1);
    for (size_t i = 0; i < N; i++)
        if (i % W < W / 2 - 3 || i % W > W / 2 + 3)
            near(fabs((double)x[i]), 1, 1e-5);
    model_free(m);
}
END_TEST

/* ---- both ---- */

static const char *const lists[] = {
    FILTER(""), CONTRAST(""), FILTER("") "," CONTRAST(""),
    FILTER("") "," CONTRAST("") ",{\"op\":\"unit_norm\"}"};

START_TEST(a_batch_equals_its_rows)
{
    static float all[ROWS * N];
    struct model *m = started(lists[_i]);
    apply(m, ROWS);
    preprocess_undo(&m->preprocess, x, scale, ROWS, N, &memory);
    memcpy(all, x, sizeof all);
    for (size_t b = 0; b < ROWS; b += 5) {
        memcpy(x, rows + b * N, N * sizeof *x);
        struct arena bounded;
        arena_init(&bounded, preprocess_scratch_bytes(&m->preprocess, 1, N));
        preprocess_apply(&m->preprocess, x, scale, 1, N, &bounded);
        preprocess_undo(&m->preprocess, x, scale, 1, N, &bounded);
        near_all(x, all + b * N, N, 1e-4);
        arena_fini(&bounded);
    }
    ck_assert(preprocess_mixes(&m->preprocess));
    model_free(m);
}
END_TEST

static const struct {
    const char *shape, *steps;
    enum err_code code;
    const char *message;
} refused[] = {
    {"10,14", FILTER(",\"cutoff\":0"), ERR_INVALID, "preprocess[0].cutoff"},
    {"10,14", FILTER(",\"cutoff\":2"), ERR_INVALID, "preprocess[0].cutoff"},
    {"10,14", FILTER(",\"power\":0"), ERR_INVALID, "preprocess[0].power"},
    {"10,14", FILTER(",\"power\":9"), ERR_INVALID, "preprocess[0].power"},
    {"10,14", FILTER(",\"epsilon\":0"), ERR_INVALID, "preprocess[0].epsilon"},
    {"10,14", FILTER(",\"sigma\":1"), ERR_INVALID, "preprocess[0].sigma"},
    {"10,14", FILTER("") "," FILTER(""), ERR_INVALID, "preprocess[1].op"},
    {"10,14", "{\"op\":\"whiten\"}," FILTER(""), ERR_INVALID,
     "preprocess[1].op"},
    {"140", FILTER(""), ERR_SHAPE, "preprocess[0]: filters pictures"},
    {"1,14", FILTER(""), ERR_SHAPE, "preprocess[0]: filters pictures"},
    {"2,1025", FILTER(""), ERR_TOO_LARGE, "preprocess[0]: takes pictures"},
    {"10,14", CONTRAST(",\"sigma\":33"), ERR_INVALID, "preprocess[0].sigma"},
    {"10,14", CONTRAST(",\"sigma\":0.1"), ERR_INVALID, "preprocess[0].sigma"},
    {"10,14", CONTRAST(",\"floor\":0"), ERR_INVALID, "preprocess[0].floor"},
    {"10,14", CONTRAST(",\"power\":1"), ERR_INVALID, "preprocess[0].power"},
};

START_TEST(bad_settings_are_named)
{
    struct model *m = compose(refused[_i].shape, refused[_i].steps);
    ck_assert_msg(m == NULL, "%s: taken", refused[_i].steps);
    ck_assert_msg(strstr(e.msg, refused[_i].message) != NULL, "%s: %s",
                  refused[_i].steps, e.msg);
    ck_assert_int_eq(e.code, refused[_i].code);
}
END_TEST

START_TEST(rows_that_teach_nothing_are_refused)
{
    struct model *m = compose("2,10,14", FILTER(""));
    ck_assert_int_eq(model_start(m, 1, rows, 0, &e), ERR_SHAPE);
    for (size_t i = 0; i < 3 * N; i++)
        rows[i] = 0.4f;
    ck_assert_int_eq(model_start(m, 1, rows, 3, &e), ERR_SHAPE);
    ck_assert_msg(strstr(e.msg, "one shade") != NULL, "%s", e.msg);
    model_free(m);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
    struct json *config = config_of("2,10,14", lists[3]);
    for (size_t n = 0; n < 400; n++) {
        mem_fail_after(n);
        struct model *m = model_new(config, NULL, 0, &e);
        bool failed = !m || model_start(m, 1, rows, 5, &e);
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

Suite *suite_preprocess_pictures(void);
Suite *suite_preprocess_pictures(void)
{
    Suite *s = suite_create("preprocess_pictures");
    TCase *t = tcase_create("whiten_filter");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, filtered_rows_have_mean_0_and_a_mean_square_of_1);
    tcase_add_test(t, waves_pass_by_their_frequency);
    tcase_add_test(t, filters_have_no_side);
    tcase_add_test(t, undo_is_the_way_back_but_for_the_mean);
    tcase_add_test(t, undo_leaves_errors_small);
    tcase_add_test(t, the_filter_is_fixed_and_in_the_file);
    suite_add_tcase(s, t);
    t = tcase_create("local_contrast");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, pixels_are_divided_by_the_deviation_around_them, 0,
                        4);
    tcase_add_test(t, faint_parts_count_as_much_as_strong_ones);
    suite_add_tcase(s, t);
    t = tcase_create("both");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_batch_equals_its_rows, 0, 4);
    tcase_add_loop_test(t, bad_settings_are_named, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(t, rows_that_teach_nothing_are_refused);
    tcase_add_test(t, running_out_of_memory_is_an_error);
    suite_add_tcase(s, t);
    return s;
}
