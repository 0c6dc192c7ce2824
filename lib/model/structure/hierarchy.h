/* Hierarchy: units that stand on a tree, or on several. The reading, pruning
 * and drawing that every structure with ancestors shares.
 *
 * Units are also kept depth-first: there each comes after its parent, and a
 * sub-tree is a range, order[place[i]] to order[place[i] + size[i] - 1], of
 * which unit i is the first.
 */
#ifndef SPARSED_MODEL_STRUCTURE_HIERARCHY_H
#define SPARSED_MODEL_STRUCTURE_HIERARCHY_H

#include "lib/model/structure/structure.h"

#define HIERARCHY_MAX_DEPTH 64 /* levels below a root */

struct hierarchy {
    size_t n;
    int32_t *parents; /* (n): -1 for a root */
    uint32_t *depth;  /* (n): 0 for a root */
    uint32_t *size;   /* (n): units of the sub-tree, i itself counted */
    uint32_t *order;  /* (n): depth-first */
    uint32_t *place;  /* (n): where i stands in order */
};

/* Reads one of the members "branching" ([10,2]: a root with 10 children, each
 * with 2; numbered level by level) and "parents" (-1: a root, in any order)
 * of j over n units. ERR_INVALID naming the member: neither or both, another
 * number of units, a parent out of range, a cycle, too deep. Zeroed before,
 * and to be emptied even after an error. */
enum err_code hierarchy_read(struct hierarchy *h, size_t n,
                             const struct json *j, const char *where,
                             struct err *e) ERR_CHECKED;
void hierarchy_fini(struct hierarchy *h);

/* Whether unit a is unit b or one of its ancestors. */
static inline bool hierarchy_above(const struct hierarchy *h, size_t a,
                                   size_t b)
{
    return h->place[b] >= h->place[a] && h->place[b] - h->place[a] < h->size[a];
}

/* Widens keep (n) by the ancestors of the units that are kept. */
void hierarchy_close(const struct hierarchy *h, bool *keep);

/* Puts the parents of the units that are kept, numbered anew in their order,
 * into j instead of what was read; keep is closed. ERR_NO_MEMORY. */
enum err_code hierarchy_prune(const struct hierarchy *h, struct json *j,
                              const bool *keep, struct err *e) ERR_CHECKED;

/* The root in the middle, or several on a ring; a ring for each depth, where
 * a sub-tree takes as much of the round as it has leaves; edges from child to
 * parent. */
enum err_code hierarchy_layout(const struct hierarchy *h, struct layout *out,
                               struct arena *memory, struct err *e) ERR_CHECKED;

#endif
