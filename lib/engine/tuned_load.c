/* At start: the store's list is read first and loaded then, so that no reading
 * stays open while models are made. */
#include "lib/engine/tuned.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/engine/repository.h"
#include "lib/store/versions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct entry {
    char name[REPOSITORY_MAX_NAME + 1];
    uint64_t version;
};

struct list {
    struct entry *entries;
    size_t n, room;
    bool failed; /* out of memory */
};

static bool list_add(struct list *l, const char *name, uint64_t version)
{
    if (l->n == l->room) {
        size_t room = l->room > 0 ? 2 * l->room : 16;
        struct entry *entries = mem_array(room, sizeof *entries);
        l->failed = entries == NULL;
        if (l->failed)
            return false;
        if (l->n > 0)
            memcpy(entries, l->entries, l->n * sizeof *entries);
        mem_free(l->entries);
        l->entries = entries;
        l->room = room;
    }
    struct entry *entry = &l->entries[l->n++];
    snprintf(entry->name, sizeof entry->name, "%s", name);
    entry->version = version;
    return true;
}

static bool add_stored(void *arg, const struct stored_version *v)
{
    return list_add(arg, v->model, v->version);
}

static bool add_served(void *arg, const char *name, uint64_t in_service)
{
    return list_add(arg, name, in_service);
}

/* ---- versions ---- */

static enum err_code read_versions(const struct tuned *t, struct list *list,
                                   struct err *e)
{
    struct database *db = store_begin_read(t->store, e);

    if (db == NULL)
        return e->code;
    enum err_code code = versions_each(db, NULL, add_stored, list, e);
    store_end_read(t->store, db);
    if (code == ERR_OK && list->failed)
        code = err_set(e, ERR_NO_MEMORY, "no memory for a list of versions");
    return code;
}

static enum err_code load_one(const struct tuned *t, const struct entry *entry,
                              struct err *e)
{
    char path[REPOSITORY_MAX_PATH];

    if (!repository_name_ok(entry->name, strlen(entry->name)))
        return err_set(e, ERR_CORRUPT, "the store names a model \"%s\"",
                       entry->name);
    if (tuned_path(t, path, sizeof path, entry->name, entry->version, e) !=
        ERR_OK)
        return e->code;
    return registry_add_file(t->registry, entry->name, entry->version, path, e);
}

static enum err_code load_versions(const struct tuned *t, struct err *e)
{
    struct list list = {.n = 0};
    enum err_code code = read_versions(t, &list, e);

    for (size_t i = 0; code == ERR_OK && i < list.n; i++) {
        const struct entry *entry = &list.entries[i];
        struct err why;
        if (load_one(t, entry, &why) != ERR_OK)
            code = registry_fail(t->registry, entry->name, entry->version, &why,
                                 e);
    }
    mem_free(list.entries);
    return code;
}

/* ---- service ---- */

static bool same_failure(void *arg, const char *name, uint64_t version,
                         const char *why)
{
    struct entry *entry = arg;

    (void)why;
    if (version != entry->version || strcmp(name, entry->name) != 0)
        return true;
    entry->version = 0;
    return false;
}

/* A version that was to serve is not there. */
static enum err_code note_missing(const struct tuned *t, const char *name,
                                  uint64_t wanted, uint64_t serves,
                                  const struct err *why, struct err *e)
{
    struct entry known = {.version = wanted};

    log_event(LOG_ERROR, "learner", "not-in-service",
              "model=%s version=%" PRIu64 " serves=%" PRIu64, name, wanted,
              serves);
    snprintf(known.name, sizeof known.name, "%s", name);
    registry_each_failure(t->registry, same_failure, &known);
    return known.version == 0
               ? ERR_OK
               : registry_fail(t->registry, name, wanted, why, e);
}

static enum err_code serve(const struct tuned *t, struct database *db,
                           const struct entry *served, struct err *e)
{
    uint64_t version;
    struct err why;

    if (versions_get_service(db, served->name, &version, e) != ERR_OK)
        return e->code;
    if (version == 0 || version == served->version)
        return ERR_OK;
    if (registry_activate(t->registry, served->name, version, &why) == ERR_OK) {
        log_event(LOG_INFO, "learner", "in-service",
                  "model=%s version=%" PRIu64, served->name, version);
        return ERR_OK;
    }
    return note_missing(t, served->name, version, served->version, &why, e);
}

static enum err_code serve_all(const struct tuned *t, struct err *e)
{
    struct list list = {.n = 0};
    enum err_code code = ERR_OK;

    registry_each_model(t->registry, add_served, &list);
    if (list.failed)
        code = err_set(e, ERR_NO_MEMORY, "no memory for a list of models");
    struct database *db = code == ERR_OK ? store_begin_read(t->store, e) : NULL;
    if (db == NULL)
        code = e->code;
    for (size_t i = 0; code == ERR_OK && i < list.n; i++)
        code = serve(t, db, &list.entries[i], e);
    if (db != NULL)
        store_end_read(t->store, db);
    mem_free(list.entries);
    return code;
}

enum err_code tuned_load(const struct tuned *t, struct err *e)
{
    enum err_code code = load_versions(t, e);

    return code == ERR_OK ? serve_all(t, e) : code;
}
