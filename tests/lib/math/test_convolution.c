/* Convolutions against the plainest loop in double, over shapes that leave
 * remainders everywhere: places, taps, maps, strides, edges.
 */
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/math/convolution.h"
#include "lib/math/simd/simd.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

/* channels, height, width; maps, kernel, stride, padding; rows */
static const struct {
    size_t C, H, W, M, kh, kw, stride, py, px, B;
} shapes[] = {
    {1, 1, 1, 1, 1, 1, 1, 0, 0, 1},     {1, 5, 7, 1, 3, 3, 1, 0, 0, 2},
    {2, 6, 5, 3, 2, 3, 1, 1, 0, 3},     {3, 9, 8, 17, 3, 2, 2, 1, 1, 4},
    {1, 28, 28, 32, 5, 5, 1, 2, 2, 3},  {1, 28, 28, 32, 5, 5, 1, 0, 0, 70},
    {5, 4, 11, 16, 4, 5, 3, 0, 2, 5},   {32, 12, 12, 64, 5, 5, 1, 0, 0, 2},
    {7, 13, 3, 5, 7, 3, 2, 3, 1, 6},    {16, 5, 5, 20, 5, 5, 5, 4, 4, 2},
    {20, 7, 6, 15, 1, 1, 1, 0, 0, 3},   {13, 10, 10, 33, 4, 3, 4, 2, 2, 7},
    {300, 3, 3, 4, 3, 3, 1, 1, 1, 2},   {4, 20, 20, 300, 3, 3, 1, 0, 0, 2},
    {2, 40, 1, 6, 9, 1, 2, 0, 0, 4},    {6, 3, 4, 2, 5, 6, 1, 1, 1, 9},
    {11, 17, 19, 18, 6, 7, 6, 5, 5, 1},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* One shape with random numbers, and room for what comes out. */
struct trial {
    struct convolution c;
    size_t B, pictures, maps, weights;
    float *x, *w, *y, *packed, *got, *want;
    struct arena scratch;
};

static float *numbers(size_t n, const char *purpose)
{
    struct rng rng = rng_make(3, purpose, n);
    float *x = mem_must(n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = rng_uniform(&rng, -1, 1);
    return x;
}

/* Trial number n: every shape with one instruction set, then with the next. */
static struct trial trial_new(int n)
{
    size_t i = (size_t)n % SHAPES, table = (size_t)n / SHAPES;
    if (simd_all[table]->runs())
        simd = simd_all[table];
    struct trial t = {.c = {.channels = shapes[i].C,
                            .height = shapes[i].H,
                            .width = shapes[i].W,
                            .maps = shapes[i].M,
                            .kernel_height = shapes[i].kh,
                            .kernel_width = shapes[i].kw,
                            .stride = shapes[i].stride,
                            .padding_y = shapes[i].py,
                            .padding_x = shapes[i].px},
                      .B = shapes[i].B};
    const struct convolution *c = &t.c;
    ck_assert(convolution_set_size(&t.c));
    t.pictures = t.B * c->channels * c->height * c->width;
    t.maps = t.B * c->maps * c->rows * c->columns;
    t.weights = c->maps * c->channels * c->kernel_height * c->kernel_width;
    size_t most = t.pictures > t.maps ? t.pictures : t.maps;
    most = t.weights > most ? t.weights : most;
    t.x = numbers(t.pictures, "pictures");
    t.w = numbers(t.weights, "weights");
    t.y = numbers(t.maps, "maps");
    t.got = numbers(most, "before");
    t.want = numbers(most, "before");
    t.packed = mem_must(convolution_packed(c), sizeof *t.packed);
    convolution_pack(c, t.packed, t.w);
    arena_init(&t.scratch, convolution_scratch(c));
    ck_assert(arena_reserve(&t.scratch, convolution_scratch(c)));
    return t;
}

static void trial_fini(struct trial *t)
{
    float *all[] = {t->x, t->w, t->y, t->packed, t->got, t->want};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        mem_free(all[i]);
    arena_fini(&t->scratch);
}

enum product { MAPS, PICTURES, GRADIENT };

/* Every place and every tap adds its product to what `want` holds. */
static void by_hand(const struct trial *t, enum product which)
{
    const struct convolution *c = &t->c;
    size_t n = which == MAPS       ? t->maps
               : which == PICTURES ? t->pictures
                                   : t->weights;
    double *sums = calloc(n, sizeof *sums);
    for (size_t b = 0, q = 0; b < t->B; b++)
        for (size_t m = 0; m < c->maps; m++)
            for (size_t y = 0; y < c->rows; y++)
                for (size_t x = 0; x < c->columns; x++, q++)
                    for (size_t k = 0; k < c->channels; k++)
                        for (size_t i = 0; i < c->kernel_height; i++)
                            for (size_t j = 0; j < c->kernel_width; j++) {
                                size_t py = y * c->stride + i - c->padding_y;
                                size_t px = x * c->stride + j - c->padding_x;
                                if (py >= c->height || px >= c->width)
                                    continue;
                                size_t p =
                                    ((b * c->channels + k) * c->height + py) *
                                        c->width +
                                    px;
                                size_t w =
                                    ((m * c->channels + k) * c->kernel_height +
                                     i) *
                                        c->kernel_width +
                                    j;
                                if (which == MAPS)
                                    sums[q] += (double)(t->w[w] * t->x[p]);
                                else if (which == PICTURES)
                                    sums[p] += (double)(t->w[w] * t->y[q]);
                                else
                                    sums[w] += (double)(t->y[q] * t->x[p]);
                            }
    for (size_t i = 0; i < n; i++)
        t->want[i] += (float)sums[i];
    free(sums);
}

static void clear(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0;
}

START_TEST(maps_are_sums_over_windows)
{
    struct trial t = trial_new(_i);
    by_hand(&t, MAPS);
    convolution_maps(&t.c, CONVOLUTION_ADD, t.got, t.x, t.w, NULL, t.B,
                     &t.scratch);
    near_all(t.got, t.want, t.maps, 1e-4);
    clear(t.want, t.maps);
    by_hand(&t, MAPS);
    convolution_maps(&t.c, CONVOLUTION_SET, t.got, t.x, t.w, t.packed, t.B,
                     &t.scratch);
    near_all(t.got, t.want, t.maps, 1e-4);
    trial_fini(&t);
}
END_TEST

/* What a picture that is a code has: most numbers are 0, some places see
 * nothing at all. */
START_TEST(zeros_are_left_out_of_maps)
{
    struct trial t = trial_new(_i);
    for (size_t i = 0; i < t.pictures; i++)
        if (i % 8 != 3 || i / 64 % 3 == 0)
            t.x[i] = 0;
    by_hand(&t, MAPS);
    convolution_maps(&t.c, CONVOLUTION_ADD, t.got, t.x, t.w, t.packed, t.B,
                     &t.scratch);
    near_all(t.got, t.want, t.maps, 1e-4);
    trial_fini(&t);
}
END_TEST

START_TEST(pictures_are_what_maps_draw)
{
    struct trial t = trial_new(_i);
    by_hand(&t, PICTURES);
    convolution_pictures(&t.c, CONVOLUTION_ADD, t.got, t.y, t.w, NULL, t.B,
                         &t.scratch);
    near_all(t.got, t.want, t.pictures, 1e-4);
    clear(t.want, t.pictures);
    by_hand(&t, PICTURES);
    convolution_pictures(&t.c, CONVOLUTION_SET, t.got, t.y, t.w, t.packed, t.B,
                         &t.scratch);
    near_all(t.got, t.want, t.pictures, 1e-4);
    trial_fini(&t);
}
END_TEST

START_TEST(gradients_add_up_over_rows)
{
    struct trial t = trial_new(_i);
    by_hand(&t, GRADIENT);
    convolution_gradient(&t.c, t.got, t.y, t.x, t.B, &t.scratch);
    double terms = (double)(t.maps / t.c.maps);
    near_all(t.got, t.want, t.weights, 1e-5 * (1 + sqrt(terms)));
    trial_fini(&t);
}
END_TEST

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* <W x, y> = <x, W' y> = <W, gradient of both>. */
START_TEST(the_three_products_are_adjoint)
{
    struct trial t = trial_new(_i);
    convolution_maps(&t.c, CONVOLUTION_SET, t.got, t.x, t.w, NULL, t.B,
                     &t.scratch);
    double want = dot(t.got, t.y, t.maps);
    convolution_pictures(&t.c, CONVOLUTION_SET, t.got, t.y, t.w, NULL, t.B,
                         &t.scratch);
    double scale = (double)t.maps;
    near(dot(t.got, t.x, t.pictures) / scale, want / scale, 1e-6);
    clear(t.got, t.weights);
    convolution_gradient(&t.c, t.got, t.y, t.x, t.B, &t.scratch);
    near(dot(t.got, t.w, t.weights) / scale, want / scale, 1e-6);
    trial_fini(&t);
}
END_TEST

/* A row's numbers do not depend on the rows beside it, to the last bit. */
START_TEST(a_batch_is_its_rows)
{
    struct trial t = trial_new(_i);
    size_t picture = t.pictures / t.B, maps = t.maps / t.B;
    convolution_maps(&t.c, CONVOLUTION_SET, t.want, t.x, t.w, NULL, t.B,
                     &t.scratch);
    for (size_t b = 0; b < t.B; b++)
        convolution_maps(&t.c, CONVOLUTION_SET, t.got + b * maps,
                         t.x + b * picture, t.w, t.packed, 1, &t.scratch);
    near_all(t.got, t.want, t.maps, 0);
    trial_fini(&t);
}
END_TEST

START_TEST(a_kernel_larger_than_the_picture_has_no_place)
{
    struct convolution c = {.channels = 1,
                            .height = 4,
                            .width = 6,
                            .kernel_height = 6,
                            .kernel_width = 6,
                            .stride = 1};
    ck_assert(!convolution_set_size(&c));
    c.padding_y = 1;
    ck_assert(convolution_set_size(&c));
    ck_assert_uint_eq(c.rows, 1);
    ck_assert_uint_eq(c.columns, 1);
    c.width = 5;
    ck_assert(!convolution_set_size(&c));
}
END_TEST

Suite *suite_convolution(void);
Suite *suite_convolution(void)
{
    Suite *s = suite_create("convolution");
    int n = 0;
    while (simd_all[n])
        n++;
    n *= SHAPES;
    TCase *t = tcase_create("by hand");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, maps_are_sums_over_windows, 0, n);
    tcase_add_loop_test(t, zeros_are_left_out_of_maps, 0, n);
    tcase_add_loop_test(t, pictures_are_what_maps_draw, 0, n);
    tcase_add_loop_test(t, gradients_add_up_over_rows, 0, n);
    tcase_add_loop_test(t, the_three_products_are_adjoint, 0, n);
    tcase_add_loop_test(t, a_batch_is_its_rows, 0, n);
    tcase_add_test(t, a_kernel_larger_than_the_picture_has_no_place);
    suite_add_tcase(s, t);
    return s;
}
