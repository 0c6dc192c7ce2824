/* Pools from settings: groups told as consecutive blocks, as lists, or as
 * windows on a map.
 */
#ifndef SPARSED_MODEL_STRUCTURE_POOLS_READ_H
#define SPARSED_MODEL_STRUCTURE_POOLS_READ_H

#include "lib/model/structure/pools.h"

/* A sheet whose edges meet: unit i stands at x = i % width, y = i / width.
 * Windows of window x window units start every `stride` units. */
struct pools_map {
    size_t height, width, window, stride;
    float sigma; /* of the Gaussian weights, in units; 0: equal weights */
};

/* All fill *p, which is zeroed before and to be emptied even after an error;
 * `where` is the path of the settings j. ERR_INVALID or ERR_TOO_LARGE naming
 * the member, ERR_NO_MEMORY. */

/* "blocks": k units each, weights 1. */
enum err_code pools_read_blocks(struct pools *p, size_t units,
                                const struct json *j, const char *where,
                                struct err *e) ERR_CHECKED;
/* "lists": [[0,1],[1,2]], and "weights", the same shape, 1 by default. */
enum err_code pools_read_lists(struct pools *p, size_t units,
                               const struct json *j, const char *where,
                               struct err *e) ERR_CHECKED;
/* "map"; the weights of a window add up to 1. */
enum err_code pools_read_map(struct pools *p, struct pools_map *map,
                             size_t units, const struct json *j,
                             const char *where, struct err *e) ERR_CHECKED;

/* ERR_INVALID unless every unit is in just one group. */
enum err_code pools_check_partition(const struct pools *p, const char *where,
                                    struct err *e) ERR_CHECKED;

#endif
