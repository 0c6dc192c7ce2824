/* Cells, and shapes in words. */
#include "lib/model/space.h"

#include "lib/math/kernels.h"

#include <stdio.h>

const char *space_text(char text[SPACE_TEXT], const struct space *s)
{
    if (s->height == 1 && s->width == 1)
        snprintf(text, SPACE_TEXT, "%zu", s->channels);
    else
        snprintf(text, SPACE_TEXT, "%zux%zux%zu", s->channels, s->height,
                 s->width);
    return text;
}

KERNEL_CLONES
void space_repeat(float *out, const float *values, const struct space *cell,
                  const struct space *s)
{
    size_t area = s->height * s->width;
    for (size_t c = 0; c < s->channels; c++) {
        if (cell->height == 1 && cell->width == 1) {
            float value = values[c];
            for (size_t k = 0; k < area; k++)
                out[k] = value;
            out += area;
            continue;
        }
        for (size_t y = 0; y < s->height; y++) {
            const float *row =
                values + (c * cell->height + y % cell->height) * cell->width;
            if (cell->width == 1) {
                float value = *row;
                for (size_t x = 0; x < s->width; x++)
                    *out++ = value;
                continue;
            }
            for (size_t x = 0; x < s->width; x += cell->width)
                for (size_t k = 0; k < cell->width && x + k < s->width; k++)
                    *out++ = row[k];
        }
    }
}

void space_fold(float *sums, const float *values, const struct space *cell,
                const struct space *s)
{
    for (size_t c = 0; c < s->channels; c++)
        for (size_t y = 0; y < s->height; y++) {
            float *row =
                sums + (c * cell->height + y % cell->height) * cell->width;
            for (size_t x = 0; x < s->width; x += cell->width)
                for (size_t k = 0; k < cell->width && x + k < s->width; k++)
                    row[k] += *values++;
        }
}

/* Of at, at + period, ... below n, the one nearest to (n - 1) / 2. */
static size_t nearest_middle(size_t at, size_t period, size_t n)
{
    size_t best = at;
    for (size_t i = at; i < n; i += period) {
        size_t away = 2 * i > n - 1 ? 2 * i - (n - 1) : n - 1 - 2 * i;
        size_t least = 2 * best > n - 1 ? 2 * best - (n - 1) : n - 1 - 2 * best;
        best = away < least ? i : best;
    }
    return best;
}

size_t space_middle(size_t k, const struct space *cell, const struct space *s)
{
    size_t x = k % cell->width, y = k / cell->width % cell->height;
    size_t c = k / (cell->width * cell->height);
    y = nearest_middle(y, cell->height, s->height);
    x = nearest_middle(x, cell->width, s->width);
    return (c * s->height + y) * s->width + x;
}
