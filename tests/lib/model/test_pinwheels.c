/* Maps whose pinwheels are known. */
#include "lib/model/pinwheels.h"

#include "lib/base/rng.h"

#include <check.h>
#include <math.h>

enum { SIDE = 24, UNITS = SIDE * SIDE };

static struct arena memory;
static struct err e;
static struct pinwheels found;
static float angle[UNITS], selectivity[UNITS];

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
    for (size_t i = 0; i < UNITS; i++)
        selectivity[i] = 1;
}

static void teardown(void)
{
    arena_fini(&memory);
}

static void set_angle(size_t i, double a)
{
    angle[i] = (float)(a - M_PI * floor(a / M_PI));
}

static void find(size_t height, size_t width, bool periodic)
{
    ck_assert(!pinwheels_find(&found, angle, selectivity, height, width,
                              periodic, &memory, &e));
}

/* Orientation `turns` half turns a time round the point (x, y), in a frame
 * where y grows upwards and units are points. */
static void turn_round(double x, double y, int turns, double start)
{
    for (size_t i = 0; i < UNITS; i++) {
        double dx = (double)(i % SIDE) - x, dy = y - (double)(i / SIDE);
        set_angle(i, start + 0.5 * turns * atan2(dy, dx));
    }
}

START_TEST(a_half_turn_round_a_point_is_one_pinwheel)
{
    for (int sign = -1; sign <= 1; sign += 2)
        for (int start = 0; start < 12; start++) {
            turn_round(7.4, 15.7, sign, start * M_PI / 12);
            find(SIDE, SIDE, false);
            ck_assert_uint_eq(found.n, 1);
            ck_assert_uint_eq(found.list[0].row, 15);
            ck_assert_uint_eq(found.list[0].column, 7);
            ck_assert(found.list[0].positive == (sign > 0));
            ck_assert_uint_eq(found.positive, sign > 0);
        }
}
END_TEST

START_TEST(plane_waves_have_none)
{
    for (int k = -5; k <= 5; k++)
        for (int l = -5; l <= 5; l++) {
            for (size_t i = 0; i < UNITS; i++)
                set_angle(
                    i, M_PI *
                           (k * (double)(i % SIDE) + l * (double)(i / SIDE)) /
                           SIDE);
            find(SIDE, SIDE, true);
            ck_assert_uint_eq(found.n, 0);
        }
}
END_TEST

/* exp(2i angle) = sin(ax) + i sin(by), which is 0 where both are: at 2p times
 * 2q points of the torus, and neighbours among them turn against one another.
 */
static void crossed_waves(int p, int q, double left, double top)
{
    for (size_t i = 0; i < UNITS; i++) {
        double x = ((double)(i % SIDE) + left) / SIDE;
        double y = ((double)(i / SIDE) + top) / SIDE;
        set_angle(i, 0.5 * atan2(sin(2 * M_PI * q * y), sin(2 * M_PI * p * x)));
    }
}

START_TEST(crossed_waves_have_one_at_every_crossing)
{
    for (int p = 1; p <= 3; p++)
        for (int q = 1; q <= 3; q++) {
            crossed_waves(p, q, 0.3, 0.4);
            find(SIDE, SIDE, true);
            ck_assert_uint_eq(found.n, (size_t)(4 * p * q));
            ck_assert_uint_eq(found.positive, (size_t)(2 * p * q));
        }
}
END_TEST

START_TEST(on_a_torus_they_add_up_to_none)
{
    struct rng rng = rng_make((uint64_t)_i, "map", 0);
    size_t height = 2 + (size_t)_i, width = 2 + 3 * (size_t)_i % 7;
    for (size_t i = 0; i < height * width; i++)
        angle[i] = rng_uniform(&rng, 0, (float)M_PI);
    find(height, width, true);
    ck_assert_uint_eq(2 * found.positive, found.n);
    /* Orientations a quarter turn apart: neither way is the shorter one. */
    for (size_t i = 0; i < height * width; i++)
        angle[i] = rng_uniform(&rng, 0, 1) < 0.5f ? 0 : (float)M_PI_2;
    find(height, width, true);
    ck_assert_uint_eq(2 * found.positive, found.n);
}
END_TEST

START_TEST(the_edges_meet_only_on_a_torus)
{
    crossed_waves(1, 1, 0.5, 0.5);
    find(SIDE, SIDE, true);
    ck_assert_uint_eq(found.n, 4);
    ck_assert_uint_eq(found.list[3].row, SIDE - 1);
    ck_assert_uint_eq(found.list[3].column, SIDE - 1);
    find(SIDE, SIDE, false);
    ck_assert_uint_eq(found.n, 1);
    ck_assert_uint_eq(found.list[0].row, SIDE / 2 - 1);
}
END_TEST

START_TEST(units_without_orientation_have_none_beside_them)
{
    turn_round(7.4, 15.7, 1, 0);
    selectivity[16 * SIDE + 8] = 0;
    find(SIDE, SIDE, false);
    ck_assert_uint_eq(found.n, 0);
    selectivity[16 * SIDE + 8] = 1;
    selectivity[16 * SIDE + 9] = 0;
    find(SIDE, SIDE, false);
    ck_assert_uint_eq(found.n, 1);
}
END_TEST

START_TEST(a_row_is_no_map)
{
    find(1, SIDE, true);
    ck_assert_uint_eq(found.n, 0);
    find(SIDE, 1, false);
    ck_assert_uint_eq(found.n, 0);
}
END_TEST

Suite *suite_pinwheels(void);
Suite *suite_pinwheels(void)
{
    Suite *s = suite_create("pinwheels");
    TCase *t = tcase_create("known maps");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_half_turn_round_a_point_is_one_pinwheel);
    tcase_add_test(t, plane_waves_have_none);
    tcase_add_test(t, crossed_waves_have_one_at_every_crossing);
    tcase_add_loop_test(t, on_a_torus_they_add_up_to_none, 0, 20);
    tcase_add_test(t, the_edges_meet_only_on_a_torus);
    tcase_add_test(t, units_without_orientation_have_none_beside_them);
    tcase_add_test(t, a_row_is_no_map);
    suite_add_tcase(s, t);
    return s;
}
