/* Windows told as standard operations: squares, a convolution, roots.
 *
 * A convolution pads opposite sides alike, but windows start at the first unit
 * and only the last ones reach over the edge. So both sides get the padding
 * that the last windows need, and the kernel as many zeros before its weights:
 * windows start that much earlier, where nothing counts.
 */
#include "lib/base/mem.h"
#include "lib/math/convolution.h"
#include "lib/model/graph.h"
#include "lib/model/structure/windows.h"

static const float smallest = 1e-12f;

/* By how much the last window reaches over the end. */
static size_t overhang(const struct windows_axis *a)
{
    return (a->windows - 1) * a->stride + a->size - a->units;
}

/* The weight that map m has in the windows which start at map k's place. */
static float map_weight(const struct windows_axis *a, size_t k, size_t m)
{
    size_t place = (m + a->units - k * a->stride % a->units) % a->units;
    return place < a->size ? a->weights[place] : 0.0f;
}

/* The convolution that sums weighted windows up; false where strides differ.
 * A single window has any stride: it starts at 0. */
static bool as_convolution(struct convolution *c, const struct windows *w)
{
    const struct windows_axis *rows = &w->rows, *columns = &w->columns;
    size_t down = overhang(rows), across = overhang(columns);
    *c = (struct convolution){.channels = w->maps.units,
                              .height = rows->units,
                              .width = columns->units,
                              .maps = w->maps.windows,
                              .kernel_height = rows->size + down,
                              .kernel_width = columns->size + across,
                              .stride = rows->windows > 1 ? rows->stride
                                                          : columns->stride,
                              .padding_y = down,
                              .padding_x = across,
                              .rows = rows->windows,
                              .columns = columns->windows};
    return rows->windows == 1 || columns->windows == 1 ||
           rows->stride == columns->stride;
}

static int emit_kernel(const struct windows *w, const struct convolution *c,
                       struct graph *g)
{
    const struct windows_axis *rows = &w->rows, *columns = &w->columns;
    size_t across = c->kernel_width, size = c->kernel_height * across, count;
    float *kernel = mem_mul(c->maps * c->channels, size, &count)
                        ? arena_zeroed(g->memory, count, sizeof *kernel)
                        : NULL;
    if (!kernel)
        return GRAPH_NONE;
    for (size_t k = 0; k < c->maps; k++)
        for (size_t m = 0; m < c->channels; m++) {
            float *out = kernel + (k * c->channels + m) * size;
            float weight = map_weight(&w->maps, k, m);
            for (size_t i = 0; i < rows->size; i++)
                for (size_t j = 0; j < columns->size; j++)
                    out[(i + c->padding_y) * across + j + c->padding_x] =
                        weight * rows->weights[i] * columns->weights[j];
        }
    return g->constant(
        g, "windows", kernel, 4,
        (size_t[]){c->maps, c->channels, c->kernel_height, c->kernel_width});
}

/* The weight of unit i of an axis in its k-th window. */
static float weight_of(const struct windows_axis *a, size_t k, size_t i)
{
    size_t start = k * a->stride;
    return i >= start && i - start < a->size ? a->weights[i - start] : 0.0f;
}

/* One row a window (windows,units); or one a unit. */
static int emit_matrix(const struct windows *w, struct graph *g, bool by_unit)
{
    size_t n = w->maps.units * w->rows.units * w->columns.units, count;
    size_t windows = w->maps.windows * w->rows.windows * w->columns.windows;
    float *matrix = mem_mul(windows, n, &count)
                        ? arena_take(g->memory, count, sizeof *matrix)
                        : NULL;
    if (!matrix)
        return GRAPH_NONE;
    for (size_t k = 0; k < windows; k++)
        for (size_t i = 0; i < n; i++) {
            size_t row = k / w->columns.windows, y = i / w->columns.units;
            matrix[by_unit ? i * windows + k : k * n + i] =
                map_weight(&w->maps, row / w->rows.windows, y / w->rows.units) *
                weight_of(&w->rows, row % w->rows.windows, y % w->rows.units) *
                weight_of(&w->columns, k % w->columns.windows,
                          i % w->columns.units);
        }
    return g->constant(
        g, "windows", matrix, 2,
        (size_t[]){by_unit ? n : windows, by_unit ? windows : n});
}

/* The weighted sums of windows of what the units have, or, reversed, of units
 * of what their windows have. */
static int emit_sums(const struct windows *w, struct graph *g, int a,
                     bool reversed)
{
    struct convolution *c = arena_take(g->memory, 1, sizeof *c);
    if (!c)
        return GRAPH_NONE;
    if (!as_convolution(c, w))
        return g->apply(g, GRAPH_PRODUCT, a, emit_matrix(w, g, reversed));
    return g->convolve(g, a, emit_kernel(w, c, g), c, reversed);
}

int windows_emit_pool(const struct structure *s, struct graph *g, int z)
{
    int square = g->apply(g, GRAPH_MULTIPLY, z, z);
    return g->apply(g, GRAPH_SQRT, emit_sums(windows_of(s), g, square, false),
                    GRAPH_NONE);
}

/* For each unit, 1 over its weights in all windows. */
static int emit_inverse(const struct windows *w, struct graph *g)
{
    size_t lines = w->maps.units * w->rows.units, width = w->columns.units;
    size_t n = lines * width;
    float *inverse = arena_take(g->memory, n, sizeof *inverse);
    if (!inverse)
        return GRAPH_NONE;
    for (size_t i = 0; i < n; i++)
        inverse[i] = w->maps.inverse[i / width / w->rows.units] *
                     w->rows.inverse[i / width % w->rows.units] *
                     w->columns.inverse[i % width];
    return g->constant(g, "unwindows", inverse, 1, &n);
}

int windows_emit_unpool(const struct structure *s, struct graph *g, int wanted,
                        int z, int v)
{
    const struct windows *w = windows_of(s);
    static const size_t one = 1;
    int least = g->constant(g, "smallest_pool", &smallest, 1, &one);
    int ratio =
        g->apply(g, GRAPH_DIVIDE, wanted, g->apply(g, GRAPH_MAX, v, least));
    int factor = g->apply(g, GRAPH_MULTIPLY, emit_sums(w, g, ratio, true),
                          emit_inverse(w, g));
    return g->apply(g, GRAPH_MULTIPLY, z, factor);
}
