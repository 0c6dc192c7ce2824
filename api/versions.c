/* Versions: which there are, where they come from, and which is in service.
 *
 * Where tuned ones come from, the store knows; without it they are listed all
 * the same. Putting one into service is written down before it is done.
 */
#include "api/versions.h"

#include "api/etag.h"
#include "api/handlers.h"
#include "api/learning.h"
#include "api/pending.h"
#include "api/print.h"
#include "lib/store/versions.h"

/* ---- collecting ---- */

static bool collect(void *arg, uint64_t version, bool in_service)
{
    struct version_list *list = arg;

    if (list->versions != NULL && list->n == list->room)
        return false; /* come since they were counted */
    if (list->versions != NULL)
        list->versions[list->n] = version;
    list->n++;
    if (in_service)
        list->in_service = version;
    return true;
}

enum err_code versions_collect(struct call *call, const char *name,
                               struct version_list *list, struct err *e)
{
    struct registry *registry = call->api->registry;
    struct version_list count = {.n = 0};

    registry_each_version(registry, name, collect, &count);
    *list = (struct version_list){.room = count.n};
    list->versions =
        arena_take(call->request->memory, count.n, sizeof *list->versions);
    if (list->versions == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the list of versions");
    registry_each_version(registry, name, collect, list);
    return ERR_OK;
}

/* ---- list ---- */

/* Where each version of a list comes from. */
struct origins {
    const struct version_list *list;
    struct origin {
        uint64_t parent; /* 0: not known */
        int64_t job, created_ms;
    } * items; /* (list->n) */
};

static bool note_origin(void *arg, const struct stored_version *v)
{
    struct origins *o = arg;

    for (size_t i = 0; i < o->list->n; i++) {
        if (o->list->versions[i] == v->version)
            o->items[i] = (struct origin){v->parent, v->job, v->created_ms};
    }
    return true;
}

/* As far as the store can be read: what is served does not depend on it. */
static enum err_code find_origins(struct call *call, struct origins *o,
                                  struct err *e)
{
    struct err ignored;

    o->items =
        arena_zeroed(call->request->memory, o->list->n, sizeof *o->items);
    if (o->items == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the list of versions");
    struct database *db = learning_read(call, &ignored);
    if (db == NULL)
        return ERR_OK;
    enum err_code code =
        versions_each(db, call->model, note_origin, o, &ignored);
    (void)code;
    store_end_read(call->api->learning->store, db);
    return ERR_OK;
}

static void print_list(struct call *call, const struct origins *o)
{
    const struct version_list *list = o->list;
    struct buf *b = api_response_json(call->response, 200);

    buf_text(b, "{\"model\":");
    buf_json_text(b, call->model);
    buf_text(b, ",\"versions\":[");
    for (size_t i = 0; i < list->n; i++) {
        const struct origin *from = &o->items[i];
        buf_printf(b, "%s{\"version\":", i > 0 ? "," : "");
        buf_json_uint(b, list->versions[i]);
        buf_printf(b, ",\"in_service\":%s",
                   list->versions[i] == list->in_service ? "true" : "false");
        buf_text(b, ",\"parent\":");
        print_uint_or_null(b, from->parent);
        buf_text(b, ",\"job\":");
        print_uint_or_null(b, (uint64_t)from->job);
        buf_text(b, ",\"created\":");
        learning_print_time(b, from->created_ms);
        buf_char(b, '}');
    }
    buf_text(b, "]}\n");
}

enum err_code versions_list(struct call *call, struct err *e)
{
    struct registry *registry = call->api->registry;
    const struct served *s = registry_acquire(registry, call->model, 0, e);
    struct version_list list;
    struct origins origins = {.list = &list};

    if (s == NULL)
        return e->code;
    enum err_code code = versions_collect(call, s->name, &list, e);
    registry_release(registry, s);
    if (code != ERR_OK || find_origins(call, &origins, e) != ERR_OK)
        return e->code;
    print_list(call, &origins);
    return ERR_OK;
}

/* ---- activate ---- */

/* Of two that want to change the same state one comes too late, even if both
 * are in one commit: then the record runs ahead of what serves. */
static enum err_code check_state(const struct call *call, struct database *db,
                                 struct err *e)
{
    struct registry *registry = call->api->registry;
    struct err unused;
    uint64_t recorded;

    if (call->request->if_match == NULL)
        return ERR_OK;
    if (etag_check(call, e) != ERR_OK ||
        versions_get_service(db, call->model, &recorded, e) != ERR_OK)
        return e->code;
    const struct served *now = registry_acquire(registry, call->model, 0, e);
    if (now == NULL)
        return e->code;
    /* One that could not be loaded does not count. */
    const struct served *next =
        recorded != 0
            ? registry_acquire(registry, call->model, recorded, &unused)
            : NULL;
    bool ahead = next != NULL && next != now;
    registry_release(registry, next);
    registry_release(registry, now);
    return ahead ? err_set(e, ERR_STALE,
                           "If-Match: version %llu goes into service just now",
                           (unsigned long long)recorded)
                 : ERR_OK;
}

static enum err_code write_service(struct pending *p, struct database *db,
                                   struct err *e)
{
    if (check_state(&p->call, db, e) != ERR_OK)
        return e->code;
    return versions_set_service(db, p->call.model, p->call.version,
                                learning_now_ms(), e);
}

/* Replies come in the order of the commits, so what is in service until now is
 * what the commit before has put there. */
static enum err_code serve(struct pending *p, struct err *e)
{
    const struct call *call = &p->call;
    struct registry *registry = call->api->registry;
    const struct served *s = registry_acquire(registry, call->model, 0, e);

    if (s == NULL)
        return e->code;
    uint64_t previous = s->version;
    registry_release(registry, s);
    if (registry_activate(registry, call->model, call->version, e) != ERR_OK)
        return e->code;
    struct buf *b = api_response_json(call->response, 200);
    buf_text(b, "{\"model\":");
    buf_json_text(b, call->model);
    buf_text(b, ",\"version\":");
    buf_json_uint(b, call->version);
    buf_text(b, ",\"previous\":");
    buf_json_uint(b, previous);
    buf_text(b, "}\n");
    return ERR_OK;
}

enum err_code versions_activate(struct call *call, struct err *e)
{
    struct registry *registry = call->api->registry;

    if (learning_need(call, e) == NULL)
        return e->code;
    const struct served *s =
        registry_acquire(registry, call->model, call->version, e);
    if (s == NULL)
        return e->code;
    registry_release(registry, s);
    struct pending *p = pending_new(call, sizeof *p, write_service, e);
    if (p == NULL)
        return e->code;
    p->after = serve;
    return pending_send(p, call, e);
}
