/* Distorting: each way by as much as it may, channels alike, and each row by
 * its own number alone.
 */
#include "lib/train/distort.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *suite_distort(void);

#define SIDE 9
#define PIXELS (SIDE * SIDE)
#define ROWS 100

/* As much of a model as distorting looks at. */
static struct model pictures(size_t channels)
{
    return (struct model){
        .input_rank = 3,
        .input_shape = {channels, SIDE, SIDE},
        .input = {.channels = channels, .height = SIDE, .width = SIDE}};
}

/* A slope in each channel: the first says a pixel's row, the second its column.
 * A linear picture shows the map itself, away from the border. */
static void fill(float *x, size_t rows)
{
    for (size_t b = 0; b < rows; b++)
        for (size_t i = 0; i < PIXELS; i++) {
            *x = (float)(i / SIDE);
            x[PIXELS] = (float)(i % SIDE);
            x += i + 1 < PIXELS ? 1 : PIXELS + 1;
        }
}

static float at(const float *x, size_t channel, size_t i, size_t j)
{
    return x[channel * PIXELS + i * SIDE + j];
}

static bool near(float a, float b)
{
    return fabsf(a - b) < 1e-5f;
}

START_TEST(shifts_go_both_ways_and_no_further)
{
    struct model m = pictures(2);
    struct distortion d = {.shift = 2};
    float x[ROWS * 2 * PIXELS], scratch[2 * PIXELS], least = 9, most = -9;
    fill(x, ROWS);
    distort_rows(&m, &d, x, ROWS, 7, 0, scratch);
    for (size_t b = 0; b < ROWS; b++) {
        const float *p = x + b * 2 * PIXELS;
        float down = at(p, 0, 4, 4) - 4;
        ck_assert(near(at(p, 0, 5, 3) - 5, down));
        ck_assert(near(at(p, 1, 5, 3) - 3, at(p, 1, 4, 4) - 4));
        ck_assert(fabsf(down) <= 2);
        least = fminf(least, down);
        most = fmaxf(most, down);
    }
    ck_assert(least < -1 && most > 1);
}
END_TEST

START_TEST(the_middle_stays_where_nothing_shifts)
{
    struct model m = pictures(2);
    struct distortion d = {.rotate = 20, .scale = 0.2, .shear = 0.2};
    float x[ROWS * 2 * PIXELS], scratch[2 * PIXELS], most = 0;
    fill(x, ROWS);
    distort_rows(&m, &d, x, ROWS, 7, 0, scratch);
    for (size_t b = 0; b < ROWS; b++) {
        const float *p = x + b * 2 * PIXELS;
        ck_assert(near(at(p, 0, 4, 4), 4));
        ck_assert(near(at(p, 1, 4, 4), 4));
        most = fmaxf(most, fabsf(at(p, 0, 4, 6) - 4));
    }
    /* sin(20 degrees) e^0.2 of two columns. */
    ck_assert(most > 0.5f && most < 0.84f);
}
END_TEST

START_TEST(a_turn_keeps_lengths_and_a_scale_directions)
{
    struct model m = pictures(2);
    struct distortion turn = {.rotate = 30}, scale = {.scale = 0.2};
    float x[2 * PIXELS], scratch[2 * PIXELS];
    fill(x, 1);
    distort_rows(&m, &turn, x, 1, 3, 0, scratch);
    float dy = at(x, 0, 4, 6) - 4, dx = at(x, 1, 4, 6) - 4;
    ck_assert(near(sqrtf(dy * dy + dx * dx), 2));
    ck_assert(fabsf(dy) > 1e-3f);
    fill(x, 1);
    distort_rows(&m, &scale, x, 1, 3, 0, scratch);
    ck_assert(near(at(x, 0, 4, 6), 4));
    ck_assert(fabsf(at(x, 1, 4, 6) - 6) > 1e-3f);
}
END_TEST

START_TEST(a_row_depends_on_its_number_not_on_the_shard)
{
    struct model m = pictures(2);
    struct distortion d = {.shift = 2, .rotate = 9, .scale = 0.1, .shear = 0.1};
    float whole[8 * 2 * PIXELS], part[3 * 2 * PIXELS], scratch[2 * PIXELS];
    fill(whole, 8);
    fill(part, 3);
    distort_rows(&m, &d, whole, 8, 3, 0, scratch);
    distort_rows(&m, &d, part, 3, 3, 5, scratch);
    ck_assert_mem_eq(part, whole + 5 * 2 * PIXELS, sizeof part);
    fill(part, 3);
    distort_rows(&m, &d, part, 3, 4, 5, scratch);
    ck_assert_mem_ne(part, whole + 5 * 2 * PIXELS, sizeof part);
}
END_TEST

START_TEST(only_pictures_that_are_large_enough_suit)
{
    struct model m = pictures(1);
    ck_assert(distort_suits(&m, SIDE - 1));
    ck_assert(!distort_suits(&m, SIDE));
    m.input_rank = 1;
    ck_assert(!distort_suits(&m, 1));
}
END_TEST

Suite *suite_distort(void)
{
    Suite *s = suite_create("distort");
    TCase *t = tcase_create("distort");
    tcase_add_test(t, shifts_go_both_ways_and_no_further);
    tcase_add_test(t, the_middle_stays_where_nothing_shifts);
    tcase_add_test(t, a_turn_keeps_lengths_and_a_scale_directions);
    tcase_add_test(t, a_row_depends_on_its_number_not_on_the_shard);
    tcase_add_test(t, only_pictures_that_are_large_enough_suit);
    suite_add_tcase(s, t);
    return s;
}
