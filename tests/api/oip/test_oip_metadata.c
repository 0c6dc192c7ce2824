/* What the Open Inference Protocol tells of the server and its models. */
#include "tests/api/oip/parcel.h"

#include <check.h>
#include <string.h>

Suite *suite_oip_metadata(void);

static struct client c;

static void setup(void)
{
    client_open(&c);
}

static void teardown(void)
{
    client_close(&c);
}

static bool yes(void *arg)
{
    (void)arg;
    return true;
}

static bool is_true(const char *path)
{
    const struct json *j = client_find(&c, path);

    ck_assert_msg(j != NULL && json_is_bool(j), "no %s in %s", path,
                  c.response.body.data);
    return json_bool(j);
}

START_TEST(the_server_says_what_it_can_do)
{
    static const char *const paths[] = {"/v2", "/v2/", "/v2?a=b"};

    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(client_get(&c, paths[i]), 200);
        ck_assert_str_eq(c.response.content_type, "application/json");
        ck_assert_str_eq(client_text(&c, "name"), "sparsed");
        ck_assert_str_eq(client_text(&c, "version"), SPARSED_VERSION);
        ck_assert_uint_gt(client_count(&c, "extensions"), 3);
        ck_assert_ptr_nonnull(
            strstr(c.response.body.data, "\"binary_tensor_data\""));
    }
    ck_assert_int_eq(client_send(&c, "HEAD", "/v2", NULL, 0), 200);
    client_get(&c, "/v2//");
    parcel_refused(&c, 404, "GET /v2/models/{model}");
    client_post(&c, "/v2", "{}");
    parcel_refused(&c, 405, "GET");
    ck_assert_str_eq(client_header(&c, "Allow"), "GET, HEAD, OPTIONS");
    client_get(&c, "/v2/models/small/infer");
    parcel_refused(&c, 405, "POST");
}
END_TEST

START_TEST(a_ready_server_is_live_and_ready)
{
    ck_assert_int_eq(client_get(&c, "/v2/health/live"), 200);
    ck_assert(is_true("live"));
    ck_assert_int_eq(client_get(&c, "/v2/health/ready"), 200);
    ck_assert(is_true("live") && is_true("ready"));
    ck_assert_ptr_null(client_find(&c, "error"));
    ck_assert_str_eq(client_header(&c, "Cache-Control"), "no-store");
}
END_TEST

START_TEST(a_server_that_drains_is_live_and_not_ready)
{
    c.api.draining = yes;
    ck_assert_int_eq(client_get(&c, "/v2/health/live"), 200);
    ck_assert_int_eq(client_get(&c, "/v2/health/ready"), 503);
    ck_assert(is_true("live") && !is_true("ready"));
    parcel_refused(&c, 503, "draining");
    ck_assert_ptr_nonnull(client_header(&c, "Retry-After"));
    ck_assert_int_eq(client_get(&c, "/v2/models/small/ready"), 503);
    ck_assert(!is_true("ready"));
    parcel_refused(&c, 503, "draining");
}
END_TEST

START_TEST(a_server_that_loads_is_live_and_not_ready)
{
    struct registry *registry = c.api.registry;

    c.api.registry = NULL;
    ck_assert_int_eq(client_get(&c, "/v2"), 200);
    ck_assert_int_eq(client_get(&c, "/v2/health/live"), 200);
    ck_assert_int_eq(client_get(&c, "/v2/health/ready"), 503);
    ck_assert(!is_true("ready"));
    ck_assert_int_eq(client_get(&c, "/v2/models/small/ready"), 503);
    ck_assert(!is_true("ready"));
    client_get(&c, "/v2/models");
    parcel_refused(&c, 503, "being loaded");
    client_get(&c, "/v2/models/small");
    parcel_refused(&c, 503, "being loaded");
    parcel_json(&c, "/v2/models/small/infer", "{}");
    parcel_refused(&c, 503, "being loaded");
    c.api.registry = registry;
}
END_TEST

START_TEST(a_damaged_model_makes_the_server_not_ready)
{
    struct err why = {.code = ERR_CORRUPT, .msg = "cut off"}, e;

    ck_assert_int_eq(registry_fail(c.api.registry, "broken", 3, &why, &e),
                     ERR_OK);
    ck_assert_int_eq(client_get(&c, "/v2/health/ready"), 503);
    parcel_refused(&c, 503, "cut off");
    ck_assert_int_eq(client_get(&c, "/v2/models/small/ready"), 200);
    ck_assert_int_eq(client_get(&c, "/v2/models/broken/ready"), 503);
    parcel_refused(&c, 503, "cut off");
    ck_assert_str_eq(client_text(&c, "name"), "broken");
    client_get(&c, "/v2/models/broken/versions/3/ready");
    parcel_refused(&c, 503, "cut off");
    client_get(&c, "/v2/models/broken/versions/4/ready");
    parcel_refused(&c, 404, "no model broken");
    c.api.allow_missing_models = true;
    ck_assert_int_eq(client_get(&c, "/v2/health/ready"), 200);
}
END_TEST

START_TEST(a_model_is_ready_in_its_versions)
{
    ck_assert_int_eq(client_get(&c, "/v2/models/small/ready"), 200);
    ck_assert_str_eq(client_text(&c, "name"), "small");
    ck_assert_str_eq(client_text(&c, "version"), "2");
    ck_assert(is_true("ready"));
    ck_assert_int_eq(client_get(&c, "/v2/models/small/versions/1/ready"), 200);
    ck_assert_str_eq(client_text(&c, "version"), "1");
    client_get(&c, "/v2/models/small/versions/3/ready");
    parcel_refused(&c, 404, "version");
    client_get(&c, "/v2/models/nosuch/ready");
    parcel_refused(&c, 404, "nosuch");
    /* Anybody may ask, and learns no names. */
    ck_assert_ptr_null(strstr(c.response.body.data, "small"));
}
END_TEST

START_TEST(models_are_listed_by_name)
{
    ck_assert_int_eq(client_get(&c, "/v2/models"), 200);
    ck_assert_uint_eq(client_count(&c, "models"), 4);
    ck_assert_str_eq(client_text(&c, "models[0]"), "bare");
    ck_assert_str_eq(client_text(&c, "models[3]"), "tall");
}
END_TEST

START_TEST(a_models_tensors_are_told)
{
    ck_assert_int_eq(client_get(&c, "/v2/models/small"), 200);
    ck_assert_str_eq(client_text(&c, "name"), "small");
    ck_assert_str_eq(client_text(&c, "platform"), "sparsed_safetensors");
    ck_assert_uint_eq(client_count(&c, "versions"), 2);
    ck_assert_str_eq(client_text(&c, "versions[1]"), "2");
    ck_assert_uint_eq(client_count(&c, "inputs"), 1);
    ck_assert_str_eq(client_text(&c, "inputs[0].name"), "input");
    ck_assert_str_eq(client_text(&c, "inputs[0].datatype"), "FP32");
    ck_assert_uint_eq(client_count(&c, "inputs[0].shape"), 3);
    ck_assert(client_number(&c, "inputs[0].shape[0]") == -1);
    ck_assert(client_number(&c, "inputs[0].shape[2]") == 3);
    ck_assert_uint_eq(client_count(&c, "outputs"), 8);
    ck_assert_str_eq(client_text(&c, "outputs[2].name"), "reconstruction");
    ck_assert_uint_eq(client_count(&c, "outputs[2].shape"), 3);
    ck_assert_str_eq(client_text(&c, "outputs[4].datatype"), "BYTES");
    ck_assert_uint_eq(client_count(&c, "outputs[5].shape"), 1);
    ck_assert_int_eq(client_get(&c, "/v2/models/bare/versions/1"), 200);
    ck_assert_uint_eq(client_count(&c, "outputs"), 5);
    client_get(&c, "/v2/models/nosuch");
    parcel_refused(&c, 404, "no model nosuch");
    client_get(&c, "/v2/models/small/versions/one");
    parcel_refused(&c, 404, "no such version");
    client_get(&c, "/v2/models/small/versions/0");
    parcel_refused(&c, 404, "no such version");
}
END_TEST

START_TEST(a_models_configuration_is_tritons)
{
    ck_assert_int_eq(client_get(&c, "/v2/models/colour/config"), 200);
    ck_assert_str_eq(client_text(&c, "name"), "colour");
    ck_assert(client_number(&c, "max_batch_size") == API_MAX_ROWS);
    ck_assert_str_eq(client_text(&c, "input[0].name"), "input");
    ck_assert_str_eq(client_text(&c, "input[0].data_type"), "TYPE_FP32");
    ck_assert_str_eq(client_text(&c, "input[0].format"), "FORMAT_NCHW");
    ck_assert_uint_eq(client_count(&c, "input[0].dims"), 3);
    ck_assert_str_eq(client_text(&c, "output[0].name"), "code");
    ck_assert_uint_eq(client_count(&c, "output[0].dims"), 1);
    ck_assert_int_eq(client_get(&c, "/v2/models/small/versions/1/config"), 200);
    ck_assert_str_eq(client_text(&c, "input[0].format"), "FORMAT_NONE");
    ck_assert_str_eq(client_text(&c, "output[4].data_type"), "TYPE_STRING");
    ck_assert(client_number(&c, "output[5].dims[0]") == -1);
}
END_TEST

Suite *suite_oip_metadata(void)
{
    Suite *s = suite_create("oip_metadata");
    TCase *t = tcase_create("health");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_server_says_what_it_can_do);
    tcase_add_test(t, a_ready_server_is_live_and_ready);
    tcase_add_test(t, a_server_that_drains_is_live_and_not_ready);
    tcase_add_test(t, a_server_that_loads_is_live_and_not_ready);
    tcase_add_test(t, a_damaged_model_makes_the_server_not_ready);
    tcase_add_test(t, a_model_is_ready_in_its_versions);
    suite_add_tcase(s, t);

    t = tcase_create("models");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, models_are_listed_by_name);
    tcase_add_test(t, a_models_tensors_are_told);
    tcase_add_test(t, a_models_configuration_is_tritons);
    suite_add_tcase(s, t);
    return s;
}
