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

static inline bool space_same(const struct space *a, const struct space *b)
{
    return a->channels == b->channels && a->height == b->height &&
           a->width == b->width && a->periodic == b->periodic;
}

/* "32x12x12", or "400" for a vector, into text, which is returned. */
#define SPACE_TEXT 64
const char *space_text(char text[SPACE_TEXT], const struct space *s);

/* A part of a picture, all channels. */
struct box {
    size_t top, left, height, width;
};

/* ---- cells: a part of a space that repeats over the rest of it ----
 * Unit (c,y,x) of the space is unit (c, y % height, x % width) of the cell; a
 * last repetition may be cut off. The space itself where nothing repeats. */

/* out (space) = values (cell) repeated. */
void space_repeat(float *out, const float *values, const struct space *cell,
                  const struct space *s);
/* sums (cell) += of all that stand in the same place of the cell, values
 * (space). */
void space_fold(float *sums, const float *values, const struct space *cell,
                const struct space *s);
/* The unit of the space that stands for unit k of the cell: of all of them the
 * one that is nearest to the middle. */
size_t space_middle(size_t k, const struct space *cell, const struct space *s);

#endif
