/* Sheets, rings, frames. */
#include "lib/model/structure/places.h"

#include <math.h>

static enum err_code take(struct layout *out, size_t n, struct arena *memory,
                          struct err *e)
{
    *out =
        (struct layout){.places = arena_take(memory, n, sizeof *out->places)};
    if (!out->places)
        return err_set(e, ERR_NO_MEMORY, "layout of %zu units", n);
    return ERR_OK;
}

enum err_code places_on_sheet(struct layout *out, size_t n, size_t across,
                              struct arena *memory, struct err *e)
{
    if (take(out, n, memory, e))
        return e->code;
    out->width = (float)across;
    out->height = (float)((n + across - 1) / across);
    for (size_t i = 0; i < n; i++)
        out->places[i] = (struct layout_place){.x = (float)(i % across),
                                               .y = (float)(i / across)};
    return ERR_OK;
}

enum err_code places_on_square(struct layout *out, size_t n,
                               struct arena *memory, struct err *e)
{
    return places_on_sheet(out, n, (size_t)ceil(sqrt((double)n)), memory, e);
}

enum err_code places_on_torus(struct layout *out, size_t rows, size_t columns,
                              struct arena *memory, struct err *e)
{
    if (places_on_sheet(out, rows * columns, columns, memory, e))
        return e->code;
    out->rows = rows;
    out->columns = columns;
    out->periodic = true;
    return ERR_OK;
}

enum err_code places_on_cell(struct layout *out, const struct space *cell,
                             const struct space *code, struct arena *memory,
                             struct err *e)
{
    size_t n = space_size(cell);
    if (cell->height * cell->width == 1)
        return places_on_square(out, n, memory, e);
    if (places_on_sheet(out, n, cell->width, memory, e))
        return e->code;
    if (cell->channels > 1)
        return ERR_OK;
    out->rows = cell->height;
    out->columns = cell->width;
    out->periodic = cell->height < code->height && cell->width < code->width;
    return ERR_OK;
}

enum err_code places_on_ring(struct layout *out, size_t n, struct arena *memory,
                             struct err *e)
{
    if (take(out, n, memory, e))
        return e->code;
    double radius = n > 1 ? PLACES_APART / (2 * sin(M_PI / (double)n)) : 0;
    for (size_t i = 0; i < n; i++) {
        double angle = 2 * M_PI * (double)i / (double)n;
        out->places[i] =
            (struct layout_place){.x = (float)(radius * sin(angle)),
                                  .y = (float)(-radius * cos(angle))};
    }
    places_set_frame(out, n);
    return ERR_OK;
}

void places_set_frame(struct layout *out, size_t n)
{
    float left = INFINITY, top = INFINITY, right = -INFINITY, low = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        left = fminf(left, out->places[i].x);
        right = fmaxf(right, out->places[i].x);
        top = fminf(top, out->places[i].y);
        low = fmaxf(low, out->places[i].y);
    }
    for (size_t i = 0; i < n; i++) {
        out->places[i].x -= left;
        out->places[i].y -= top;
    }
    out->width = right - left + 1;
    out->height = low - top + 1;
}
