/* Picking by sorting what is not zero: codes are sparse, so that is little. */
#include "api/pick.h"

#include "lib/model/numbers.h"

#include <math.h>
#include <stdlib.h>

bool pick_init(struct pick *p, size_t n, struct arena *memory)
{
    p->index = arena_take(memory, n, sizeof *p->index);
    p->entries = arena_take(memory, n, sizeof *p->entries);
    return p->index != NULL && p->entries != NULL;
}

static int larger_first(const void *a, const void *b)
{
    const struct pick_entry *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int lower_first(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Sorts the entries and keeps the first k of them in p->index. */
static size_t keep_largest(struct pick *p, size_t count, size_t k)
{
    qsort(p->entries, count, sizeof *p->entries, larger_first);
    if (k > count)
        k = count;
    for (size_t i = 0; i < k; i++)
        p->index[i] = p->entries[i].index;
    return k;
}

size_t pick_active(struct pick *p, const float *x, size_t n, double threshold,
                   size_t top_k)
{
    /* In the codes' own precision: a value that a reply printed, sent back as
     * the threshold, is the same float again and reaches it. */
    float least = (float)threshold;
    size_t count = numbers_list(p->index, x, n);
    size_t kept = 0;

    if (threshold == 0.0 && (top_k == 0 || top_k >= count))
        return count;
    for (size_t i = 0; i < count; i++) {
        uint32_t at = p->index[i];
        float size = fabsf(x[at]);
        if (size < least)
            continue;
        p->entries[kept] = (struct pick_entry){size, at};
        p->index[kept++] = at;
    }
    if (top_k == 0 || top_k >= kept)
        return kept;
    kept = keep_largest(p, kept, top_k);
    qsort(p->index, kept, sizeof *p->index, lower_first);
    return kept;
}

size_t pick_largest(struct pick *p, const float *x, size_t n, size_t k)
{
    for (size_t i = 0; i < n; i++)
        p->entries[i] = (struct pick_entry){x[i], (uint32_t)i};
    return keep_largest(p, n, k);
}
