/* The contract that every composition keeps, whatever its axis values. */
#include "lib/model/model.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/model/model_file.h"
#include "lib/model/render.h"
#include "tests/support/compositions.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { ROWS = 7 };

static float rows[ROWS * COMPOSITION_INPUTS];
static struct arena memory;
static struct err e;

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
    composition_rows(rows, NULL, ROWS, 5);
}

static void teardown(void)
{
    arena_fini(&memory);
}

static struct pass encode(const struct model *m, const float *x, size_t B,
                          bool keep)
{
    struct pass p;
    struct model_options options = {.trace = keep};
    ck_assert_msg(!model_encode(m, &p, x, B, &options, &memory, &e), "%s",
                  e.msg);
    ck_assert_msg(!model_classify(m, &p, &memory, &e), "%s", e.msg);
    ck_assert_msg(!model_pool(m, &p, m->n_layers - 1, &memory, &e), "%s",
                  e.msg);
    return p;
}

static size_t top(const struct model *m)
{
    return m->n_layers - 1;
}

START_TEST(a_batch_equals_its_rows_one_by_one)
{
    struct model *m = composition_model((size_t)_i);
    size_t n = layer_units(model_top(m));
    ck_assert(!model_prepare(m, &e));
    struct pass all = encode(m, rows, ROWS, false);
    for (size_t b = 0; b < ROWS; b++) {
        struct pass one = encode(m, rows + b * COMPOSITION_INPUTS, 1, false);
        near_all(one.layers[top(m)].z, all.layers[top(m)].z + b * n, n, 1e-5);
        near_all(one.probabilities, all.probabilities + b * COMPOSITION_CLASSES,
                 COMPOSITION_CLASSES, 1e-5);
    }
    model_free(m);
}
END_TEST

START_TEST(packed_weights_change_nothing)
{
    struct model *m = composition_model((size_t)_i);
    struct pass plain = encode(m, rows, ROWS, false);
    ck_assert(!model_prepare(m, &e));
    struct pass packed = encode(m, rows, ROWS, false);
    near_all(packed.layers[top(m)].z, plain.layers[top(m)].z,
             ROWS * layer_units(model_top(m)), 1e-5);
    model_free(m);
}
END_TEST

START_TEST(a_trace_ends_in_the_code)
{
    struct model *m = composition_model((size_t)_i);
    struct pass last = encode(m, rows, ROWS, false);
    struct pass trace = encode(m, rows, ROWS, true);
    size_t size = ROWS * layer_units(model_top(m));
    const struct tape *tape = &trace.layers[top(m)].tape;
    ck_assert_uint_le(tape->steps, model_top(m)->encoder.steps);
    if (model_top(m)->encoder.kind->backward)
        ck_assert_uint_eq(tape->steps, model_top(m)->encoder.steps);
    near_all(pass_step(m, &trace, top(m), tape->steps - 1),
             last.layers[top(m)].z, size, 0);
    model_free(m);
}
END_TEST

START_TEST(fewer_steps_are_a_prefix_of_the_trace)
{
    struct model *m = composition_model((size_t)_i);
    struct model_options one = {.steps = 1};
    struct pass first;
    struct pass trace = encode(m, rows, ROWS, true);
    ck_assert(!model_encode(m, &first, rows, ROWS, &one, &memory, &e));
    near_all(first.layers[0].z, pass_step(m, &trace, 0, 0),
             ROWS * layer_units(&m->layers[0]), 1e-6);
    model_free(m);
}
END_TEST

START_TEST(saving_and_loading_gives_the_same_model)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "a"), *again = tmp_path(folder, "b");
    size_t length, length_again;
    struct model *m = composition_model((size_t)_i);
    ck_assert_msg(!model_save(m, path, &e), "%s", e.msg);
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    near_all(back->params.values, m->params.values, m->params.total, 0);
    ck_assert(!model_save(back, again, &e));
    char *a = file_read(path, 1 << 24, &length, &e);
    char *b = file_read(again, 1 << 24, &length_again, &e);
    ck_assert_uint_eq(length, length_again);
    ck_assert_mem_eq(a, b, length);
    mem_free(a);
    mem_free(b);
    model_free(back);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

START_TEST(a_copy_is_independent)
{
    struct model *m = composition_model((size_t)_i);
    struct model *copy = model_copy(m, &e);
    ck_assert(copy != NULL);
    near_all(copy->params.values, m->params.values, m->params.total, 0);
    copy->params.values[0] += 1;
    ck_assert(copy->params.values[0] != m->params.values[0]);
    model_free(m);
    ck_assert_uint_eq(encode(copy, rows, 1, false).B, 1);
    model_free(copy);
}
END_TEST

START_TEST(decoding_a_code_is_its_reconstruction)
{
    struct model *m = composition_model((size_t)_i);
    float want[ROWS * COMPOSITION_INPUTS], got[ROWS * COMPOSITION_INPUTS];
    float relative[ROWS];
    struct pass p = encode(m, rows, ROWS, false);
    ck_assert_msg(!model_reconstruct(m, &p, 0, want, relative, &memory, &e),
                  "%s", e.msg);
    ck_assert_msg(
        !model_decode(m, 0, got, p.layers[0].z, p.scale, ROWS, &memory, &e),
        "%s", e.msg);
    near_all(got, want, ROWS * COMPOSITION_INPUTS, 1e-6);
    for (size_t b = 0; b < ROWS; b++) {
        const float *x = rows + b * COMPOSITION_INPUTS;
        const float *y = want + b * COMPOSITION_INPUTS;
        double size = 0, sum = 0;
        for (size_t i = 0; i < COMPOSITION_INPUTS; i++) {
            size += (double)(x[i] * x[i]);
            sum += (double)((x[i] - y[i]) * (x[i] - y[i]));
        }
        near(relative[b], sqrt(sum / size), 1e-4);
    }
    model_free(m);
}
END_TEST

START_TEST(a_stack_reconstructs_from_its_top)
{
    struct model *m = composition_model((size_t)_i);
    float out[ROWS * COMPOSITION_INPUTS];
    struct pass p = encode(m, rows, ROWS, false);
    ck_assert_msg(!model_reconstruct(m, &p, top(m), out, NULL, &memory, &e),
                  "%s", e.msg);
    model_free(m);
}
END_TEST

START_TEST(explained_shares_sum_to_the_whole)
{
    struct model *m = composition_model((size_t)_i);
    size_t n = layer_units(model_top(m));
    float drawn[64], score[64];
    ck_assert_uint_le(n, 64);
    struct pass p = encode(m, rows, ROWS, false);
    ck_assert_msg(
        !model_explain(m, &p, 2, top(m), 1, drawn, score, &memory, &e), "%s",
        e.msg);
    double sum = 0, scores = 0, want = 0;
    const struct classifier *c = &m->classifier;
    for (size_t i = 0; i < n; i++) {
        sum += (double)drawn[i];
        scores += (double)score[i];
    }
    for (size_t i = 0; i < c->inputs; i++)
        want +=
            (double)(c->weight->value[c->inputs + i] * p.h[2 * c->inputs + i]);
    near(sum, 1, 1e-3);
    near(scores, want, 1e-4);
    model_free(m);
}
END_TEST

START_TEST(a_pass_keeps_to_its_stated_bytes)
{
    struct model *m = composition_model((size_t)_i);
    struct model_options keep = {.trace = true};
    float out[ROWS * COMPOSITION_INPUTS], relative[ROWS];
    struct arena tight;
    struct pass p;
    arena_init(&tight, model_pass_bytes(m, ROWS, &keep));
    ck_assert_msg(!model_encode(m, &p, rows, ROWS, &keep, &tight, &e), "%s",
                  e.msg);
    ck_assert_msg(!model_classify(m, &p, &tight, &e), "%s", e.msg);
    ck_assert_msg(!model_pool(m, &p, top(m), &tight, &e), "%s", e.msg);
    ck_assert_msg(!model_reconstruct(m, &p, top(m), out, relative, &tight, &e),
                  "%s", e.msg);
    arena_fini(&tight);
    arena_init(&tight, 256);
    ck_assert_int_eq(model_encode(m, &p, rows, ROWS, &keep, &tight, &e),
                     ERR_NO_MEMORY);
    arena_fini(&tight);
    model_free(m);
}
END_TEST

START_TEST(a_row_of_zeros_is_no_trouble)
{
    struct model *m = composition_model((size_t)_i);
    float zeros[COMPOSITION_INPUTS] = {0}, out[COMPOSITION_INPUTS], relative;
    struct pass p = encode(m, zeros, 1, false);
    double sum = 0;
    for (size_t k = 0; k < COMPOSITION_CLASSES; k++)
        sum += (double)p.probabilities[k];
    near(sum, 1, 1e-5);
    ck_assert(!model_reconstruct(m, &p, 0, out, &relative, &memory, &e));
    ck_assert(isnan(relative));
    model_free(m);
}
END_TEST

START_TEST(a_row_too_large_for_its_norm_is_refused)
{
    struct model *m = composition_model((size_t)_i);
    float huge[COMPOSITION_INPUTS];
    struct model_options options = {0};
    struct pass p;
    for (size_t i = 0; i < COMPOSITION_INPUTS; i++)
        huge[i] = 3e38f;
    ck_assert_int_eq(model_encode(m, &p, huge, 1, &options, &memory, &e),
                     ERR_SHAPE);
    ck_assert_msg(strstr(e.msg, "inputs[0]") != NULL, "%s", e.msg);
    model_free(m);
}
END_TEST

START_TEST(atoms_can_be_drawn)
{
    struct model *m = composition_model((size_t)_i);
    struct render_options options = {.layer = 0, .zoom = 2};
    struct image image;
    ck_assert_msg(!render_atoms(m, &options, &image, NULL, &e), "%s", e.msg);
    ck_assert_uint_ge(image.width, 2 * 3 + 2);
    size_t different = 0;
    for (size_t i = 1; i < image.width * image.height; i++)
        different += image.pixels[i] != image.pixels[0];
    ck_assert_uint_gt(different, 0);
    image_fini(&image);
    options.layer = 9;
    ck_assert_int_eq(render_atoms(m, &options, &image, NULL, &e),
                     ERR_NOT_FOUND);
    options = (struct render_options){.max_side = 8};
    ck_assert_int_eq(render_atoms(m, &options, &image, NULL, &e),
                     ERR_TOO_LARGE);
    model_free(m);
}
END_TEST

/* ---- configs that cannot be ---- */

static const struct {
    const char *config, *message;
} refused[] = {
    {"[]", "model: must be an object"},
    {"{\"layers\":[]}", "input: must be an object"},
    {"{\"input\":{\"shape\":[]},\"layers\":[]}", "input.shape"},
    {"{\"input\":{\"shape\":[0]},\"layers\":[]}", "input.shape[0]"},
    {"{\"input\":{\"shape\":[2.5]},\"layers\":[]}", "input.shape[0]"},
    {"{\"input\":{\"shape\":[60000,60000]},\"layers\":[]}", "input.shape[1]"},
    {"{\"input\":{\"shape\":[4],\"range\":[1,0]},\"layers\":[]}",
     "input.range"},
    {"{\"input\":{\"shape\":[4]},\"layers\":[]}", "layers: must be an array"},
    {"{\"input\":{\"shape\":[4]},\"layers\":[1]}", "layers[0]"},
    {"{\"input\":{\"shape\":[4]},\"layers\":[{}]}", "layers[0].operator"},
    {"{\"input\":{\"shape\":[4]},\"layers\":[{\"operator\":\"no\","
     "\"encoder\":{\"kind\":\"feedforward\"},"
     "\"structure\":{\"kind\":\"l1\"}}]}",
     "there is no operator \"no\""},
    {"{\"input\":{\"shape\":[4]},\"layers\":[{\"operator\":\"dense\","
     "\"encoder\":{\"kind\":\"feedforward\"},"
     "\"structure\":{\"kind\":\"l1\"}}]}",
     "layers[0].units: missing"},
    {"{\"input\":{\"shape\":[4]},\"layers\":[{\"operator\":\"dense\","
     "\"units\":3,\"encoder\":{\"kind\":\"feedforward\",\"steps\":2},"
     "\"structure\":{\"kind\":\"l1\"}}]}",
     "steps"},
    {"{\"input\":{\"shape\":[4]},\"layers\":[{\"operator\":\"dense\","
     "\"units\":3,\"encoder\":{\"kind\":\"recurrent\",\"steps\":0},"
     "\"structure\":{\"kind\":\"l1\"}}]}",
     "layers[0].encoder.steps"},
    {"{\"input\":{\"shape\":[4]},\"layers\":[{\"operator\":\"dense\","
     "\"units\":3,\"encoder\":{\"kind\":\"feedforward\"},"
     "\"structure\":{\"kind\":\"l1\",\"lambda\":-1}}]}",
     "layers[0].structure.lambda"},
    {"{\"input\":{\"shape\":[4]},\"preprocess\":[{\"op\":\"no\"}],"
     "\"layers\":[]}",
     "preprocess[0].op"},
    {"{\"input\":{\"shape\":[4]},\"layers\":[{\"operator\":\"dense\","
     "\"units\":3,\"encoder\":{\"kind\":\"feedforward\"},"
     "\"structure\":{\"kind\":\"l1\"},\"up\":\"down\"}]}",
     "layers[0].up"},
    {"{\"input\":{\"shape\":[65536]},\"layers\":[{\"operator\":\"dense\","
     "\"units\":65536,\"encoder\":{\"kind\":\"feedforward\"},"
     "\"structure\":{\"kind\":\"l1\"}}]}",
     "layers.0.encoder.weight"},
};

START_TEST(an_impossible_config_is_refused_by_name)
{
    const char *text = refused[_i].config;
    struct json *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s", e.msg);
    ck_assert(model_new(j, NULL, 3, &e) == NULL);
    ck_assert_msg(strstr(e.msg, refused[_i].message) != NULL, "%s\nsaid: %s",
                  text, e.msg);
    json_free(j);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error_at_every_allocation)
{
    struct json *config = composition_config(0);
    float x[COMPOSITION_INPUTS];
    composition_rows(x, NULL, 1, 1);
    for (size_t n = 0; n < 400; n++) {
        mem_fail_after(n);
        struct model *m = model_new(config, NULL, 3, &e);
        bool failed = !m || model_start(m, 1, x, 1, &e);
        mem_fail_after(SIZE_MAX);
        model_free(m);
        if (!failed) {
            ck_assert_uint_gt(n, 3);
            json_free(config);
            return;
        }
        ck_assert_int_eq(e.code, ERR_NO_MEMORY);
    }
    ck_abort_msg("never succeeded");
}
END_TEST

START_TEST(a_file_with_a_number_that_is_not_finite_is_refused)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct model *m = composition_model(0);
    m->params.values[3] = NAN;
    ck_assert(!model_save(m, path, &e));
    ck_assert(model_load(path, &e) == NULL);
    ck_assert_int_eq(e.code, ERR_CORRUPT);
    ck_assert_msg(strstr(e.msg, "finite") != NULL, "%s", e.msg);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

Suite *suite_model(void);
Suite *suite_model(void)
{
    Suite *s = suite_create("model");
    TCase *t = tcase_create("every composition");
    int n = (int)compositions_count();
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_batch_equals_its_rows_one_by_one, 0, n);
    tcase_add_loop_test(t, packed_weights_change_nothing, 0, n);
    tcase_add_loop_test(t, a_trace_ends_in_the_code, 0, n);
    tcase_add_loop_test(t, fewer_steps_are_a_prefix_of_the_trace, 0, n);
    tcase_add_loop_test(t, saving_and_loading_gives_the_same_model, 0, n);
    tcase_add_loop_test(t, a_copy_is_independent, 0, n);
    tcase_add_loop_test(t, decoding_a_code_is_its_reconstruction, 0, n);
    tcase_add_loop_test(t, a_stack_reconstructs_from_its_top, 0, n);
    tcase_add_loop_test(t, explained_shares_sum_to_the_whole, 0, n);
    tcase_add_loop_test(t, a_pass_keeps_to_its_stated_bytes, 0, n);
    tcase_add_loop_test(t, a_row_of_zeros_is_no_trouble, 0, n);
    tcase_add_loop_test(t, a_row_too_large_for_its_norm_is_refused, 0, n);
    tcase_add_loop_test(t, atoms_can_be_drawn, 0, n);
    suite_add_tcase(s, t);
    TCase *bad = tcase_create("refusals");
    tcase_add_loop_test(bad, an_impossible_config_is_refused_by_name, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(bad, running_out_of_memory_is_an_error_at_every_allocation);
    tcase_add_test(bad, a_file_with_a_number_that_is_not_finite_is_refused);
    suite_add_tcase(s, bad);
    return s;
}
