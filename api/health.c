/* Liveness and readiness.
 *
 * Ready is measured against what was configured, not against what happened to
 * load: a program whose only model is damaged, or whose folder is empty, is not
 * ready, unless its operator said that models may be missing. Where only
 * learning is out of order it is ready but degraded.
 */
#include "api/health.h"

#include "api/handlers.h"
#include "lib/store/store.h"

#include <stdio.h>
#include <string.h>

enum err_code health_live(struct call *call, struct err *e)
{
    (void)e;
    buf_text(api_response_json(call->response, 200), "{\"status\":\"ok\"}\n");
    return ERR_OK;
}

/* One that was taken out of service on purpose is a model all the same. */
static bool see_model(void *arg, const char *name, uint64_t version,
                      enum registry_state state, const char *why)
{
    bool *seen = arg;

    (void)name;
    (void)version;
    (void)state;
    (void)why;
    *seen = true;
    return false;
}

static bool count_model(void *arg, const char *name, uint64_t in_service)
{
    size_t *count = arg;

    (void)name;
    (void)in_service;
    ++*count;
    return true;
}

/* Collected first and printed later: the registry's visitor runs under its
 * lock. */
struct reasons {
    struct arena *memory;
    struct health_reason *first, **last;
    bool failed;
};

static bool add_reason(struct reasons *r, const char *text)
{
    struct health_reason *item = arena_take(r->memory, 1, sizeof *item);

    if (item != NULL)
        item->text = arena_text(r->memory, text, strlen(text));
    if (item == NULL || item->text == NULL) {
        r->failed = true;
        return false;
    }
    item->next = NULL;
    *r->last = item;
    r->last = &item->next;
    return true;
}

static bool add_failure(void *arg, const char *name, uint64_t version,
                        const char *why)
{
    char number[40] = "";
    char text[512];

    if (version > 0)
        snprintf(number, sizeof number, " version %llu",
                 (unsigned long long)version);
    snprintf(text, sizeof text, "model %s%s: %s", name, number, why);
    return add_reason(arg, text);
}

/* What is wrong with what was loaded. */
static void add_reasons(struct reasons *r, const struct api *api,
                        struct registry *registry)
{
    bool any = false;

    if (api->missing_models != NULL)
        add_reason(r, api->missing_models);
    registry_each_failure(registry, add_failure, r);
    registry_each_state(registry, see_model, &any);
    if (!any && r->first == NULL)
        add_reason(r, "there is no model in the models folder");
}

/* Why nothing can be learned, or kept safely, at present. False: it can. */
static bool add_trouble(struct reasons *r, const struct api *api)
{
    char why[256], text[320];

    if (api->learning == NULL && api->no_learning == NULL)
        return false; /* nobody asked for it */
    if (api->learning == NULL)
        snprintf(text, sizeof text, "learning: %s", api->no_learning);
    else if (store_is_well(api->learning->store, why, sizeof why))
        return false;
    else
        snprintf(text, sizeof text, "store: %s", why);
    return add_reason(r, text);
}

static void print_reasons(struct buf *b, const struct health_reason *first)
{
    buf_text(b, ",\"reasons\":[");
    for (const struct health_reason *i = first; i != NULL; i = i->next) {
        if (i != first)
            buf_char(b, ',');
        buf_json_text(b, i->text);
    }
    buf_char(b, ']');
}

bool health_draining(const struct api *api)
{
    return api->draining != NULL && api->draining(api->draining_arg);
}

enum err_code health_look(const struct call *call, struct health *h,
                          struct err *e)
{
    const struct api *api = call->api;
    struct registry *registry = api->registry; /* before what it publishes */
    struct reasons reasons = {.memory = call->request->memory};
    bool draining = health_draining(api);

    h->models = 0;
    reasons.last = &reasons.first;
    if (registry != NULL) {
        registry_each_model(registry, count_model, &h->models);
        add_reasons(&reasons, api, registry);
    }
    bool failed = reasons.first != NULL && !api->allow_missing_models;
    bool degraded = registry != NULL && add_trouble(&reasons, api);
    if (reasons.failed)
        return err_set(e, ERR_NO_MEMORY, "no memory for reasons");
    h->status = draining           ? "draining"
                : registry == NULL ? "loading"
                : failed           ? "failed"
                : degraded         ? "degraded"
                                   : "ready";
    h->ready = !draining && registry != NULL && !failed;
    h->reasons = reasons.first;
    return ERR_OK;
}

struct buf *health_begin(struct call *call, bool ready)
{
    struct buf *b = api_response_json(call->response, ready ? 200 : 503);

    api_response_header(call->response, "Cache-Control", "no-store");
    if (!ready)
        api_response_header(call->response, "Retry-After", "1");
    return b;
}

enum err_code health_ready(struct call *call, struct err *e)
{
    struct health h;

    if (health_look(call, &h, e) != ERR_OK)
        return e->code;
    struct buf *b = health_begin(call, h.ready);
    buf_printf(b, "{\"status\":\"%s\",\"models\":%zu", h.status, h.models);
    if (h.reasons != NULL || !h.ready)
        print_reasons(b, h.reasons);
    buf_text(b, "}\n");
    return ERR_OK;
}
