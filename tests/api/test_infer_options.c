/* What a request may ask for besides its inputs, and how each refusal reads.
 */
#include "tests/api/judge.h"

#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Suite *suite_infer_options(void);

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

/* ---- options ---- */

START_TEST(top_k_and_threshold_choose_what_is_sent)
{
    size_t best = 0, over = 0;

    judge_ask(&judge, "small", 1, 0);
    const float *z = judge_code(&judge, 0);
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
    client_same_floats(&c, "reconstructions[0]", judge.reconstruction, 6);

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

    judge_ask(&judge, "small", 1, 0);
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
        {"encode", "\"keep\":true", "\"keep\""},
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

Suite *suite_infer_options(void)
{
    Suite *s = suite_create("infer_options");
    TCase *t = tcase_create("options");

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
    suite_add_tcase(s, t);
    return s;
}
