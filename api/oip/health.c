/* Health of the server and of models. Specification and clients disagree about
 * the bodies, so each has the members of all; where something is not ready they
 * are false, and `error` says why.
 */
#include "api/health.h"

#include "api/handlers.h"

#include <string.h>

static void print_end(struct buf *b, const char *error)
{
    if (error != NULL) {
        buf_text(b, ",\"error\":");
        buf_json_text(b, error);
    }
    buf_char(b, '}');
}

enum err_code oip_live(struct call *call, struct err *e)
{
    (void)e;
    buf_text(health_begin(call, true), "{\"live\":true}");
    return ERR_OK;
}

enum err_code oip_ready(struct call *call, struct err *e)
{
    struct health h;

    if (health_look(call, &h, e) != ERR_OK)
        return e->code;
    struct buf *b = health_begin(call, h.ready);
    buf_printf(b, "{\"live\":true,\"ready\":%s", h.ready ? "true" : "false");
    print_end(b, h.ready             ? NULL
                 : h.reasons != NULL ? h.reasons->text
                                     : h.status);
    return ERR_OK;
}

/* ---- one model ---- */

struct absence {
    const struct call *call;
    char *why; /* the model is known and not there, copied; or NULL */
};

/* The first reason for the model, or for the version that was asked for. */
static bool find_absence(void *arg, const char *name, uint64_t version,
                         enum registry_state state, const char *why)
{
    struct absence *a = arg;
    uint64_t asked = a->call->version;

    if (state == REGISTRY_READY || strcmp(name, a->call->model) != 0 ||
        (asked != 0 && version != 0 && asked != version))
        return true;
    if (state == REGISTRY_LOADING)
        why = "it is being loaded";
    a->why = arena_text(a->call->request->memory, why, strlen(why));
    return false;
}

static void print_model(struct call *call, uint64_t version, const char *error)
{
    struct buf *b = health_begin(call, error == NULL);

    buf_text(b, "{\"name\":");
    buf_json_text(b, call->model);
    if (version > 0)
        buf_printf(b, ",\"version\":\"%llu\"", (unsigned long long)version);
    buf_printf(b, ",\"ready\":%s", error == NULL ? "true" : "false");
    print_end(b, error);
}

enum err_code oip_model_ready(struct call *call, struct err *e)
{
    struct registry *registry = call->api->registry;
    struct absence absence = {.call = call};

    if (registry == NULL) {
        print_model(call, call->version, "the models are being loaded");
        return ERR_OK;
    }
    const struct served *s =
        registry_acquire(registry, call->model, call->version, e);
    if (s != NULL) {
        print_model(call, s->version,
                    health_draining(call->api) ? "draining" : NULL);
        registry_release(registry, s);
        return ERR_OK;
    }
    registry_each_state(registry, find_absence, &absence);
    if (absence.why == NULL) /* anybody may ask: no list of what there is */
        return err_set(e, ERR_NOT_FOUND, "no model %s, or no such version",
                       call->model);
    print_model(call, call->version, absence.why);
    return ERR_OK;
}
