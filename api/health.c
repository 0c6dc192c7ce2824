/* Liveness and readiness.
 *
 * Ready is measured against what was configured, not against what happened to
 * load: a program whose only model is damaged, or whose folder is empty, is not
 * ready, unless its operator said that models may be missing.
 */
#include "api/handlers.h"

#include <stdio.h>

enum err_code health_live(struct call *call, struct err *e)
{
    (void)e;
    call->response->status = 200;
    call->response->content_type = "application/json";
    buf_text(&call->response->body, "{\"status\":\"ok\"}\n");
    return ERR_OK;
}

static bool count_model(void *arg, const char *name, uint64_t in_service)
{
    size_t *count = arg;

    (void)name;
    (void)in_service;
    ++*count;
    return true;
}

/* Reasons as elements of a JSON array. */
struct reasons {
    struct buf *b;
    size_t n;
};

static void add_reason(struct reasons *r, const char *text)
{
    if (r->n++ > 0)
        buf_char(r->b, ',');
    buf_json_text(r->b, text);
}

static bool add_failure(void *arg, const char *name, uint64_t version,
                        const char *why)
{
    char text[512];

    snprintf(text, sizeof text, "model %s version %llu: %s", name,
             (unsigned long long)version, why);
    add_reason(arg, text);
    return true;
}

static void add_reasons(struct reasons *r, struct api *api, size_t models)
{
    if (api->missing_models != NULL)
        add_reason(r, api->missing_models);
    if (api->registry == NULL)
        return;
    registry_each_failure(api->registry, add_failure, r);
    if (models == 0 && r->n == 0)
        add_reason(r, "there is no model in the models folder");
}

enum err_code health_ready(struct call *call, struct err *e)
{
    struct api *api = call->api;
    struct buf *b = &call->response->body;
    struct buf list;
    size_t models = 0;
    bool draining = api->draining != NULL && api->draining(api->draining_arg);

    if (api->registry != NULL)
        registry_each_model(api->registry, count_model, &models);
    buf_init(&list, b->max_bytes);
    struct reasons reasons = {.b = &list};
    add_reasons(&reasons, api, models);

    bool failed = reasons.n > 0 && !api->allow_missing_models;
    const char *status = draining                ? "draining"
                         : api->registry == NULL ? "loading"
                         : failed                ? "failed"
                                                 : "ready";
    bool ready = !draining && api->registry != NULL && !failed;
    call->response->status = ready ? 200 : 503;
    call->response->content_type = "application/json";
    api_response_header(call->response, "Cache-Control", "no-store");
    if (!ready)
        api_response_header(call->response, "Retry-After", "1");
    buf_printf(b, "{\"status\":\"%s\",\"models\":%zu", status, models);
    if (reasons.n > 0 || !ready) {
        buf_text(b, ",\"reasons\":[");
        buf_add(b, list.data, list.length);
        buf_char(b, ']');
    }
    buf_text(b, "}\n");
    bool whole = !buf_failed(&list);
    buf_fini(&list);
    return whole ? ERR_OK : err_set(e, ERR_NO_MEMORY, "no memory for reasons");
}
