/* Registry: names in order, each with its versions in order, under one lock
 * that is held for a look-up and a count, never while a model works, loads or
 * is freed. A name that was added stays, and always has a version in service;
 * a version that was removed lives on outside the table until nobody has it.
 */
#include "lib/engine/registry.h"

#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/engine/repository.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Names and versions that an error message lists. */
#define LISTED 8

struct slot {
    struct served served;
    struct model *model; /* the same as served.model, owned */
    size_t users;        /* guarded by the registry's lock, as is */
    bool removed;        /* in no name's list: freed with its last user */
};

struct name {
    char name[REPOSITORY_MAX_NAME + 1];
    struct slot **slots; /* by version, room for one more at least */
    size_t n, room;
    struct slot *in_service;
};

struct failure {
    char name[REPOSITORY_MAX_NAME + 1];
    uint64_t version;
    struct err err;
};

struct registry {
    struct lock lock;
    struct name **names; /* by name; all below guarded by lock */
    size_t n, room;
    size_t n_removed; /* slots that are removed and still in use */
    struct failure *failures;
    size_t n_failures, failures_room;
};

struct registry *registry_new(void)
{
    struct registry *r = mem_array(1, sizeof *r);

    if (r != NULL)
        lock_init(&r->lock);
    return r;
}

static void slot_free(struct slot *slot)
{
    if (slot == NULL)
        return;
    assert(slot->users == 0);
    usage_free(slot->served.usage);
    model_free(slot->model);
    mem_free(slot);
}

static void name_free(struct name *name)
{
    for (size_t i = 0; i < name->n; i++)
        slot_free(name->slots[i]);
    mem_free(name->slots);
    mem_free(name);
}

void registry_free(struct registry *r)
{
    if (r == NULL)
        return;
    assert(r->n_removed == 0);
    for (size_t i = 0; i < r->n; i++)
        name_free(r->names[i]);
    mem_free(r->names);
    mem_free(r->failures);
    lock_fini(&r->lock);
    mem_free(r);
}

/* Room for one more in a block of n items; the block may move. NULL: out of
 * memory, and the old block stays. */
static void *grow(void *items, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return items;
    size_t wanted = *room > 0 ? 2 * *room : 4;
    void *block = mem_array(wanted, size);
    if (block == NULL)
        return NULL;
    if (n > 0)
        memcpy(block, items, n * size);
    mem_free(items);
    *room = wanted;
    return block;
}

/* Where the name stands, or would stand. */
static size_t find_name_locked(const struct registry *r, const char *name)
{
    size_t low = 0;
    size_t high = r->n;

    assert(lock_held(&r->lock));
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(r->names[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct name *get_name_locked(const struct registry *r, const char *name)
{
    size_t i = find_name_locked(r, name);

    return i < r->n && strcmp(r->names[i]->name, name) == 0 ? r->names[i]
                                                            : NULL;
}

/* Gets or makes it; a new one has no versions yet. */
static struct name *make_name_locked(struct registry *r, const char *name)
{
    struct name *found = get_name_locked(r, name);

    if (found != NULL)
        return found;
    struct name **names = grow(r->names, r->n, &r->room, sizeof *names);
    if (names == NULL)
        return NULL;
    r->names = names;
    found = mem_array(1, sizeof *found);
    if (found == NULL)
        return NULL;
    snprintf(found->name, sizeof found->name, "%s", name);
    size_t i = find_name_locked(r, name);
    memmove(names + i + 1, names + i, (r->n - i) * sizeof *names);
    names[i] = found;
    r->n++;
    return found;
}

/* Takes the slot over if it gives ERR_OK. */
static enum err_code insert_locked(struct registry *r, const char *name,
                                   struct slot *slot, struct err *e)
{
    struct name *entry = make_name_locked(r, name);

    if (entry == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for model %s", name);
    size_t i = entry->n;
    while (i > 0 && entry->slots[i - 1]->served.version >= slot->served.version)
        i--;
    if (i < entry->n && entry->slots[i]->served.version == slot->served.version)
        return err_set(e, ERR_CONFLICT,
                       "version %" PRIu64 " of model %s is there already",
                       slot->served.version, name);
    struct slot **slots =
        grow(entry->slots, entry->n, &entry->room, sizeof(struct slot *));
    if (slots == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for model %s", name);
    memmove(slots + i + 1, slots + i, (entry->n - i) * sizeof *slots);
    slots[i] = slot;
    slot->served.name = entry->name;
    entry->slots = slots;
    entry->n++;
    if (entry->in_service == NULL)
        entry->in_service = slot;
    return ERR_OK;
}

enum err_code registry_add(struct registry *r, const char *name,
                           uint64_t version, struct model *model, struct err *e)
{
    struct slot *slot = NULL;
    enum err_code code = ERR_OK;

    assert(version > 0);
    if (!repository_name_ok(name, strlen(name))) {
        code = err_set(e, ERR_INVALID,
                       "a model's name is 1 to %d of A-Z a-z 0-9 . _ -",
                       REPOSITORY_MAX_NAME);
        goto out;
    }
    slot = mem_array(1, sizeof *slot);
    if (slot == NULL) {
        code = err_set(e, ERR_NO_MEMORY, "no memory for model %s", name);
        goto out;
    }
    slot->model = model;
    slot->served = (struct served){
        .version = version,
        .model = model,
        .usage = usage_new(layer_groups(model_top(model))),
        .slot = slot,
    };
    if (slot->served.usage == NULL) {
        code = err_set(e, ERR_NO_MEMORY, "no memory for model %s", name);
        goto out;
    }
    lock_take(&r->lock);
    code = insert_locked(r, name, slot, e);
    lock_drop(&r->lock);
out:
    if (code != ERR_OK) {
        if (slot == NULL || slot->model == NULL)
            model_free(model);
        slot_free(slot);
    }
    return code;
}

static void say_names_locked(const struct registry *r, const char *name,
                             struct err *e)
{
    char list[160] = "none";
    size_t used = 0;

    for (size_t i = 0; i < r->n && i < LISTED && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 i > 0 ? ", " : "", r->names[i]->name);
    err_set(e, ERR_NOT_FOUND, "no model %.64s; there are: %s%s", name, list,
            r->n > LISTED ? ", ..." : "");
}

static void say_versions(const struct name *name, uint64_t version,
                         struct err *e)
{
    char list[160] = "";
    size_t used = 0;

    for (size_t i = 0; i < name->n && i < LISTED && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%" PRIu64,
                             i > 0 ? ", " : "", name->slots[i]->served.version);
    err_set(e, ERR_NOT_FOUND,
            "model %s has no version %" PRIu64 "; it has: %s%s", name->name,
            version, list, name->n > LISTED ? ", ..." : "");
}

/* NULL, with what there is in e: no such model or version. */
static struct slot *find_locked(const struct registry *r, const char *name,
                                uint64_t version, struct name **entry,
                                struct err *e)
{
    *entry = get_name_locked(r, name);
    if (*entry == NULL) {
        say_names_locked(r, name, e);
        return NULL;
    }
    if (version == 0)
        return (*entry)->in_service;
    for (size_t i = (*entry)->n; i > 0; i--) {
        if ((*entry)->slots[i - 1]->served.version == version)
            return (*entry)->slots[i - 1];
    }
    say_versions(*entry, version, e);
    return NULL;
}

enum err_code registry_activate(struct registry *r, const char *name,
                                uint64_t version, struct err *e)
{
    struct name *entry;

    assert(version > 0);
    lock_take(&r->lock);
    struct slot *slot = find_locked(r, name, version, &entry, e);
    if (slot != NULL)
        entry->in_service = slot;
    lock_drop(&r->lock);
    return slot != NULL ? ERR_OK : e->code;
}

/* Takes the slot out of the name's list; true: nobody has it. */
static bool take_out_locked(struct registry *r, struct name *entry,
                            struct slot *slot)
{
    size_t i = 0;

    assert(lock_held(&r->lock));
    while (entry->slots[i] != slot)
        i++;
    entry->n--;
    memmove(entry->slots + i, entry->slots + i + 1,
            (entry->n - i) * sizeof(struct slot *));
    slot->removed = true;
    r->n_removed += slot->users > 0;
    return slot->users == 0;
}

enum err_code registry_remove(struct registry *r, const char *name,
                              uint64_t version, struct err *e)
{
    struct slot *unused = NULL;
    enum err_code code = ERR_OK;
    struct name *entry;

    assert(version > 0);
    lock_take(&r->lock);
    struct slot *slot = find_locked(r, name, version, &entry, e);
    if (slot == NULL)
        code = e->code;
    else if (slot == entry->in_service)
        code = err_set(e, ERR_CONFLICT,
                       "version %" PRIu64 " of model %s is in service", version,
                       name);
    else if (take_out_locked(r, entry, slot))
        unused = slot;
    lock_drop(&r->lock);
    slot_free(unused);
    return code;
}

const struct served *registry_acquire(struct registry *r, const char *name,
                                      uint64_t version, struct err *e)
{
    struct name *entry;

    lock_take(&r->lock);
    struct slot *slot = find_locked(r, name, version, &entry, e);
    if (slot != NULL)
        slot->users++;
    lock_drop(&r->lock);
    return slot != NULL ? &slot->served : NULL;
}

void registry_release(struct registry *r, const struct served *s)
{
    if (s == NULL)
        return;
    struct slot *slot = s->slot;
    lock_take(&r->lock);
    assert(&slot->served == s && slot->users > 0);
    slot->users--;
    bool unused = slot->removed && slot->users == 0;
    r->n_removed -= unused;
    lock_drop(&r->lock);
    if (unused)
        slot_free(slot);
}

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
    const struct name *entry = get_name_locked(r, name);
    for (size_t i = 0; entry != NULL && i < entry->n; i++) {
        const struct slot *slot = entry->slots[i];
        if (!visit(arg, slot->served.version, slot == entry->in_service))
            break;
    }
    lock_drop(&r->lock);
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
    struct failure *failures =
        grow(r->failures, r->n_failures, &r->failures_room, sizeof *failures);
    if (failures != NULL) {
        r->failures = failures;
        struct failure *f = &failures[r->n_failures++];
        snprintf(f->name, sizeof f->name, "%s", name);
        f->version = version;
        f->err = *why;
    }
    lock_drop(&r->lock);
    return failures != NULL
               ? ERR_OK
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
        if (!visit(arg, f->name, f->version, f->err.msg))
            break;
    }
    lock_drop(&r->lock);
}
