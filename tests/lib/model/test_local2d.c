/* local2d: shapes, refusals, views, starting values, weights that repeat. That
 * its products are right is tests/lib/math/test_fields.c.
 */
#include "lib/model/model.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 9, PIXELS = SIDE * SIDE, SAMPLES = 12 };

static struct err e;
static struct arena memory;
static float samples[SAMPLES * 2 * PIXELS];

static void setup(void)
{
    struct rng rng = rng_make(1, "pictures", 0);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        samples[i] = rng_uniform(&rng, 0, 1);
    arena_init(&memory, SIZE_MAX);
}

static void teardown(void)
{
    arena_fini(&memory);
}

static struct model *compose(const char *shape, const char *settings,
                             const char *encoder, const char *structure)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[%s]},\"layers\":[{\"operator\":"
             "\"local2d\"%s%s,\"encoder\":{\"kind\":%s},"
             "\"structure\":{\"kind\":%s}}]}",
             shape, *settings ? "," : "", settings, encoder, structure);
    struct json *config = json_parse(text, strlen(text), &e);
    ck_assert_msg(config != NULL, "%s: %s", text, e.msg);
    struct model *m = model_new(config, NULL, 0, &e);
    json_free(config);
    return m;
}

static struct model *started(const char *shape, const char *settings)
{
    struct model *m =
        compose(shape, settings, "\"feedforward\"", "\"l1\",\"lambda\":0.1");
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_msg(!model_start(m, 1, samples, SAMPLES, &e), "%s", e.msg);
    return m;
}

/* ---- shapes ---- */

static const struct {
    const char *shape, *settings;
    size_t rows, columns, cell_rows, cell_columns, kh, kw;
} sizes[] = {
    {"9,9", "\"kernel\":3", 7, 7, 7, 7, 3, 3},
    {"9,9", "\"kernel\":[3,2]", 7, 8, 7, 8, 3, 2},
    {"2,9,9", "\"kernel\":3,\"stride\":2", 4, 4, 4, 4, 3, 3},
    {"9,9", "\"kernel\":3,\"padding\":1,\"share\":2", 18, 18, 18, 18, 3, 3},
    {"9,9", "\"kernel\":5,\"period\":3", 5, 5, 3, 3, 5, 5},
    {"9,9", "\"kernel\":5,\"period\":[4,9]", 5, 5, 4, 5, 5, 5},
    {"9,9", "\"kernel\":9", 1, 1, 1, 1, 9, 9},
};

START_TEST(the_sheet_follows_from_the_picture)
{
    struct model *m = compose(sizes[_i].shape, sizes[_i].settings,
                              "\"feedforward\"", "\"l1\"");
    ck_assert_msg(m != NULL, "%s", e.msg);
    const struct layer *l = &m->layers[0];
    ck_assert_uint_eq(l->code.channels, 1);
    ck_assert_uint_eq(l->code.height, sizes[_i].rows);
    ck_assert_uint_eq(l->code.width, sizes[_i].columns);
    ck_assert_uint_eq(l->shape.cell.height, sizes[_i].cell_rows);
    ck_assert_uint_eq(l->shape.cell.width, sizes[_i].cell_columns);
    const struct param *both[] = {l->enc.weight, l->dec.weight};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(both[i]->rank, 4);
        ck_assert_uint_eq(both[i]->dims[0],
                          sizes[_i].cell_rows * sizes[_i].cell_columns);
        ck_assert_uint_eq(both[i]->dims[1], m->input.channels);
        ck_assert_uint_eq(both[i]->dims[2], sizes[_i].kh);
        ck_assert_uint_eq(both[i]->dims[3], sizes[_i].kw);
    }
    ck_assert_uint_eq(l->encoder.bias->count, both[0]->dims[0]);
    model_free(m);
}
END_TEST

static const struct {
    const char *shape, *settings;
    enum err_code code;
    const char *message;
} refused[] = {
    {"9,9", "", ERR_INVALID, "layers[0].kernel: missing"},
    {"9,9", "\"kernel\":0", ERR_INVALID, "layers[0].kernel"},
    {"9,9", "\"kernel\":65", ERR_INVALID, "layers[0].kernel"},
    {"9,9", "\"kernel\":[3]", ERR_INVALID, "layers[0].kernel"},
    {"9,9", "\"kernel\":[3,3,3]", ERR_INVALID, "layers[0].kernel"},
    {"9,9", "\"kernel\":[3,2.5]", ERR_INVALID, "layers[0].kernel"},
    {"9,9", "\"kernel\":[3,1e300]", ERR_INVALID, "layers[0].kernel"},
    {"9,9", "\"kernel\":[-3,3]", ERR_INVALID, "layers[0].kernel"},
    {"9,9", "\"kernel\":[3,\"x\"]", ERR_INVALID, "layers[0].kernel"},
    {"9,9", "\"kernel\":\"x\"", ERR_INVALID, "layers[0].kernel"},
    {"9,9", "\"kernel\":3,\"stride\":4", ERR_INVALID, "layers[0].stride"},
    {"9,9", "\"kernel\":3,\"stride\":0", ERR_INVALID, "layers[0].stride"},
    {"9,9", "\"kernel\":3,\"padding\":3", ERR_INVALID, "layers[0].padding"},
    {"9,9", "\"kernel\":3,\"share\":0", ERR_INVALID, "layers[0].share"},
    {"9,9", "\"kernel\":3,\"share\":9", ERR_INVALID, "layers[0].share"},
    {"9,9", "\"kernel\":3,\"period\":0", ERR_INVALID, "layers[0].period"},
    {"9,9", "\"kernel\":3,\"period\":[3,5000]", ERR_INVALID,
     "layers[0].period"},
    {"9,9", "\"kernel\":3,\"units\":8", ERR_INVALID, "units"},
    {"2,9,9", "\"kernel\":[10,3]", ERR_SHAPE,
     "layers[0]: field 10x3 with padding 0 does not fit its input 2x9x9"},
    {"9,9", "\"kernel\":14,\"padding\":2", ERR_SHAPE,
     "layers[0]: field 14x14 with padding 2 does not fit its input 1x9x9"},
    {"81", "\"kernel\":3", ERR_SHAPE,
     "layers[0]: field 3x3 with padding 0 does not fit its input 81"},
    {"2000,2000", "\"kernel\":1,\"period\":2", ERR_TOO_LARGE,
     "layers[0]: a sheet of 2000x2000 units"},
    {"1,16777216", "\"kernel\":1,\"share\":8,\"period\":1", ERR_TOO_LARGE,
     "layers[0]: a sheet of 8x134217728 units"},
    {"16,1000,1000", "\"kernel\":64", ERR_TOO_LARGE, "layers.0.encoder.weight"},
};

START_TEST(bad_settings_are_named)
{
    struct model *m = compose(refused[_i].shape, refused[_i].settings,
                              "\"feedforward\"", "\"l1\"");
    ck_assert_msg(m == NULL, "%s: taken", refused[_i].settings);
    ck_assert_msg(strstr(e.msg, refused[_i].message) != NULL, "%s: %s",
                  refused[_i].settings, e.msg);
    ck_assert_int_eq(e.code, refused[_i].code);
}
END_TEST

START_TEST(encoders_that_cannot_use_it_say_so)
{
    ck_assert_ptr_null(
        compose("9,9", "\"kernel\":3", "\"recurrent\"", "\"l1\""));
    ck_assert_msg(strstr(e.msg, "local2d") != NULL, "%s", e.msg);
    ck_assert_ptr_null(compose("9,9", "\"kernel\":3",
                               "\"iterative\",\"method\":\"descent\"",
                               "\"l1\""));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_ptr_null(compose("9,9", "\"kernel\":3,\"period\":2",
                               "\"feedforward\"",
                               "\"tree\",\"parents\":[-1,0,0,0]"));
    ck_assert_msg(strstr(e.msg, "single units") != NULL, "%s", e.msg);
}
END_TEST

/* ---- where units look ---- */

/* A unit's code is on where exactly the pixels of its view are. */
static void check_view(const struct model *m, size_t unit)
{
    const struct layer *l = &m->layers[0];
    const struct space *in = &l->in;
    struct box v = l->op->view(&l->dec, unit);
    size_t n = layer_units(l), pixels = space_size(in);
    float *z = arena_zeroed(&memory, n, sizeof *z);
    float *x = arena_zeroed(&memory, pixels, sizeof *x);
    z[unit] = 1;
    l->op->apply(&l->dec, x, NULL, z, 1, &memory);
    for (size_t i = 0; i < pixels; i++) {
        size_t row = i / in->width % in->height, column = i % in->width;
        bool inside = row - v.top < v.height && column - v.left < v.width;
        ck_assert_msg((x[i] != 0.0f) == inside, "unit %zu, pixel %zu: %g", unit,
                      i, (double)x[i]);
    }
}

START_TEST(a_unit_draws_in_its_view)
{
    static const char *const settings[] = {
        "\"kernel\":3", "\"kernel\":[4,3],\"padding\":2,\"share\":2",
        "\"kernel\":5,\"stride\":2,\"padding\":1"};
    struct model *m = started("2,9,9", settings[_i]);
    for (size_t k = 0; k < m->layers[0].dec.weight->count; k++)
        m->layers[0].dec.weight->value[k] = 1;
    for (size_t u = 0; u < layer_units(&m->layers[0]); u++)
        check_view(m, u);
    model_free(m);
}
END_TEST

/* ---- starting values ---- */

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

START_TEST(atoms_start_with_norm_1_and_the_encoder_as_their_adjoint)
{
    struct model *m = started("9,9", "\"kernel\":4,\"padding\":2,\"period\":6");
    const struct layer *l = &m->layers[0];
    size_t n = l->dec.weight->count, taps = n / l->dec.weight->dims[0];
    for (size_t k = 0; k < n; k += taps)
        near(dot(l->dec.weight->value + k, l->dec.weight->value + k, taps), 1,
             1e-5);
    near_all(l->enc.weight->value, l->dec.weight->value, n, 0);
    model_free(m);
}
END_TEST

/* Atoms lean by 0.25 to what their unit sees of some sample: of one that is all
 * the same, to their own mean. */
START_TEST(atoms_lean_to_crops_of_samples)
{
    double with = 0, without = 0;
    for (size_t leaning = 0; leaning < 2; leaning++) {
        for (size_t i = 0; i < SAMPLES * PIXELS; i++)
            samples[i] = leaning ? 7 : 0;
        struct model *m = started("9,9", "\"kernel\":3");
        const struct param *w = m->layers[0].dec.weight;
        for (size_t k = 0; k < w->dims[0]; k++) {
            static const float ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
            double lean = dot(w->value + 9 * k, ones, 9) / 3;
            *(leaning ? &with : &without) += lean / (double)w->dims[0];
        }
        model_free(m);
    }
    near(without, 0, 0.15);
    ck_assert_double_gt(with - without, 0.2);
    ck_assert_double_lt(with - without, 0.3);
}
END_TEST

/* What a unit of the middle sees stands for it; at the edge, taps outside the
 * picture start at 0 and stay there, since nothing comes from them. */
START_TEST(taps_outside_the_picture_are_0)
{
    struct model *m = started("9,9", "\"kernel\":3,\"padding\":2");
    const struct layer *l = &m->layers[0];
    const float *w = l->dec.weight->value;
    for (size_t t = 0; t < 9; t++)
        ck_assert((w[t] != 0.0f) == (t == 8));
    float *d = arena_zeroed(&memory, l->dec.weight->count, sizeof *d);
    float *z = arena_zeroed(&memory, 20 * layer_units(l), sizeof *z);
    for (size_t i = 0; i < 20 * layer_units(l); i++)
        z[i] = 1;
    ck_assert(arena_reserve(&memory, l->op->scratch_bytes(&l->dec, 20)));
    float *x = arena_zeroed(&memory, 20 * PIXELS, sizeof *x);
    for (size_t i = 0; i < 20 * PIXELS; i++)
        x[i] = 1;
    l->op->gradient(&l->dec, d, x, z, 20, &memory);
    for (size_t t = 0; t < 9; t++)
        near((double)d[t], t == 8 ? 20 : 0, 0);
    model_free(m);
}
END_TEST

START_TEST(atoms_are_kept_within_norm_1)
{
    struct model *m = started("9,9", "\"kernel\":3,\"period\":4");
    struct param *w = m->layers[0].dec.weight;
    for (size_t i = 0; i < w->count; i++)
        w->value[i] = i < 9 ? 0.1f : 2;
    w->project(w);
    near((double)w->value[0], 0.1, 1e-6);
    for (size_t k = 1; k < w->dims[0]; k++)
        near(dot(w->value + 9 * k, w->value + 9 * k, 9), 1, 1e-5);
    model_free(m);
}
END_TEST

/* ---- weights that repeat ---- */

/* A picture that repeats with the period gives a code that does. */
START_TEST(a_picture_of_the_period_has_a_code_of_the_period)
{
    float x[PIXELS];
    struct pass p;
    struct model_options options = {0};
    struct model *m = started("9,9", "\"kernel\":3,\"period\":[2,3]");
    const struct layer *l = &m->layers[0];
    for (size_t i = 0; i < PIXELS; i++)
        x[i] = samples[i / SIDE % 2 * 3 + i % SIDE % 3];
    ck_assert(!model_encode(m, &p, x, 1, &options, &memory, &e));
    size_t on = 0;
    for (size_t i = 0; i < layer_units(l); i++) {
        size_t row = i / 7, column = i % 7;
        near((double)p.layers[0].z[i],
             (double)p.layers[0].z[row % 2 * 7 + column % 3], 1e-6);
        on += p.layers[0].z[i] != 0.0f;
    }
    ck_assert_uint_gt(on, 0);
    model_free(m);
}
END_TEST

/* A search through the decoder needs its products alone; here there are more
 * units than pixels. */
START_TEST(codes_can_be_searched_for)
{
    float x[PIXELS], drawn[PIXELS], error;
    struct pass p;
    struct model_options options = {0};
    struct model *m = compose("9,9", "\"kernel\":3,\"padding\":2",
                              "\"iterative\",\"method\":\"fista\","
                              "\"steps\":300",
                              "\"l1\",\"lambda\":0.01");
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert(!model_start(m, 1, samples, SAMPLES, &e));
    memcpy(x, samples, sizeof x);
    ck_assert(!model_encode(m, &p, x, 1, &options, &memory, &e));
    ck_assert(!model_reconstruct(m, &p, 0, drawn, &error, &memory, &e));
    ck_assert_msg(error < 0.2f, "%g", (double)error);
    model_free(m);
}
END_TEST

/* More rows than go one by one, within the bytes that it says. */
START_TEST(a_batch_keeps_to_its_bytes)
{
    enum { B = 50 };
    static float x[B * PIXELS], drawn[B * PIXELS], one[PIXELS];
    struct pass p;
    struct model_options options = {0};
    struct model *m = started("9,9", "\"kernel\":3,\"share\":2,\"period\":5");
    for (size_t i = 0; i < B * PIXELS; i++)
        x[i] = samples[(i * 7) % (SAMPLES * PIXELS)];
    struct arena bounded;
    arena_init(&bounded, model_pass_bytes(m, B, &options));
    ck_assert_msg(!model_encode(m, &p, x, B, &options, &bounded, &e), "%s",
                  e.msg);
    ck_assert_msg(!model_reconstruct(m, &p, 0, drawn, NULL, &bounded, &e), "%s",
                  e.msg);
    for (size_t b = 0; b < B; b += 7) {
        struct pass single;
        ck_assert(!model_encode(m, &single, x + b * PIXELS, 1, &options,
                                &memory, &e));
        ck_assert(!model_reconstruct(m, &single, 0, one, NULL, &memory, &e));
        near_all(drawn + b * PIXELS, one, PIXELS, 1e-5);
    }
    arena_fini(&bounded);
    model_free(m);
}
END_TEST

Suite *suite_local2d(void);
Suite *suite_local2d(void)
{
    Suite *s = suite_create("local2d");
    TCase *t = tcase_create("shapes");
    tcase_add_loop_test(t, the_sheet_follows_from_the_picture, 0,
                        (int)(sizeof sizes / sizeof sizes[0]));
    tcase_add_loop_test(t, bad_settings_are_named, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(t, encoders_that_cannot_use_it_say_so);
    suite_add_tcase(s, t);
    t = tcase_create("values");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_unit_draws_in_its_view, 0, 3);
    tcase_add_test(t, atoms_start_with_norm_1_and_the_encoder_as_their_adjoint);
    tcase_add_test(t, atoms_lean_to_crops_of_samples);
    tcase_add_test(t, taps_outside_the_picture_are_0);
    tcase_add_test(t, atoms_are_kept_within_norm_1);
    suite_add_tcase(s, t);
    t = tcase_create("codes");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_picture_of_the_period_has_a_code_of_the_period);
    tcase_add_test(t, codes_can_be_searched_for);
    tcase_add_test(t, a_batch_keeps_to_its_bytes);
    suite_add_tcase(s, t);
    return s;
}
