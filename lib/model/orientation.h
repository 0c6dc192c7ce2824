/* Orientation: which way the stripes or the edge of a small picture run.
 *
 * The structure tensor: gradients g of a Gabor stand across its stripes all
 * over the picture, whatever its phase, so the main axis of sum g g' does too,
 * and how much it outweighs the other axis tells how oriented the picture is
 * (Bigun & Granlund 1987). Gradients are taken within the picture only, so an
 * atom that its edge cuts off is judged by what is there. The frequency is
 * where the Fourier power is largest along that axis.
 */
#ifndef SPARSED_MODEL_ORIENTATION_H
#define SPARSED_MODEL_ORIENTATION_H

#include "lib/model/space.h"

#include <stdbool.h>

struct orientation {
    float angle;       /* of the stripes, 0 to pi: 0 lies flat, rising ones
                          ( / ) are below pi/2 */
    float selectivity; /* 0: no direction above another, 1: one only */
    float x, y;        /* centre of energy, in pixels from the upper left */
    float frequency;   /* cycles a pixel, 0 to 0.5 */
};

/* Whether pictures of this shape have orientations: at least 3 x 3. */
static inline bool orientation_exists(const struct space *s)
{
    return s->height >= 3 && s->width >= 3;
}

/* Of one picture (channels, height, width); channels add up. All zero for one
 * without any gradient. */
struct orientation orientation_of(const float *picture, const struct space *s);

#endif
