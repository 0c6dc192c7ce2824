/* What several emitters say. */
#include "lib/model/graph.h"

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
