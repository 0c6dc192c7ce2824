/* The noisy code: what it costs, what noise makes of it, that no variance
 * overflows, and where it does not go.
 */
#include "lib/model/axes.h"
#include "lib/model/model.h"
#include "lib/train/recipe.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 3, B = 2, INPUTS = 4 };

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

static struct structure noisy(float lambda)
{
    return (struct structure){.kind = structure_find("gaussian", &e),
                              .lambda = lambda,
                              .code = space_vector(N),
                              .cell = space_vector(N),
                              .pooled = space_vector(N)};
}

/* Means, then log-variances, of each row. */
static const float given[B * 2 * N] = {0, 1, -2,    0,    0.5f, -1,
                                       3, 0, 0.25f, 1.5f, 0,    -6};
static const float noise[B * N] = {0.5f, -1, 2, -0.25f, 1, -3};

/* ---- the price ---- */

START_TEST(a_standard_normal_unit_is_free)
{
    static const float free_one[2 * N] = {0};
    struct structure s = noisy(2);
    near(s.kind->value(&s, free_one, 1), 0, 1e-12);
}
END_TEST

START_TEST(the_value_is_the_divergence_in_nats)
{
    struct structure s = noisy(2);
    double want = 0;
    for (size_t b = 0; b < B; b++)
        for (size_t i = 0; i < N; i++) {
            double m = (double)given[b * 2 * N + i];
            double l = (double)given[b * 2 * N + N + i];
            want += 0.5 * (exp(l) + m * m - 1 - l);
        }
    near(s.kind->value(&s, given, B), 2 * want, 1e-9);
}
END_TEST

/* KL is the mean of log q(z) - log p(z) over z of q: by the trapezoid rule. */
START_TEST(the_divergence_is_that_of_the_densities)
{
    struct structure s = noisy(1);
    float one[2 * N] = {0.7f, 0, 0, 0.4f, 0, 0};
    double m = (double)one[0], v = exp((double)one[N]), sum = 0;
    double step = 1e-3;
    for (double z = -15; z < 15; z += step) {
        double q = exp(-(z - m) * (z - m) / (2 * v)) / sqrt(2 * M_PI * v);
        double log_q = -(z - m) * (z - m) / (2 * v) - 0.5 * log(2 * M_PI * v);
        double log_p = -z * z / 2 - 0.5 * log(2 * M_PI);
        sum += q * (log_q - log_p) * step;
    }
    near(s.kind->value(&s, one, 1), sum, 1e-6);
}
END_TEST

static void check_gradient(const float *at, double step, double tolerance)
{
    struct structure s = noisy(1.5f);
    float z[2 * N], slope[2 * N] = {0};
    s.kind->gradient(&s, slope, at, 1, 2);
    for (size_t i = 0; i < 2 * N; i++) {
        memcpy(z, at, sizeof z);
        z[i] = at[i] + (float)step;
        double high = (double)z[i], above = s.kind->value(&s, z, 1);
        z[i] = at[i] - (float)step;
        double low = (double)z[i], below = s.kind->value(&s, z, 1);
        double want = 2 * (above - below) / (high - low);
        near(slope[i], want, tolerance * (1 + fabs(want)));
    }
}

START_TEST(the_gradient_is_a_finite_difference)
{
    static const float wide[2 * N] = {1, -2, 0, 19.5f, 21, 1000};
    check_gradient(given, 1e-3, 1e-4);
    check_gradient(given + 2 * N, 1e-3, 1e-4);
    check_gradient(wide, 1e-2, 1e-3);
}
END_TEST

START_TEST(no_variance_overflows)
{
    struct structure s = noisy(1);
    float extreme[2 * N] = {0, 0, 0, 1e4f, -1e4f, 88};
    float z[N], slope[2 * N] = {0}, back[2 * N] = {0};
    static const float dz[N] = {1, 1, 1};
    ck_assert(isfinite(s.kind->value(&s, extreme, 1)));
    s.kind->gradient(&s, slope, extreme, 1, 1);
    s.kind->code(&s, z, extreme, noise, 1);
    s.kind->code_backward(&s, back, dz, extreme, noise, 1);
    for (size_t i = 0; i < N; i++) {
        ck_assert(isfinite(slope[N + i]) && isfinite(z[i]) &&
                  isfinite(back[N + i]));
        /* Back towards a variance of 1, from wherever it is. */
        ck_assert((slope[N + i] > 0) == (extreme[N + i] > 0));
    }
}
END_TEST

/* ---- the code ---- */

START_TEST(without_noise_the_code_is_the_mean)
{
    struct structure s = noisy(1);
    float z[B * N];
    s.kind->code(&s, z, given, NULL, B);
    near_all(z, given, N, 0);
    near_all(z + N, given + 2 * N, N, 0);
}
END_TEST

START_TEST(noise_is_scaled_by_the_deviation)
{
    struct structure s = noisy(1);
    float z[B * N];
    s.kind->code(&s, z, given, noise, B);
    for (size_t b = 0; b < B; b++)
        for (size_t i = 0; i < N; i++) {
            double deviation = exp(0.5 * (double)given[b * 2 * N + N + i]);
            near(z[b * N + i],
                 (double)given[b * 2 * N + i] +
                     deviation * (double)noise[b * N + i],
                 1e-6);
        }
}
END_TEST

/* Of the sum of dz z; without noise nothing reaches the variance. */
START_TEST(the_gradient_goes_through_the_noise)
{
    static const float dz[B * N] = {1, 2, -1, 0.5f, -2, 3};
    struct structure s = noisy(1);
    float slope[B * 2 * N] = {0}, still[B * 2 * N] = {0}, z[B * N];
    s.kind->code_backward(&s, slope, dz, given, noise, B);
    s.kind->code_backward(&s, still, dz, given, NULL, B);
    for (size_t i = 0; i < B * 2 * N; i++) {
        double sums[2];
        float at[B * 2 * N];
        for (int side = 0; side < 2; side++) {
            memcpy(at, given, sizeof at);
            at[i] += side ? 1e-2f : -1e-2f;
            s.kind->code(&s, z, at, noise, B);
            sums[side] = 0;
            for (size_t k = 0; k < B * N; k++)
                sums[side] += (double)dz[k] * (double)z[k];
        }
        near(slope[i], (sums[1] - sums[0]) / 2e-2, 2e-3);
        near(still[i], i / N % 2 ? 0 : slope[i], 0);
    }
}
END_TEST

/* ---- in a model ---- */

static struct model *make(const char *layer)
{
    char text[512];
    static const float x[B * INPUTS] = {0.1f, 0.9f, 0.4f, 0.2f,
                                        0.8f, 0.3f, 0.6f, 0.5f};
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[4]},\"layers\":[{\"operator\":\"dense\","
             "\"units\":3,%s}]}",
             layer);
    struct json *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s: %s", text, e.msg);
    struct model *m = model_new(j, NULL, 0, &e);
    json_free(j);
    if (m)
        ck_assert_msg(!model_start(m, 1, x, B, &e), "%s", e.msg);
    return m;
}

static const char feedforward[] =
    "\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":\"identity\"},"
    "\"structure\":{\"kind\":\"gaussian\",\"lambda\":1}";

static const float *code_of(const struct model *m, uint64_t key)
{
    static const float x[B * INPUTS] = {0.3f, 0.1f, 0.7f, 0.2f,
                                        0.5f, 0.9f, 0.2f, 0.6f};
    struct model_options options = {.noise = key};
    struct pass p;
    ck_assert_msg(!model_encode(m, &p, x, B, &options, &memory, &e), "%s",
                  e.msg);
    return p.layers[0].z;
}

START_TEST(the_same_key_draws_the_same_noise)
{
    struct model *m = make(feedforward);
    ck_assert_ptr_nonnull(m);
    const float *a = code_of(m, 5), *b = code_of(m, 5), *c = code_of(m, 6);
    near_all(b, a, B * N, 0);
    for (size_t i = 0; i < B * N; i++)
        ck_assert(a[i] != c[i]);
    model_free(m);
}
END_TEST

/* It starts with a variance of 1, so that what noise adds to the means is the
 * noise itself. */
START_TEST(what_is_drawn_is_standard_normal_around_the_mean)
{
    enum { KEYS = 2000 };
    struct model *m = make(feedforward);
    ck_assert_ptr_nonnull(m);
    const float *mean = code_of(m, 0);
    double sum = 0, squares = 0, count = KEYS * B * N;
    for (uint64_t key = 1; key <= KEYS; key++) {
        const float *z = code_of(m, key);
        for (size_t i = 0; i < B * N; i++) {
            double away = (double)z[i] - (double)mean[i];
            sum += away;
            squares += away * away;
        }
    }
    near(sum / count, 0, 5 / sqrt(count));
    near(squares / count, 1, 5 * sqrt(2 / count));
    model_free(m);
}
END_TEST

/* The bias alone says where an encoder starts that sees nothing. */
static void check_start(const char *gain, const char *start, double want)
{
    char layer[256];
    static const float blank[B * INPUTS] = {0};
    snprintf(layer, sizeof layer,
             "\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":"
             "\"identity\"%s},\"structure\":{\"kind\":\"gaussian\","
             "\"lambda\":1%s}",
             gain, start);
    struct model *m = make(layer);
    struct model_options options = {.learn = true};
    struct pass p;
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_msg(!model_encode(m, &p, blank, B, &options, &memory, &e), "%s",
                  e.msg);
    for (size_t b = 0; b < B; b++)
        for (size_t i = 0; i < N; i++) {
            near(p.layers[0].given[b * 2 * N + i], 0, 1e-4);
            near(p.layers[0].given[b * 2 * N + N + i], want, 1e-4);
        }
    model_free(m);
}

START_TEST(the_variance_starts_where_it_is_told_to)
{
    check_start("", "", 0);
    check_start("", ",\"start\":-6", -6);
    check_start(",\"gain\":3", ",\"start\":-6", -6);
    check_start(",\"gain\":3", ",\"start\":0", 0);
}
END_TEST

static const struct {
    const char *layer, *why;
} refused[] = {
    {"\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":\"relu\"},"
     "\"structure\":{\"kind\":\"gaussian\"}",
     "cannot give every number"},
    {"\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":\"tanh\"},"
     "\"structure\":{\"kind\":\"gaussian\"}",
     "cannot give every number"},
    {"\"encoder\":{\"kind\":\"recurrent\",\"nonlinearity\":\"shrink\"},"
     "\"structure\":{\"kind\":\"gaussian\"}",
     "wants 2 numbers a unit"},
    {"\"encoder\":{\"kind\":\"iterative\"},"
     "\"structure\":{\"kind\":\"gaussian\"}",
     "wants 2 numbers a unit"},
    {"\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":\"identity\"},"
     "\"structure\":{\"kind\":\"gaussian\",\"lambda\":-1}",
     "layers[0].structure.lambda"},
    {"\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":\"identity\"},"
     "\"structure\":{\"kind\":\"gaussian\",\"beta\":1}",
     "beta"},
    {"\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":\"identity\"},"
     "\"structure\":{\"kind\":\"gaussian\",\"start\":1}",
     "layers[0].structure.start"},
    {"\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":\"identity\"},"
     "\"structure\":{\"kind\":\"gaussian\",\"start\":-21}",
     "layers[0].structure.start"},
    {"\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":\"shrink\"},"
     "\"structure\":{\"kind\":\"gaussian\",\"start\":-6}",
     "layers[0].structure.start: nonlinearity \"shrink\""},
};

START_TEST(what_does_not_suit_is_refused)
{
    ck_assert_ptr_null(make(refused[_i].layer));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, refused[_i].why) != NULL, "%s", e.msg);
}
END_TEST

/* No solver finds such a code through the decoder. */
START_TEST(it_cannot_learn_to_predict)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"model\":{\"input\":{\"shape\":[4]},\"layers\":[{"
             "\"operator\":\"dense\",\"units\":3,%s}]},\"phases\":[{"
             "\"epochs\":1,\"weights\":{\"predict\":1},\"target\":{},"
             "\"optimiser\":{\"rate\":0.1}}]}",
             feedforward);
    ck_assert_ptr_null(recipe_parse(text, strlen(text), &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, "gaussian") != NULL, "%s", e.msg);
}
END_TEST

Suite *suite_gaussian(void);
Suite *suite_gaussian(void)
{
    Suite *s = suite_create("gaussian");
    TCase *t = tcase_create("price");
    tcase_add_test(t, a_standard_normal_unit_is_free);
    tcase_add_test(t, the_value_is_the_divergence_in_nats);
    tcase_add_test(t, the_divergence_is_that_of_the_densities);
    tcase_add_test(t, the_gradient_is_a_finite_difference);
    tcase_add_test(t, no_variance_overflows);
    suite_add_tcase(s, t);
    t = tcase_create("code");
    tcase_add_test(t, without_noise_the_code_is_the_mean);
    tcase_add_test(t, noise_is_scaled_by_the_deviation);
    tcase_add_test(t, the_gradient_goes_through_the_noise);
    suite_add_tcase(s, t);
    t = tcase_create("model");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_same_key_draws_the_same_noise);
    tcase_add_test(t, what_is_drawn_is_standard_normal_around_the_mean);
    tcase_add_test(t, the_variance_starts_where_it_is_told_to);
    tcase_add_loop_test(t, what_does_not_suit_is_refused, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(t, it_cannot_learn_to_predict);
    suite_add_tcase(s, t);
    return s;
}
