/* Registry: names in order, each with its versions in order. A version that was
 * removed lives on outside the table until nobody has it.
 */
#include "lib/engine/registry.h"

#include "lib/base/mem.h"
#include "lib/engine/registry_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Names and versions that an error message lists. */
#define LISTED 8

struct registry *registry_new(void)
{
    struct registry *r = mem_array(1, sizeof *r);

    if (r != NULL)
        lock_init(&r->lock);
    return r;
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

void *registry_grow(void *items, size_t n, size_t *room, size_t size)
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

struct name *registry_get_locked(const struct registry *r, const char *name)
{
    size_t i = find_name_locked(r, name);

    return i < r->n && strcmp(r->names[i]->name, name) == 0 ? r->names[i]
                                                            : NULL;
}

struct name *registry_make_locked(struct registry *r, const char *name)
{
    struct name *found = registry_get_locked(r, name);

    if (found != NULL)
        return found;
    struct name **names =
        registry_grow(r->names, r->n, &r->room, sizeof *names);
    if (names == NULL)
        return NULL;
    r->names = names;
    found = mem_array(1, sizeof *found);
    if (found == NULL || !name_reserve(found, 1)) {
        mem_free(found);
        return NULL;
    }
    snprintf(found->name, sizeof found->name, "%s", name);
    size_t i = find_name_locked(r, name);
    memmove(names + i + 1, names + i, (r->n - i) * sizeof *names);
    names[i] = found;
    r->n++;
    return found;
}

/* ---- versions of a name ---- */

/* Where the version stands, or would stand. */
static size_t place_of(const struct name *name, uint64_t version)
{
    size_t i = name->n;

    while (i > 0 && name->slots[i - 1]->served.version >= version)
        i--;
    return i;
}

struct slot *name_find(const struct name *name, uint64_t version)
{
    size_t i = place_of(name, version);

    return i < name->n && name->slots[i]->served.version == version
               ? name->slots[i]
               : NULL;
}

bool name_reserve(struct name *name, size_t more)
{
    while (name->room < name->n + more) {
        struct slot **slots = registry_grow(name->slots, name->room,
                                            &name->room, sizeof(struct slot *));
        if (slots == NULL)
            return false;
        name->slots = slots;
    }
    return true;
}

struct slot *name_put(struct name *name, struct slot *slot)
{
    size_t i = place_of(name, slot->served.version);
    struct slot *old = name_find(name, slot->served.version);

    assert(old != NULL || name->n < name->room);
    if (old == NULL) {
        memmove(name->slots + i + 1, name->slots + i,
                (name->n - i) * sizeof(struct slot *));
        name->n++;
    }
    name->slots[i] = slot;
    slot->served.name = name->name;
    if (name->in_service == old && name->idle[0] == 0)
        name->in_service = slot;
    return old;
}

/* Takes the slot over if it gives ERR_OK. */
static enum err_code insert_locked(struct registry *r, const char *name,
                                   struct slot *slot, struct err *e)
{
    struct name *entry = registry_make_locked(r, name);

    if (entry == NULL || !name_reserve(entry, 1))
        return err_set(e, ERR_NO_MEMORY, "no memory for model %s", name);
    if (name_find(entry, slot->served.version) != NULL)
        return err_set(e, ERR_CONFLICT,
                       "version %" PRIu64 " of model %s is there already",
                       slot->served.version, name);
    name_put(entry, slot);
    return ERR_OK;
}

/* Takes the slot over; NULL: e says why there is none. */
static enum err_code insert(struct registry *r, const char *name,
                            struct slot *slot, struct err *e)
{
    if (slot == NULL)
        return e->code;
    lock_take(&r->lock);
    enum err_code code = insert_locked(r, name, slot, e);
    lock_drop(&r->lock);
    if (code != ERR_OK)
        slot_free(slot);
    return code;
}

enum err_code registry_add(struct registry *r, const char *name,
                           uint64_t version, struct model *model, struct err *e)
{
    if (repository_check_name(name, e) != ERR_OK) {
        model_free(model);
        return e->code;
    }
    return insert(r, name, slot_new(version, model, e), e);
}

enum err_code registry_add_file(struct registry *r, const char *name,
                                uint64_t version, const char *path,
                                struct err *e)
{
    if (repository_check_name(name, e) != ERR_OK)
        return e->code;
    return insert(r, name, slot_load(name, version, path, e), e);
}

/* ---- looking up ---- */

enum err_code registry_say_names_locked(const struct registry *r,
                                        const char *name, struct err *e)
{
    char list[160] = "";
    size_t used = 0, n = 0;

    for (size_t i = 0; i < r->n && n <= LISTED && used < sizeof list; i++) {
        if (r->names[i]->in_service == NULL)
            continue;
        const char *text = n == LISTED ? "..." : r->names[i]->name;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 n > 0 ? ", " : "", text);
        n++;
    }
    return err_set(e, ERR_NOT_FOUND, "no model %.64s; there are: %s", name,
                   n > 0 ? list : "none");
}

static enum err_code say_versions(const struct name *name, uint64_t version,
                                  struct err *e)
{
    char list[160] = "";
    size_t used = 0;

    for (size_t i = 0; i < name->n && i < LISTED && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%" PRIu64,
                             i > 0 ? ", " : "", name->slots[i]->served.version);
    return err_set(e, ERR_NOT_FOUND,
                   "model %s has no version %" PRIu64 "; it has: %s%s",
                   name->name, version, name->n > 0 ? list : "none",
                   name->n > LISTED ? ", ..." : "");
}

/* NULL, with what there is in e: no such model or version, or out of service.
 */
static struct slot *find_locked(const struct registry *r, const char *name,
                                uint64_t version, struct name **entry,
                                struct err *e)
{
    *entry = registry_get_locked(r, name);
    if (*entry == NULL) {
        registry_say_names_locked(r, name, e);
        return NULL;
    }
    if ((*entry)->in_service == NULL) {
        err_set(e, ERR_NOT_FOUND, "model %s is not loaded (%s)", name,
                (*entry)->idle);
        return NULL;
    }
    if (version == 0)
        return (*entry)->in_service;
    struct slot *slot = name_find(*entry, version);
    if (slot == NULL)
        say_versions(*entry, version, e);
    return slot;
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

struct slot *registry_retire_locked(struct registry *r, struct slot *slot)
{
    assert(lock_held(&r->lock));
    slot->removed = true;
    if (slot->users == 0)
        return slot;
    r->n_removed++;
    return NULL;
}

/* Gives the slot back as registry_retire_locked does. */
static struct slot *take_out_locked(struct registry *r, struct name *entry,
                                    struct slot *slot)
{
    size_t i = place_of(entry, slot->served.version);

    entry->n--;
    memmove(entry->slots + i, entry->slots + i + 1,
            (entry->n - i) * sizeof(struct slot *));
    return registry_retire_locked(r, slot);
}

/* Versions that wait for a load of their model can be removed too. */
enum err_code registry_remove(struct registry *r, const char *name,
                              uint64_t version, struct err *e)
{
    struct slot *unused = NULL;
    enum err_code code = ERR_OK;

    assert(version > 0);
    lock_take(&r->lock);
    struct name *entry = registry_get_locked(r, name);
    struct slot *slot = entry != NULL ? name_find(entry, version) : NULL;
    if (entry == NULL)
        code = registry_say_names_locked(r, name, e);
    else if (slot == NULL)
        code = say_versions(entry, version, e);
    else if (slot == entry->in_service)
        code = err_set(e, ERR_CONFLICT,
                       "version %" PRIu64 " of model %s is in service", version,
                       name);
    else
        unused = take_out_locked(r, entry, slot);
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
