/* Pruning: the store forgets a version first, then the registry, then the
 * disk; a process that dies between leaves a folder for tuned_sweep. */
#include "lib/engine/tuned.h"

#include "lib/base/log.h"
#include "lib/engine/repository.h"
#include "lib/store/versions.h"

#include <inttypes.h>

struct prune {
    struct store_work work; /* first: found by it */
    const char *name;
    size_t keep;
    uint64_t in_service, parent;
    /* By age; one that is deleted is moved to the end. */
    uint64_t versions[REPOSITORY_MAX_VERSIONS];
    size_t n, n_deleted;
};

static bool add_version(void *arg, const struct stored_version *v)
{
    struct prune *p = arg;

    if (v->version == p->in_service)
        p->parent = v->parent;
    else
        p->versions[p->n++] = v->version;
    return p->n < REPOSITORY_MAX_VERSIONS;
}

/* The oldest but the parent, which has its turn when it is alone. */
static uint64_t next_victim(struct prune *p)
{
    size_t i = p->n > 1 && p->versions[0] == p->parent ? 1 : 0;
    uint64_t victim = p->versions[i];

    p->n--;
    for (; i < p->n; i++)
        p->versions[i] = p->versions[i + 1];
    p->versions[p->n] = victim;
    p->n_deleted++;
    return victim;
}

static enum err_code run_prune(struct store_work *w, struct database *db,
                               struct err *e)
{
    struct prune *p = (struct prune *)w;
    enum err_code code;

    p->n = p->n_deleted = 0;
    p->parent = 0;
    code = versions_get_service(db, p->name, &p->in_service, e);
    if (code == ERR_OK)
        code = versions_each(db, p->name, add_version, p, e);
    while (code == ERR_OK && p->n > p->keep)
        code = versions_delete(db, p->name, next_victim(p), e);
    return code;
}

enum err_code tuned_prune(const struct tuned *t, const char *name, size_t keep,
                          struct err *e)
{
    struct prune p = {.work = {.run = run_prune}, .name = name, .keep = keep};

    if (store_write(t->store, &p.work, e) != ERR_OK)
        return e->code;
    for (size_t i = 0; i < p.n_deleted; i++) {
        uint64_t version = p.versions[p.n + i];
        struct err why;
        log_event(LOG_INFO, "learner", "pruned", "model=%s version=%" PRIu64,
                  name, version);
        /* One that could not be loaded is not there. */
        if (registry_remove(t->registry, name, version, &why) == ERR_OK ||
            why.code == ERR_NOT_FOUND)
            tuned_remove_files(t, name, version);
    }
    return ERR_OK;
}
