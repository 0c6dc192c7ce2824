/* Affine maps of pictures. */
#include "lib/train/distort.h"

#include "lib/base/rng.h"

#include <math.h>
#include <string.h>

/* Where the pixel (y, x) of the result comes from: rows and columns of
 * [yy yx; xy xx] (y, x) + (y0, x0). */
struct map {
    float yy, yx, xy, xx, y0, x0;
};

bool distort_any(const struct distortion *d)
{
    return d->shift > 0 || d->rotate > 0 || d->scale > 0 || d->shear > 0;
}

bool distort_suits(const struct model *m, size_t side)
{
    return m->input_rank >= 2 && m->input.height > side &&
           m->input.width > side;
}

static float draw(struct rng *rng, double most)
{
    return (float)most * rng_uniform(rng, -1, 1);
}

static struct map draw_map(const struct distortion *d, struct rng *rng,
                           size_t rows, size_t columns)
{
    float angle = draw(rng, d->rotate * 3.14159265358979 / 180);
    float tall = expf(draw(rng, d->scale)), wide = expf(draw(rng, d->scale));
    float cosine = cosf(angle), sine = sinf(angle);
    float middle_y = (float)(rows - 1) / 2, middle_x = (float)(columns - 1) / 2;
    struct map map = {.yy = cosine * tall,
                      .yx = -sine * wide,
                      .xy = sine * tall + draw(rng, d->shear),
                      .xx = cosine * wide};
    map.y0 =
        middle_y - map.yy * middle_y - map.yx * middle_x + draw(rng, d->shift);
    map.x0 =
        middle_x - map.xy * middle_y - map.xx * middle_x + draw(rng, d->shift);
    return map;
}

/* The pixel before `at`, cut to 0..n-1, and by how much it is before. */
static size_t pixel_before(float at, size_t n, float *by)
{
    float last = (float)(n - 1);
    float inside = at > 0 ? at : 0;
    inside = inside < last ? inside : last;
    size_t before = (size_t)inside;
    *by = inside - (float)before;
    return before;
}

static float pixel_at(const float *from, size_t rows, size_t columns, float y,
                      float x)
{
    float down, right;
    size_t top = pixel_before(y, rows, &down);
    size_t left = pixel_before(x, columns, &right);
    size_t next = left + 1 < columns ? 1 : 0;
    const float *line = from + top * columns + left;
    const float *below = top + 1 < rows ? line + columns : line;
    float above = line[0] + right * (line[next] - line[0]);
    return above + down * (below[0] + right * (below[next] - below[0]) - above);
}

static void apply(const struct map *m, float *to, const float *from,
                  size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            float y = (float)i, x = (float)j;
            *to++ = pixel_at(from, rows, columns, m->yy * y + m->yx * x + m->y0,
                             m->xy * y + m->xx * x + m->x0);
        }
}

void distort_rows(const struct model *m, const struct distortion *d, float *x,
                  size_t B, uint64_t seed, size_t first, float *scratch)
{
    size_t rows = m->input.height, columns = m->input.width;
    for (size_t b = 0; b < B; b++) {
        struct rng rng = rng_make(seed, "distort", first + b);
        struct map map = draw_map(d, &rng, rows, columns);
        memcpy(scratch, x, model_inputs(m) * sizeof *x);
        for (size_t c = 0; c < m->input.channels; c++, x += rows * columns)
            apply(&map, x, scratch + c * rows * columns, rows, columns);
    }
}
