/* Tile: one atom, or any row of the input's space, as a part of a picture.
 */
#ifndef SPARSED_MODEL_TILE_H
#define SPARSED_MODEL_TILE_H

#include "lib/data/canvas.h"
#include "lib/model/model.h"

/* Where a tile lies. */
struct tile {
    struct image *image;
    size_t top, left;
    size_t zoom; /* pixels per input pixel */
};

/* Sides, in input pixels, and channels of a picture that shows rows of the
 * model's inputs. A vector is a row of bars. */
size_t tile_height(const struct model *m);
size_t tile_width(const struct model *m);
size_t tile_channels(const struct model *m);

/* Values from low to high become black to white. */
void tile_draw_row(const struct tile *t, const struct model *m,
                   const float *row, float low, float high);

/* Scaled by its largest magnitude; see render.h for what grey means. */
void tile_draw_atom(const struct tile *t, const struct model *m,
                    const float *atom);

/* The colour of the way that the atom's stripes run, and where its energy lies
 * a line along them, the longer the wider they are. Inputs are pictures that
 * have orientations (orientation_exists). */
void tile_draw_orientation(const struct tile *t, const struct model *m,
                           const float *atom);

/* The key to the colours, `side` pixels wide and high: each direction from the
 * middle in its own, full at the rim. */
void tile_draw_wheel(struct image *image, size_t top, size_t left, size_t side);

#endif
