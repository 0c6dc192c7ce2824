/* Inputs of which some are missing.
 *
 * The model "holes" takes (2,3) pictures and has 5 units; its encoder is the
 * decoder turned round, z = D'x, which needs nothing of what is missing.
 */
#include "tests/api/client.h"

#include "lib/base/mem.h"
#include "lib/model/axes.h"
#include "lib/model/layer.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Suite *suite_mask(void);

#define HOLES "/v1/models/holes/"

static struct client c;

static enum err_code configure(struct layer *l, const struct json *encoder,
                               const char *where, struct params *params,
                               struct err *e)
{
    (void)encoder, (void)where, (void)params, (void)e;
    l->encoder.steps = 1;
    return ERR_OK;
}

static void forward(const struct layer *l, struct tape *tape, const float *x,
                    size_t B, size_t steps, struct arena *scratch)
{
    (void)steps;
    tape->steps = 1;
    memset(tape->z, 0, B * layer_units(l) * sizeof(float));
    l->dec.kind->adjoint(&l->dec, tape->z, x, B, scratch);
}

static size_t scratch_bytes(const struct layer *l, size_t B, size_t steps)
{
    (void)steps;
    return l->dec.kind->scratch_bytes(&l->dec, B);
}

static const struct encoder_kind turned = {
    .name = "turned",
    .settings = (const char *const[]){NULL},
    .decodes = true,
    .configure = configure,
    .forward = forward,
    .scratch_bytes = scratch_bytes,
};

static const char config[] =
    "{\"input\":{\"shape\":[2,3],\"range\":[0,1]},"
    "\"preprocess\":[{\"op\":\"unit_norm\"}],"
    "\"layers\":[{\"operator\":\"dense\",\"encoder\":{\"kind\":\"turned\"},"
    "\"structure\":{\"kind\":\"l1\",\"lambda\":0.01},\"units\":5}],"
    "\"classifier\":{\"input\":\"code\"}}";

static void setup(void)
{
    axes_add_test_values(NULL, &turned, NULL);
    client_open(&c);
    client_add(&c, "holes", 1, config);
}

static void teardown(void)
{
    client_close(&c);
    axes_add_test_values(NULL, NULL, NULL);
}

/* The reply's text to a body that must be taken; the caller frees it. */
static char *answer(const char *route, const char *body)
{
    char path[64];

    snprintf(path, sizeof path, HOLES "%s", route);
    ck_assert_msg(client_post(&c, path, body) == 200, "%s: %s", body,
                  c.response.body.data);
    return mem_text(c.response.body.data);
}

static void same(const char *route, const char *body, const char *other)
{
    char *first = answer(route, body), *second = answer(route, other);

    ck_assert_str_eq(first, second);
    mem_free(first);
    mem_free(second);
}

START_TEST(what_is_missing_has_no_influence)
{
    static const char *const routes[] = {"encode", "pool", "reconstruct",
                                         "classify", "infer"};

    for (size_t i = 0; i < 5; i++)
        same(routes[i],
             "{\"inputs\":[[0.5,0.25,0,1,0.125,0.75]],"
             "\"mask\":[[1,0,1,1,0,1]]}",
             "{\"mask\":[[1,0,1,1,0,1]],"
             "\"inputs\":[[0.5,-7e30,0,1,99,0.75]]}");
    char *with = answer("encode", "{\"inputs\":[[1,2,3,4,5,6]],"
                                  "\"mask\":[[1,1,1,1,1,0]]}");
    char *without = answer("encode", "{\"inputs\":[[1,2,3,4,5,6]]}");
    ck_assert_str_ne(with, without);
    mem_free(with);
    mem_free(without);
}
END_TEST

START_TEST(a_mask_of_ones_changes_nothing)
{
    same("infer", "{\"inputs\":[[1,2,3,4,5,6],[0,0,1,0,0,0]]}",
         "{\"inputs\":[[1,2,3,4,5,6],[0,0,1,0,0,0]],"
         "\"mask\":[[1,1,1,1,1,1],[1,1,1,1,1,1]]}");
}
END_TEST

START_TEST(a_mask_may_be_nested_and_of_booleans)
{
    same("infer",
         "{\"inputs\":[[1,2,3,4,5,6],[6,5,4,3,2,1]],"
         "\"mask\":[[1,0,1,0,1,1],[0,0,1,1,1,0]]}",
         "{\"inputs\":[[[1,2,3],[4,5,6]],[6,5,4,3,2,1]],"
         "\"mask\":[[ true , false,1.0,0e1,true,1],"
         "[[false,-0,1],[true,true,false]]]}");
}
END_TEST

START_TEST(the_error_is_that_of_what_is_known)
{
    static const double x[] = {0.5, 9, 0.25, 1, -9, 0.75};
    static const bool known[] = {true, false, true, true, false, true};
    double size = 0, sum = 0, scale = 0;

    mem_free(answer("reconstruct", "{\"inputs\":[[0.5,9,0.25,1,-9,0.75]],"
                                   "\"mask\":[[1,0,1,1,0,1]]}"));
    for (size_t i = 0; i < 6; i++) {
        char path[32];
        snprintf(path, sizeof path, "reconstructions[0][%zu]", i);
        double drawn = client_number(&c, path);
        size += known[i] ? x[i] * x[i] : 0;
        sum += known[i] ? (x[i] - drawn) * (x[i] - drawn) : 0;
        scale += known[i] ? 0 : fabs(drawn);
    }
    near(client_number(&c, "relative_error[0]"), sqrt(sum / size), 1e-5);
    ck_assert_double_gt(scale, 0.01); /* the others are restored */
    mem_free(answer("infer", "{\"inputs\":[[0.5,9,0.25,1,-9,0.75]],"
                             "\"mask\":[[1,0,1,1,0,1]]}"));
    near(client_number(&c, "scales[0]"), sqrt(size), 1e-5);
}
END_TEST

START_TEST(where_nothing_is_known_nothing_is_found)
{
    mem_free(answer("infer", "{\"inputs\":[[1,2,3,4,5,6]],"
                             "\"mask\":[[0,0,0,0,0,0]]}"));
    ck_assert_uint_eq(client_count(&c, "codes[0].indices"), 0);
    ck_assert_ptr_null(
        json_is_number(client_find(&c, "relative_error[0]")) ? c.reply : NULL);
}
END_TEST

/* Blocks are no multiples of the masks' period. */
START_TEST(each_row_has_its_own_mask_in_every_block)
{
    enum { ROWS = 400, PERIOD = 13, UNITS = 5 };
    struct buf body;
    double first[PERIOD * UNITS];

    buf_init(&body, 1 << 20);
    buf_text(&body, "{\"inputs\":[[1,2,3,4,5,6]");
    for (int i = 1; i < ROWS; i++)
        buf_text(&body, ",[1,2,3,4,5,6]");
    buf_text(&body, "],\"mask\":[[0,0,0,0,1,1]");
    for (int i = 1; i < ROWS; i++) {
        int bits = i % PERIOD;
        buf_printf(&body, ",[%d,%d,%d,%d,1,1]", bits & 1, bits >> 1 & 1,
                   bits >> 2 & 1, bits >> 3 & 1);
    }
    buf_text(&body, "]}");
    c.memory.max_bytes = 64 << 10;
    mem_free(answer("encode?format=dense", body.data));
    for (int i = 0; i < ROWS * UNITS; i++) {
        char path[32];
        snprintf(path, sizeof path, "codes[%d][%d]", i / UNITS, i % UNITS);
        double z = client_number(&c, path);
        if (i < PERIOD * UNITS)
            first[i] = z;
        near(z, first[i % (PERIOD * UNITS)], 1e-5);
    }
    ck_assert_double_gt(fabs(first[0] - first[UNITS]), 1e-3);
    buf_fini(&body);
}
END_TEST

START_TEST(a_bad_mask_is_refused)
{
    static const struct {
        const char *mask, *words;
        int status;
    } cases[] = {
        {"[[1,0,1,1,0]]", "mask[0]: want 6 numbers, got 5", 422},
        {"[[1,0,1,1,0,1,1]]", "mask[0]", 422},
        {"[[1,0,1,1,0,1],[1,0,1,1,0,1]]", "mask: want one row an input", 422},
        {"[]", "mask: empty", 422},
        {"[[[1,0],[1,1],[0,1]]]", "mask[0]", 422},
        {"[[1,0,1,0.5,0,1]]", "mask[0][3]: want 0, 1, false or true, got 0.5",
         422},
        {"[[1,0,1,-1,0,1]]", "got -1", 422},
        {"[[1,0,1,2,0,1]]", "got 2", 422},
        {"[[1,0,1,\"1\",0,1]]", "mask[0][3]", 422},
        {"[[1,0,1,null,0,1]]", "mask[0][3]", 422},
        {"[1,0,1,1,0,1]", "mask[0]", 422},
        {"{}", "mask", 422},
        {"null", "mask", 422},
        {"true", "mask", 422},
        {"[[1,0,1,tru,0,1]]", "JSON", 400},
        {"[[1,0,1,truer,0,1]]", "JSON", 400},
        {"[[1,0,1,True,0,1]]", "JSON", 400},
        {"[[1,0,1,01,0,1]]", "JSON", 400},
        {"[[1,0,1,1,0,1]],\"mask\":[[1,0,1,1,0,1]]", "duplicate", 400},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"inputs\":[[1,2,3,4,5,6]],\"mask\":%s}",
                 cases[i].mask);
        client_post(&c, HOLES "encode", body);
        client_refused(&c, cases[i].status, cases[i].words);
    }
    client_post(&c, HOLES "encode",
                "{\"inputs\":[[1,2,3,4,5,1e39]],\"mask\":[[1,1,1,1,1,0]]}");
    client_refused(&c, 422, "inputs[0]");
    client_post(&c, HOLES "encode", "{\"mask\":[[1,1,1,1,1,0]]}");
    client_refused(&c, 422, "inputs: missing");
}
END_TEST

START_TEST(a_model_that_needs_all_inputs_says_so)
{
    static const char *const models[] = {"small", "bare", "tall"};

    for (size_t i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "/v1/models/%s/encode", models[i]);
        client_post(&c, path,
                    "{\"inputs\":[[1,2,3,4,5,6]],\"mask\":[[1,1,1,1,1,1]]}");
        client_refused(&c, 409, "computes the code from all inputs");
        client_refused(&c, 409, models[i]);
    }
}
END_TEST

START_TEST(only_json_inputs_take_a_mask)
{
    client_post(&c, HOLES "encode?mask=1", "{\"inputs\":[[1,2,3,4,5,6]]}");
    client_refused(&c, 422, "\"mask\"");
    client_post(&c, HOLES "decode",
                "{\"codes\":[[1,0,0,0,0]],\"mask\":[[1,1,1,1,1,1]]}");
    client_refused(&c, 422, "\"mask\"");
}
END_TEST

Suite *suite_mask(void)
{
    Suite *s = suite_create("mask");
    TCase *t = tcase_create("missing inputs");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_missing_has_no_influence);
    tcase_add_test(t, a_mask_of_ones_changes_nothing);
    tcase_add_test(t, a_mask_may_be_nested_and_of_booleans);
    tcase_add_test(t, the_error_is_that_of_what_is_known);
    tcase_add_test(t, where_nothing_is_known_nothing_is_found);
    tcase_add_test(t, each_row_has_its_own_mask_in_every_block);
    tcase_add_test(t, a_bad_mask_is_refused);
    tcase_add_test(t, a_model_that_needs_all_inputs_says_so);
    tcase_add_test(t, only_json_inputs_take_a_mask);
    suite_add_tcase(s, t);
    return s;
}
