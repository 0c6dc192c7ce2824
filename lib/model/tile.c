/* How one atom looks. */
#include "lib/model/tile.h"

#include <math.h>

static const struct colour ink = {{0, 0, 0}}, paper = {{255, 255, 255}};

struct space tile_picture(const struct space *s)
{
    if (s->height > 1 || s->width > 1)
        return *s;
    return (struct space){.channels = 1, .height = 1, .width = s->channels};
}

size_t tile_channels(const struct space *picture)
{
    return picture->channels == 3 ? 3 : 1;
}

/* ---- as it is ---- */

static uint8_t shade(float value, float low, float high)
{
    float share = (value - low) / (high - low);
    if (!(share > 0.0f))
        return 0;
    return share >= 1.0f ? 255 : (uint8_t)(share * 255.0f + 0.5f);
}

void tile_draw_row(const struct tile *t, const struct space *picture,
                   const float *row, float low, float high)
{
    size_t h = picture->height, w = picture->width;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            struct colour colour;
            for (size_t c = 0; c < t->image->channels; c++)
                colour.part[c] = shade(row[(c * h + y) * w + x], low, high);
            canvas_rectangle(t->image, t->top + y * t->zoom,
                             t->left + x * t->zoom, t->zoom, t->zoom, colour);
        }
}

void tile_draw_atom(const struct tile *t, const struct space *picture,
                    const float *atom)
{
    float most = 0;
    for (size_t i = 0; i < space_size(picture); i++)
        most = fmaxf(most, fabsf(atom[i]));
    if (most == 0.0f)
        most = 1;
    tile_draw_row(t, picture, atom, -most, most);
}

/* ---- as an orientation ---- */

static struct colour colour_of(double angle, double selectivity)
{
    return colour_of_turn(angle / M_PI, selectivity);
}

static double between(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

void tile_draw_orientation(const struct tile *t, const struct space *picture,
                           const struct orientation *o)
{
    double zoom = (double)t->zoom;
    size_t height = t->zoom * picture->height, width = t->zoom * picture->width;
    double side = (double)(height < width ? height : width);
    canvas_rectangle(t->image, t->top, t->left, height, width,
                     colour_of((double)o->angle, (double)o->selectivity));
    if (o->selectivity <= 0.0f)
        return;
    double half =
        between(0.25 * zoom / (double)o->frequency, 0.15 * side, 0.3 * side);
    double dx = half * cos((double)o->angle), dy = half * sin((double)o->angle);
    double x = between(zoom * (double)o->x, half, (double)width - half);
    double y = between(zoom * (double)o->y, half, (double)height - half);
    x += (double)t->left;
    y += (double)t->top;
    canvas_line(t->image, x - dx, y + dy, x + dx, y - dy, fmax(1, 0.05 * side),
                ink);
}

void tile_draw_wheel(struct image *image, size_t top, size_t left, size_t side)
{
    double radius = 0.5 * (double)side;
    double x0 = (double)left + radius, y0 = (double)top + radius;
    for (size_t y = top; y < top + side; y++)
        for (size_t x = left; x < left + side; x++) {
            double dx = (double)x + 0.5 - x0, dy = y0 - (double)y - 0.5;
            double share = hypot(dx, dy) / radius;
            if (share <= 1)
                canvas_rectangle(image, y, x, 1, 1,
                                 colour_of(atan2(dy, dx), share));
        }
    /* Spokes, like the lines of the tiles. */
    for (int i = 0; i < 16; i++) {
        double dx = radius * cos(i * M_PI / 8), dy = radius * sin(i * M_PI / 8);
        canvas_line(image, x0 + 0.6 * dx, y0 - 0.6 * dy, x0 + 0.9 * dx,
                    y0 - 0.9 * dy, fmax(1, 0.03 * radius), ink);
    }
}

void tile_draw_pinwheel(struct image *image, double x, double y, double side,
                        bool positive)
{
    canvas_disc(image, x, y, side / 2, positive ? ink : paper);
    canvas_disc(image, x, y, 0.3 * side, positive ? paper : ink);
}
