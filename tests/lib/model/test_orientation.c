/* Gabors of every kind, whose orientation is known. */
#include "lib/model/orientation.h"

#include "lib/base/rng.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { SIDE = 12 };

static const struct space patch = {
    .channels = 1, .height = SIDE, .width = SIDE};
static const double degree = M_PI / 180;

struct gabor {
    double angle, frequency, phase, x, y, sigma, aspect;
};

/* Stripes at `angle` under a bell `aspect` times as long as it is wide. */
static void draw(float *out, const struct space *s, struct gabor g)
{
    for (size_t i = 0; i < s->height * s->width; i++) {
        double x = (double)(i % s->width) + 0.5 - g.x;
        double y = g.y - (double)(i / s->width) - 0.5;
        double along = x * cos(g.angle) + y * sin(g.angle);
        double across = y * cos(g.angle) - x * sin(g.angle);
        double bell = across * across + along * along / g.aspect / g.aspect;
        out[i] = (float)(exp(-bell / (2 * g.sigma * g.sigma)) *
                         cos(2 * M_PI * g.frequency * across + g.phase));
    }
}

/* Between two orientations, wrapped to 0 .. pi/2. */
static double difference(double a, double b)
{
    return fabs(0.5 * atan2(sin(2 * (a - b)), cos(2 * (a - b))));
}

static struct gabor random_gabor(struct rng *rng)
{
    return (struct gabor){
        .angle = (double)rng_uniform(rng, 0, (float)M_PI),
        .frequency = (double)rng_uniform(rng, 0.1f, 0.3f),
        .phase = (double)rng_uniform(rng, 0, 2 * (float)M_PI),
        .x = (double)rng_uniform(rng, 3, 9),
        .y = (double)rng_uniform(rng, 3, 9),
        .sigma = (double)rng_uniform(rng, 1.5f, 3),
        .aspect = (double)rng_uniform(rng, 1, 2),
    };
}

START_TEST(a_gabor_of_any_phase_shows_its_angle)
{
    float x[SIDE * SIDE];
    for (int angle = 0; angle < 180; angle += 5)
        for (int phase = 0; phase < 360; phase += 30) {
            struct gabor g = {.angle = angle * degree,
                              .frequency = 0.18,
                              .phase = phase * degree,
                              .x = 6,
                              .y = 6,
                              .sigma = 2,
                              .aspect = 1.5};
            draw(x, &patch, g);
            struct orientation o = orientation_of(x, &patch);
            ck_assert_msg(difference((double)o.angle, g.angle) < degree,
                          "angle %d, phase %d: %g", angle, phase,
                          (double)o.angle / degree);
            ck_assert(o.angle >= 0 && (double)o.angle < M_PI + 1e-6);
            ck_assert(o.selectivity > 0.6f);
            near(o.x, 6, 0.7);
            near(o.y, 6, 0.7);
            near(o.frequency, 0.18, 0.02);
        }
}
END_TEST

/* Off the middle, so that the edge cuts some off. */
START_TEST(gabors_anywhere_are_within_a_few_degrees)
{
    struct rng rng = rng_make(1, "gabors", 0);
    float x[SIDE * SIDE];
    double sum = 0;
    for (int i = 0; i < 2000; i++) {
        struct gabor g = random_gabor(&rng);
        draw(x, &patch, g);
        double off =
            difference((double)orientation_of(x, &patch).angle, g.angle);
        ck_assert_msg(off < 5 * degree, "%g degrees off: angle %g, f %g",
                      off / degree, g.angle / degree, g.frequency);
        sum += off;
    }
    ck_assert_double_lt(sum / 2000, 0.5 * degree);
}
END_TEST

START_TEST(noise_moves_the_angle_little)
{
    struct rng rng = rng_make(2, "noise", 0);
    float x[SIDE * SIDE];
    double sum = 0;
    for (int i = 0; i < 500; i++) {
        struct gabor g = random_gabor(&rng);
        draw(x, &patch, g);
        for (size_t k = 0; k < SIDE * SIDE; k++)
            x[k] += rng_uniform(&rng, -0.1f, 0.1f);
        sum += difference((double)orientation_of(x, &patch).angle, g.angle);
    }
    ck_assert_double_lt(sum / 500, degree);
}
END_TEST

START_TEST(a_full_grating_is_wholly_selective)
{
    float x[SIDE * SIDE];
    draw(x, &patch,
         (struct gabor){1.1, 0.2, 0.4, .x = 6, .y = 6, .sigma = 1e6, 1});
    struct orientation o = orientation_of(x, &patch);
    near(o.selectivity, 1, 1e-2);
    near(o.frequency, 0.2, 5e-3);
    near(o.angle, 1.1, 5e-3);
}
END_TEST

START_TEST(round_and_flat_pictures_have_no_orientation)
{
    float x[SIDE * SIDE];
    draw(x, &patch,
         (struct gabor){0, 0, 0, .x = 6, .y = 6, .sigma = 2, .aspect = 1});
    ck_assert(orientation_of(x, &patch).selectivity < 1e-5f);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        x[i] = 0.7f;
    struct orientation flat = orientation_of(x, &patch);
    ck_assert(flat.selectivity == 0 && flat.angle == 0);
    memset(x, 0, sizeof x);
    ck_assert(orientation_of(x, &patch).selectivity == 0);
    x[17] = INFINITY;
    ck_assert(orientation_of(x, &patch).selectivity == 0);
}
END_TEST

START_TEST(size_sign_and_level_of_a_picture_do_not_matter)
{
    float x[SIDE * SIDE];
    draw(x, &patch, (struct gabor){0.5, 0.2, 1, 5, 7, 2, 1.5});
    struct orientation one = orientation_of(x, &patch);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        x[i] = -1e-12f * (x[i] + 4);
    struct orientation other = orientation_of(x, &patch);
    near(other.angle, one.angle, 1e-5);
    near(other.selectivity, one.selectivity, 1e-5);
    near(other.frequency, one.frequency, 1e-5);
    near(other.x, one.x, 1e-5);
}
END_TEST

START_TEST(colours_add_up_and_sides_may_differ)
{
    struct space wide = {.channels = 3, .height = 9, .width = 16};
    float x[3 * 9 * 16] = {0};
    draw(x + 2 * 9 * 16, &wide,
         (struct gabor){2.2, 0.15, 0, .x = 11, .y = 4, .sigma = 2, 1});
    struct orientation o = orientation_of(x, &wide);
    near(o.angle, 2.2, 2 * degree);
    near(o.x, 11, 0.5);
    near(o.y, 4, 0.5);
    near(o.frequency, 0.15, 0.02);
}
END_TEST

START_TEST(only_pictures_of_three_by_three_have_one)
{
    struct space small = {.channels = 1, .height = 3, .width = 3};
    ck_assert(orientation_exists(&small));
    float edge[9] = {0, 0, 1, 0, 0, 1, 0, 0, 1};
    near(orientation_of(edge, &small).angle, M_PI / 2, 1e-6);
    small.height = 2;
    ck_assert(!orientation_exists(&small));
    struct space vector = space_vector(100);
    ck_assert(!orientation_exists(&vector));
}
END_TEST

Suite *suite_orientation(void);
Suite *suite_orientation(void)
{
    Suite *s = suite_create("orientation");
    TCase *t = tcase_create("gabors");
    tcase_add_test(t, a_gabor_of_any_phase_shows_its_angle);
    tcase_add_test(t, gabors_anywhere_are_within_a_few_degrees);
    tcase_add_test(t, noise_moves_the_angle_little);
    tcase_add_test(t, a_full_grating_is_wholly_selective);
    tcase_add_test(t, round_and_flat_pictures_have_no_orientation);
    tcase_add_test(t, size_sign_and_level_of_a_picture_do_not_matter);
    tcase_add_test(t, colours_add_up_and_sides_may_differ);
    tcase_add_test(t, only_pictures_of_three_by_three_have_one);
    suite_add_tcase(s, t);
    return s;
}
