/* Moving pictures. */
#include "lib/train/shift.h"

#include "lib/base/rng.h"

#include <string.h>

static size_t rows_of(const struct model *m)
{
    return m->input_shape[m->input_rank - 2];
}

static size_t columns_of(const struct model *m)
{
    return m->input_shape[m->input_rank - 1];
}

bool shift_suits(const struct model *m, size_t most)
{
    return m->input_rank >= 2 && rows_of(m) > 2 * most &&
           columns_of(m) > 2 * most;
}

/* Where index i of n comes from when all moves by `by` less `most`. */
static size_t source(size_t i, size_t by, size_t most, size_t n)
{
    size_t from = i + by;
    if (from < most)
        return 0;
    return from - most < n ? from - most : n - 1;
}

static void move(float *to, const float *from, size_t rows, size_t columns,
                 size_t down, size_t right, size_t most)
{
    for (size_t i = 0; i < rows; i++) {
        const float *line = from + source(i, down, most, rows) * columns;
        for (size_t j = 0; j < columns; j++)
            *to++ = line[source(j, right, most, columns)];
    }
}

void shift_rows(const struct model *m, float *x, size_t B, size_t most,
                uint64_t seed, size_t first, float *scratch)
{
    size_t rows = rows_of(m), columns = columns_of(m);
    size_t channels = model_inputs(m) / (rows * columns);
    for (size_t b = 0; b < B; b++) {
        struct rng rng = rng_make(seed, "shift", first + b);
        size_t down = rng_below(&rng, 2 * most + 1);
        size_t right = rng_below(&rng, 2 * most + 1);
        memcpy(scratch, x, model_inputs(m) * sizeof *x);
        for (size_t c = 0; c < channels; c++, x += rows * columns)
            move(x, scratch + c * rows * columns, rows, columns, down, right,
                 most);
    }
}
