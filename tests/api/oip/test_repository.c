/* The model repository extension: its index, loads and unloads, and bodies that
 * ask for more.
 */
#include "tests/api/client.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/model/model_file.h"
#include "tests/support/compositions.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_repository_open(void);

#define INDEX "/v2/repository/index"
#define MODEL "/v2/repository/models/"

static struct client c;
static char *folder;

static void setup(void)
{
    struct err e;

    log_set(LOG_ERROR, LOG_TEXT);
    client_open(&c);
    folder = tmp_folder();
    ck_assert_int_eq(registry_load(c.api.registry, folder, &e), ERR_OK);
}

static void teardown(void)
{
    client_close(&c);
    tmp_remove(folder);
}

static void save(const char *place)
{
    struct err e;
    char path[256];
    struct model *m = composition_model(0);

    snprintf(path, sizeof path, "%s/%s", folder, place);
    ck_assert_msg(file_make_folders(path, &e) == ERR_OK, "%s", e.msg);
    strncat(path, "/" MODEL_FILE_NAME, sizeof path - strlen(path) - 1);
    ck_assert_msg(model_save(m, path, &e) == ERR_OK, "%s", e.msg);
    model_free(m);
}

static int post(const char *path, const char *body)
{
    c.request.content_type = NULL; /* as the clients do */
    return client_send(&c, "POST", path, body, strlen(body));
}

static void refused(const char *path, const char *body, int status,
                    const char *words)
{
    ck_assert_msg(post(path, body) == status, "%s %s: %d", path, body,
                  c.response.status);
    ck_assert_str_eq(c.response.content_type, "application/json");
    ck_assert_msg(strstr(client_text(&c, "error"), words) != NULL, "%s: %s",
                  body, client_text(&c, "error"));
}

/* The row of the name in the index, as an index; -1 if it has none. */
static int find(const char *name)
{
    ck_assert_int_eq(post(INDEX, "{}"), 200);
    ck_assert(json_is_array(c.reply));
    for (size_t i = 0; i < json_count(c.reply); i++) {
        if (strcmp(json_text(json_get(json_at(c.reply, i), "name")), name) == 0)
            return (int)i;
    }
    return -1;
}

static const char *state_of(const char *name)
{
    int i = find(name);

    ck_assert_int_ge(i, 0);
    return json_text(json_get(json_at(c.reply, (size_t)i), "state"));
}

static const char *reason_of(const char *name)
{
    int i = find(name);

    ck_assert_int_ge(i, 0);
    return json_text(json_get(json_at(c.reply, (size_t)i), "reason"));
}

START_TEST(the_index_lists_every_version)
{
    static const char *const bodies[] = {"", "{}", " {\"ready\":false} ",
                                         "{\"ready\":true}", "{\"x\":[1]}"};

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        ck_assert_int_eq(post(INDEX, bodies[i]), 200);
        ck_assert_str_eq(
            c.response.body.data,
            "[{\"name\":\"bare\",\"version\":\"1\",\"state\":\"READY\","
            "\"reason\":\"\"},"
            "{\"name\":\"colour\",\"version\":\"1\",\"state\":\"READY\","
            "\"reason\":\"\"},"
            "{\"name\":\"small\",\"version\":\"1\",\"state\":\"READY\","
            "\"reason\":\"\"},"
            "{\"name\":\"small\",\"version\":\"2\",\"state\":\"READY\","
            "\"reason\":\"\"},"
            "{\"name\":\"tall\",\"version\":\"1\",\"state\":\"READY\","
            "\"reason\":\"\"}]\n");
    }
}
END_TEST

START_TEST(a_model_is_loaded_and_unloaded)
{
    save("new/4");
    ck_assert_int_eq(post(MODEL "new/load", ""), 200);
    ck_assert_uint_eq(c.response.body.length, 0);
    ck_assert_ptr_null(c.response.content_type);
    ck_assert_str_eq(state_of("new"), "READY");
    ck_assert_int_eq(client_get(&c, "/v2/models/new/ready"), 200);
    ck_assert_int_eq(client_get(&c, "/v1/models/new"), 200);
    ck_assert(client_number(&c, "version") == 4);

    ck_assert_int_eq(
        post(MODEL "new/unload",
             "{\"parameters\":{\"unload_dependents\":false,\"other\":1}}"),
        200);
    ck_assert_uint_eq(c.response.body.length, 0);
    ck_assert_str_eq(state_of("new"), "UNAVAILABLE");
    ck_assert_str_eq(reason_of("new"), "unloaded");
    ck_assert_int_eq(post(INDEX, "{\"ready\":true}"), 200);
    ck_assert_ptr_null(strstr(c.response.body.data, "new"));
    ck_assert_int_ne(client_get(&c, "/v2/models/new/ready"), 200);
    client_get(&c, "/v1/models/new");
    client_refused(&c, 404, "new is not loaded");
    client_post(&c, "/v1/models/new/encode", "{\"inputs\":[[1,2,3,4,5,6]]}");
    client_refused(&c, 404, "new is not loaded (unloaded)");
    ck_assert_int_eq(client_get(&c, "/v1/models"), 200);
    ck_assert_ptr_null(strstr(c.response.body.data, "\"new\""));

    ck_assert_int_eq(post(MODEL "new/load", "{}"), 200);
    ck_assert_str_eq(state_of("new"), "READY");
}
END_TEST

START_TEST(bodies_that_ask_for_more_are_refused)
{
    static const struct {
        const char *body, *words;
    } bad[] = {
        {"{\"parameters\":{\"config\":\"{}\"}}", "parameters.config"},
        {"{\"parameters\":{\"file:1/model.safetensors\":\"YWI=\"}}",
         "parameters.file:1/model"},
        {"{\"parameters\":{\"unload_dependents\":1}}", "unload_dependents"},
        {"{\"parameters\":7}", "parameters: want an object"},
        {"{\"parameters\":null}", "parameters: want an object"},
        {"[]", "want an object"},
        {"{", "body"},
        {"{} x", "body"},
        {"\"load\"", "want an object"},
    };

    save("new/1");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refused(MODEL "new/load", bad[i].body, 400, bad[i].words);
        refused(MODEL "small/unload", bad[i].body, 400, bad[i].words);
    }
    ck_assert_int_eq(find("new"), -1);
    ck_assert_str_eq(state_of("small"), "READY");
    refused(INDEX, "{\"ready\":1}", 400, "ready: want true or false");
    refused(INDEX, "{\"ready\":\"true\"}", 400, "ready");
    refused(INDEX, "[]", 400, "want an object");
}
END_TEST

START_TEST(what_cannot_be_loaded_is_told)
{
    save("bad/1");
    tmp_write(folder, "bad/1/" MODEL_FILE_NAME, "12345678{}", 10);
    refused(MODEL "bad/load", "", 400, "failed to load 'bad': ");
    ck_assert_str_eq(state_of("bad"), "UNAVAILABLE");
    ck_assert_ptr_nonnull(strstr(reason_of("bad"), "failed to load 'bad': "));
    refused(MODEL "none/load", "", 404, "failed to load 'none': ");
    refused(MODEL "none/unload", "", 404, "failed to unload 'none': ");
    ck_assert_int_eq(find("none"), -1);
    refused(MODEL "../load", "", 404, "");
    refused(MODEL "%2e%2e/load", "", 404, "");
    refused(MODEL "..%2fsmall/load", "", 404, "");
    refused(MODEL "small%00/load", "", 404, "");
    ck_assert_int_eq(client_get(&c, MODEL "small/load"), 405);
}
END_TEST

START_TEST(failures_at_start_are_listed)
{
    struct err e, why;

    err_set(&why, ERR_CORRUPT, "bent");
    ck_assert_int_eq(registry_fail(c.api.registry, "broken", 3, &why, &e),
                     ERR_OK);
    ck_assert_str_eq(state_of("broken"), "UNAVAILABLE");
    ck_assert_str_eq(reason_of("broken"), "bent");
    ck_assert_int_eq(client_get(&c, "/readyz"), 503);
    ck_assert_int_eq(post(MODEL "broken/unload", ""), 200);
    ck_assert_str_eq(reason_of("broken"), "unloaded");
    ck_assert_int_eq(client_get(&c, "/readyz"), 200);
}
END_TEST

START_TEST(a_server_without_loaded_models_is_ready)
{
    static const char *const names[] = {"small", "bare", "tall", "colour"};
    char path[80];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, MODEL "%s/unload", names[i]);
        ck_assert_int_eq(post(path, ""), 200);
        ck_assert_int_eq(client_get(&c, "/readyz"), 200);
    }
    ck_assert(client_number(&c, "models") == 0);
    ck_assert_int_eq(client_get(&c, "/v2/health/ready"), 200);
    ck_assert_int_eq(client_get(&c, "/v1/models"), 200);
    ck_assert_uint_eq(client_count(&c, "models"), 0);
}
END_TEST

START_TEST(conditions_hold_for_loads_too)
{
    char tag[64];

    save("new/1");
    c.request.if_match = "*";
    ck_assert_int_eq(post(MODEL "new/load", ""), 412); /* there is none yet */
    c.request.if_match = NULL;
    ck_assert_int_eq(post(MODEL "new/load", ""), 200);
    ck_assert_int_eq(client_get(&c, "/v1/models/new"), 200);
    snprintf(tag, sizeof tag, "%s", client_header(&c, "ETag"));
    c.request.if_match = "\"old\"";
    ck_assert_int_eq(post(MODEL "new/unload", ""), 412);
    ck_assert_str_eq(state_of("new"), "READY");
    c.request.if_match = tag;
    ck_assert_int_eq(post(MODEL "new/load", ""), 200);
    ck_assert_int_eq(post(MODEL "new/unload", ""), 200);
    ck_assert_int_eq(post(MODEL "new/unload", ""), 412);
}
END_TEST

START_TEST(samples_of_an_unloaded_model_are_not_taken)
{
    client_learn(&c);
    ck_assert_int_eq(post(MODEL "small/unload", ""), 200);
    client_post(&c, "/v1/models/small/samples", "{\"inputs\":[[0,1,0,1,0,1]]}");
    client_refused(&c, 404, "small is not loaded");
    client_post(&c, "/v1/models/small/fine-tunes", "{}");
    client_refused(&c, 404, "small is not loaded");
    client_get(&c, "/v1/models/small/samples");
    client_refused(&c, 404, "small is not loaded");
}
END_TEST

Suite *suite_repository_open(void)
{
    Suite *s = suite_create("repository_open");
    TCase *t = tcase_create("routes");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_index_lists_every_version);
    tcase_add_test(t, a_model_is_loaded_and_unloaded);
    tcase_add_test(t, bodies_that_ask_for_more_are_refused);
    tcase_add_test(t, what_cannot_be_loaded_is_told);
    tcase_add_test(t, failures_at_start_are_listed);
    tcase_add_test(t, a_server_without_loaded_models_is_ready);
    tcase_add_test(t, conditions_hold_for_loads_too);
    tcase_add_test(t, samples_of_an_unloaded_model_are_not_taken);
    suite_add_tcase(s, t);
    return s;
}
