/* The model repository extension of the Open Inference Protocol: what there is,
 * loading it, unloading it.
 *
 * Bodies are walked as text, not parsed into nodes: what Triton takes as an
 * override, a config or whole files, may be megabytes, and is refused.
 */
#include "api/etag.h"
#include "api/handlers.h"
#include "lib/base/json.h"
#include "lib/engine/learner.h"

#include <string.h>

/* ---- bodies ---- */

static bool is_word(struct json_span s, const char *word)
{
    return s.length == strlen(word) && memcmp(s.text, word, s.length) == 0;
}

/* Nothing is as good as {}. */
static enum err_code read_body(const struct call *call, struct json_span *body,
                               struct err *e)
{
    *body = (struct json_span){call->request->body, call->request->body_length};
    if (body->length == 0) {
        *body = (struct json_span){"{}", 2};
        return ERR_OK;
    }
    if (json_check(body->text, body->length, e) != ERR_OK)
        return err_wrap(e, "body");
    if (body->text[strspn(body->text, " \t\r\n")] != '{')
        return err_set(e, ERR_INVALID, "body: want an object, or nothing");
    return ERR_OK;
}

static enum err_code read_flag(struct json_span value, const char *name,
                               bool *flag, struct err *e)
{
    *flag = is_word(value, "true");
    if (*flag || is_word(value, "false"))
        return ERR_OK;
    return err_set(e, ERR_INVALID, "%s: want true or false", name);
}

static enum err_code check_parameter(struct json_span key,
                                     struct json_span value, struct err *e)
{
    bool unused;

    if (is_word(key, "unload_dependents")) /* no model depends on another */
        return read_flag(value, "parameters.unload_dependents", &unused, e);
    bool is_file = key.length >= 5 && memcmp(key.text, "file:", 5) == 0;
    if (!is_file && !is_word(key, "config"))
        return ERR_OK;
    return err_set(e, ERR_INVALID,
                   "parameters.%.*s: a model comes from the server's own "
                   "repository, with the config in its file; leave this out",
                   key.length < 60 ? (int)key.length : 60, key.text);
}

/* The body of load and unload. */
static enum err_code check_parameters(const struct call *call, struct err *e)
{
    struct json_span body, key, value;
    size_t cursor = 0, inner = 0;

    if (read_body(call, &body, e) != ERR_OK)
        return e->code;
    while (json_next_member(body, &cursor, &key, &value)) {
        struct json_span name;
        if (!is_word(key, "parameters"))
            continue;
        if (*value.text != '{')
            return err_set(e, ERR_INVALID, "parameters: want an object");
        struct json_span parameters = value;
        while (json_next_member(parameters, &inner, &name, &value)) {
            if (check_parameter(name, value, e) != ERR_OK)
                return e->code;
        }
    }
    return ERR_OK;
}

/* ---- index ---- */

struct index {
    struct buf *body;
    bool ready; /* list only what is */
    bool begun;
};

static bool print_state(void *arg, const char *name, uint64_t version,
                        enum registry_state state, const char *why)
{
    static const char *const states[] = {
        [REGISTRY_READY] = "READY",
        [REGISTRY_LOADING] = "LOADING",
        [REGISTRY_UNAVAILABLE] = "UNAVAILABLE",
    };
    struct index *i = arg;

    if (i->ready && state != REGISTRY_READY)
        return true;
    buf_text(i->body, i->begun ? ",{\"name\":" : "{\"name\":");
    buf_json_text(i->body, name);
    if (version > 0)
        buf_printf(i->body, ",\"version\":\"%llu\"",
                   (unsigned long long)version);
    buf_printf(i->body, ",\"state\":\"%s\",\"reason\":", states[state]);
    buf_json_text(i->body, why);
    buf_char(i->body, '}');
    i->begun = true;
    return true;
}

enum err_code oip_index(struct call *call, struct err *e)
{
    struct index index = {.ready = false};
    struct json_span body, key, value;
    size_t cursor = 0;

    if (read_body(call, &body, e) != ERR_OK)
        return e->code;
    while (json_next_member(body, &cursor, &key, &value)) {
        if (is_word(key, "ready") &&
            read_flag(value, "ready", &index.ready, e) != ERR_OK)
            return e->code;
    }
    index.body = api_response_json(call->response, 200);
    buf_char(index.body, '[');
    registry_each_state(call->api->registry, print_state, &index);
    buf_text(index.body, "]\n");
    return ERR_OK;
}

/* ---- load and unload ---- */

/* What stands in the model's folder is to blame for most, so the request is,
 * that asked for it: not the server. */
static enum err_code blame(struct err *e)
{
    if (e->code != ERR_NOT_FOUND && e->code != ERR_BUSY &&
        e->code != ERR_NO_MEMORY)
        e->code = ERR_INVALID;
    return e->code;
}

enum err_code oip_load(struct call *call, struct err *e)
{
    const struct learning *learning = call->api->learning;

    if (check_parameters(call, e) != ERR_OK || etag_check(call, e) != ERR_OK)
        return e->code;
    bool learns = learning != NULL && learning->learner != NULL;
    enum err_code code =
        learns ? learner_load_model(learning->learner, call->model, e)
               : registry_load_model(call->api->registry, call->model, e);
    if (code != ERR_OK)
        return blame(e);
    call->response->status = 200;
    return ERR_OK;
}

enum err_code oip_unload(struct call *call, struct err *e)
{
    if (check_parameters(call, e) != ERR_OK || etag_check(call, e) != ERR_OK)
        return e->code;
    if (registry_unload(call->api->registry, call->model, e) != ERR_OK)
        return blame(e);
    call->response->status = 200;
    return ERR_OK;
}
