/* The client is api_handle with a request filled in and the reply parsed; its
 * models start from fixed values, so that every run sees the same numbers.
 */
#include "tests/api/client.h"

#include "lib/base/mem.h"
#include "lib/model/model.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATH 512
#define MEMORY_BYTES ((size_t)64 << 20)

static const char small_config[] =
    "{\"input\":{\"shape\":[2,3],\"range\":[0,1]},"
    "\"preprocess\":[{\"op\":\"unit_norm\"}],"
    "\"layers\":[{\"operator\":\"dense\",\"encoder\":{\"kind\":\"recurrent\","
    "\"nonlinearity\":\"relu\",\"steps\":4},\"structure\":{\"kind\":\"l1\","
    "\"lambda\":0.01},\"units\":5,\"up\":\"code\",\"decoder\":true}],"
    "\"classifier\":{\"input\":\"code\"}}";

static const char bare_config[] =
    "{\"input\":{\"shape\":[6],\"range\":[-1,1]},"
    "\"layers\":[{\"operator\":\"dense\",\"encoder\":{\"kind\":\"feedforward\","
    "\"nonlinearity\":\"relu\"},\"structure\":{\"kind\":\"l1\","
    "\"lambda\":0.01},\"units\":4,\"up\":\"code\",\"decoder\":false}]}";

static const char tall_config[] =
    "{\"input\":{\"shape\":[2,3],\"range\":[0,1]},"
    "\"layers\":[{\"operator\":\"dense\",\"encoder\":{\"kind\":\"feedforward\","
    "\"nonlinearity\":\"relu\"},\"structure\":{\"kind\":\"l1\","
    "\"lambda\":0.01},\"units\":5,\"up\":\"code\",\"decoder\":true},"
    "{\"operator\":\"dense\",\"encoder\":{\"kind\":\"feedforward\","
    "\"nonlinearity\":\"relu\"},\"structure\":{\"kind\":\"l1\","
    "\"lambda\":0.01},\"units\":3,\"up\":\"code\",\"decoder\":true}],"
    "\"classifier\":{\"input\":\"code\"}}";

static const char colour_config[] =
    "{\"input\":{\"shape\":[3,2,2],\"range\":[0,1]},"
    "\"layers\":[{\"operator\":\"dense\",\"encoder\":{\"kind\":\"feedforward\","
    "\"nonlinearity\":\"relu\"},\"structure\":{\"kind\":\"l1\","
    "\"lambda\":0.01},\"units\":4,\"up\":\"code\",\"decoder\":true}]}";

void client_add(struct client *c, const char *name, uint64_t version,
                const char *text)
{
    static const char *const classes[] = {"a", "b", "c"};
    struct err e = {0};
    struct json *config = json_parse(text, strlen(text), &e);

    ck_assert_msg(config != NULL, "%s", e.msg);
    struct model *m = model_new(config, classes, 3, &e);
    ck_assert_msg(m != NULL, "%s: %s", name, e.msg);
    json_free(config);

    float samples[64];
    for (size_t i = 0; i < 64; i++)
        samples[i] = (float)((i * 37 + 11) % 64) / 64.0f;
    ck_assert_msg(model_start(m, version, samples, 5, &e) == ERR_OK, "%s",
                  e.msg);
    ck_assert_msg(model_prepare(m, &e) == ERR_OK, "%s", e.msg);
    ck_assert_msg(registry_add(c->api.registry, name, version, m, &e) == ERR_OK,
                  "%s", e.msg);
    ck_assert_msg(registry_activate(c->api.registry, name, version, &e) ==
                      ERR_OK,
                  "%s", e.msg);
}

void client_add_small(struct client *c, uint64_t version)
{
    client_add(c, "small", version, small_config);
}

void client_open(struct client *c)
{
    memset(c, 0, sizeof *c);
    c->api.registry = registry_new();
    ck_assert_ptr_nonnull(c->api.registry);
    client_add(c, "small", 1, small_config);
    client_add(c, "small", 2, small_config);
    client_add(c, "bare", 1, bare_config);
    client_add(c, "tall", 1, tall_config);
    client_add(c, "colour", 1, colour_config);
    c->request.id = "test-id";
    c->request.scopes = SCOPE_ALL;
    arena_init(&c->memory, MEMORY_BYTES);
    api_response_init(&c->response);
    lock_init(&c->lock);
    cond_init(&c->cond);
}

void client_learn(struct client *c)
{
    struct store_settings settings = {
        .max_waiting = 64, .max_waiting_bytes = CLIENT_WAITING_BYTES};
    struct err e = {0};
    char url[600];

    if (c->folder == NULL)
        c->folder = tmp_folder();
    store_close(c->learning.store);
    snprintf(url, sizeof url, "sqlite:%s/store.sqlite", c->folder);
    settings.url = url;
    c->learning.store = store_open(&settings, &e);
    ck_assert_msg(c->learning.store != NULL, "%s", e.msg);
    c->learning.max_samples = 40;
    c->learning.max_labels = 4;
    c->api.learning = &c->learning;
}

void client_close(struct client *c)
{
    json_free(c->reply);
    api_response_fini(&c->response);
    arena_fini(&c->memory);
    store_close(c->learning.store);
    registry_free(c->api.registry);
    tmp_remove(c->folder);
    cond_fini(&c->cond);
    lock_fini(&c->lock);
}

static void finished(void *arg)
{
    struct client *c = arg;

    lock_take(&c->lock);
    c->n_finished++;
    cond_signal(&c->cond);
    lock_drop(&c->lock);
}

static void handle(struct client *c)
{
    c->request.finished = c->finishes ? finished : NULL;
    c->request.finished_arg = c;
    if (api_handle(&c->api, &c->request, &c->response))
        return;
    c->n_waited++;
    lock_take(&c->lock);
    while (c->n_finished < c->n_waited)
        cond_wait(&c->cond, &c->lock);
    ck_assert_uint_eq(c->n_finished, c->n_waited);
    lock_drop(&c->lock);
}

int client_send(struct client *c, const char *method, const char *path,
                const void *body, size_t length)
{
    char target[MAX_PATH];
    char *query;
    struct err e = {0};

    snprintf(target, sizeof target, "%s", path);
    query = strchr(target, '?');
    if (query != NULL)
        *query++ = 0;
    json_free(c->reply);
    c->reply = NULL;
    api_response_fini(&c->response);
    api_response_init(&c->response);
    account_begin(&c->response.account);
    arena_reset(&c->memory);

    c->request.method = method;
    c->request.target = target;
    c->request.query = query != NULL ? query : "";
    c->request.body = body;
    c->request.body_length = length;
    c->request.memory = &c->memory;
    handle(c);

    const char *type = c->response.content_type;
    if (c->response.body.length > 0 && type != NULL &&
        strstr(type, "json") != NULL) {
        c->reply =
            json_parse(c->response.body.data, c->response.body.length, &e);
        ck_assert_msg(c->reply != NULL, "%s %s: %s in %s", method, path, e.msg,
                      c->response.body.data);
    }
    return c->response.status;
}

int client_get(struct client *c, const char *path)
{
    c->request.content_type = NULL;
    return client_send(c, "GET", path, NULL, 0);
}

int client_post(struct client *c, const char *path, const char *json)
{
    c->request.content_type = "application/json";
    return client_send(c, "POST", path, json, strlen(json));
}

int client_put(struct client *c, const char *path, const char *json)
{
    c->request.content_type = "application/json";
    return client_send(c, "PUT", path, json, strlen(json));
}

int client_delete(struct client *c, const char *path)
{
    c->request.content_type = NULL;
    return client_send(c, "DELETE", path, NULL, 0);
}

const struct json *client_find(const struct client *c, const char *path)
{
    const struct json *j = c->reply;

    while (j != NULL && *path != 0) {
        char name[64];
        if (*path == '[') {
            char *end;
            j = json_at(j, strtoul(path + 1, &end, 10));
            path = end + 1;
            continue;
        }
        path += *path == '.';
        size_t length = strcspn(path, ".[");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        j = json_get(j, name);
        path += length;
    }
    return j;
}

double client_number(const struct client *c, const char *path)
{
    const struct json *j = client_find(c, path);

    ck_assert_msg(j != NULL && json_is_number(j), "no number %s in %.400s",
                  path, c->response.body.data);
    return json_number(j);
}

const char *client_text(const struct client *c, const char *path)
{
    const struct json *j = client_find(c, path);

    ck_assert_msg(j != NULL && json_is_text(j), "no text %s in %.400s", path,
                  c->response.body.data);
    return json_text(j);
}

size_t client_count(const struct client *c, const char *path)
{
    const struct json *j = client_find(c, path);

    ck_assert_msg(j != NULL && json_is_array(j), "no array %s in %.400s", path,
                  c->response.body.data);
    return json_count(j);
}

const char *client_header(const struct client *c, const char *name)
{
    for (size_t i = 0; i < c->response.n_headers; i++) {
        if (strcmp(c->response.headers[i].name, name) == 0)
            return c->response.headers[i].value;
    }
    return NULL;
}

void client_check_refused(const char *file, int line, const struct client *c,
                          int status, const char *words)
{
    const char *body = c->response.body.data;
    const struct json *detail = client_find(c, "detail");

    ck_assert_msg(c->response.status == status, "%s:%d: status %d, want %d: %s",
                  file, line, c->response.status, status, body);
    ck_assert_msg(
        strcmp(c->response.content_type, "application/problem+json") == 0,
        "%s:%d: %s", file, line, c->response.content_type);
    ck_assert_msg(detail != NULL && strstr(json_text(detail), words) != NULL,
                  "%s:%d: no \"%s\" in %s", file, line, words, body);
}

void client_same_floats(const struct client *c, const char *path,
                        const float *want, size_t n)
{
    const struct json *j = client_find(c, path);

    ck_assert_msg(j != NULL && json_count(j) == n, "%s in %.400s", path,
                  c->response.body.data);
    j = json_first(j);
    for (size_t i = 0; i < n; i++, j = json_next(j))
        ck_assert_msg((float)json_number(j) == want[i], "%s[%zu]: %.9g, %.9g",
                      path, i, json_number(j), (double)want[i]);
}
