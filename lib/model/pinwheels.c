/* Winding numbers on the cells of a sheet. */
#include "lib/model/pinwheels.h"

#include <math.h>

/* From one orientation to another the short way, as a share of half a turn:
 * -0.5 to 0.5, and the negative of it on the way back. */
static double step(float from, float to)
{
    double turn = ((double)to - (double)from) / M_PI;
    return turn - round(turn);
}

/* +1, -1 or 0. Units in the order of reading: upper left, upper right, lower
 * left, lower right. Angles are counted upwards and rows downwards, so the walk
 * that angles grow along goes left, down, right, up. */
static int winding(const float *angle, const size_t at[4])
{
    double down_left = step(angle[at[0]], angle[at[2]]);
    double right_below = step(angle[at[2]], angle[at[3]]);
    double down_right = step(angle[at[1]], angle[at[3]]);
    double right_above = step(angle[at[0]], angle[at[1]]);
    return (int)round(down_left + right_below - down_right - right_above);
}

enum err_code pinwheels_find(struct pinwheels *out, const float *angle,
                             const float *selectivity, size_t height,
                             size_t width, bool periodic, struct arena *memory,
                             struct err *e)
{
    size_t rows = periodic ? height : height - 1;
    size_t columns = periodic ? width : width - 1;
    *out = (struct pinwheels){0};
    if (height < 2 || width < 2)
        return ERR_OK;
    out->list = arena_take(memory, rows * columns, sizeof *out->list);
    if (!out->list)
        return err_set(e, ERR_NO_MEMORY, "pinwheels of %zu x %zu units", height,
                       width);
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < columns; column++) {
            size_t below = (row + 1) % height, right = (column + 1) % width;
            const size_t at[4] = {row * width + column, row * width + right,
                                  below * width + column,
                                  below * width + right};
            bool all = true;
            for (size_t i = 0; i < 4; i++)
                all = all && selectivity[at[i]] > 0.0f;
            int turns = all ? winding(angle, at) : 0;
            if (turns == 0)
                continue;
            out->list[out->n++] = (struct pinwheel){row, column, turns > 0};
            out->positive += turns > 0;
        }
    return ERR_OK;
}
