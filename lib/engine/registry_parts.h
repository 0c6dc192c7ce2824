/* What the registry's files share: its tables, and what is done to them under
 * its lock.
 *
 * The lock is held for a look-up and a count, never while a model works, loads
 * or is freed.
 */
#ifndef SPARSED_ENGINE_REGISTRY_PARTS_H
#define SPARSED_ENGINE_REGISTRY_PARTS_H

#include "lib/base/lock.h"
#include "lib/engine/registry.h"
#include "lib/engine/repository.h"

struct slot {
    struct served served;
    struct model *model;           /* the same as served.model, owned */
    struct repository_stamp stamp; /* of its file, zeros if there is none */
    size_t users;                  /* guarded by the registry's lock, as is */
    bool removed; /* in no name's list: freed with its last user */
};

/* It stays once it was added: slots in use point at its name. */
struct name {
    char name[REPOSITORY_MAX_NAME + 1];
    struct slot **slots; /* by version */
    size_t n, room;
    struct slot *in_service;
    /* Why none is in service; "" while one is. There may be slots all the same,
     * of jobs that have gone on: they wait for a load. */
    char idle[sizeof((struct err){0}.msg)];
    bool busy;        /* a load is under way */
    uint64_t loading; /* and reads this version */
};

struct failure {
    char name[REPOSITORY_MAX_NAME + 1];
    uint64_t version;
    char why[sizeof((struct err){0}.msg)];
};

struct registry {
    struct lock lock;
    struct name **names; /* by name; all below guarded by lock */
    size_t n, room;
    size_t n_removed; /* slots that are removed and still in use */
    struct failure *failures;
    size_t n_failures, failures_room;
    char folder[REPOSITORY_MAX_PATH]; /* of models; "" if none was given */
};

/* ---- slots ---- */

/* Takes the model over, on errors too: then NULL. */
struct slot *slot_new(uint64_t version, struct model *model, struct err *e);
/* The same from a file: loaded and prepared; logged by `name`. */
struct slot *slot_load(const char *name, uint64_t version, const char *path,
                       struct err *e);
void slot_free(struct slot *slot); /* nobody has it, or NULL */

/* ---- under the lock ---- */

struct name *registry_get_locked(const struct registry *r, const char *name);
/* Gets or makes it; a new one has no versions. NULL: out of memory. */
struct name *registry_make_locked(struct registry *r, const char *name);

struct slot *name_find(const struct name *name, uint64_t version); /* or NULL */
/* Room for `more` slots; false: out of memory. */
bool name_reserve(struct name *name, size_t more);
/* Puts the slot in, for which there is room; gives the one of its number whose
 * place it takes, or NULL. */
struct slot *name_put(struct name *name, struct slot *slot);

/* The slot is in no list any more. Gives it back if nobody has it: it is to be
 * freed when the lock is dropped; NULL: its last user will. */
struct slot *registry_retire_locked(struct registry *r, struct slot *slot);

/* ERR_NOT_FOUND that lists the names in service. */
enum err_code registry_say_names_locked(const struct registry *r,
                                        const char *name, struct err *e);

/* Whether failures of the name are noted; forgetting them. */
bool registry_failed_locked(const struct registry *r, const char *name);
void registry_forgive_locked(struct registry *r, const char *name);
/* Room for `more`; false: out of memory. Then one that fits. */
bool registry_reserve_failures_locked(struct registry *r, size_t more);
void registry_blame_locked(struct registry *r, const char *name,
                           uint64_t version, const char *why);

/* Room for one more in a block of n items; the block may move. NULL: out of
 * memory, and the old block stays. */
void *registry_grow(void *items, size_t n, size_t *room, size_t size);

#endif
