/* What conv2d alone promises: shapes, atoms that start at norm 1 and lean to
 * what samples show, a recurrent map that is what the decoder implies, the part
 * of the picture that a unit draws in, and refusals that tell both shapes.
 */
#include "lib/math/kernels.h"
#include "lib/model/model.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct err e;
static struct arena memory;

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
}

static void teardown(void)
{
    arena_fini(&memory);
}

/* A model of one layer, not started; NULL: refused. */
static struct model *try_model(const char *shape, const char *settings,
                               const char *rest)
{
    char text[512];
    snprintf(
        text, sizeof text,
        "{\"input\":{\"shape\":%s},\"layers\":[{\"operator\":\"conv2d\",%s,"
        "\"encoder\":{\"kind\":\"%s\"},"
        "\"structure\":{\"kind\":\"l1\",\"lambda\":0.1}}]}",
        shape, settings, rest);
    struct json *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s: %s", text, e.msg);
    struct model *m = model_new(j, NULL, 0, &e);
    json_free(j);
    return m;
}

static struct model *make(const char *shape, const char *settings,
                          const float *samples, size_t n)
{
    struct model *m = try_model(shape, settings, "recurrent");
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_msg(!model_start(m, 5, samples, n, &e), "%s", e.msg);
    return m;
}

static void dims_are(const struct param *p, size_t a, size_t b, size_t c,
                     size_t d)
{
    ck_assert_uint_eq(p->rank, 4);
    ck_assert_uint_eq(p->dims[0], a);
    ck_assert_uint_eq(p->dims[1], b);
    ck_assert_uint_eq(p->dims[2], c);
    ck_assert_uint_eq(p->dims[3], d);
}

START_TEST(maps_share_a_kernel_and_a_bias)
{
    struct model *m = make("[3,10,9]",
                           "\"maps\":4,\"kernel\":[5,3],\"stride\":2,"
                           "\"padding\":1",
                           NULL, 0);
    const struct layer *l = &m->layers[0];
    ck_assert_uint_eq(l->code.channels, 4);
    ck_assert_uint_eq(l->code.height, 4);
    ck_assert_uint_eq(l->code.width, 5);
    ck_assert_uint_eq(l->encoder.bias->count, 4);
    dims_are(l->enc.weight, 4, 3, 5, 3);
    dims_are(l->dec.weight, 4, 3, 5, 3);
    dims_are(l->rec.weight, 4, 4, 5, 3);
    model_free(m);
}
END_TEST

/* Picture number b is bright in one row of the picture, so that cuts differ. */
static void stripes(float *x, size_t n, size_t height, size_t width)
{
    for (size_t i = 0; i < n * height * width; i++) {
        size_t b = i / (height * width), y = i / width % height;
        x[i] = b % height == y ? 1 : 0;
    }
}

/* Norm of what atom k has beyond the random one that it would be alone. */
START_TEST(atoms_start_at_norm_1_and_lean_to_cuts_of_samples)
{
    enum { N = 8, SIDE = 8 };
    static float x[N * SIDE * SIDE];
    static const char settings[] = "\"maps\":12,\"kernel\":3,\"padding\":1";
    stripes(x, N, SIDE, SIDE);
    struct model *m = make("[8,8]", settings, x, N);
    struct model *alone = make("[8,8]", settings, NULL, 0);
    const float *d = m->layers[0].dec.weight->value;
    double along = 0;
    for (size_t k = 0; k < 12; k++) {
        double size = 0, rows[3] = {0}, most = 0;
        for (size_t i = 0; i < 9; i++) {
            size += (double)(d[k * 9 + i] * d[k * 9 + i]);
            rows[i / 3] += (double)d[k * 9 + i];
        }
        near(size, 1, 1e-5);
        for (size_t i = 0; i < 3; i++)
            most = fmax(most, rows[i]);
        along += most / 12;
    }
    double free_along = 0;
    d = alone->layers[0].dec.weight->value;
    for (size_t k = 0; k < 12; k++) {
        double size = 0, most = 0;
        for (size_t i = 0; i < 3; i++)
            most = fmax(most, (double)(d[k * 9 + 3 * i] + d[k * 9 + 3 * i + 1] +
                                       d[k * 9 + 3 * i + 2]));
        for (size_t i = 0; i < 9; i++)
            size += (double)(d[k * 9 + i] * d[k * 9 + i]);
        near(size, 1, 1e-5);
        free_along += most / 12;
    }
    ck_assert_double_gt(along, free_along + 0.05);
    model_free(m);
    model_free(alone);
}
END_TEST

/* The encoder starts as the decoder's adjoint: E x = a D'x. */
START_TEST(the_encoder_starts_as_the_adjoint)
{
    struct model *m =
        make("[2,6,7]", "\"maps\":5,\"kernel\":[2,3],\"padding\":1", NULL, 0);
    const struct layer *l = &m->layers[0];
    size_t n = layer_units(l);
    float x[2 * 6 * 7], *y = arena_take(&memory, n, sizeof *y),
                        *want = arena_zeroed(&memory, n, sizeof *want);
    struct rng rng = rng_make(1, "x", 0);
    for (size_t i = 0; i < 84; i++)
        x[i] = rng_uniform(&rng, -1, 1);
    l->op->start_adjoint(&m->layers[0].enc, &l->dec, 0.3f);
    l->op->apply(&l->enc, y, NULL, x, 1, &memory);
    l->op->adjoint(&l->dec, want, x, 1, &memory);
    for (size_t i = 0; i < n; i++)
        near(y[i], 0.3 * (double)want[i], 1e-5);
    model_free(m);
}
END_TEST

static const char *const unpadded[][2] = {
    {"[3,7,8]", "\"maps\":4,\"kernel\":3"},
    {"[9,7]", "\"maps\":3,\"kernel\":[4,2]"},
    {"[2,11,12]", "\"maps\":5,\"kernel\":[3,5],\"stride\":2"},
    {"[2,9,9]", "\"maps\":2,\"kernel\":3,\"stride\":3"},
};

/* S z = z - a D'D z for every z, where no atom reaches over the edge. */
START_TEST(the_recurrent_map_is_what_the_decoder_implies)
{
    struct model *m = make(unpadded[_i][0], unpadded[_i][1], NULL, 0);
    struct layer *l = &m->layers[0];
    enum { B = 3 };
    const float step = 0.4f;
    size_t n = layer_units(l), in = layer_inputs(l);
    float *z = arena_take(&memory, B * n, sizeof *z);
    float *drawn = arena_take(&memory, B * in, sizeof *drawn);
    float *seen = arena_zeroed(&memory, B * n, sizeof *seen);
    float *got = arena_take(&memory, B * n, sizeof *got);
    struct rng rng = rng_make(2, "z", 0);
    for (size_t i = 0; i < B * n; i++)
        z[i] = rng_uniform(&rng, -1, 1);
    l->op->start_residual(&l->rec, &l->dec, step);
    l->op->apply(&l->dec, drawn, NULL, z, B, &memory);
    l->op->adjoint(&l->dec, seen, drawn, B, &memory);
    l->op->apply(&l->rec, got, NULL, z, B, &memory);
    for (size_t i = 0; i < B * n; i++)
        near(got[i], (double)(z[i] - step * seen[i]), 1e-5);
    model_free(m);
}
END_TEST

/* With padding the same holds for units that lie wholly inside. */
/* Many atoms overlap at each place, so that 1.25 / 3 would be too large a step:
 * without a threshold in their way codes would grow for ever. */
START_TEST(the_first_net_goes_on_for_ever_without_growing)
{
    static const struct model_options long_run = {.steps = 400};
    float x[144];
    struct pass few, many;
    struct model *m = try_model("[12,12]", "\"maps\":16,\"kernel\":5",
                                "recurrent\",\"steps\":3,"
                                "\"nonlinearity\":\"identity");
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_msg(!model_start(m, 5, NULL, 0, &e), "%s", e.msg);
    for (size_t i = 0; i < 144; i++)
        x[i] = sinf((float)(i * i));
    ck_assert(
        !model_encode(m, &few, x, 1, &(struct model_options){0}, &memory, &e));
    ck_assert_msg(!model_encode(m, &many, x, 1, &long_run, &memory, &e), "%s",
                  e.msg);
    size_t n = layer_units(&m->layers[0]);
    ck_assert_double_gt(vec_norm(few.layers[0].z, n), 0.1);
    ck_assert_double_lt(vec_norm(many.layers[0].z, n),
                        10 * vec_norm(few.layers[0].z, n));
    model_free(m);
}
END_TEST

START_TEST(with_padding_the_middle_is_exact)
{
    struct model *m =
        make("[12,12]", "\"maps\":3,\"kernel\":3,\"padding\":1", NULL, 0);
    struct layer *l = &m->layers[0];
    size_t n = layer_units(l);
    float *z = arena_zeroed(&memory, n, sizeof *z);
    float *seen = arena_zeroed(&memory, n, sizeof *seen);
    float *got = arena_take(&memory, n, sizeof *got);
    float drawn[144];
    z[1 * 144 + 5 * 12 + 6] = 1;
    l->op->start_residual(&l->rec, &l->dec, 1);
    l->op->apply(&l->dec, drawn, NULL, z, 1, &memory);
    l->op->adjoint(&l->dec, seen, drawn, 1, &memory);
    l->op->apply(&l->rec, got, NULL, z, 1, &memory);
    for (size_t i = 0; i < n; i++)
        near(got[i], (double)(z[i] - seen[i]), 1e-5);
    model_free(m);
}
END_TEST

/* The smallest box around what a unit draws. */
static struct box drawn_box(const struct layer *l, size_t unit)
{
    size_t height = l->in.height, width = l->in.width;
    size_t top = height, left = width, bottom = 0, right = 0;
    struct arena_mark mark = arena_mark(&memory);
    float *z = arena_zeroed(&memory, layer_units(l), sizeof *z);
    float *x = arena_take(&memory, layer_inputs(l), sizeof *x);
    z[unit] = 1;
    l->op->apply(&l->dec, x, NULL, z, 1, &memory);
    for (size_t i = 0; i < layer_inputs(l); i++) {
        size_t py = i / width % height, px = i % width;
        if (x[i] == 0.0f)
            continue;
        top = py < top ? py : top;
        left = px < left ? px : left;
        bottom = py + 1 > bottom ? py + 1 : bottom;
        right = px + 1 > right ? px + 1 : right;
    }
    arena_rewind(&memory, mark);
    return (struct box){top, left, bottom - top, right - left};
}

static const char *const viewed[][2] = {
    {"[3,7,8]", "\"maps\":2,\"kernel\":3"},
    {"[9,7]", "\"maps\":3,\"kernel\":[4,3],\"stride\":2,\"padding\":2"},
    {"[2,3]", "\"maps\":2,\"kernel\":[6,5],\"padding\":4"},
};

START_TEST(a_unit_draws_within_its_view)
{
    struct model *m = make(viewed[_i][0], viewed[_i][1], NULL, 0);
    const struct layer *l = &m->layers[0];
    for (size_t unit = 0; unit < layer_units(l); unit++) {
        struct box got = l->op->view(&l->dec, unit), want = drawn_box(l, unit);
        ck_assert_uint_eq(got.top, want.top);
        ck_assert_uint_eq(got.left, want.left);
        ck_assert_uint_eq(got.height, want.height);
        ck_assert_uint_eq(got.width, want.width);
    }
    model_free(m);
}
END_TEST

START_TEST(packed_weights_give_the_same_code)
{
    enum { B = 3 };
    static float x[B * 64];
    struct model_options options = {0};
    struct pass one, two;
    stripes(x, B, 8, 8);
    struct model *m = make("[8,8]", "\"maps\":20,\"kernel\":3", x, B);
    ck_assert(!model_encode(m, &one, x, B, &options, &memory, &e));
    ck_assert(!model_prepare(m, &e));
    ck_assert_ptr_nonnull(m->layers[0].enc.packed);
    ck_assert(!model_encode(m, &two, x, B, &options, &memory, &e));
    near_all(two.layers[0].z, one.layers[0].z, B * layer_units(&m->layers[0]),
             0);
    model_unprepare(m);
    ck_assert_ptr_null(m->layers[0].enc.packed);
    model_free(m);
}
END_TEST

static const struct {
    const char *shape, *settings;
    enum err_code code;
    const char *says;
} refused[] = {
    {"[32,3,3]", "\"maps\":2,\"kernel\":5", ERR_SHAPE,
     "layers[0]: kernel 5x5 with padding 0 does not fit its input 32x3x3"},
    {"[8]", "\"maps\":2,\"kernel\":[1,2]", ERR_SHAPE,
     "kernel 1x2 with padding 0 does not fit its input 8x1x1"},
    {"[8,8]", "\"kernel\":3", ERR_INVALID, "layers[0].maps: missing"},
    {"[8,8]", "\"maps\":3", ERR_INVALID, "layers[0].kernel: missing"},
    {"[8,8]", "\"maps\":0,\"kernel\":3", ERR_INVALID, "layers[0].maps"},
    {"[8,8]", "\"maps\":65537,\"kernel\":3", ERR_INVALID, "layers[0].maps"},
    {"[8,8]", "\"maps\":2,\"kernel\":0", ERR_INVALID, "layers[0].kernel"},
    {"[8,8]", "\"maps\":2,\"kernel\":65", ERR_INVALID, "from 1 to 64"},
    {"[8,8]", "\"maps\":2,\"kernel\":2.5", ERR_INVALID, "layers[0].kernel"},
    {"[8,8]", "\"maps\":2,\"kernel\":\"3\"", ERR_INVALID, "layers[0].kernel"},
    {"[8,8]", "\"maps\":2,\"kernel\":[3]", ERR_INVALID, "layers[0].kernel"},
    {"[8,8]", "\"maps\":2,\"kernel\":[3,3,3]", ERR_INVALID, "[height, width]"},
    {"[8,8]", "\"maps\":2,\"kernel\":[3,1e30]", ERR_INVALID, "from 1 to 64"},
    {"[8,8]", "\"maps\":2,\"kernel\":[3,2],\"stride\":3", ERR_INVALID,
     "layers[0].stride"},
    {"[8,8]", "\"maps\":2,\"kernel\":3,\"stride\":0", ERR_INVALID, "stride"},
    {"[8,8]", "\"maps\":2,\"kernel\":3,\"padding\":3", ERR_INVALID,
     "layers[0].padding"},
    {"[8,8]", "\"maps\":2,\"kernel\":3,\"units\":5", ERR_INVALID, "units"},
    {"[1024,1024]", "\"maps\":2,\"kernel\":3", ERR_TOO_LARGE,
     "layers[0]: 2 maps of 1022x1022 are over 1048576 units"},
    {"[4096,4096]", "\"maps\":65536,\"kernel\":1", ERR_TOO_LARGE, "units"},
    {"[1,16777216]", "\"maps\":1,\"kernel\":9,\"padding\":8", ERR_TOO_LARGE,
     "layers[0]: its input with the padding has over 16777216 numbers"},
    {"[64,64]", "\"maps\":65536,\"kernel\":64", ERR_TOO_LARGE,
     "layers.0.encoder"},
};

START_TEST(what_cannot_be_is_refused_by_name)
{
    struct model *m =
        try_model(refused[_i].shape, refused[_i].settings, "recurrent");
    ck_assert(m == NULL);
    ck_assert_msg(e.code == refused[_i].code, "%s", e.msg);
    ck_assert_msg(strstr(e.msg, refused[_i].says) != NULL, "%s", e.msg);
}
END_TEST

/* It gives no single atoms: an encoder that descends unit by unit says so. */
START_TEST(an_encoder_that_wants_single_atoms_is_refused)
{
    struct model *m = try_model("[8,8]", "\"maps\":2,\"kernel\":3",
                                "iterative\",\"method\":\"descent");
    ck_assert(m == NULL);
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, "conv2d") != NULL, "%s", e.msg);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

Suite *suite_conv2d(void);
Suite *suite_conv2d(void)
{
    Suite *s = suite_create("conv2d");
    TCase *t = tcase_create("kernels");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, maps_share_a_kernel_and_a_bias);
    tcase_add_test(t, atoms_start_at_norm_1_and_lean_to_cuts_of_samples);
    tcase_add_test(t, the_encoder_starts_as_the_adjoint);
    tcase_add_loop_test(t, the_recurrent_map_is_what_the_decoder_implies, 0,
                        COUNT(unpadded));
    tcase_add_test(t, the_first_net_goes_on_for_ever_without_growing);
    tcase_add_test(t, with_padding_the_middle_is_exact);
    tcase_add_loop_test(t, a_unit_draws_within_its_view, 0, COUNT(viewed));
    tcase_add_test(t, packed_weights_give_the_same_code);
    suite_add_tcase(s, t);
    t = tcase_create("refusals");
    tcase_add_loop_test(t, what_cannot_be_is_refused_by_name, 0,
                        COUNT(refused));
    tcase_add_test(t, an_encoder_that_wants_single_atoms_is_refused);
    suite_add_tcase(s, t);
    return s;
}
