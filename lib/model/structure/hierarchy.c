/* Trees over units: reading, order, pruning. */
#include "lib/model/structure/hierarchy.h"

#include "lib/base/mem.h"

#include <assert.h>
#include <math.h>

/* ---- reading ---- */

static bool whole_number(const struct json *j, double min, double max,
                         double *out)
{
    if (!json_is_number(j))
        return false;
    *out = json_number(j);
    return *out >= min && *out <= max && *out == floor(*out);
}

static enum err_code wrong_count(const char *where, const char *member,
                                 size_t made, size_t n, struct err *e)
{
    return err_set(e, ERR_INVALID,
                   "%s.%s: makes %s%zu units, the layer has %zu", where, member,
                   made > n ? "at least " : "", made, n);
}

/* One root, and level by level as many children as the list says. */
static enum err_code read_branching(struct hierarchy *h, const struct json *j,
                                    const char *where, struct err *e)
{
    size_t level = 1, first = 0, made = 1, i = 0;
    double children;
    if (!json_is_array(j) || json_count(j) > HIERARCHY_MAX_DEPTH)
        return err_set(e, ERR_INVALID,
                       "%s.branching: must be an array of at most %d numbers "
                       "of children",
                       where, HIERARCHY_MAX_DEPTH);
    h->parents[0] = -1;
    for (const struct json *c = json_first(j); c; c = json_next(c), i++) {
        if (!whole_number(c, 1, INT32_MAX, &children))
            return err_set(e, ERR_INVALID,
                           "%s.branching[%zu]: must be a whole number from 1",
                           where, i);
        size_t next = level * (size_t)children; /* both under 2^31 */
        if (next > h->n - made)
            return wrong_count(where, "branching", made + next, h->n, e);
        for (size_t k = 0; k < next; k++)
            h->parents[made + k] = (int32_t)(first + k / (size_t)children);
        first = made;
        made += next;
        level = next;
    }
    return made == h->n ? ERR_OK
                        : wrong_count(where, "branching", made, h->n, e);
}

static enum err_code read_parents(struct hierarchy *h, const struct json *j,
                                  const char *where, struct err *e)
{
    size_t i = 0;
    double parent;
    if (!json_is_array(j))
        return err_set(e, ERR_INVALID, "%s.parents: must be an array", where);
    if (json_count(j) != h->n)
        return wrong_count(where, "parents", json_count(j), h->n, e);
    for (const struct json *p = json_first(j); p; p = json_next(p), i++) {
        if (!whole_number(p, -1, (double)h->n - 1, &parent))
            return err_set(e, ERR_INVALID,
                           "%s.parents[%zu]: must be one unit, 0 to %zu, or -1 "
                           "for a root",
                           where, i, h->n - 1);
        h->parents[i] = (int32_t)parent;
    }
    return ERR_OK;
}

/* ---- what follows from the parents ---- */

/* Each climb ends at a unit whose depth is known, so that all of them together
 * visit a unit twice; one that is longer than there are units goes round. */
static enum err_code find_depths(struct hierarchy *h, const char *where,
                                 struct err *e)
{
    const uint32_t unknown = UINT32_MAX;
    for (size_t i = 0; i < h->n; i++)
        h->depth[i] = h->parents[i] < 0 ? 0 : unknown;
    for (size_t i = 0; i < h->n; i++) {
        size_t steps = 0, top = i;
        for (; h->depth[top] == unknown; steps++) {
            if (steps == h->n)
                return err_set(e, ERR_INVALID,
                               "%s.parents[%zu]: leads into a cycle: no unit "
                               "may be its own ancestor",
                               where, i);
            top = (size_t)h->parents[top];
        }
        size_t depth = h->depth[top] + steps;
        if (depth > HIERARCHY_MAX_DEPTH)
            return err_set(e, ERR_INVALID,
                           "%s.parents[%zu]: %zu levels below its root, at "
                           "most %d",
                           where, i, depth, HIERARCHY_MAX_DEPTH);
        for (size_t k = i; h->depth[k] == unknown; k = (size_t)h->parents[k])
            h->depth[k] = (uint32_t)depth--;
    }
    return ERR_OK;
}

/* The units level by level, into by_level (n). */
static void sort_levels(const struct hierarchy *h, uint32_t *by_level)
{
    size_t start[HIERARCHY_MAX_DEPTH + 2] = {0};
    for (size_t i = 0; i < h->n; i++)
        start[h->depth[i] + 1]++;
    for (size_t d = 0; d <= HIERARCHY_MAX_DEPTH; d++)
        start[d + 1] += start[d];
    for (size_t i = 0; i < h->n; i++)
        by_level[start[h->depth[i]]++] = (uint32_t)i;
}

/* Sizes from the deepest level up; places from the roots down, where `free` is
 * the next place within each sub-tree that has none yet. */
static void find_order(struct hierarchy *h, const uint32_t *by_level,
                       uint32_t *free)
{
    uint32_t next_root = 0;
    for (size_t i = 0; i < h->n; i++)
        h->size[i] = 1;
    for (size_t k = h->n; k-- > 0;) {
        uint32_t i = by_level[k];
        if (h->parents[i] >= 0)
            h->size[h->parents[i]] += h->size[i];
    }
    for (size_t k = 0; k < h->n; k++) {
        uint32_t i = by_level[k];
        uint32_t *next = h->parents[i] < 0 ? &next_root : &free[h->parents[i]];
        h->place[i] = *next;
        *next += h->size[i];
        free[i] = h->place[i] + 1;
        h->order[h->place[i]] = i;
    }
}

static enum err_code arrange(struct hierarchy *h, const char *where,
                             struct err *e)
{
    enum err_code code = find_depths(h, where, e);
    if (code)
        return code;
    uint32_t *by_level = mem_array(h->n, sizeof *by_level);
    uint32_t *free = mem_array(h->n, sizeof *free);
    if (by_level && free) {
        sort_levels(h, by_level);
        find_order(h, by_level, free);
    } else {
        code = err_set(e, ERR_NO_MEMORY, "%s: a tree", where);
    }
    mem_free(by_level);
    mem_free(free);
    return code;
}

enum err_code hierarchy_read(struct hierarchy *h, size_t n,
                             const struct json *j, const char *where,
                             struct err *e)
{
    const struct json *branching = json_get(j, "branching");
    const struct json *parents = json_get(j, "parents");
    if (!branching == !parents)
        return err_set(e, ERR_INVALID,
                       "%s: wants one of \"branching\" and \"parents\"", where);
    assert(n > 0 && n < INT32_MAX);
    *h = (struct hierarchy){.n = n,
                            .parents = mem_array(n, sizeof *h->parents),
                            .depth = mem_array(n, sizeof *h->depth),
                            .size = mem_array(n, sizeof *h->size),
                            .order = mem_array(n, sizeof *h->order),
                            .place = mem_array(n, sizeof *h->place)};
    if (!h->parents || !h->depth || !h->size || !h->order || !h->place)
        return err_set(e, ERR_NO_MEMORY, "%s: a tree of %zu units", where, n);
    if (branching ? read_branching(h, branching, where, e)
                  : read_parents(h, parents, where, e))
        return e->code;
    return arrange(h, where, e);
}

void hierarchy_fini(struct hierarchy *h)
{
    mem_free(h->parents);
    mem_free(h->depth);
    mem_free(h->size);
    mem_free(h->order);
    mem_free(h->place);
    *h = (struct hierarchy){0};
}

/* ---- fewer units ---- */

void hierarchy_close(const struct hierarchy *h, bool *keep)
{
    for (size_t k = h->n; k-- > 0;) {
        uint32_t i = h->order[k];
        if (keep[i] && h->parents[i] >= 0)
            keep[h->parents[i]] = true;
    }
}

enum err_code hierarchy_prune(const struct hierarchy *h, struct json *j,
                              const bool *keep, struct err *e)
{
    int32_t *number = mem_array(h->n, sizeof *number);
    struct json *parents = json_new_array();
    int32_t kept = 0;
    if (!number || !parents) {
        mem_free(number);
        json_free(parents);
        return err_set(e, ERR_NO_MEMORY, "a tree of %zu units", h->n);
    }
    for (size_t i = 0; i < h->n; i++)
        number[i] = keep[i] ? kept++ : -1;
    for (size_t i = 0; i < h->n; i++) {
        int32_t parent = h->parents[i];
        if (!keep[i])
            continue;
        assert(parent < 0 || keep[parent]);
        json_add(parents, json_new_number(parent < 0 ? -1 : number[parent]));
    }
    json_remove(j, "branching");
    json_set(j, "parents", parents);
    mem_free(number);
    return ERR_OK;
}
