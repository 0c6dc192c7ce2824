/* The structure tensor of a small picture, and the power along its axis. */
#include "lib/model/orientation.h"

#include <math.h>

enum { FREQUENCIES = 65 }; /* from 0 to 0.5 */

struct tensor2 {
    double xx, xy, yy;
};

/* Scharr's derivative, whose direction is within a degree of the true one up
 * to a third of a cycle a pixel; across it the same weights average. */
static void add_gradients(struct tensor2 *t, const float *p, size_t height,
                          size_t width)
{
    static const double side = 3.0 / 16, middle = 10.0 / 16;
    for (size_t y = 1; y + 1 < height; y++)
        for (size_t x = 1; x + 1 < width; x++) {
            const float *above = p + (y - 1) * width + x;
            const float *here = above + width, *below = here + width;
            double nw = (double)above[-1], n = (double)above[0];
            double ne = (double)above[1], w = (double)here[-1];
            double east = (double)here[1], sw = (double)below[-1];
            double s = (double)below[0], se = (double)below[1];
            double gx = side * (ne - nw + se - sw) + middle * (east - w);
            double gy = side * (sw - nw + se - ne) + middle * (s - n);
            t->xx += gx * gx;
            t->xy += gx * gy;
            t->yy += gy * gy;
        }
}

/* Power of one channel, its mean taken off, at `frequency` along (nx, ny). */
static double power(const float *p, size_t height, size_t width, double mean,
                    double frequency, double nx, double ny)
{
    double turn = 2 * M_PI * frequency, re = 0, im = 0;
    double step_c = cos(turn * nx), step_s = sin(turn * nx);
    for (size_t y = 0; y < height; y++) {
        double c = cos(turn * ny * (double)y), s = sin(turn * ny * (double)y);
        for (size_t x = 0; x < width; x++) {
            double v = (double)p[y * width + x] - mean, kept = c;
            re += v * c;
            im += v * s;
            c = c * step_c - s * step_s;
            s = s * step_c + kept * step_s;
        }
    }
    return re * re + im * im;
}

static double mean_of(const float *p, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)p[i];
    return sum / (double)n;
}

/* The frequency of most power along (nx, ny), between samples by a parabola
 * through the best one and its neighbours. */
static double best_frequency(const float *picture, const struct space *s,
                             double nx, double ny)
{
    double at[FREQUENCIES] = {0};
    size_t plane = s->height * s->width, best = 0;
    const double gap = 0.5 / (FREQUENCIES - 1);
    for (size_t c = 0; c < s->channels; c++) {
        const float *p = picture + c * plane;
        double mean = mean_of(p, plane);
        for (size_t i = 0; i < FREQUENCIES; i++)
            at[i] +=
                power(p, s->height, s->width, mean, gap * (double)i, nx, ny);
    }
    for (size_t i = 1; i < FREQUENCIES; i++)
        best = at[i] > at[best] ? i : best;
    if (best == 0 || best + 1 == FREQUENCIES)
        return gap * (double)best;
    double bend = 2 * at[best] - at[best - 1] - at[best + 1];
    double shift = bend > 0 ? 0.5 * (at[best + 1] - at[best - 1]) / bend : 0;
    return gap * ((double)best + shift);
}

/* Of the squares, each channel's mean taken off. */
static void find_centre(struct orientation *out, const float *picture,
                        const struct space *s)
{
    double sum = 0, x_sum = 0, y_sum = 0;
    size_t plane = s->height * s->width;
    for (size_t c = 0; c < s->channels; c++) {
        const float *p = picture + c * plane;
        double mean = mean_of(p, plane);
        for (size_t i = 0; i < plane; i++) {
            double energy = ((double)p[i] - mean) * ((double)p[i] - mean);
            sum += energy;
            x_sum += energy * ((double)(i % s->width) + 0.5);
            y_sum += energy * ((double)(i / s->width) + 0.5);
        }
    }
    out->x = (float)(x_sum / sum);
    out->y = (float)(y_sum / sum);
}

struct orientation orientation_of(const float *picture, const struct space *s)
{
    struct orientation out = {0};
    struct tensor2 t = {0};
    for (size_t c = 0; c < s->channels; c++)
        add_gradients(&t, picture + c * s->height * s->width, s->height,
                      s->width);
    double all = t.xx + t.yy;
    if (!(all > 0) || !isfinite(all))
        return out;
    double across = 0.5 * atan2(2 * t.xy, t.xx - t.yy);
    /* The picture's y goes down, angles go up; stripes run at right angles to
     * the gradients. */
    out.angle = (float)fmod(0.5 * M_PI - across, M_PI);
    out.selectivity = (float)fmin(1, hypot(t.xx - t.yy, 2 * t.xy) / all);
    out.frequency = (float)best_frequency(picture, s, cos(across), sin(across));
    find_centre(&out, picture, s);
    return out;
}
