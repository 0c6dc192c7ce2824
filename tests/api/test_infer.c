/* The inference routes from request to reply, with the model itself as the
 * judge of every number.
 */
#include "tests/api/client.h"

#include "lib/base/mem.h"
#include "lib/data/image.h"
#include "lib/data/npy.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_infer(void);

#define SMALL "/v1/models/small/"
#define X1 "[0.5,0.25,0,1,0.125,0.75]"
#define X2 "[1,0,0,0.5,0.5,0.25]"
#define INPUTS "\"inputs\":[" X1 "," X2 "]"
#define ONE "{\"inputs\":[" X1 "]}"
#define TWO "{" INPUTS "}"

static const float inputs[12] = {0.5f, 0.25f, 0, 1,    0.125f, 0.75f,
                                 1,    0,     0, 0.5f, 0.5f,   0.25f};

static struct client c;

/* What the model itself gives, in its own memory. */
static struct {
    const struct served *served;
    const struct model *m;
    struct arena memory;
    struct pass pass;
    size_t layer;
    float reconstruction[24], relative_error[2];
} judge;

static void setup(void)
{
    client_open(&c);
}

static void teardown(void)
{
    if (judge.served != NULL) {
        registry_release(c.api.registry, judge.served);
        arena_fini(&judge.memory);
    }
    memset(&judge, 0, sizeof judge);
    client_close(&c);
}

/* Runs `inputs` through the model, B rows, all that it can do. */
static void ask_judge(const char *name, size_t B, size_t steps)
{
    struct err e = {0};
    struct model_options o = {.steps = steps, .keep = true};

    judge.served = registry_acquire(c.api.registry, name, 0, &e);
    ck_assert_ptr_nonnull(judge.served);
    judge.m = judge.served->model;
    judge.layer = judge.m->n_layers - 1;
    arena_init(&judge.memory, (size_t)1 << 24);
    ck_assert_int_eq(
        model_encode(judge.m, &judge.pass, inputs, B, &o, &judge.memory, &e),
        ERR_OK);
    ck_assert_int_eq(
        model_pool(judge.m, &judge.pass, judge.layer, &judge.memory, &e),
        ERR_OK);
    if (!judge.m->classifier.present)
        return;
    ck_assert_int_eq(model_classify(judge.m, &judge.pass, &judge.memory, &e),
                     ERR_OK);
    ck_assert_int_eq(model_reconstruct(judge.m, &judge.pass, judge.layer,
                                       judge.reconstruction,
                                       judge.relative_error, &judge.memory, &e),
                     ERR_OK);
}

/* The floats at the path must be exactly these. */
static void same_floats(const char *path, const float *want, size_t n)
{
    const struct json *j = client_find(&c, path);

    ck_assert_msg(j != NULL && json_count(j) == n, "%s in %.400s", path,
                  c.response.body.data);
    j = json_first(j);
    for (size_t i = 0; i < n; i++, j = json_next(j))
        ck_assert_msg((float)json_number(j) == want[i], "%s[%zu]: %.9g, %.9g",
                      path, i, json_number(j), (double)want[i]);
}

static const float *judge_code(size_t row)
{
    return judge.pass.layers[judge.layer].z +
           row * layer_units(&judge.m->layers[judge.layer]);
}

/* ---- the routes ---- */

START_TEST(encode_gives_the_active_units_of_the_code)
{
    ask_judge("small", 2, 0);
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
            float z = judge_code(row)[i];
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
    same_floats("scales", judge.pass.scale, 2);
}
END_TEST

START_TEST(dense_codes_are_arrays)
{
    ask_judge("small", 2, 0);
    ck_assert_int_eq(
        client_post(&c, SMALL "encode", "{" INPUTS ",\"format\":\"dense\"}"),
        200);
    same_floats("codes[0]", judge_code(0), 5);
    same_floats("codes[1]", judge_code(1), 5);
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
    ask_judge("small", 2, 0);
    ck_assert_int_eq(client_post(&c, SMALL "pool", TWO), 200);
    same_floats("groups[0]", judge.pass.layers[0].v, 5);
    same_floats("groups[1]", judge.pass.layers[0].v + 5, 5);
    ck_assert_ptr_null(client_find(&c, "codes"));
}
END_TEST

START_TEST(reconstruct_draws_in_the_units_of_the_input)
{
    ask_judge("small", 2, 0);
    ck_assert_int_eq(client_post(&c, SMALL "reconstruct", TWO), 200);
    same_floats("reconstructions[0]", judge.reconstruction, 6);
    same_floats("reconstructions[1]", judge.reconstruction + 6, 6);
    same_floats("relative_error", judge.relative_error, 2);
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
    ask_judge("small", 2, 0);
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
    ask_judge("small", 2, 0);
    ck_assert_int_eq(client_post(&c, SMALL "infer", TWO), 200);
    ck_assert_uint_eq(client_count(&c, "codes"), 2);
    ck_assert_uint_eq(client_count(&c, "scales"), 2);
    ck_assert_uint_eq(client_count(&c, "groups"), 2);
    ck_assert_uint_eq(client_count(&c, "predictions"), 2);
    same_floats("reconstructions[1]", judge.reconstruction + 6, 6);
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
    ask_judge("small", 2, 7);
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
        same_floats(path, judge.pass.layers[0].tape.z + (t * 2 + 1) * 5, 5);
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

    ask_judge("small", 2, 0);
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

/* ---- options ---- */

START_TEST(top_k_and_threshold_choose_what_is_sent)
{
    size_t best = 0, over = 0;

    ask_judge("small", 1, 0);
    const float *z = judge_code(0);
    for (size_t i = 1; i < 5; i++)
        best = fabsf(z[i]) > fabsf(z[best]) ? i : best;
    ck_assert_int_eq(client_post(&c, SMALL "infer?top_k=1", ONE), 200);
    ck_assert_uint_eq(client_count(&c, "codes[0].indices"), 1);
    ck_assert(client_number(&c, "codes[0].indices[0]") == (double)best);
    for (size_t i = 0; i < 5; i++) {
        char path[32];
        snprintf(path, sizeof path, "groups[0][%zu]", i);
        ck_assert((client_number(&c, path) != 0) == (i == best));
    }
    same_floats("reconstructions[0]", judge.reconstruction, 6);

    char body[200];
    for (size_t i = 0; i < 5; i++)
        over += fabsf(z[i]) >= fabsf(z[best]);
    snprintf(body, sizeof body, "{\"inputs\":[" X1 "],\"threshold\":%.9g}",
             (double)fabsf(z[best]));
    ck_assert_int_eq(client_post(&c, SMALL "encode", body), 200);
    ck_assert_uint_eq(client_count(&c, "codes[0].values"), over);
    ck_assert_int_eq(client_post(&c, SMALL "encode?threshold=1e30", ONE), 200);
    ck_assert_uint_eq(client_count(&c, "codes[0].values"), 0);
}
END_TEST

START_TEST(explanations_sum_to_the_whole)
{
    double drawn = 0, score = 0, want = 0;

    ask_judge("small", 1, 0);
    ck_assert_int_eq(client_post(&c, SMALL "infer",
                                 "{\"inputs\":[" X1 "],\"explain\":true}"),
                     200);
    size_t n = client_count(&c, "explanations[0].indices");
    ck_assert_uint_eq(n, client_count(&c, "codes[0].indices"));
    ck_assert_uint_eq(n, client_count(&c, "explanations[0].score"));
    for (size_t i = 0; i < n; i++) {
        char path[64];
        snprintf(path, sizeof path, "explanations[0].reconstruction[%zu]", i);
        drawn += client_number(&c, path);
        snprintf(path, sizeof path, "explanations[0].score[%zu]", i);
        score += client_number(&c, path);
    }
    near(drawn, 1.0, 1e-5);
    size_t k = (size_t)client_number(&c, "predictions[0].index");
    ck_assert_str_eq(client_text(&c, "explanations[0].class"),
                     client_text(&c, "predictions[0].class"));
    for (size_t i = 0; i < 5; i++)
        want += (double)judge.m->classifier.weight->value[k * 5 + i] *
                (double)judge.pass.h[i];
    near(score, want, 1e-5);
}
END_TEST

START_TEST(explanations_say_what_the_model_can)
{
    const char *lower = "{\"inputs\":[" X1 "],\"explain\":true,\"layer\":0}";

    ck_assert_int_eq(client_post(&c, "/v1/models/tall/encode", lower), 200);
    ck_assert_ptr_nonnull(client_find(&c, "explanations[0].reconstruction"));
    ck_assert_ptr_null(client_find(&c, "explanations[0].score"));
    client_post(&c, "/v1/models/bare/encode?explain=true", ONE);
    client_refused(&c, 409, "explain");
    ck_assert_int_eq(
        client_post(&c, "/v1/models/bare/encode?explain=false", ONE), 200);
}
END_TEST

START_TEST(options_are_checked)
{
    static const struct {
        const char *route, *option, *words;
    } cases[] = {
        {"classify", "\"top\":0", "top: want an integer from 1"},
        {"classify", "\"top\":1.5", "top"},
        {"classify", "\"top\":\"3\"", "top: want a number"},
        {"classify", "\"top\":null", "top"},
        {"classify", "\"top\":-1", "top"},
        {"classify", "\"top\":1e300", "top"},
        {"classify", "\"layer\":0", "\"layer\""},
        {"encode", "\"top\":3", "\"top\""},
        {"encode", "\"format\":\"csr\"", "format"},
        {"encode", "\"format\":1", "format"},
        {"encode", "\"steps\":0", "steps: want an integer from 1 to 1000"},
        {"encode", "\"steps\":1001", "steps"},
        {"encode", "\"top_k\":0", "top_k"},
        {"encode", "\"threshold\":-0.1", "threshold"},
        {"encode", "\"threshold\":1e39", "threshold"},
        {"encode", "\"explain\":1", "explain"},
        {"encode", "\"layer\":1", "layer"},
        {"encode", "\"layer\":8", "layer"},
        {"encode", "\"wobble\":1", "\"wobble\""},
        {"encode", "\"Steps\":1", "\"Steps\""},
        {"encode", "\"outputs\":[\"code\"]", "\"outputs\""},
        {"encode", "\"max_side\":100", "\"max_side\""},
        {"pool", "\"format\":\"dense\"", "\"format\""},
        {"reconstruct", "\"top_k\":1", "\"top_k\""},
        {"infer", "\"outputs\":[]", "outputs"},
        {"infer", "\"outputs\":\"code\"", "outputs"},
        {"infer", "\"outputs\":[1]", "outputs"},
        {"infer", "\"outputs\":[\"codes\"]", "codes"},
        {"infer", "\"outputs\":[\"\"]", "outputs"},
        {"infer", "\"keep\":true", "\"keep\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64], body[256];
        snprintf(path, sizeof path, SMALL "%s", cases[i].route);
        snprintf(body, sizeof body, "{\"inputs\":[" X1 "],%s}",
                 cases[i].option);
        client_post(&c, path, body);
        client_refused(&c, 422, cases[i].words);
    }
}
END_TEST

START_TEST(queries_are_checked_like_members)
{
    static const struct {
        const char *query;
        int status;
        const char *words;
    } cases[] = {
        {"steps=0", 422, "steps"},
        {"steps=", 422, "steps"},
        {"steps", 422, "steps"},
        {"steps=3x", 422, "steps"},
        {"steps=nan", 422, "steps"},
        {"threshold=1e999", 422, "threshold"},
        {"threshold=inf", 422, "threshold"},
        {"format=", 422, "format"},
        {"explain=yes", 422, "explain"},
        {"outputs=code,", 422, "outputs"},
        {"outputs=", 422, "outputs"},
        {"unknown=1", 422, "\"unknown\""},
        {"inputs=1", 422, "\"inputs\""},
        {"steps=3&steps=3", 422, "twice"},
        {"=", 422, "\"\""},
        {"steps=%zz", 400, "badly escaped"},
        {"steps=%00", 400, "badly escaped"},
        {"%ff=1", 422, "unknown"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, SMALL "infer?%s", cases[i].query);
        client_post(&c, path, ONE);
        client_refused(&c, cases[i].status, cases[i].words);
    }
    client_post(&c, SMALL "infer?steps=3", "{\"inputs\":[" X1 "],\"steps\":3}");
    client_refused(&c, 422, "twice");
    ck_assert_int_eq(client_post(&c,
                                 SMALL "infer?&outputs=co%64e,classes"
                                       "&format=dense&&top=2.0",
                                 ONE),
                     200);
    ck_assert_uint_eq(client_count(&c, "codes[0]"), 5);
    ck_assert_uint_eq(client_count(&c, "predictions[0].top"), 2);
    ck_assert_ptr_null(client_find(&c, "groups"));
}
END_TEST

START_TEST(what_a_model_lacks_is_a_conflict)
{
    client_post(&c, "/v1/models/bare/classify", ONE);
    client_refused(&c, 409, "no classifier");
    client_post(&c, "/v1/models/bare/reconstruct", "not even read");
    client_refused(&c, 409, "no decoder");
    client_post(&c, "/v1/models/bare/infer",
                "{\"inputs\":[" X1 "],\"outputs\":[\"classes\"]}");
    client_refused(&c, 409, "no classifier");
}
END_TEST

START_TEST(bad_bodies_are_told_apart)
{
    client_post(&c, SMALL "encode", "{\"inputs\":[[1,2]]}");
    client_refused(&c, 422, "want 6 numbers, got 2");
    client_post(&c, SMALL "encode", "{\"inputs\":[]}");
    client_refused(&c, 422, "empty");
    client_post(&c, SMALL "encode", "{}");
    client_refused(&c, 422, "inputs: missing");
    client_post(&c, SMALL "encode", "");
    client_refused(&c, 400, "JSON");
    client_post(&c, SMALL "encode", "{\"inputs\":[[NaN,2,3,4,5,6]]}");
    client_refused(&c, 400, "JSON");
    client_post(&c, SMALL "encode", "{\"inputs\":[[1e999,2,3,4,5,6]]}");
    client_refused(&c, 400, "JSON");
    client_post(&c, SMALL "encode", "{\"inputs\":[[1e39,2,3,4,5,6]]}");
    client_refused(&c, 422, "not finite");
}
END_TEST

START_TEST(huge_numbers_never_reach_the_reply)
{
    const char *body =
        "{\"inputs\":[[3e38,3e38,3e38,3e38,3e38,3e38],[1e-40,0,0,0,0,0]]}";
    static const char *const models[] = {"small", "bare", "tall"};

    for (size_t i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "/v1/models/%s/infer?explain=%s", models[i],
                 i == 1 ? "false" : "true");
        int status = client_post(&c, path, body);
        ck_assert_msg(status == 200 || status == 422, "%s: %d: %s", models[i],
                      status, c.response.body.data);
        ck_assert(status == 422 ||
                  (strstr(c.response.body.data, "nan") == NULL &&
                   strstr(c.response.body.data, "inf") == NULL));
    }
}
END_TEST

/* ---- other formats ---- */

/* Parses the reply as npy and compares it. */
static void same_npy(const float *want, size_t B, size_t n)
{
    struct npy a;
    struct err e = {0};
    float got[64];

    ck_assert_str_eq(c.response.content_type, "application/x-npy");
    ck_assert_msg(npy_parse(&a, c.response.body.data, c.response.body.length,
                            &e) == ERR_OK,
                  "%s", e.msg);
    ck_assert_uint_eq(a.rank, 2);
    ck_assert_uint_eq(a.shape[0], B);
    ck_assert_uint_eq(a.shape[1], n);
    npy_to_floats(&a, got);
    ck_assert_mem_eq(got, want, B * n * sizeof *got);
}

START_TEST(npy_comes_back_when_it_is_accepted)
{
    ask_judge("small", 2, 0);
    c.request.accept = "application/x-npy";
    ck_assert_int_eq(client_post(&c, SMALL "encode", TWO), 200);
    same_npy(judge.pass.layers[0].z, 2, 5);
    ck_assert_str_eq(client_header(&c, "Sparsed-Version"), "2");
    ck_assert_str_eq(client_header(&c, "Sparsed-Model"), "small");
    ck_assert_int_eq(client_post(&c, SMALL "pool", TWO), 200);
    same_npy(judge.pass.layers[0].v, 2, 5);
    ck_assert_int_eq(client_post(&c, SMALL "classify", TWO), 200);
    same_npy(judge.pass.probabilities, 2, 3);
    ck_assert_int_eq(client_post(&c, SMALL "reconstruct", TWO), 200);
    same_npy(judge.reconstruction, 2, 6);
}
END_TEST

static int send_npy(const char *path, const char *descr, const char *shape,
                    const void *data, size_t bytes)
{
    char file[1024] = "\x93NUMPY\x01";
    size_t at = 10;

    at += (size_t)snprintf(file + at, sizeof file - at,
                           "{'descr': '%s', 'fortran_order': False, "
                           "'shape': (%s), }",
                           descr, shape);
    while ((at + 1) % 64 != 0)
        file[at++] = ' ';
    file[at++] = '\n';
    file[8] = (char)(at - 10);
    memcpy(file + at, data, bytes);
    c.request.content_type = "application/x-npy";
    return client_send(&c, "POST", path, file, at + bytes);
}

START_TEST(npy_goes_in_in_every_shape)
{
    ask_judge("small", 2, 0);
    static const char *const shapes[] = {"2,6", "2,2,3"};

    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(send_npy(SMALL "encode?format=dense", "<f4", shapes[i],
                                  inputs, sizeof inputs),
                         200);
        same_floats("codes[1]", judge_code(1), 5);
    }
    static const char *const singles[] = {"6,", "2,3", "1,6", "1,2,3"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(send_npy(SMALL "encode?format=dense", "<f4",
                                  singles[i], inputs, 24),
                         200);
        ck_assert_uint_eq(client_count(&c, "codes"), 1);
    }
}
END_TEST

START_TEST(npy_bytes_are_scaled_to_the_range)
{
    static const uint8_t bytes[] = {0, 255, 51, 102, 153, 204};

    ck_assert_int_eq(
        send_npy("/v1/models/bare/encode?format=dense", "|u1", "6,", bytes, 6),
        200);
    double from_bytes =
        client_number(&c, "codes[0][0]") + client_number(&c, "codes[0][1]") +
        client_number(&c, "codes[0][2]") + client_number(&c, "codes[0][3]");
    ck_assert_int_eq(client_post(&c, "/v1/models/bare/encode",
                                 "{\"inputs\":[[-1,1,-0.6,-0.2,0.2,0.6]],"
                                 "\"format\":\"dense\"}"),
                     200);
    double want =
        client_number(&c, "codes[0][0]") + client_number(&c, "codes[0][1]") +
        client_number(&c, "codes[0][2]") + client_number(&c, "codes[0][3]");
    ck_assert(want != 0);
    near(from_bytes, want, 1e-5);
}
END_TEST

START_TEST(bad_npy_is_refused)
{
    float bad[6] = {0, 0, NAN, 0, 0, 0};

    send_npy(SMALL "encode", "<f4", "6,", bad, sizeof bad);
    client_refused(&c, 422, "inputs[0]: number 2 is not finite");
    send_npy(SMALL "encode", "<f4", "3,2", inputs, 24);
    client_refused(&c, 422, "want an array of shape (B,6) or (B,2,3)");
    send_npy(SMALL "encode", "<f4", "0,6", inputs, 0);
    client_refused(&c, 422, "empty");
    send_npy(SMALL "encode", "<f4", "", inputs, 4);
    client_refused(&c, 422, "shape");
    send_npy(SMALL "encode", "|O", "6,", inputs, 24);
    client_refused(&c, 400, "inputs");
    send_npy(SMALL "encode", "<f4", "6,", inputs, 20);
    client_refused(&c, 400, "inputs");
    c.request.content_type = "application/x-npy";
    client_send(&c, "POST", SMALL "encode", "", 0);
    client_refused(&c, 400, "");
}
END_TEST

START_TEST(npy_codes_are_decoded)
{
    ask_judge("small", 2, 0);
    c.request.accept = "application/x-npy";
    float codes[10] = {0, 0, 0, 1, 0, 0, 0, 0, 2, 0};
    ck_assert_int_eq(
        send_npy(SMALL "decode", "<f4", "2,5", codes, sizeof codes), 200);
    struct npy a;
    struct err e;
    float got[12];
    ck_assert_int_eq(
        npy_parse(&a, c.response.body.data, c.response.body.length, &e),
        ERR_OK);
    npy_to_floats(&a, got);
    for (size_t i = 0; i < 6; i++)
        near((double)got[6 + i], 2 * (double)got[i], 1e-6);
}
END_TEST

/* A PNG of the given grey pixels. */
static struct buf make_png(size_t height, size_t width, size_t channels)
{
    struct buf b;
    struct err e = {0};
    uint8_t pixels[64];
    struct image image = {.height = height,
                          .width = width,
                          .channels = channels,
                          .pixels = pixels};

    for (size_t i = 0; i < height * width * channels; i++)
        pixels[i] = (uint8_t)(i * 51 % 256);
    buf_init(&b, 1 << 20);
    ck_assert_msg(image_encode_png(&b, &image, &e) == ERR_OK, "%s", e.msg);
    return b;
}

START_TEST(a_picture_is_one_input)
{
    struct buf png = make_png(2, 3, 1);
    double values[5];

    c.request.content_type = "image/png";
    ck_assert_int_eq(client_send(&c, "POST", SMALL "encode?format=dense",
                                 png.data, png.length),
                     200);
    ck_assert_uint_eq(client_count(&c, "codes"), 1);
    for (size_t i = 0; i < 5; i++) {
        char path[32];
        snprintf(path, sizeof path, "codes[0][%zu]", i);
        values[i] = client_number(&c, path);
    }
    ck_assert_int_eq(client_post(&c, SMALL "encode",
                                 "{\"inputs\":[[[0,0.2,0.4],[0.6,0.8,1]]],"
                                 "\"format\":\"dense\"}"),
                     200);
    for (size_t i = 0; i < 5; i++) {
        char path[32];
        snprintf(path, sizeof path, "codes[0][%zu]", i);
        near(client_number(&c, path), values[i], 1e-6);
    }
    buf_fini(&png);
}
END_TEST

START_TEST(pictures_are_fitted_to_the_model)
{
    struct buf png = make_png(4, 5, 3);

    c.request.content_type = "image/png";
    ck_assert_int_eq(
        client_send(&c, "POST", SMALL "encode", png.data, png.length), 200);
    ck_assert_int_eq(client_send(&c, "POST", "/v1/models/colour/encode",
                                 png.data, png.length),
                     200);
    client_send(&c, "POST", "/v1/models/bare/encode", png.data, png.length);
    client_refused(&c, 422, "vectors of 6 numbers");
    client_send(&c, "POST", SMALL "encode", png.data, png.length / 2);
    client_refused(&c, 400, "body");
    client_send(&c, "POST", SMALL "encode", "no picture", 10);
    client_refused(&c, 400, "body");
    buf_fini(&png);
}
END_TEST

START_TEST(channels_become_planes)
{
    struct buf png = make_png(2, 2, 3);
    double code[4];

    c.request.content_type = "image/png";
    ck_assert_int_eq(client_send(&c, "POST",
                                 "/v1/models/colour/encode?format=dense",
                                 png.data, png.length),
                     200);
    for (size_t i = 0; i < 4; i++) {
        char path[32];
        snprintf(path, sizeof path, "codes[0][%zu]", i);
        code[i] = client_number(&c, path);
    }
    /* Pixel p, channel k is byte 3p+k, that is (3p+k)*51 mod 256. */
    ck_assert_int_eq(
        client_post(&c, "/v1/models/colour/encode?format=dense",
                    "{\"inputs\":[[[[0,0.6],[0.19607843,0.79607843]],"
                    "[[0.2,0.8],[0.39607843,0.99607843]],"
                    "[[0.4,1.0],[0.59607843,0.19215686]]]]}"),
        200);
    for (size_t i = 0; i < 4; i++) {
        char path[32];
        snprintf(path, sizeof path, "codes[0][%zu]", i);
        near(client_number(&c, path), code[i], 1e-5);
    }
    buf_fini(&png);
}
END_TEST

START_TEST(a_reconstruction_comes_as_a_picture)
{
    struct image image = {0};
    struct err e = {0};

    ask_judge("small", 1, 0);
    c.request.accept = "image/png";
    ck_assert_int_eq(client_post(&c, SMALL "reconstruct", ONE), 200);
    ck_assert_str_eq(c.response.content_type, "image/png");
    ck_assert_msg(image_decode(&image, c.response.body.data,
                               c.response.body.length, 1, &e) == ERR_OK,
                  "%s", e.msg);
    ck_assert_uint_eq(image.width * 2, image.height * 3);
    size_t zoom = image.height / 2;
    for (size_t i = 0; i < 6; i++) {
        float want = fminf(fmaxf(judge.reconstruction[i], 0), 1) * 255;
        size_t y = i / 3 * zoom, x = i % 3 * zoom;
        near((double)image.pixels[y * image.width + x], (double)want, 1.0);
    }
    image_fini(&image);
    client_post(&c, SMALL "reconstruct", TWO);
    client_refused(&c, 422, "one reconstruction, got 2");
    ck_assert_int_eq(
        client_post(&c, SMALL "decode", "{\"codes\":[[1,0,0,0,0]]}"), 200);
    ck_assert_str_eq(c.response.content_type, "image/png");
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

    t = tcase_create("options");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, top_k_and_threshold_choose_what_is_sent);
    tcase_add_test(t, explanations_sum_to_the_whole);
    tcase_add_test(t, explanations_say_what_the_model_can);
    tcase_add_test(t, options_are_checked);
    tcase_add_test(t, queries_are_checked_like_members);
    tcase_add_test(t, what_a_model_lacks_is_a_conflict);
    suite_add_tcase(s, t);

    t = tcase_create("bodies");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, bad_bodies_are_told_apart);
    tcase_add_test(t, huge_numbers_never_reach_the_reply);
    tcase_add_test(t, npy_comes_back_when_it_is_accepted);
    tcase_add_test(t, npy_goes_in_in_every_shape);
    tcase_add_test(t, npy_bytes_are_scaled_to_the_range);
    tcase_add_test(t, bad_npy_is_refused);
    tcase_add_test(t, npy_codes_are_decoded);
    tcase_add_test(t, a_picture_is_one_input);
    tcase_add_test(t, pictures_are_fitted_to_the_model);
    tcase_add_test(t, channels_become_planes);
    tcase_add_test(t, a_reconstruction_comes_as_a_picture);
    suite_add_tcase(s, t);

    t = tcase_create("memory");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, blocks_do_not_show_in_the_reply);
    tcase_add_test(t, a_row_that_no_memory_holds_is_too_large);
    tcase_add_test(t, a_request_survives_any_failed_allocation);
    suite_add_tcase(s, t);
    return s;
}
