/* What is painted where. */
#include "lib/data/canvas.h"

#include <check.h>
#include <stdlib.h>

static struct image image;
static struct err e;
static const struct colour black = {{0, 0, 0}}, white = {{255, 255, 255}};

static void teardown(void)
{
    image_fini(&image);
}

static void make(size_t height, size_t width)
{
    ck_assert_msg(!canvas_init(&image, height, width, 1, black, &e), "%s",
                  e.msg);
}

static int at(size_t y, size_t x)
{
    return image.pixels[y * image.width + x];
}

/* All that is painted, in whole pixels. */
static double ink(void)
{
    double sum = 0;
    for (size_t i = 0; i < image.width * image.height; i++)
        sum += image.pixels[i] / 255.0;
    return sum;
}

START_TEST(a_rectangle_ends_at_the_image)
{
    make(4, 5);
    canvas_rectangle(&image, 2, 3, 9, 9, white);
    ck_assert_double_eq(ink(), 4);
    ck_assert_int_eq(at(2, 3), 255);
    ck_assert_int_eq(at(1, 3), 0);
    canvas_rectangle(&image, 4, 5, 1, 1, white);
    ck_assert_double_eq(ink(), 4);
}
END_TEST

START_TEST(a_line_covers_its_length_times_its_thickness)
{
    static const double ends[][2] = {{20, 0},  {0, 20},  {14, 14}, {-14, 14},
                                     {19, -6}, {6, -19}, {-19, -6}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        double x = ends[i][0] / 2, y = ends[i][1] / 2;
        double length = 2 * __builtin_hypot(x, y);
        make(40, 40);
        canvas_line(&image, 20 - x, 20 - y, 20 + x, 20 + y, 2, white);
        ck_assert_double_le(__builtin_fabs(ink() - 2 * length), 4);
        ck_assert_int_ge(at(20, 20), 200);
        image_fini(&image);
    }
}
END_TEST

START_TEST(a_thin_line_is_shared_by_the_pixels_that_it_touches)
{
    make(4, 8);
    canvas_line(&image, 0, 2, 8, 2, 1, white);
    ck_assert_int_eq(at(1, 4), 128);
    ck_assert_int_eq(at(2, 4), 128);
    ck_assert_int_eq(at(0, 4), 0);
    ck_assert_int_eq(at(3, 4), 0);
}
END_TEST

START_TEST(a_line_outside_paints_nothing_there)
{
    make(6, 6);
    canvas_line(&image, -50, -60, -1, -2, 3, white);
    canvas_line(&image, 50, -60, 40, 900, 3, white);
    canvas_line(&image, -1e9, 20, 1e9, 20, 3, white);
    ck_assert_double_eq(ink(), 0);
    canvas_line(&image, -1e9, 3.5, 1e9, 3.5, 1, white);
    ck_assert_double_eq(ink(), 6);
}
END_TEST

START_TEST(a_disc_covers_its_area_within_the_image)
{
    make(40, 40);
    canvas_disc(&image, 20.3, 19.6, 8, white);
    ck_assert_double_eq_tol(ink(), 3.14159 * 64, 2);
    image_fini(&image);
    make(40, 40);
    canvas_disc(&image, 0, 40, 8, white);
    ck_assert_double_eq_tol(ink(), 3.14159 * 16, 2);
    image_fini(&image);
    make(40, 40);
    canvas_disc(&image, -20, 20, 8, white);
    ck_assert_double_eq(ink(), 0);
}
END_TEST

START_TEST(the_wheel_of_colours_closes)
{
    static const struct {
        double turn;
        struct colour want;
    } known[] = {
        {0, {{255, 0, 0}}},          {1, {{255, 0, 0}}},
        {1.0 / 6, {{255, 255, 0}}},  {1.0 / 3, {{0, 255, 0}}},
        {0.5, {{0, 255, 255}}},      {2.0 / 3, {{0, 0, 255}}},
        {-1.0 / 6, {{255, 0, 255}}}, {1.25, {{128, 255, 0}}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct colour got = colour_of_turn(known[i].turn, 1);
        for (size_t c = 0; c < 3; c++)
            ck_assert_msg(abs(got.part[c] - known[i].want.part[c]) <= 1,
                          "%g, part %zu: %d", known[i].turn, c, got.part[c]);
    }
    ck_assert_int_eq(colour_of_turn(0.5, 0.2).part[1], 51);
    ck_assert_int_eq(colour_of_turn(0.5, 0).part[2], 0);
}
END_TEST

START_TEST(an_image_over_the_limits_is_refused)
{
    ck_assert_int_eq(canvas_init(&image, IMAGE_MAX_SIDE + 1, 1, 1, black, &e),
                     ERR_TOO_LARGE);
    ck_assert_int_eq(canvas_init(&image, 8192, 8192, 1, black, &e),
                     ERR_TOO_LARGE);
}
END_TEST

Suite *suite_canvas(void);
Suite *suite_canvas(void)
{
    Suite *s = suite_create("canvas");
    TCase *t = tcase_create("painting");
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, a_rectangle_ends_at_the_image);
    tcase_add_test(t, a_line_covers_its_length_times_its_thickness);
    tcase_add_test(t, a_thin_line_is_shared_by_the_pixels_that_it_touches);
    tcase_add_test(t, a_line_outside_paints_nothing_there);
    tcase_add_test(t, a_disc_covers_its_area_within_the_image);
    tcase_add_test(t, the_wheel_of_colours_closes);
    tcase_add_test(t, an_image_over_the_limits_is_refused);
    suite_add_tcase(s, t);
    return s;
}
