/* Samples: posted as JSON, counted, listed, deleted, kept by infer. */
#include "tests/api/client.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_samples_json(void);

#define SAMPLES "/v1/models/small/samples"
#define INFER "/v1/models/small/infer"
#define THREE                                                                  \
    "{\"inputs\":[[0,0.25,0,1,0,1],[[1,1,1],[0,0,0]],[1,0,1,0,1,0]],"          \
    "\"labels\":[\"a\",null,\"\\u00e9t\\u00e9\"]}"

static struct client c;

static void setup(void)
{
    client_open(&c);
    client_learn(&c);
}

static void teardown(void)
{
    client_close(&c);
}

/* What is stored must be this many. */
static void check_stored(size_t want)
{
    ck_assert_int_eq(client_get(&c, SAMPLES), 200);
    ck_assert(client_number(&c, "stored") == (double)want);
}

START_TEST(a_batch_is_kept_as_it_is)
{
    static const float first[] = {0, 0.25f, 0, 1, 0, 1};
    static const float second[] = {1, 1, 1, 0, 0, 0};

    ck_assert_int_eq(client_post(&c, SAMPLES, THREE), 201);
    ck_assert_str_eq(client_text(&c, "model"), "small");
    ck_assert(client_number(&c, "accepted") == 3);
    ck_assert(client_number(&c, "batch") == 1);
    ck_assert_uint_eq(client_count(&c, "ids"), 3);
    ck_assert(client_number(&c, "ids[2]") == 3);

    ck_assert_int_eq(client_get(&c, SAMPLES "?inputs=true"), 200);
    ck_assert_uint_eq(client_count(&c, "samples"), 3);
    client_same_floats(&c, "samples[0].input", first, 6);
    client_same_floats(&c, "samples[1].input", second, 6);
    ck_assert_str_eq(client_text(&c, "samples[0].label"), "a");
    ck_assert_ptr_null(client_find(&c, "samples[1].label"));
    ck_assert_str_eq(client_text(&c, "samples[2].label"), "\xc3\xa9t\xc3\xa9");
    ck_assert_uint_eq(strlen(client_text(&c, "samples[0].created")), 24);
    ck_assert(client_number(&c, "samples[1].batch") == 1);
}
END_TEST

START_TEST(counts_are_by_label)
{
    check_stored(0);
    ck_assert_int_eq(client_post(&c, SAMPLES, THREE), 201);
    ck_assert_int_eq(client_post(&c, SAMPLES, THREE), 201);
    check_stored(6);
    ck_assert(client_number(&c, "total") == 6);
    ck_assert(client_number(&c, "evicted") == 0);
    ck_assert(client_number(&c, "unlabelled") == 2);
    ck_assert(client_number(&c, "labels.a") == 2);
    ck_assert_ptr_null(client_find(&c, "samples"));
    ck_assert_int_eq(client_get(&c, "/v1/models/tall/samples"), 200);
    ck_assert(client_number(&c, "total") == 0);
}
END_TEST

START_TEST(labels_may_be_left_out)
{
    client_post(&c, SAMPLES, "{\"inputs\":[[0,0,0,0,0,1],[0,0,0,0,1,1]]}");
    ck_assert_int_eq(c.response.status, 201);
    check_stored(2);
    ck_assert(client_number(&c, "unlabelled") == 2);
}
END_TEST

START_TEST(nothing_of_a_wrong_batch_is_kept)
{
    static const struct {
        const char *body;
        int status;
        const char *words;
    } cases[] = {
        {"{\"inputs\":[[0,1,0,1,0,1],[0,1]]}", 422, "inputs[1]"},
        {"{\"inputs\":[[0,1,0,1,0,1],[[0,1,0],[1,0]]]}", 422, "inputs[1][1]"},
        {"{\"inputs\":[]}", 422, "empty"},
        {"{\"labels\":[\"a\"]}", 422, "inputs: missing"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[]}", 422, "labels: want one"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"a\",\"b\"]}", 422,
         "labels: want one an input"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[7]}", 422,
         "labels[0]: want 1 to 200 bytes of text, or null; labels are texts: "
         "write \"7\""},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[true]}", 422, "labels[0]"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[[\"a\"]]}", 422, "labels[0]"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[{}]}", 422, "labels[0]"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":\"a\"}", 422, "labels"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":null}", 422, "labels"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"\"]}", 422, "got 0 bytes"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"a\\nb\"]}", 422,
         "control character"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"\xc2\x85\"]}", 422,
         "control character"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"\xff\"]}", 400, "JSON"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"a\"", 400, "JSON"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"a\",]}", 400, "JSON"},
        {"{\"inputs\":[[0,1,0,1,0,1]],\"label\":\"a\"}", 422,
         "unknown member \"label\""},
        {"{\"inputs\":[[0,1,0,1,0,1e39]]}", 422, "not finite"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        client_post(&c, SAMPLES, cases[i].body);
        client_refused(&c, cases[i].status, cases[i].words);
    }
    check_stored(0);
}
END_TEST

START_TEST(a_label_has_at_most_200_bytes)
{
    char body[400], label[202];

    memset(label, 'x', sizeof label);
    label[200] = 0;
    snprintf(body, sizeof body,
             "{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"%s\"]}", label);
    ck_assert_int_eq(client_post(&c, SAMPLES, body), 201);
    snprintf(body, sizeof body,
             "{\"inputs\":[[0,1,0,1,0,1]],\"labels\":[\"x%s\"]}", label);
    client_post(&c, SAMPLES, body);
    client_refused(&c, 422, "got 201 bytes");
    ck_assert_int_eq(client_get(&c, SAMPLES), 200);
    ck_assert(client_number(&c, "stored") == 1);
}
END_TEST

START_TEST(too_many_labels_are_refused)
{
    client_post(&c, SAMPLES,
                "{\"inputs\":[[0,0,0,0,0,1],[0,0,0,0,1,1],[0,0,0,1,1,1],"
                "[0,0,1,1,1,1],[0,1,1,1,1,1]],"
                "\"labels\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}");
    client_refused(&c, 422, "4");
    check_stored(0);
}
END_TEST

START_TEST(pages_follow_each_other)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(client_post(&c, SAMPLES, THREE), 201);
    ck_assert_int_eq(client_get(&c, SAMPLES "?limit=4"), 200);
    ck_assert_uint_eq(client_count(&c, "samples"), 4);
    ck_assert(client_number(&c, "next") == 4);
    ck_assert_int_eq(client_get(&c, SAMPLES "?limit=5&after=4"), 200);
    ck_assert_uint_eq(client_count(&c, "samples"), 5);
    ck_assert(client_number(&c, "samples[0].id") == 5);
    ck_assert_ptr_null(client_find(&c, "next"));
    ck_assert_int_eq(client_get(&c, SAMPLES "?label=a&batch=2"), 200);
    ck_assert_uint_eq(client_count(&c, "samples"), 1);
    ck_assert(client_number(&c, "samples[0].id") == 4);
    ck_assert_ptr_null(client_find(&c, "samples[0].input"));
    ck_assert_int_eq(client_get(&c, SAMPLES "?unlabelled=true"), 200);
    ck_assert_uint_eq(client_count(&c, "samples"), 3);
    ck_assert_int_eq(client_get(&c, SAMPLES "?label=%C3%A9t%C3%A9"), 200);
    ck_assert_uint_eq(client_count(&c, "samples"), 3);
}
END_TEST

START_TEST(wrong_queries_are_named)
{
    static const char *const queries[] = {"limit=0",
                                          "limit=1001",
                                          "after=-1",
                                          "batch=0",
                                          "inputs=yes",
                                          "label=",
                                          "unlabelled",
                                          "top=1",
                                          "after=1.5",
                                          "limit=ten",
                                          "batch=1e99",
                                          "label=a&label=b",
                                          "label=a&unlabelled=true"};

    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        char path[128], word[32];
        snprintf(path, sizeof path, "%s?%s", SAMPLES, queries[i]);
        snprintf(word, sizeof word, "%.*s", (int)strcspn(queries[i], "="),
                 queries[i]);
        client_get(&c, path);
        client_refused(&c, 422, word);
    }
}
END_TEST

START_TEST(deleting_needs_to_say_what)
{
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(client_post(&c, SAMPLES, THREE), 201);
    client_delete(&c, SAMPLES);
    client_refused(&c, 400, "label=, batch= or all=true");
    client_delete(&c, SAMPLES "?all=false");
    client_refused(&c, 400, "all=true");
    client_delete(&c, SAMPLES "?all=true&label=a");
    client_refused(&c, 422, "all");
    check_stored(6);
    ck_assert_int_eq(client_delete(&c, SAMPLES "?label=a&batch=2"), 200);
    ck_assert(client_number(&c, "deleted") == 1);
    ck_assert_int_eq(client_delete(&c, SAMPLES "?label=a"), 200);
    ck_assert(client_number(&c, "deleted") == 1);
    ck_assert_int_eq(client_delete(&c, SAMPLES "?batch=1"), 200);
    ck_assert(client_number(&c, "deleted") == 2);
    check_stored(2);
    ck_assert_int_eq(client_delete(&c, SAMPLES "?all=true"), 200);
    ck_assert(client_number(&c, "deleted") == 2);
    check_stored(0);
    ck_assert(client_number(&c, "total") == 0);
}
END_TEST

START_TEST(unknown_models_are_not_found)
{
    client_post(&c, "/v1/models/nobody/samples", THREE);
    client_refused(&c, 404, "nobody");
    client_get(&c, "/v1/models/nobody/samples");
    client_refused(&c, 404, "nobody");
    client_delete(&c, "/v1/models/nobody/samples?all=true");
    client_refused(&c, 404, "nobody");
}
END_TEST

START_TEST(infer_keeps_its_inputs)
{
    static const float raw[] = {0, 3, 0, 4, 0, 0};

    c.finishes = true;
    ck_assert_int_eq(
        client_post(&c, INFER,
                    "{\"inputs\":[[1,1,1,1,1,1],[0,3,0,4,0,0]],\"keep\":true}"),
        200);
    ck_assert_uint_eq(client_count(&c, "ids"), 2);
    ck_assert(client_number(&c, "ids[1]") == 2);
    ck_assert_uint_eq(client_count(&c, "predictions"), 2);
    ck_assert_uint_eq(c.n_waited, 1);
    ck_assert_int_eq(client_get(&c, SAMPLES "?inputs=true"), 200);
    client_same_floats(&c, "samples[1].input", raw, 6);
    ck_assert_ptr_null(client_find(&c, "samples[1].label"));

    ck_assert_int_eq(
        client_post(&c, INFER "?keep=true", "{\"inputs\":[[1,1,1,1,1,1]]}"),
        200);
    ck_assert(client_number(&c, "ids[0]") == 3);
    ck_assert_int_eq(
        client_post(&c, INFER, "{\"inputs\":[[1,1,1,1,1,1]],\"keep\":false}"),
        200);
    ck_assert_ptr_null(client_find(&c, "ids"));
}
END_TEST

START_TEST(only_infer_keeps_and_only_whole_inputs)
{
    client_post(&c, "/v1/models/small/encode",
                "{\"inputs\":[[1,1,1,1,1,1]],\"keep\":true}");
    client_refused(&c, 422, "keep");
    client_post(&c, INFER, "{\"inputs\":[[1,1,1,1,1,1]],\"keep\":1}");
    client_refused(&c, 422, "keep: want true or false");
    client_post(&c, INFER, "{\"inputs\":[[1,1]],\"keep\":true}");
    client_refused(&c, 422, "inputs[0]");
    client_post(&c, INFER,
                "{\"inputs\":[[1,1,1,1,1,1]],\"mask\":[[1,1,1,1,1,0]],"
                "\"keep\":true}");
    ck_assert_int_ge(c.response.status, 400);
    check_stored(0);
}
END_TEST

Suite *suite_samples_json(void)
{
    Suite *s = suite_create("samples_json");
    TCase *t = tcase_create("json");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_batch_is_kept_as_it_is);
    tcase_add_test(t, counts_are_by_label);
    tcase_add_test(t, labels_may_be_left_out);
    tcase_add_test(t, nothing_of_a_wrong_batch_is_kept);
    tcase_add_test(t, a_label_has_at_most_200_bytes);
    tcase_add_test(t, too_many_labels_are_refused);
    tcase_add_test(t, pages_follow_each_other);
    tcase_add_test(t, wrong_queries_are_named);
    tcase_add_test(t, deleting_needs_to_say_what);
    tcase_add_test(t, unknown_models_are_not_found);
    tcase_add_test(t, infer_keeps_its_inputs);
    tcase_add_test(t, only_infer_keeps_and_only_whole_inputs);
    suite_add_tcase(s, t);
    return s;
}
