/* Tile: one atom, or any row of the input's space, as a part of a picture.
 */
#ifndef SPARSED_MODEL_TILE_H
#define SPARSED_MODEL_TILE_H

#include "lib/data/canvas.h"
#include "lib/model/orientation.h"

/* Where a tile lies. */
struct tile {
    struct image *image;
    size_t top, left;
    size_t zoom; /* pixels per input pixel */
};

/* The picture that shows numbers of this space: a vector is a row of bars. */
struct space tile_picture(const struct space *s);

/* Channels of an image that shows such a picture: 1 or 3. */
size_t tile_channels(const struct space *picture);

/* Values from low to high become black to white. */
void tile_draw_row(const struct tile *t, const struct space *picture,
                   const float *row, float low, float high);

/* Scaled by its largest magnitude; the grey in the middle is zero. */
void tile_draw_atom(const struct tile *t, const struct space *picture,
                    const float *atom);

/* The colour of the way that the atom's stripes run, and where its energy lies
 * a line along them, the longer the wider they are. The picture has an
 * orientation (orientation_exists). */
void tile_draw_orientation(const struct tile *t, const struct space *picture,
                           const struct orientation *o);

/* The key to the colours, `side` pixels wide and high: each direction from the
 * middle in its own, full at the rim. */
void tile_draw_wheel(struct image *image, size_t top, size_t left, size_t side);

/* A pinwheel at a point of the image: white in black where orientation turns
 * the way that one walks round it, black in white where it turns against. */
void tile_draw_pinwheel(struct image *image, double x, double y, double side,
                        bool positive);

#endif
