/* Loading and unloading. Files are read before the registry hears of them; what
 * was read goes in at once, or not at all.
 */
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/engine/registry_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- at start ---- */

/* Entries come in order, so the highest version that can be loaded is the last
 * to go into service. */
static enum err_code load_one(struct registry *r,
                              const struct repository_entry *entry,
                              struct err *e)
{
    char path[REPOSITORY_MAX_PATH];
    enum err_code code = repository_path(path, sizeof path, r->folder,
                                         entry->name, entry->version, e);

    if (code == ERR_OK)
        code = registry_add_file(r, entry->name, entry->version, path, e);
    if (code == ERR_OK)
        code = registry_activate(r, entry->name, entry->version, e);
    return code;
}

/* Version 0: the model's folder. */
static enum err_code refuse_model(void *arg, const char *name,
                                  const struct err *why, struct err *e)
{
    return registry_fail(arg, name, 0, why, e);
}

enum err_code registry_load(struct registry *r, const char *folder,
                            struct err *e)
{
    struct repository_refusal refusal = {.arg = r, .call = refuse_model};
    enum err_code code = ERR_OK;
    size_t n;

    if (strlen(folder) >= sizeof r->folder)
        return err_set(e, ERR_TOO_LARGE, "the path of the models is too long");
    snprintf(r->folder, sizeof r->folder, "%s", folder);
    struct repository_entry *entries = repository_scan(folder, &refusal, &n, e);
    if (entries == NULL)
        return e->code;
    for (size_t i = 0; i < n && code == ERR_OK; i++) {
        struct err why;
        if (load_one(r, &entries[i], &why) != ERR_OK)
            code =
                registry_fail(r, entries[i].name, entries[i].version, &why, e);
    }
    mem_free(entries);
    return code;
}

/* ---- one model, at any time ---- */

/* A version, or why there is none. */
struct fresh {
    uint64_t version;
    struct slot *slot;
    char why[sizeof((struct err){0}.msg)];
};

struct registry_load {
    struct registry *registry;
    struct name *name; /* busy, so that this load has it alone */
    struct fresh *fresh;
    size_t n, room;
    uint64_t highest; /* version in the folder */
};

/* Room for one more, zeroed and not counted yet; NULL: out of memory. */
static struct fresh *reserve(struct registry_load *l, uint64_t version,
                             struct err *e)
{
    struct fresh *fresh =
        registry_grow(l->fresh, l->n, &l->room, sizeof *fresh);

    if (fresh == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory for its versions");
        return NULL;
    }
    l->fresh = fresh;
    fresh += l->n;
    *fresh = (struct fresh){.version = version};
    return fresh;
}

/* Whether the version is there, and of which file. */
static bool look(struct registry_load *l, uint64_t version,
                 struct repository_stamp *stamp)
{
    lock_take(&l->registry->lock);
    const struct slot *slot = name_find(l->name, version);
    if (slot != NULL)
        *stamp = slot->stamp;
    else
        l->name->loading = version;
    lock_drop(&l->registry->lock);
    return slot != NULL;
}

static enum err_code read_entry(struct registry_load *l,
                                const struct repository_entry *entry,
                                struct err *e)
{
    struct repository_stamp now, then;
    char path[REPOSITORY_MAX_PATH];

    if (repository_path(path, sizeof path, l->registry->folder, entry->name,
                        entry->version, e) != ERR_OK)
        return e->code;
    l->highest = entry->version; /* they come in order */
    now = repository_stamp(path);
    if (look(l, entry->version, &then) && repository_same_file(&now, &then))
        return ERR_OK;
    struct fresh *fresh = reserve(l, entry->version, e);
    if (fresh == NULL)
        return e->code;
    fresh->slot = slot_load(l->name->name, entry->version, path, e);
    if (fresh->slot == NULL)
        return e->code;
    l->n++;
    return ERR_OK;
}

enum err_code registry_load_file(struct registry_load *l, uint64_t version,
                                 const char *path, struct err *e)
{
    struct repository_stamp unused;
    struct err why;

    if (look(l, version, &unused))
        return ERR_OK;
    struct fresh *fresh = reserve(l, version, e);
    if (fresh == NULL)
        return e->code;
    fresh->slot = slot_load(l->name->name, version, path, &why);
    if (fresh->slot == NULL) {
        char quoted[2 * sizeof why.msg];
        log_event(LOG_ERROR, "registry", "failed",
                  "model=%s version=%" PRIu64 " why=%s", l->name->name, version,
                  log_quote(quoted, sizeof quoted, why.msg));
        snprintf(fresh->why, sizeof fresh->why, "%s", why.msg);
    }
    l->n++;
    return ERR_OK;
}

void registry_load_forget(struct registry_load *l, uint64_t version)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        if (l->fresh[i].version == version)
            slot_free(l->fresh[i].slot);
        else
            l->fresh[n++] = l->fresh[i];
    }
    l->n = n;
}

/* Marks the model as busy, and as known if it was not. */
static enum err_code occupy(struct registry_load *l, const char *name,
                            struct err *e)
{
    struct registry *r = l->registry;
    enum err_code code = ERR_OK;

    lock_take(&r->lock);
    struct name *entry = registry_make_locked(r, name);
    if (entry == NULL) {
        code = err_set(e, ERR_NO_MEMORY, "no memory for a model");
    } else if (entry->busy) {
        code = err_set(e, ERR_BUSY, "it is being loaded, try again later");
    } else {
        entry->busy = true;
        entry->loading = 0;
        if (entry->in_service == NULL && entry->idle[0] == 0)
            snprintf(entry->idle, sizeof entry->idle, "never loaded");
        l->name = entry;
    }
    lock_drop(&r->lock);
    return code;
}

static void release(struct registry_load *l)
{
    for (size_t i = 0; i < l->n; i++)
        slot_free(l->fresh[i].slot);
    mem_free(l->fresh);
    mem_free(l);
}

/* `why` NULL: for a reason that is none of the model's. */
static void give_up(struct registry_load *l, const struct err *why)
{
    struct name *name = l->name;

    if (name != NULL) {
        lock_take(&l->registry->lock);
        name->busy = false;
        if (name->in_service == NULL && why != NULL)
            snprintf(name->idle, sizeof name->idle, "%s", why->msg);
        lock_drop(&l->registry->lock);
    }
    release(l);
}

void registry_drop_load(struct registry_load *l)
{
    give_up(l, NULL);
}

/* The versions in the model's own folder, which is in the models folder. */
static struct repository_entry *scan(const struct registry *r, const char *name,
                                     size_t *n, struct err *e)
{
    struct repository_entry *entries = NULL;

    *n = 0;
    if (repository_check_name(name, e) != ERR_OK)
        return NULL;
    e->code = ERR_NOT_FOUND;
    if (r->folder[0] != 0)
        entries = repository_scan_model(r->folder, name, n, e);
    if (entries != NULL ? *n > 0 : e->code != ERR_NOT_FOUND)
        return entries;
    mem_free(entries);
    err_set(e, ERR_NOT_FOUND,
            "the models folder has no complete version of it");
    return NULL;
}

static enum err_code begin(struct registry_load *l, const char *name,
                           struct err *e)
{
    size_t n;
    struct repository_entry *entries = scan(l->registry, name, &n, e);

    if (entries == NULL)
        return e->code;
    enum err_code code = occupy(l, name, e);
    for (size_t i = 0; i < n && code == ERR_OK; i++)
        code = read_entry(l, &entries[i], e);
    mem_free(entries);
    return code;
}

struct registry_load *registry_begin_load(struct registry *r, const char *name,
                                          struct err *e)
{
    struct registry_load *l = mem_array(1, sizeof *l);
    char quoted[2 * sizeof e->msg];

    if (l == NULL) {
        err_set(e, ERR_NO_MEMORY, "failed to load '%s': no memory", name);
        return NULL;
    }
    l->registry = r;
    if (begin(l, name, e) == ERR_OK)
        return l;
    err_wrap(e, "failed to load '%s'", name);
    log_event(LOG_WARN, "registry", "not-loaded", "why=%s",
              log_quote(quoted, sizeof quoted, e->msg));
    give_up(l, e);
    return NULL;
}

/* What is to serve; a version may have been removed since it was looked at. */
static struct slot *choose(const struct registry_load *l, uint64_t version)
{
    const struct name *name = l->name;
    struct slot *slot = name_find(name, version);

    if (slot == NULL)
        slot = name_find(name, l->highest);
    if (slot == NULL)
        slot = name->in_service;
    return slot == NULL && name->n > 0 ? name->slots[name->n - 1] : slot;
}

/* Each slot's place in l is taken by the one that it pushed out, if nobody has
 * that any more. */
static void put_slots_locked(struct registry_load *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct fresh *fresh = &l->fresh[i];
        if (fresh->slot == NULL)
            continue;
        struct slot *old = name_put(l->name, fresh->slot);
        fresh->slot =
            old != NULL ? registry_retire_locked(l->registry, old) : NULL;
    }
}

static void put_failures_locked(struct registry_load *l, uint64_t version)
{
    struct registry *r = l->registry;
    const char *name = l->name->name;
    bool missing = version != 0 && name_find(l->name, version) == NULL;

    registry_forgive_locked(r, name);
    for (size_t i = 0; i < l->n; i++) {
        const struct fresh *fresh = &l->fresh[i];
        if (fresh->why[0] == 0)
            continue;
        registry_blame_locked(r, name, fresh->version, fresh->why);
        missing &= fresh->version != version;
    }
    if (missing)
        registry_blame_locked(r, name, version,
                              "it should be in service, and is not there");
}

static enum err_code put_locked(struct registry_load *l, uint64_t version,
                                struct err *e)
{
    struct name *name = l->name;

    if (!name_reserve(name, l->n) ||
        !registry_reserve_failures_locked(l->registry, l->n + 1))
        return err_set(e, ERR_NO_MEMORY, "no memory for its versions");
    put_slots_locked(l);
    struct slot *serves = choose(l, version);
    if (serves == NULL)
        return err_set(e, ERR_CONFLICT, "all its versions were removed");
    put_failures_locked(l, version);
    name->in_service = serves;
    name->idle[0] = 0;
    return ERR_OK;
}

enum err_code registry_end_load(struct registry_load *l, uint64_t version,
                                struct err *e)
{
    struct registry *r = l->registry;
    struct name *name = l->name;

    lock_take(&r->lock);
    enum err_code code = put_locked(l, version, e);
    uint64_t serves = code == ERR_OK ? name->in_service->served.version : 0;
    name->busy = false;
    lock_drop(&r->lock);
    if (code == ERR_OK)
        log_event(LOG_INFO, "registry", "in-service",
                  "model=%s version=%" PRIu64 " new=%zu", name->name, serves,
                  l->n);
    else
        err_wrap(e, "failed to load '%s'", name->name);
    release(l);
    return code;
}

enum err_code registry_load_model(struct registry *r, const char *name,
                                  struct err *e)
{
    struct registry_load *l = registry_begin_load(r, name, e);

    return l != NULL ? registry_end_load(l, 0, e) : e->code;
}

/* ---- unloading ---- */

/* Empties the list; those that nobody has are left at its beginning, the number
 * of which it gives. */
static size_t empty_locked(struct registry *r, struct name *name)
{
    size_t unused = 0;

    for (size_t i = 0; i < name->n; i++) {
        struct slot *slot = registry_retire_locked(r, name->slots[i]);
        if (slot != NULL)
            name->slots[unused++] = slot;
    }
    name->n = 0;
    name->in_service = NULL;
    snprintf(name->idle, sizeof name->idle, "unloaded");
    return unused;
}

static enum err_code unload_locked(struct registry *r, const char *name,
                                   struct slot ***slots, size_t *n,
                                   struct err *e)
{
    struct name *entry = registry_get_locked(r, name);

    if (entry == NULL && !registry_failed_locked(r, name))
        return registry_say_names_locked(r, name, e);
    if (entry == NULL)
        entry = registry_make_locked(r, name);
    if (entry == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for a model");
    if (entry->busy)
        return err_set(e, ERR_BUSY, "it is being loaded, try again later");
    registry_forgive_locked(r, name);
    *n = empty_locked(r, entry);
    *slots = entry->slots;
    entry->slots = NULL;
    entry->room = 0;
    return ERR_OK;
}

enum err_code registry_unload(struct registry *r, const char *name,
                              struct err *e)
{
    struct slot **slots = NULL;
    size_t n = 0;

    lock_take(&r->lock);
    enum err_code code = unload_locked(r, name, &slots, &n, e);
    lock_drop(&r->lock);
    if (code != ERR_OK)
        return err_wrap(e, "failed to unload '%.64s'", name);
    for (size_t i = 0; i < n; i++)
        slot_free(slots[i]);
    mem_free(slots);
    log_event(LOG_INFO, "registry", "unloaded", "model=%s", name);
    return ERR_OK;
}
