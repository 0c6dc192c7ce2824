/* The statistics extension: every member is there, and says what was counted.
 */
#include "tests/api/client.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_statistics(void);

static struct client c;

static void setup(void)
{
    client_open(&c);
}

static void teardown(void)
{
    client_close(&c);
}

static void add(const char *name, uint64_t version, bool ok, size_t rows)
{
    struct err e;
    const struct served *s =
        registry_acquire(c.api.registry, name, version, &e);
    struct usage_request r = {
        .ok = ok,
        .rows = rows,
        .whole = 1000,
        .stages = {[STAGE_QUEUE] = 1,
                   [STAGE_PARSE] = 20,
                   [STAGE_COMPUTE] = 300,
                   [STAGE_PRINT] = 40},
    };

    ck_assert_msg(s != NULL, "%s", e.msg);
    usage_add(s->usage, &r);
    registry_release(c.api.registry, s);
}

static void is_sum(const char *place, const char *name, int count, int ns)
{
    char path[100];

    snprintf(path, sizeof path, "model_stats[0].%s%s.count", place, name);
    ck_assert_msg(client_number(&c, path) == count, "%s", path);
    snprintf(path, sizeof path, "model_stats[0].%s%s.ns", place, name);
    ck_assert_msg(client_number(&c, path) == ns, "%s", path);
}

START_TEST(an_unused_model_has_all_members)
{
    static const char *const names[] = {
        "success",       "fail",           "queue",     "compute_input",
        "compute_infer", "compute_output", "cache_hit", "cache_miss"};

    ck_assert_int_eq(client_get(&c, "/v2/models/bare/stats"), 200);
    ck_assert_str_eq(c.response.content_type, "application/json");
    ck_assert_uint_eq(client_count(&c, "model_stats"), 1);
    ck_assert_str_eq(client_text(&c, "model_stats[0].name"), "bare");
    ck_assert_str_eq(client_text(&c, "model_stats[0].version"), "1");
    ck_assert(client_number(&c, "model_stats[0].last_inference") == 0);
    ck_assert(client_number(&c, "model_stats[0].inference_count") == 0);
    ck_assert(client_number(&c, "model_stats[0].execution_count") == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        is_sum("inference_stats.", names[i], 0, 0);
    ck_assert(json_is_object(client_find(&c, "model_stats[0].response_stats")));
    ck_assert_uint_eq(client_count(&c, "model_stats[0].batch_stats"), 0);
    ck_assert_str_eq(client_text(&c, "model_stats[0].memory_usage[0].type"),
                     "CPU");
    ck_assert(client_number(&c, "model_stats[0].memory_usage[0].id") == 0);
    /* (6,4) and 4 numbers */
    ck_assert(client_number(&c, "model_stats[0].memory_usage[0].byte_size") >=
              28 * 4);
}
END_TEST

START_TEST(what_was_counted_is_told)
{
    add("bare", 1, true, 3);
    add("bare", 1, true, 3);
    add("bare", 1, true, 1);
    add("bare", 1, false, 9);
    ck_assert_int_eq(client_get(&c, "/v2/models/bare/versions/1/stats"), 200);
    ck_assert(client_number(&c, "model_stats[0].inference_count") == 7);
    ck_assert(client_number(&c, "model_stats[0].execution_count") == 3);
    ck_assert(client_number(&c, "model_stats[0].last_inference") > 1.6e12);
    is_sum("inference_stats.", "success", 3, 3000);
    is_sum("inference_stats.", "fail", 1, 1000);
    is_sum("inference_stats.", "queue", 3, 3);
    is_sum("inference_stats.", "compute_input", 3, 60);
    is_sum("inference_stats.", "compute_infer", 3, 900);
    is_sum("inference_stats.", "compute_output", 3, 120);
    ck_assert_uint_eq(client_count(&c, "model_stats[0].batch_stats"), 2);
    ck_assert(client_number(&c, "model_stats[0].batch_stats[0].batch_size") ==
              3);
    is_sum("batch_stats[0].", "compute_input", 2, 40);
    is_sum("batch_stats[0].", "compute_infer", 2, 600);
    is_sum("batch_stats[1].", "compute_output", 1, 40);
}
END_TEST

START_TEST(all_versions_or_one_are_told)
{
    client_add(&c, "stats", 1,
               "{\"input\":{\"shape\":[6],\"range\":[-1,1]},"
               "\"layers\":[{\"operator\":\"dense\",\"encoder\":{\"kind\":"
               "\"feedforward\",\"nonlinearity\":\"relu\"},\"structure\":{"
               "\"kind\":\"l1\",\"lambda\":0.01},\"units\":4,\"up\":\"code\","
               "\"decoder\":false}]}");
    add("small", 2, true, 1);
    ck_assert_int_eq(client_get(&c, "/v2/models/stats"), 200);
    ck_assert_uint_eq(client_count(&c, "model_stats"), 6);
    ck_assert_int_eq(client_get(&c, "/v2/models/stats/stats"), 200);
    ck_assert_uint_eq(client_count(&c, "model_stats"), 1);
    ck_assert_int_eq(client_get(&c, "/v2/models/small/stats"), 200);
    ck_assert_uint_eq(client_count(&c, "model_stats"), 2);
    ck_assert_str_eq(client_text(&c, "model_stats[1].version"), "2");
    ck_assert(client_number(&c, "model_stats[1].inference_count") == 1);
    ck_assert_int_eq(client_get(&c, "/v2/models/small/versions/2/stats"), 200);
    ck_assert_uint_eq(client_count(&c, "model_stats"), 1);
    is_sum("inference_stats.", "success", 1, 1000);
    ck_assert_int_eq(client_get(&c, "/v2/models/none/stats"), 404);
    ck_assert_int_eq(client_get(&c, "/v2/models/small/versions/9/stats"), 404);
}
END_TEST

START_TEST(what_is_unloaded_has_no_statistics)
{
    struct err e;

    ck_assert_int_eq(registry_unload(c.api.registry, "bare", &e), ERR_OK);
    ck_assert_int_eq(client_get(&c, "/v2/models/bare/stats"), 404);
    ck_assert_int_eq(client_get(&c, "/v2/models/stats"), 200);
    ck_assert_uint_eq(client_count(&c, "model_stats"), 4);
}
END_TEST

Suite *suite_statistics(void)
{
    Suite *s = suite_create("statistics");
    TCase *t = tcase_create("routes");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_unused_model_has_all_members);
    tcase_add_test(t, what_was_counted_is_told);
    tcase_add_test(t, all_versions_or_one_are_told);
    tcase_add_test(t, what_is_unloaded_has_no_statistics);
    suite_add_tcase(s, t);
    return s;
}
