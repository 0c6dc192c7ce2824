/* Canvas: painting on an image: rectangles, smooth lines, and the colours of
 * angles. What lies outside of the image is left out.
 *
 * Places are in pixels from the upper left corner; pixel (0,0) covers 0..1.
 */
#ifndef SPARSED_DATA_CANVAS_H
#define SPARSED_DATA_CANVAS_H

#include "lib/data/image.h"

/* Red, green, blue; a grey image takes the first. */
struct colour {
    uint8_t part[3];
};

static inline struct colour colour_grey(uint8_t shade)
{
    return (struct colour){{shade, shade, shade}};
}

/* The colour wheel: `turn` goes round once from 0 to 1, red at both; `light`
 * from 0, black, to 1. */
struct colour colour_of_turn(double turn, double light);

/* An image of one colour, emptied by image_fini. ERR_TOO_LARGE over the limits
 * of images. */
enum err_code canvas_init(struct image *out, size_t height, size_t width,
                          size_t channels, struct colour ground, struct err *e)
    ERR_CHECKED;

void canvas_rectangle(struct image *image, size_t top, size_t left,
                      size_t height, size_t width, struct colour colour);

/* A disc about a point, its rim smoothed. */
void canvas_disc(struct image *image, double x, double y, double radius,
                 struct colour colour);

/* A line of the given thickness between two points, its rims smoothed. */
void canvas_line(struct image *image, double x0, double y0, double x1,
                 double y1, double thickness, struct colour colour);

#endif
