/* Painting on an image. */
#include "lib/data/canvas.h"

#include "lib/base/mem.h"

#include <math.h>
#include <string.h>

struct colour colour_of_turn(double turn, double light)
{
    struct colour out;
    for (size_t c = 0; c < 3; c++) {
        /* Each part is full for a third of the way round, and rises and falls
         * over a sixth: how far away its own colour is says where it is. */
        double away = fabs(turn - floor(turn) - (double)c / 3);
        away = away > 0.5 ? 1 - away : away;
        double share = fmin(1, fmax(0, 2 - 6 * away));
        out.part[c] = (uint8_t)(255 * share * light + 0.5);
    }
    return out;
}

enum err_code canvas_init(struct image *out, size_t height, size_t width,
                          size_t channels, struct colour ground, struct err *e)
{
    if (height > IMAGE_MAX_SIDE || width > IMAGE_MAX_SIDE ||
        height * width > IMAGE_MAX_PIXELS)
        return err_set(e, ERR_TOO_LARGE,
                       "a picture of %zu x %zu: at most %d a side, %zu pixels",
                       height, width, IMAGE_MAX_SIDE, IMAGE_MAX_PIXELS);
    *out =
        (struct image){.height = height, .width = width, .channels = channels};
    out->pixels = mem_array(height * width, channels);
    if (!out->pixels)
        return err_set(e, ERR_NO_MEMORY, "a picture of %zu x %zu", height,
                       width);
    canvas_rectangle(out, 0, 0, height, width, ground);
    return ERR_OK;
}

void canvas_rectangle(struct image *image, size_t top, size_t left,
                      size_t height, size_t width, struct colour colour)
{
    size_t channels = image->channels;
    for (size_t y = top; y < top + height && y < image->height; y++)
        for (size_t x = left; x < left + width && x < image->width; x++)
            memcpy(image->pixels + (y * image->width + x) * channels,
                   colour.part, channels);
}

/* Covers a share of a pixel. */
static void blend(struct image *image, double x, double y, double share,
                  struct colour colour)
{
    if (x < 0 || y < 0 || x >= (double)image->width ||
        y >= (double)image->height || share <= 0)
        return;
    size_t at = (size_t)y * image->width + (size_t)x;
    uint8_t *pixel = image->pixels + at * image->channels;
    for (size_t c = 0; c < image->channels; c++)
        pixel[c] =
            (uint8_t)(pixel[c] + fmin(share, 1) * (colour.part[c] - pixel[c]) +
                      0.5);
}

static void swap(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* Step by step along the longer axis; across it the few pixels that the line
 * covers, each by its share. */
void canvas_line(struct image *image, double x0, double y0, double x1,
                 double y1, double thickness, struct colour colour)
{
    bool steep = fabs(y1 - y0) > fabs(x1 - x0);
    if (steep) {
        swap(&x0, &y0);
        swap(&x1, &y1);
    }
    if (x1 < x0) {
        swap(&x0, &x1);
        swap(&y0, &y1);
    }
    double slope = x1 > x0 ? (y1 - y0) / (x1 - x0) : 0;
    double half = 0.5 * thickness * hypot(1, slope);
    double last = fmin(floor(x1), IMAGE_MAX_SIDE);
    for (double x = fmax(floor(x0), 0); x <= last; x++) {
        double middle = y0 + slope * (x + 0.5 - x0);
        for (double y = floor(middle - half); y <= middle + half; y++) {
            double share = fmin(y + 1, middle + half) - fmax(y, middle - half);
            if (steep)
                blend(image, y, x, share, colour);
            else
                blend(image, x, y, share, colour);
        }
    }
}

void canvas_disc(struct image *image, double x, double y, double radius,
                 struct colour colour)
{
    for (double py = floor(y - radius - 1); py <= y + radius + 1; py++)
        for (double px = floor(x - radius - 1); px <= x + radius + 1; px++) {
            double away = hypot(px + 0.5 - x, py + 0.5 - y);
            blend(image, px, py, fmin(fmax(radius + 0.5 - away, 0), 1), colour);
        }
}
