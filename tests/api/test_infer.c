/* The inference routes from request to reply, with the model itself as the
 * judge of every number.
 */
#include "tests/api/judge.h"

#include "lib/base/mem.h"
#include "tests/support/near.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_infer(void);

static struct client c;
static struct judge judge;

static void setup(void)
{
    judge_open(&judge, &c);
}

static void teardown(void)
{
    judge_close(&judge);
}

/* ---- the routes ---- */

START_TEST(encode_gives_the_active_units_of_the_code)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(client_post(&c, SMALL "encode", TWO), 200);
    ck_assert_str_eq(c.response.content_type, "application/json");
    ck_assert_str_eq(client_text(&c, "model"), "small");
    ck_assert(client_number(&c, "version") == 2);
    ck_assert(client_number(&c, "code_size") == 5);
    ck_assert_uint_eq(client_count(&c, "codes"), 2);
    size_t active = 0;
    for (size_t row = 0; row < 2; row++) {
        size_t k = 0;
        char path[64];
        for (size_t i = 0; i < 5; i++) {
            float z = judge_code(&judge, row)[i];
            if (z == 0.0f)
                continue;
            snprintf(path, sizeof path, "codes[%zu].indices[%zu]", row, k);
            ck_assert(client_number(&c, path) == (double)i);
            snprintf(path, sizeof path, "codes[%zu].values[%zu]", row, k++);
            ck_assert((float)client_number(&c, path) == z);
        }
        snprintf(path, sizeof path, "codes[%zu].values", row);
        ck_assert_uint_eq(client_count(&c, path), k);
        active += k;
    }
    ck_assert_uint_gt(active, 0);
    client_same_floats(&c, "scales", judge.pass.scale, 2);
}
END_TEST

START_TEST(dense_codes_are_arrays)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(
        client_post(&c, SMALL "encode", "{" INPUTS ",\"format\":\"dense\"}"),
        200);
    client_same_floats(&c, "codes[0]", judge_code(&judge, 0), 5);
    client_same_floats(&c, "codes[1]", judge_code(&judge, 1), 5);
}
END_TEST

START_TEST(scales_are_sent_only_where_rows_are_scaled)
{
    ck_assert_int_eq(client_post(&c, "/v1/models/bare/encode", ONE), 200);
    ck_assert_ptr_null(client_find(&c, "scales"));
}
END_TEST

START_TEST(pool_gives_every_group)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(client_post(&c, SMALL "pool", TWO), 200);
    client_same_floats(&c, "groups[0]", judge.pass.layers[0].v, 5);
    client_same_floats(&c, "groups[1]", judge.pass.layers[0].v + 5, 5);
    ck_assert_ptr_null(client_find(&c, "codes"));
}
END_TEST

START_TEST(reconstruct_draws_in_the_units_of_the_input)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(client_post(&c, SMALL "reconstruct", TWO), 200);
    client_same_floats(&c, "reconstructions[0]", judge.reconstruction, 6);
    client_same_floats(&c, "reconstructions[1]", judge.reconstruction + 6, 6);
    client_same_floats(&c, "relative_error", judge.relative_error, 2);
}
END_TEST

START_TEST(zero_inputs_have_no_relative_error)
{
    ck_assert_int_eq(
        client_post(&c, SMALL "infer", "{\"inputs\":[[0,0,0,0,0,0]]}"), 200);
    ck_assert_uint_eq(client_count(&c, "relative_error"), 1);
    ck_assert_ptr_nonnull(
        strstr(c.response.body.data, "\"relative_error\":[null]"));
}
END_TEST

START_TEST(classify_sorts_the_classes)
{
    judge_ask(&judge, "small", 2, 0);
    const float *p = judge.pass.probabilities + 3;
    size_t best = p[0] >= p[1] && p[0] >= p[2] ? 0 : p[1] >= p[2] ? 1 : 2;
    static const char *const names[] = {"a", "b", "c"};

    ck_assert_int_eq(client_post(&c, SMALL "classify", TWO), 200);
    ck_assert(client_number(&c, "predictions[1].index") == (double)best);
    ck_assert_str_eq(client_text(&c, "predictions[1].class"), names[best]);
    ck_assert((float)client_number(&c, "predictions[1].probability") ==
              p[best]);
    ck_assert_uint_eq(client_count(&c, "predictions[1].top"), 3);
    ck_assert(client_number(&c, "predictions[1].top[0].index") == (double)best);
    ck_assert(client_number(&c, "predictions[1].top[0].probability") >=
              client_number(&c, "predictions[1].top[1].probability"));
    ck_assert(client_number(&c, "predictions[1].top[1].probability") >=
              client_number(&c, "predictions[1].top[2].probability"));
    ck_assert_int_eq(
        client_post(&c, SMALL "classify", "{" INPUTS ",\"top\":1}"), 200);
    ck_assert_uint_eq(client_count(&c, "predictions[0].top"), 1);
}
END_TEST

START_TEST(infer_gives_all_but_the_trace)
{
    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(client_post(&c, SMALL "infer", TWO), 200);
    ck_assert_uint_eq(client_count(&c, "codes"), 2);
    ck_assert_uint_eq(client_count(&c, "scales"), 2);
    ck_assert_uint_eq(client_count(&c, "groups"), 2);
    ck_assert_uint_eq(client_count(&c, "predictions"), 2);
    client_same_floats(&c, "reconstructions[1]", judge.reconstruction + 6, 6);
    ck_assert_ptr_null(client_find(&c, "traces"));
    ck_assert_ptr_null(client_find(&c, "explanations"));
}
END_TEST

START_TEST(infer_gives_what_a_model_has)
{
    ck_assert_int_eq(client_post(&c, "/v1/models/bare/infer", ONE), 200);
    ck_assert_uint_eq(client_count(&c, "codes"), 1);
    ck_assert_uint_eq(client_count(&c, "groups"), 1);
    ck_assert_ptr_null(client_find(&c, "reconstructions"));
    ck_assert_ptr_null(client_find(&c, "predictions"));
}
END_TEST

START_TEST(a_trace_has_every_step)
{
    judge_ask(&judge, "small", 2, 7);
    ck_assert_int_eq(client_post(&c, SMALL "infer",
                                 "{" INPUTS ",\"outputs\":[\"trace\"],"
                                 "\"format\":\"dense\",\"steps\":7}"),
                     200);
    ck_assert_uint_eq(client_count(&c, "traces"), 2);
    ck_assert_uint_eq(client_count(&c, "traces[1]"), 7);
    ck_assert(client_number(&c, "code_size") == 5);
    for (size_t t = 0; t < 7; t++) {
        char path[32];
        snprintf(path, sizeof path, "traces[1][%zu]", t);
        client_same_floats(&c, path,
                           judge.pass.layers[0].tape.z + (t * 2 + 1) * 5, 5);
    }
    ck_assert_ptr_null(client_find(&c, "codes"));
}
END_TEST

START_TEST(a_version_can_be_named)
{
    ck_assert_int_eq(client_post(&c, "/v1/models/small/versions/1/encode", ONE),
                     200);
    ck_assert(client_number(&c, "version") == 1);
}
END_TEST

START_TEST(another_layer_can_be_asked_for)
{
    const char *with = "{\"inputs\":[" X1 "],\"layer\":0}";

    ck_assert_int_eq(client_post(&c, "/v1/models/tall/encode", ONE), 200);
    ck_assert(client_number(&c, "code_size") == 3);
    ck_assert_int_eq(client_post(&c, "/v1/models/tall/encode", with), 200);
    ck_assert(client_number(&c, "code_size") == 5);
    ck_assert_int_eq(client_post(&c, "/v1/models/tall/pool", with), 200);
    ck_assert_uint_eq(client_count(&c, "groups[0]"), 5);
    ck_assert_int_eq(client_post(&c, "/v1/models/tall/reconstruct", with), 200);
    ck_assert_uint_eq(client_count(&c, "reconstructions[0]"), 6);
    client_post(&c, "/v1/models/tall/encode",
                "{\"inputs\":[" X1 "],\"layer\":2}");
    client_refused(&c, 422, "layers 0 to 1");
}
END_TEST

/* ---- decode ---- */

START_TEST(decode_undoes_encode_with_its_scales)
{
    char body[1024];

    judge_ask(&judge, "small", 2, 0);
    ck_assert_int_eq(client_post(&c, SMALL "encode", TWO), 200);
    const char *codes = strstr(c.response.body.data, "\"codes\"");
    snprintf(body, sizeof body, "{%s", codes);
    ck_assert_int_eq(client_post(&c, SMALL "decode", body), 200);
    for (size_t i = 0; i < 6; i++) {
        char path[40];
        snprintf(path, sizeof path, "reconstructions[1][%zu]", i);
        near(client_number(&c, path), (double)judge.reconstruction[6 + i],
             1e-6);
    }
    ck_assert_ptr_null(client_find(&c, "relative_error"));
}
END_TEST

START_TEST(decode_is_linear_in_the_code)
{
    double once;

    ck_assert_int_eq(client_post(&c, SMALL "decode",
                                 "{\"codes\":[{\"indices\":[3],\"values\":[1]},"
                                 "[0,0,0,2,0]]}"),
                     200);
    once = client_number(&c, "reconstructions[0][2]");
    near(client_number(&c, "reconstructions[1][2]"), 2 * once, 1e-6);
    ck_assert_int_eq(client_post(&c, SMALL "decode",
                                 "{\"scales\":[4],\"codes\":[{\"indices\":[3],"
                                 "\"values\":[1]}]}"),
                     200);
    near(client_number(&c, "reconstructions[0][2]"), 4 * once, 1e-6);
}
END_TEST

START_TEST(decode_takes_codes_of_a_named_layer)
{
    ck_assert_int_eq(client_post(&c, "/v1/models/tall/decode",
                                 "{\"codes\":[[1,0,0,0,1]],\"layer\":0}"),
                     200);
    ck_assert_uint_eq(client_count(&c, "reconstructions[0]"), 6);
    client_post(&c, "/v1/models/tall/decode", "{\"codes\":[[1,0,0,0,1]]}");
    client_refused(&c, 422, "want 3 numbers, got 5");
}
END_TEST

START_TEST(decode_refuses_what_does_not_fit)
{
    client_post(&c, SMALL "decode", "{\"codes\":[[1,2,3,4,5]],\"scales\":[]}");
    client_refused(&c, 422, "scales: empty");
    client_post(&c, SMALL "decode",
                "{\"codes\":[[1,2,3,4,5]],\"scales\":[1,2]}");
    client_refused(&c, 422, "scales: want one a code");
    client_post(&c, SMALL "decode", "{\"scales\":[1]}");
    client_refused(&c, 422, "codes: missing");
    client_post(&c, SMALL "decode", "{\"codes\":[[1,2,3,4,5]],\"steps\":3}");
    client_refused(&c, 422, "\"steps\"");
    client_post(&c, SMALL "decode", "{\"codes\":[[1,2,3,4,5]],\"inputs\":1}");
    client_refused(&c, 422, "\"inputs\"");
    client_post(&c, SMALL "decode", "{\"codes\":[[1,2,3,4,5}]}");
    client_refused(&c, 400, "JSON");
    client_post(&c, SMALL "decode", "{\"codes\":[[1,2]],\"layer\":0} ]");
    client_refused(&c, 400, "JSON");
    client_post(&c, SMALL "decode",
                "{\"codes\":[[3e38,3e38,3e38,3e38,3e38]],\"scales\":[3e38]}");
    client_refused(&c, 422, "not finite");
    client_post(&c, "/v1/models/tall/decode",
                "{\"codes\":[[1,2,3]],\"scales\":[1]}");
    client_refused(&c, 422, "scales: this model does not scale");
    client_post(&c, "/v1/models/bare/decode", "{\"codes\":[[1,2,3,4]]}");
    client_refused(&c, 409, "no decoder");
}
END_TEST

/* ---- memory ---- */

/* Many rows in little memory go through in blocks: the reply must be the one
 * that plenty of memory gives. */
START_TEST(blocks_do_not_show_in_the_reply)
{
    struct buf body;
    struct buf whole;
    const char *path = SMALL "infer?format=dense&explain=true&outputs="
                             "code,groups,reconstruction,classes,trace";

    buf_init(&body, 1 << 20);
    buf_text(&body, "{\"inputs\":[" X1);
    for (int i = 1; i < 200; i++)
        buf_printf(&body, ",[%d,2,3,%d,5,6]", i % 7, i % 11);
    buf_text(&body, "]}");
    ck_assert_int_eq(client_post(&c, path, body.data), 200);
    buf_init(&whole, API_MAX_REPLY_BYTES);
    buf_add(&whole, c.response.body.data, c.response.body.length);

    c.memory.max_bytes = 48 << 10;
    ck_assert_int_eq(client_post(&c, path, body.data), 200);
    const char *a = whole.data, *b = c.response.body.data;
    while (*a != 0 || *b != 0) {
        /* Other block sizes may round other ways in the last digit. */
        char *a_end, *b_end;
        double x = strtod(a, &a_end), y = strtod(b, &b_end);
        if (a_end == a || b_end == b) {
            ck_assert_msg(*a == *b, "%.40s, %.40s", a, b);
            a++;
            b++;
            continue;
        }
        near(y, x, 1e-4);
        a = a_end;
        b = b_end;
    }
    c.request.accept = "application/x-npy";
    ck_assert_int_eq(client_post(&c, SMALL "reconstruct", body.data), 200);
    buf_fini(&body);
    buf_fini(&whole);
}
END_TEST

START_TEST(a_row_that_no_memory_holds_is_too_large)
{
    c.memory.max_bytes = 8 << 10;
    client_post(&c, SMALL "infer?steps=1000&outputs=trace", ONE);
    client_refused(&c, 413, "bytes");
    c.memory.max_bytes = 64;
    client_post(&c, SMALL "encode", ONE);
    ck_assert(c.response.status == 413 || c.response.status == 503);
}
END_TEST

/* Every allocation of a request may be the one that fails: the answer is then
 * a 5xx or 413, and the next request is answered as ever. */
START_TEST(a_request_survives_any_failed_allocation)
{
    static const char *const paths[] = {
        SMALL "infer?explain=true&outputs=code,groups,reconstruction,classes,"
              "trace",
        SMALL "decode",
        "/v1/models/small/atoms.png",
        "/readyz",
    };
    static const char *const bodies[] = {
        TWO, "{\"codes\":[{\"indices\":[3],\"values\":[1]}]}", NULL, NULL};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        int status = 0;
        size_t n;
        for (n = 0; n < 1000 && status != 200; n++) {
            /* No parsing of replies here: that would meet the failure too. */
            char target[200];
            snprintf(target, sizeof target, "%s", paths[i]);
            char *query = strchr(target, '?');
            if (query != NULL)
                *query++ = 0;
            api_response_fini(&c.response);
            api_response_init(&c.response);
            arena_fini(&c.memory);
            c.request.method = bodies[i] != NULL ? "POST" : "GET";
            c.request.target = target;
            c.request.query = query != NULL ? query : "";
            c.request.content_type = "application/json";
            c.request.body = bodies[i];
            c.request.body_length = bodies[i] != NULL ? strlen(bodies[i]) : 0;
            c.request.memory = &c.memory;
            mem_fail_after(n);
            api_handle(&c.api, &c.request, &c.response);
            mem_fail_after(SIZE_MAX);
            status = c.response.status;
            ck_assert_msg(status == 200 || status == 413 || status >= 500,
                          "%s, allocation %zu: %d", paths[i], n, status);
        }
        ck_assert_int_eq(status, 200);
        ck_assert_uint_gt(n, 1);
    }
}
END_TEST

Suite *suite_infer(void)
{
    Suite *s = suite_create("infer");
    TCase *t = tcase_create("routes");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, encode_gives_the_active_units_of_the_code);
    tcase_add_test(t, dense_codes_are_arrays);
    tcase_add_test(t, scales_are_sent_only_where_rows_are_scaled);
    tcase_add_test(t, pool_gives_every_group);
    tcase_add_test(t, reconstruct_draws_in_the_units_of_the_input);
    tcase_add_test(t, zero_inputs_have_no_relative_error);
    tcase_add_test(t, classify_sorts_the_classes);
    tcase_add_test(t, infer_gives_all_but_the_trace);
    tcase_add_test(t, infer_gives_what_a_model_has);
    tcase_add_test(t, a_trace_has_every_step);
    tcase_add_test(t, a_version_can_be_named);
    tcase_add_test(t, another_layer_can_be_asked_for);
    suite_add_tcase(s, t);

    t = tcase_create("decode");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, decode_undoes_encode_with_its_scales);
    tcase_add_test(t, decode_is_linear_in_the_code);
    tcase_add_test(t, decode_takes_codes_of_a_named_layer);
    tcase_add_test(t, decode_refuses_what_does_not_fit);
    suite_add_tcase(s, t);

    t = tcase_create("memory");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, blocks_do_not_show_in_the_reply);
    tcase_add_test(t, a_row_that_no_memory_holds_is_too_large);
    tcase_add_test(t, a_request_survives_any_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}
