/* Pick: which numbers of a row are worth sending.
 *
 * Units and groups are picked by magnitude: those that are not zero, reach the
 * threshold, and are among the top_k largest. Where two are equal the lower
 * index wins.
 */
#ifndef SPARSED_API_PICK_H
#define SPARSED_API_PICK_H

#include "lib/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pick {
    uint32_t *index; /* the picked ones */
    struct pick_entry {
        float size;
        uint32_t index;
    } * entries;
};

/* Room for rows of up to n numbers; false if the arena is full. */
bool pick_init(struct pick *p, size_t n, struct arena *memory);

/* Fills p->index, ascending, from x (n) and returns how many; threshold 0 and
 * top_k 0 pick all that are not zero. */
size_t pick_active(struct pick *p, const float *x, size_t n, double threshold,
                   size_t top_k);

/* Fills p->index with the k largest of x (n), largest first. */
size_t pick_largest(struct pick *p, const float *x, size_t n, size_t k);

#endif
