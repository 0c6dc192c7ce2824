/* Local fields against plain loops: shapes of every kind, every number of rows
 * that goes another way.
 */
#include "lib/base/rng.h"
#include "lib/math/fields.h"
#include "tests/support/near.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* channels, height, width; sheets; cell; kernel; stride, padding, share */
static const struct shape {
    struct fields f;
} shapes[] = {
    {{1, 6, 7, 1, 0, 0, 99, 99, 3, 3, 1, 0, 1}},
    {{1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1}},
    {{2, 9, 8, 1, 0, 0, 4, 3, 3, 2, 1, 1, 1}},
    {{1, 11, 13, 1, 0, 0, 5, 7, 5, 4, 2, 2, 1}},
    {{3, 7, 9, 2, 0, 0, 6, 5, 3, 3, 2, 0, 2}},
    {{1, 5, 4, 1, 0, 0, 7, 8, 2, 3, 1, 1, 3}},
    {{2, 8, 8, 3, 0, 0, 2, 2, 4, 4, 3, 3, 1}},
    {{1, 2, 3, 1, 0, 0, 1, 9, 4, 5, 4, 3, 2}},
    {{1, 30, 5, 1, 0, 0, 9, 99, 5, 5, 1, 0, 1}}, /* two bands */
    {{1, 41, 6, 2, 0, 0, 8, 3, 4, 3, 2, 3, 2}},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0], MOST = 70 };

static const size_t rows_of[] = {1,  2,  3,  4,  5,  8,  9,   15,
                                 16, 17, 20, 25, 33, 40, MOST};

struct data {
    struct fields f;
    size_t pixels, units, weights, B;
    float *picture, *sheet, *w;      /* random */
    float *got_p, *got_s, *got_w;    /* from random starts, */
    float *want_p, *want_s, *want_w; /* the same ones */
    struct arena scratch;
};

static struct rng rng;

static float *random_floats(size_t n)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = rng_below(&rng, 4) ? rng_uniform(&rng, -1, 1) : 0;
    return x;
}

static float *copy_of(const float *x, size_t n)
{
    float *y = malloc(n * sizeof *y);
    memcpy(y, x, n * sizeof *y);
    return y;
}

static void make(struct data *d, size_t shape, size_t B)
{
    struct fields *f = &d->f;
    *f = shapes[shape].f;
    ck_assert(fields_set_size(f));
    f->cell_rows = f->cell_rows < f->rows ? f->cell_rows : f->rows;
    f->cell_columns =
        f->cell_columns < f->columns ? f->cell_columns : f->columns;
    d->B = B;
    d->pixels = f->channels * f->height * f->width;
    d->units = f->sheets * f->rows * f->columns;
    d->weights = f->sheets * f->cell_rows * f->cell_columns * f->channels *
                 f->kernel_height * f->kernel_width;
    rng = rng_make(shape, "fields", B);
    d->picture = random_floats(B * d->pixels);
    d->sheet = random_floats(B * d->units);
    d->w = random_floats(d->weights);
    d->got_p = random_floats(B * d->pixels);
    d->got_s = random_floats(B * d->units);
    d->got_w = random_floats(d->weights);
    d->want_p = copy_of(d->got_p, B * d->pixels);
    d->want_s = copy_of(d->got_s, B * d->units);
    d->want_w = copy_of(d->got_w, d->weights);
    arena_init(&d->scratch, fields_scratch(f, B));
}

static void drop(struct data *d)
{
    float *all[] = {d->picture, d->sheet,  d->w,      d->got_p, d->got_s,
                    d->got_w,   d->want_p, d->want_s, d->want_w};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    arena_fini(&d->scratch);
}

/* Calls it for every tap that lies in the picture. */
typedef void visit(struct data *d, size_t unit, size_t tap, size_t pixel);

static void every_tap(struct data *d, visit *f)
{
    const struct fields *g = &d->f;
    for (size_t u = 0; u < d->units; u++) {
        size_t x = u % g->columns, y = u / g->columns % g->rows;
        size_t s = u / g->columns / g->rows;
        size_t cell = (s * g->cell_rows + y % g->cell_rows) * g->cell_columns +
                      x % g->cell_columns;
        for (size_t c = 0; c < g->channels; c++)
            for (size_t i = 0; i < g->kernel_height; i++)
                for (size_t j = 0; j < g->kernel_width; j++) {
                    size_t py = y / g->share * g->stride + i - g->padding;
                    size_t px = x / g->share * g->stride + j - g->padding;
                    size_t tap =
                        ((cell * g->channels + c) * g->kernel_height + i) *
                            g->kernel_width +
                        j;
                    if (py < g->height && px < g->width)
                        f(d, u, tap, (c * g->height + py) * g->width + px);
                }
    }
}

static void plain(struct data *d, size_t unit, size_t tap, size_t pixel)
{
    for (size_t b = 0; b < d->B; b++) {
        float z = d->sheet[b * d->units + unit];
        float x = d->picture[b * d->pixels + pixel];
        d->want_s[b * d->units + unit] += d->w[tap] * x;
        d->want_p[b * d->pixels + pixel] += d->w[tap] * z;
        d->want_w[tap] += z * x;
    }
}

static void check_shape(size_t shape, size_t B)
{
    struct data d;
    make(&d, shape, B);
    every_tap(&d, plain);
    ck_assert(arena_reserve(&d.scratch, d.scratch.max_bytes));
    fields_sheet(&d.f, d.got_s, d.picture, d.w, B, &d.scratch);
    fields_pictures(&d.f, d.got_p, d.sheet, d.w, B, &d.scratch);
    fields_gradient(&d.f, d.got_w, d.sheet, d.picture, B, &d.scratch);
    ck_assert_uint_eq(d.scratch.used_bytes, 0);
    near_all(d.got_s, d.want_s, B * d.units, 2e-5);
    near_all(d.got_p, d.want_p, B * d.pixels, 2e-5);
    near_all(d.got_w, d.want_w, d.weights, 1e-4);
    drop(&d);
}

START_TEST(all_three_are_plain_loops)
{
    for (size_t i = 0; i < sizeof rows_of / sizeof rows_of[0]; i++)
        check_shape((size_t)_i, rows_of[i]);
}
END_TEST

static double product(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* <W x, z> = <x, W' z>, and both are <W, z x'>. */
START_TEST(pictures_are_the_adjoint_of_sheets)
{
    for (size_t B = 1; B < 40; B += 6) {
        struct data d;
        make(&d, (size_t)_i, B);
        memset(d.got_s, 0, B * d.units * sizeof *d.got_s);
        memset(d.got_p, 0, B * d.pixels * sizeof *d.got_p);
        memset(d.got_w, 0, d.weights * sizeof *d.got_w);
        fields_sheet(&d.f, d.got_s, d.picture, d.w, B, &d.scratch);
        fields_pictures(&d.f, d.got_p, d.sheet, d.w, B, &d.scratch);
        fields_gradient(&d.f, d.got_w, d.sheet, d.picture, B, &d.scratch);
        double one = product(d.got_s, d.sheet, B * d.units);
        near(product(d.got_p, d.picture, B * d.pixels), one, 1e-4);
        near(product(d.got_w, d.w, d.weights), one, 1e-4);
        drop(&d);
    }
}
END_TEST

/* A field that leaves no room for the rest, and one that is too large. */
START_TEST(sizes_follow_from_the_picture)
{
    struct fields f = {.channels = 1,
                       .height = 7,
                       .width = 10,
                       .sheets = 1,
                       .kernel_height = 3,
                       .kernel_width = 4,
                       .stride = 2,
                       .share = 1};
    ck_assert(fields_set_size(&f));
    ck_assert_uint_eq(f.rows, 3);
    ck_assert_uint_eq(f.columns, 4);
    f.share = 3;
    f.padding = 1;
    ck_assert(fields_set_size(&f));
    ck_assert_uint_eq(f.rows, 12);
    ck_assert_uint_eq(f.columns, 15);
    f.padding = 0;
    f.kernel_height = 7;
    ck_assert(fields_set_size(&f));
    ck_assert_uint_eq(f.rows, 3);
    f.kernel_height = 8;
    ck_assert(!fields_set_size(&f));
    f.kernel_height = 3;
    f.kernel_width = 11;
    ck_assert(!fields_set_size(&f));
}
END_TEST

/* Its height and its rows do not make the scratch grow. */
START_TEST(scratch_is_bounded)
{
    struct fields f = {.channels = 1,
                       .height = 500,
                       .width = 100,
                       .sheets = 1,
                       .kernel_height = 13,
                       .kernel_width = 13,
                       .stride = 1,
                       .share = 1};
    ck_assert(fields_set_size(&f));
    size_t most = fields_scratch(&f, 64);
    ck_assert_uint_eq(fields_scratch(&f, 100000), most);
    ck_assert_uint_lt(most, 1 << 20);
    f.height = 5000;
    ck_assert(fields_set_size(&f));
    ck_assert_uint_eq(fields_scratch(&f, 64), most);
    ck_assert_uint_eq(fields_scratch(&f, 1), 0);
}
END_TEST

Suite *suite_fields(void);
Suite *suite_fields(void)
{
    Suite *s = suite_create("fields");
    TCase *t = tcase_create("shapes");
    tcase_add_loop_test(t, all_three_are_plain_loops, 0, SHAPES);
    tcase_add_loop_test(t, pictures_are_the_adjoint_of_sheets, 0, SHAPES);
    tcase_add_test(t, sizes_follow_from_the_picture);
    tcase_add_test(t, scratch_is_bounded);
    suite_add_tcase(s, t);
    return s;
}
