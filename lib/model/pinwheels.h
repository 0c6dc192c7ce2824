/* Pinwheels: the points of a map round which preferred orientation turns once.
 *
 * On the way round the corners of a 2 x 2 cell the doubled angle turns by a
 * whole number of turns, its winding number; where that is +1 or -1, all
 * orientations meet within the cell. Each step is taken the short way, forth
 * and back alike, so that on a torus the windings add up to 0.
 */
#ifndef SPARSED_MODEL_PINWHEELS_H
#define SPARSED_MODEL_PINWHEELS_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct pinwheels {
    size_t n, positive;
    struct pinwheel {
        size_t row, column; /* its cell's upper left unit */
        bool positive;      /* orientation turns the way that one walks */
    } * list;
};

/* Orientations (height,width) as orientation_of gives them. Where `periodic`,
 * the sheet's edges meet. Cells with a unit of selectivity 0 have none. The
 * list comes from `memory`; ERR_NO_MEMORY. */
enum err_code pinwheels_find(struct pinwheels *out, const float *angle,
                             const float *selectivity, size_t height,
                             size_t width, bool periodic, struct arena *memory,
                             struct err *e) ERR_CHECKED;

#endif
