/* What the registry tells of itself, and the failures that it keeps. */
#include "lib/base/log.h"
#include "lib/engine/registry_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- failures ---- */

bool registry_reserve_failures_locked(struct registry *r, size_t more)
{
    while (r->failures_room < r->n_failures + more) {
        struct failure *failures = registry_grow(
            r->failures, r->failures_room, &r->failures_room, sizeof *failures);
        if (failures == NULL)
            return false;
        r->failures = failures;
    }
    return true;
}

void registry_blame_locked(struct registry *r, const char *name,
                           uint64_t version, const char *why)
{
    struct failure *f = &r->failures[r->n_failures++];

    assert(r->n_failures <= r->failures_room);
    snprintf(f->name, sizeof f->name, "%s", name);
    f->version = version;
    snprintf(f->why, sizeof f->why, "%s", why);
}

enum err_code registry_fail(struct registry *r, const char *name,
                            uint64_t version, const struct err *why,
                            struct err *e)
{
    char quoted[2 * sizeof why->msg];

    log_event(LOG_ERROR, "registry", "failed",
              "model=%s version=%" PRIu64 " why=%s", name, version,
              log_quote(quoted, sizeof quoted, why->msg));
    lock_take(&r->lock);
    bool fits = registry_reserve_failures_locked(r, 1);
    if (fits)
        registry_blame_locked(r, name, version, why->msg);
    lock_drop(&r->lock);
    return fits ? ERR_OK
                : err_set(e, ERR_NO_MEMORY, "no memory for model %s", name);
}

void registry_each_failure(struct registry *r,
                           bool (*visit)(void *arg, const char *name,
                                         uint64_t version, const char *why),
                           void *arg)
{
    lock_take(&r->lock);
    for (size_t i = 0; i < r->n_failures; i++) {
        const struct failure *f = &r->failures[i];
        if (!visit(arg, f->name, f->version, f->why))
            break;
    }
    lock_drop(&r->lock);
}

bool registry_failed_locked(const struct registry *r, const char *name)
{
    size_t i = 0;

    while (i < r->n_failures && strcmp(r->failures[i].name, name) != 0)
        i++;
    return i < r->n_failures;
}

void registry_forgive_locked(struct registry *r, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_failures; i++) {
        if (strcmp(r->failures[i].name, name) != 0)
            r->failures[n++] = r->failures[i];
    }
    r->n_failures = n;
}

/* ---- what is there ---- */

void registry_each_model(struct registry *r,
                         bool (*visit)(void *arg, const char *name,
                                       uint64_t in_service),
                         void *arg)
{
    lock_take(&r->lock);
    for (size_t i = 0; i < r->n; i++) {
        const struct name *name = r->names[i];
        if (name->in_service != NULL &&
            !visit(arg, name->name, name->in_service->served.version))
            break;
    }
    lock_drop(&r->lock);
}

void registry_each_version(struct registry *r, const char *name,
                           bool (*visit)(void *arg, uint64_t version,
                                         bool in_service),
                           void *arg)
{
    lock_take(&r->lock);
    const struct name *entry = registry_get_locked(r, name);
    for (size_t i = 0; entry != NULL && i < entry->n; i++) {
        const struct slot *slot = entry->slots[i];
        if (!visit(arg, slot->served.version, slot == entry->in_service))
            break;
    }
    lock_drop(&r->lock);
}

struct state_visit {
    bool (*call)(void *arg, const char *name, uint64_t version,
                 enum registry_state state, const char *why);
    void *arg;
};

/* False stops, as in all of these. */
static bool visit_name(const struct state_visit *visit, const struct name *name)
{
    bool serves = name->in_service != NULL;

    for (size_t i = 0; serves && i < name->n; i++) {
        if (!visit->call(visit->arg, name->name, name->slots[i]->served.version,
                         REGISTRY_READY, ""))
            return false;
    }
    if (name->busy && (!serves || name_find(name, name->loading) == NULL))
        return visit->call(visit->arg, name->name, name->loading,
                           REGISTRY_LOADING, "");
    return serves || visit->call(visit->arg, name->name, 0,
                                 REGISTRY_UNAVAILABLE, name->idle);
}

void registry_each_state(struct registry *r,
                         bool (*visit)(void *arg, const char *name,
                                       uint64_t version,
                                       enum registry_state state,
                                       const char *why),
                         void *arg)
{
    struct state_visit v = {.call = visit, .arg = arg};
    bool on = true;

    lock_take(&r->lock);
    for (size_t i = 0; on && i < r->n; i++)
        on = visit_name(&v, r->names[i]);
    for (size_t i = 0; on && i < r->n_failures; i++) {
        const struct failure *f = &r->failures[i];
        on = visit(arg, f->name, f->version, REGISTRY_UNAVAILABLE, f->why);
    }
    lock_drop(&r->lock);
}
