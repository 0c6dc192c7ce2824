/* What several emitters say. */
#include "lib/model/graph.h"

#include "lib/base/mem.h"
#include "lib/math/convolution.h"

static const size_t one = 1;

int graph_guarded_norm(struct graph *g, int a)
{
    static const float smallest = 1e-12f;
    return g->apply(g, GRAPH_MAX, g->apply(g, GRAPH_NORM, a, GRAPH_NONE),
                    g->constant(g, "smallest_norm", &smallest, 1, &one));
}

int graph_positive(struct graph *g, int a)
{
    static const float zero = 0.0f;
    return g->apply(g, GRAPH_MAX, a, g->constant(g, "zero", &zero, 1, &one));
}

static const float *as_it_is(struct graph *g, size_t n)
{
    size_t count;
    float *matrix = mem_mul(n, n, &count)
                        ? arena_zeroed(g->memory, count, sizeof *matrix)
                        : NULL;
    for (size_t i = 0; matrix && i < n; i++)
        matrix[i * n + i] = 1;
    return matrix;
}

/* (B,others,n) multiplied along its last axis, which becomes the first one:
 * (B,n,others). It is a convolution whose kernels are as wide as the picture.
 */
static int turn(struct graph *g, int a, size_t others, size_t n,
                struct graph_axis by)
{
    struct convolution *c = arena_take(g->memory, 1, sizeof *c);
    if (!by.matrix)
        by = (struct graph_axis){"as_it_is", as_it_is(g, n)};
    if (!c || !by.matrix)
        return GRAPH_NONE;
    *c = (struct convolution){.channels = 1,
                              .height = others,
                              .width = n,
                              .maps = n,
                              .rows = others,
                              .columns = 1,
                              .kernel_height = 1,
                              .kernel_width = n,
                              .stride = 1};
    const size_t dims[] = {n, 1, 1, n};
    return g->convolve(g, a, g->constant(g, by.name, by.matrix, 4, dims), c,
                       false);
}

int graph_along_axes(struct graph *g, int a, const struct space *s,
                     struct graph_axis channels, struct graph_axis rows,
                     struct graph_axis columns)
{
    a = turn(g, a, s->channels * s->height, s->width, columns);
    a = turn(g, a, s->width * s->channels, s->height, rows);
    return s->channels == 1
               ? a
               : turn(g, a, s->height * s->width, s->channels, channels);
}
