/* Render: the atoms of a layer as one picture, each in the place that its
 * structure's layout says; edges of the layout are lines behind them.
 *
 * Seen as atoms, each is scaled by its own largest magnitude, grey in the
 * middle being zero, so signs can be seen. Seen as orientations, each is a
 * colour for the way that its stripes run, dark where they have none, with a
 * line along them; a colour wheel below tells which is which: the colour of a
 * direction is that of the spoke in this direction. On a map the pinwheels
 * (pinwheels.h) are marked: white in black where orientation turns the way that
 * one walks round them, black in white where it turns against.
 */
#ifndef SPARSED_MODEL_RENDER_H
#define SPARSED_MODEL_RENDER_H

#include "lib/data/image.h"
#include "lib/model/model.h"

enum render_view { RENDER_ATOMS, RENDER_ORIENTATION };

struct render_options {
    size_t layer; /* whose atoms */
    enum render_view view;
    size_t max_side; /* longest side allowed; 0: 2048 where that is possible */
    size_t zoom;     /* pixels per input pixel, 0: chosen to be readable */
};

/* What the view of orientations finds on a map. */
struct render_pinwheels {
    bool map; /* whether the units lie on one */
    size_t positive, negative;
};

/* Fills *out, which the caller empties with image_fini, and *found, which may
 * be NULL. ERR_CONFLICT if a layer on the way down has no decoder, or for
 * orientations if the atoms are no pictures; ERR_TOO_LARGE. */
enum err_code render_atoms(const struct model *m,
                           const struct render_options *options,
                           struct image *out, struct render_pinwheels *found,
                           struct err *e) ERR_CHECKED;

/* One atom, or any row of the input's space (inputs), as a picture; values
 * from low to high become black to white. */
enum err_code render_row(const struct model *m, const float *row, float low,
                         float high, struct image *out, struct err *e)
    ERR_CHECKED;

#endif
