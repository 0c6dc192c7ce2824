/* A load while others use the model: its files are read first, on the caller's
 * thread; then the store's thread looks what is to serve and puts it there, so
 * that no commit comes between. */
#include "lib/engine/tuned.h"

#include "lib/base/lock.h"
#include "lib/base/mem.h"
#include "lib/engine/repository.h"
#include "lib/store/versions.h"

struct reload {
    struct store_work work; /* first: found by it */
    const struct tuned *t;
    const char *name;
    struct registry_load *load; /* NULL: it has ended */
    struct tuned_version {
        uint64_t version;
        bool listed; /* still, when the store's thread looks */
    } * versions;
    size_t n, room;
    uint64_t service;
    struct err err;
    struct lock lock;
    struct cond change;
    bool done; /* guarded by lock */
};

/* ---- the tuned versions ---- */

static bool count_version(void *arg, const struct stored_version *v)
{
    struct reload *r = arg;

    (void)v;
    r->room++;
    return true;
}

static bool add_version(void *arg, const struct stored_version *v)
{
    struct reload *r = arg;

    r->versions[r->n++].version = v->version;
    return r->n < r->room;
}

static bool mark_version(void *arg, const struct stored_version *v)
{
    struct reload *r = arg;

    for (size_t i = 0; i < r->n; i++)
        r->versions[i].listed |= r->versions[i].version == v->version;
    return true;
}

static enum err_code list_versions(struct reload *r, struct err *e)
{
    struct database *db = store_begin_read(r->t->store, e);

    if (db == NULL)
        return e->code;
    enum err_code code = versions_each(db, r->name, count_version, r, e);
    if (code == ERR_OK && r->room > 0) {
        r->versions = mem_array(r->room, sizeof *r->versions);
        code = r->versions == NULL
                   ? err_set(e, ERR_NO_MEMORY, "no memory for its versions")
                   : versions_each(db, r->name, add_version, r, e);
    }
    store_end_read(r->t->store, db);
    return code;
}

static enum err_code read_versions(struct reload *r, struct err *e)
{
    for (size_t i = 0; i < r->n; i++) {
        char path[REPOSITORY_MAX_PATH];
        uint64_t version = r->versions[i].version;
        if (tuned_path(r->t, path, sizeof path, r->name, version, e) !=
                ERR_OK ||
            registry_load_file(r->load, version, path, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

/* ---- on the store's thread ---- */

static enum err_code look(struct store_work *w, struct database *db,
                          struct err *e)
{
    struct reload *r = (struct reload *)w;
    enum err_code code = versions_get_service(db, r->name, &r->service, e);

    if (code == ERR_OK)
        code = versions_each(db, r->name, mark_version, r, e);
    return code;
}

/* Versions that a job's end has deleted meanwhile are left out. */
static void enter(struct store_work *w, const struct err *e)
{
    struct reload *r = (struct reload *)w;

    r->err = *e;
    if (e->code == ERR_OK) {
        for (size_t i = 0; i < r->n; i++) {
            if (!r->versions[i].listed)
                registry_load_forget(r->load, r->versions[i].version);
        }
        r->err.code = registry_end_load(r->load, r->service, &r->err);
        r->load = NULL;
    }
    lock_take(&r->lock);
    r->done = true;
    cond_broadcast(&r->change);
    lock_drop(&r->lock);
}

/* ---- the whole ---- */

static enum err_code go_in(struct reload *r, struct err *e)
{
    if (store_submit(r->t->store, &r->work, e) != ERR_OK)
        return e->code;
    lock_take(&r->lock);
    while (!r->done)
        cond_wait(&r->change, &r->lock);
    lock_drop(&r->lock);
    *e = r->err;
    return e->code;
}

/* The store's own trouble may end. */
static enum err_code give_up(struct reload *r, struct err *e)
{
    registry_drop_load(r->load);
    if (e->code != ERR_NO_MEMORY)
        e->code = ERR_BUSY;
    return err_wrap(e, "failed to load '%s'", r->name);
}

enum err_code tuned_reload(const struct tuned *t, const char *name,
                           struct err *e)
{
    struct reload r = {.work = {.run = look, .done = enter},
                       .t = t,
                       .name = name,
                       .load = registry_begin_load(t->registry, name, e)};

    if (r.load == NULL)
        return e->code;
    lock_init(&r.lock);
    cond_init(&r.change);
    enum err_code code = list_versions(&r, e);
    if (code == ERR_OK)
        code = read_versions(&r, e);
    if (code == ERR_OK)
        code = go_in(&r, e);
    if (r.load != NULL)
        code = give_up(&r, e);
    cond_fini(&r.change);
    lock_fini(&r.lock);
    mem_free(r.versions);
    return code;
}
