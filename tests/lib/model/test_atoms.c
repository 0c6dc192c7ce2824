/* Atoms of units that share their weights, look at parts of the picture, and
 * pass pools on. */
#include "lib/math/kernels.h"
#include "lib/model/atoms.h"

#include "lib/model/axes.h"
#include "lib/model/render.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct arena memory;
static struct err e;

/* ---- operator "stamp": a sheet of units, each of which draws its own 2 x 2
 * pixels; weights repeat after 2 units a side ---- */

enum { STAMP = 2, CELL = 2, WEIGHTS = CELL * CELL * STAMP * STAMP };

static enum err_code stamp_shape(struct operator_shape *out,
                                 const struct space *in,
                                 const struct json *layer, const char *where,
                                 struct err *err)
{
    (void)layer, (void)where, (void)err;
    *out = (struct operator_shape){
        .code = {1, in->height / STAMP, in->width / STAMP, false},
        .cell = {1, CELL, CELL, false}};
    if (out->code.height < CELL || out->code.width < CELL)
        out->cell = out->code;
    return ERR_OK;
}

static enum err_code stamp_declare(struct operator *op, struct params *params,
                                   const char *name, struct err *err)
{
    size_t n = WEIGHTS;
    enum param_axis axis = AXIS_FIXED;
    op->weight = params_add(params, name, 1, &n, &axis, err);
    return op->weight ? ERR_OK : err->code;
}

static void stamp_limit(struct operator *op, enum operator_side side,
                        float bound)
{
    (void)op, (void)side, (void)bound;
}

static void stamp_start(struct operator *op, struct rng *rng,
                        const float *samples, size_t n, float lean)
{
    (void)rng, (void)samples, (void)n, (void)lean;
    for (size_t i = 0; i < WEIGHTS; i++)
        op->weight->value[i] = (float)(i + 1);
}

static void stamp_adjoint_of(struct operator *op, const struct operator *other,
                             float scale)
{
    for (size_t i = 0; i < WEIGHTS; i++)
        op->weight->value[i] = scale * other->weight->value[i];
}

/* Joins unit (y, x) of the code with its pixels, one row: as a unit that draws
 * (code to in) or that sees (in to code). */
static void stamp_join(const struct operator *op, float *to, const float *from,
                       bool draws)
{
    const struct space *code = &op->shape.code;
    const struct space *in = draws ? &op->out : &op->in;
    for (size_t unit = 0; unit < code->height * code->width; unit++)
        for (size_t k = 0; k < STAMP * STAMP; k++) {
            size_t y = unit / code->width, x = unit % code->width;
            size_t pixel =
                (y * STAMP + k / STAMP) * in->width + x * STAMP + k % STAMP;
            size_t own = y % CELL * CELL + x % CELL;
            float w = op->weight->value[own * STAMP * STAMP + k];
            to[draws ? pixel : unit] += w * from[draws ? unit : pixel];
        }
}

static void stamp_apply(const struct operator *op, float *y, const float *base,
                        const float *x, size_t B, struct arena *scratch)
{
    size_t n_in = space_size(&op->in), n_out = space_size(&op->out);
    (void)scratch;
    vec_start(y, base, B * n_out);
    for (size_t b = 0; b < B; b++)
        stamp_join(op, y + b * n_out, x + b * n_in,
                   op->role == OPERATOR_DECODES);
}

static void stamp_adjoint(const struct operator *op, float *dx, const float *dy,
                          size_t B, struct arena *scratch)
{
    (void)op, (void)dx, (void)dy, (void)B, (void)scratch;
}

static void stamp_gradient(const struct operator *op, float *dw,
                           const float *dy, const float *x, size_t B,
                           struct arena *scratch)
{
    (void)op, (void)dw, (void)dy, (void)x, (void)B, (void)scratch;
}

static struct box stamp_view(const struct operator *op, size_t unit)
{
    size_t width = op->shape.code.width;
    return (struct box){unit / width * STAMP, unit % width * STAMP, STAMP,
                        STAMP};
}

static size_t stamp_scratch(const struct operator *op, size_t B)
{
    (void)op, (void)B;
    return 0;
}

static const struct operator_kind stamp = {
    .name = "stamp",
    .settings = (const char *const[]){NULL},
    .shape = stamp_shape,
    .declare = stamp_declare,
    .limit = stamp_limit,
    .start = stamp_start,
    .start_adjoint = stamp_adjoint_of,
    .apply = stamp_apply,
    .adjoint = stamp_adjoint,
    .gradient = stamp_gradient,
    .view = stamp_view,
    .scratch_bytes = stamp_scratch,
};

/* ---- structure "pairs": pools of two neighbours in a row ---- */

static struct structure_kind pairs;

static enum err_code pairs_configure(struct structure *s, const struct json *j,
                                     const char *where, struct params *params,
                                     struct err *err)
{
    enum err_code code = structures[0]->configure(s, j, where, params, err);
    s->pooled.width = s->code.width / 2;
    return code;
}

static void pairs_pool(const struct structure *s, float *v, const float *z,
                       size_t B)
{
    for (size_t i = 0; i < B * space_size(&s->pooled); i++)
        v[i] =
            sqrtf(0.5f * (z[2 * i] * z[2 * i] + z[2 * i + 1] * z[2 * i + 1]));
}

static void pairs_unpool(const struct structure *s, float *out,
                         const float *wanted, const float *z, const float *v,
                         size_t B)
{
    for (size_t i = 0; i < B * space_size(&s->code); i++)
        out[i] = z[i] * wanted[i / 2] / v[i / 2];
}

/* ---- models ---- */

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
    pairs = *structures[0];
    pairs.name = "pairs";
    pairs.configure = pairs_configure;
    pairs.pool = pairs_pool;
    pairs.unpool = pairs_unpool;
    axes_add_test_values(&stamp, NULL, &pairs);
}

static void teardown(void)
{
    axes_add_test_values(NULL, NULL, NULL);
    arena_fini(&memory);
}

/* Layers of stamps over 12 x 12 pixels; `up` of all but the top. */
static struct model *stamps(size_t layers, const char *up)
{
    char text[1000];
    size_t used = (size_t)snprintf(
        text, sizeof text, "{\"input\":{\"shape\":[12,12]},\"layers\":[");
    for (size_t i = 0; i < layers; i++)
        used += (size_t)snprintf(
            text + used, sizeof text - used,
            "%s{\"operator\":\"stamp\",\"encoder\":{\"kind\":"
            "\"feedforward\"},\"structure\":{\"kind\":\"pairs\"},"
            "\"up\":\"%s\"}",
            i ? "," : "", up);
    snprintf(text + used, sizeof text - used, "]}");
    struct json *j = json_parse(text, strlen(text), &e);
    struct model *m = model_new(j, NULL, 0, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    json_free(j);
    ck_assert_msg(!model_start(m, 1, NULL, 0, &e), "%s", e.msg);
    return m;
}

START_TEST(a_shared_atom_is_drawn_once_and_cut_out)
{
    struct model *m = stamps(1, "code");
    struct atoms a;
    float x[CELL * CELL * STAMP * STAMP];
    ck_assert(!atoms_init(&a, m, 0, &memory, &e));
    ck_assert_uint_eq(a.n, CELL * CELL);
    ck_assert_uint_eq(a.space.height, STAMP);
    ck_assert_uint_eq(a.space.width, STAMP);
    /* Of the 6 x 6 units, those in the middle. */
    ck_assert_uint_eq(a.list[0].unit, 2 * 6 + 2);
    ck_assert_uint_eq(a.list[3].unit, 3 * 6 + 3);
    ck_assert(!atoms_draw(&a, 0, 3, x, &memory, &e));
    ck_assert(!atoms_draw(&a, 3, 1, x + 3 * STAMP * STAMP, &memory, &e));
    for (size_t i = 0; i < WEIGHTS; i++)
        near(x[i], (double)(i + 1), 1e-6);
    model_free(m);
}
END_TEST

START_TEST(an_upper_atom_is_drawn_through_the_codes_below)
{
    struct model *m = stamps(2, "code");
    struct atoms a;
    float x[CELL * CELL * 16];
    ck_assert(!atoms_init(&a, m, 1, &memory, &e));
    ck_assert_uint_eq(a.n, CELL * CELL);
    ck_assert_uint_eq(a.space.height, 4);
    ck_assert_uint_eq(a.space.width, 4);
    ck_assert(!atoms_draw(&a, 0, a.n, x, &memory, &e));
    /* Unit 1 draws weights 5..8 as the codes of 2 x 2 units below. */
    for (size_t y = 0; y < 4; y++)
        for (size_t k = 0; k < 4; k++) {
            size_t below = y / 2 * 2 + k / 2, pixel = y % 2 * 2 + k % 2;
            near(x[16 + y * 4 + k],
                 (double)((5 + below) * (below * 4 + pixel + 1)), 1e-4);
        }
    model_free(m);
}
END_TEST

START_TEST(pools_below_are_drawn_as_if_their_units_were_alike)
{
    struct model *m = stamps(2, "pooled");
    struct atoms a;
    /* Pools are 6 x 3, so the upper layer has 3 x 1 units. */
    ck_assert(!atoms_init(&a, m, 1, &memory, &e));
    ck_assert_uint_eq(a.n, 3);
    ck_assert_uint_eq(a.space.height, 4);
    ck_assert_uint_eq(a.space.width, 8);
    ck_assert_uint_eq(a.list[1].top, 4);
    ck_assert_uint_eq(a.list[1].left, 0);
    float x[3 * 32], whole[144];
    ck_assert(!atoms_draw(&a, 0, 3, x, &memory, &e));
    for (size_t y = 0; y < 4; y++)
        for (size_t k = 0; k < 8; k++) {
            double pool = (double)(1 + y / 2 * 2 + k / 4);
            double pixel =
                (double)((y / 2 * 2 + k / 2 % 2) * 4 + y % 2 * 2 + k % 2 + 1);
            near(x[y * 8 + k], pool * pixel, 1e-4);
        }
    ck_assert(!atoms_draw_unit(m, 1, 0, whole, &memory, &e));
    near_all(whole, x, 8, 1e-4);
    for (size_t k = 8; k < 12; k++)
        ck_assert(whole[k] == 0.0f);
    /* Without the blur there is no drawing. */
    float z[3] = {1};
    ck_assert_int_eq(model_decode(m, 1, whole, z, NULL, 1, &memory, &e),
                     ERR_CONFLICT);
    model_free(m);
}
END_TEST

START_TEST(a_picture_has_a_tile_for_each_shared_atom)
{
    struct model *m = stamps(1, "code");
    struct render_options options = {.zoom = 3};
    struct image image = {0};
    ck_assert_msg(!render_atoms(m, &options, &image, NULL, &e), "%s", e.msg);
    ck_assert_uint_eq(image.width, 2 * (STAMP * 3 + 1) + 1);
    ck_assert_uint_eq(image.height, 2 * (STAMP * 3 + 1) + 1);
    ck_assert_int_eq(
        image.pixels[image.width * image.height - 1 - image.width - 1], 255);
    image_fini(&image);
    options.view = RENDER_ORIENTATION;
    ck_assert_int_eq(render_atoms(m, &options, &image, NULL, &e), ERR_CONFLICT);
    model_free(m);
    m = stamps(2, "code");
    options.layer = 1;
    struct render_pinwheels found;
    ck_assert_msg(!render_atoms(m, &options, &image, &found, &e), "%s", e.msg);
    ck_assert(found.map);
    image_fini(&image);
    model_free(m);
}
END_TEST

Suite *suite_atoms(void);
Suite *suite_atoms(void)
{
    Suite *s = suite_create("atoms");
    TCase *t = tcase_create("cells, parts, pools");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_shared_atom_is_drawn_once_and_cut_out);
    tcase_add_test(t, an_upper_atom_is_drawn_through_the_codes_below);
    tcase_add_test(t, pools_below_are_drawn_as_if_their_units_were_alike);
    tcase_add_test(t, a_picture_has_a_tile_for_each_shared_atom);
    suite_add_tcase(s, t);
    return s;
}
