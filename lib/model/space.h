/* Space: the shape of what goes into a layer, of its code, of its groups.
 *
 * A vector of n numbers is (n,1,1); a picture (channels, height, width). On a
 * torus (periodic) the sheet's edges meet.
 */
#ifndef SPARSED_MODEL_SPACE_H
#define SPARSED_MODEL_SPACE_H

#include <stdbool.h>
#include <stddef.h>

struct space {
    size_t channels, height, width;
    bool periodic;
};

static inline size_t space_size(const struct space *s)
{
    return s->channels * s->height * s->width;
}

static inline struct space space_vector(size_t n)
{
    return (struct space){.channels = n, .height = 1, .width = 1};
}

#endif
