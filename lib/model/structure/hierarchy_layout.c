/* A tree drawn as rings: the root in the middle and a ring for each depth, as
 * in Jenatton et al. 2011, figure 7.
 *
 * Each leaf has an equal share of the round; a unit stands in the middle of
 * its leaves' shares. A ring is so wide that its closest units are far enough
 * apart, whatever their direction, and clears the ring within.
 */
#include "lib/model/structure/hierarchy.h"
#include "lib/model/structure/places.h"

#include <math.h>

/* Between the centres of rings: edges need some room to be seen. */
static const double ring_gap = 1.75;

/* Where each unit stands on its ring, in shares of the round from 0 to 1. */
static void find_turns(const struct hierarchy *h, double *turn,
                       uint32_t *leaves)
{
    size_t before = 0, all = 0;
    for (size_t k = h->n; k-- > 0;) {
        uint32_t i = h->order[k];
        if (h->size[i] == 1) {
            leaves[i] = 1;
            all++;
        }
        if (h->parents[i] >= 0)
            leaves[h->parents[i]] += leaves[i];
    }
    for (size_t k = 0; k < h->n; k++) {
        uint32_t i = h->order[k];
        turn[i] = ((double)before + 0.5 * leaves[i]) / (double)all;
        before += h->size[i] == 1;
    }
}

/* In depth-first order turns rise on every ring, so the closest units of a
 * ring follow each other there, or are its last and its first. */
static void find_radii(const struct hierarchy *h, const double *turn,
                       double radius[HIERARCHY_MAX_DEPTH + 1])
{
    double first[HIERARCHY_MAX_DEPTH + 1], last[HIERARCHY_MAX_DEPTH + 1];
    double closest[HIERARCHY_MAX_DEPTH + 1];
    for (size_t d = 0; d <= HIERARCHY_MAX_DEPTH; d++) {
        first[d] = last[d] = -1;
        closest[d] = 0.5; /* more makes no chord longer */
    }
    for (size_t k = 0; k < h->n; k++) {
        uint32_t i = h->order[k], d = h->depth[i];
        if (last[d] < 0)
            first[d] = turn[i];
        else
            closest[d] = fmin(closest[d], turn[i] - last[d]);
        last[d] = turn[i];
    }
    double within = -ring_gap;
    for (size_t d = 0; d <= HIERARCHY_MAX_DEPTH && last[d] >= 0; d++) {
        radius[d] = within + ring_gap;
        if (last[d] > first[d]) {
            closest[d] = fmin(closest[d], 1 - (last[d] - first[d]));
            radius[d] =
                fmax(radius[d], PLACES_APART / (2 * sin(M_PI * closest[d])));
        }
        within = radius[d];
    }
}

enum err_code hierarchy_layout(const struct hierarchy *h, struct layout *out,
                               struct arena *memory, struct err *e)
{
    double radius[HIERARCHY_MAX_DEPTH + 1];
    double *turn = arena_take(memory, h->n, sizeof *turn);
    uint32_t *leaves = arena_zeroed(memory, h->n, sizeof *leaves);
    *out = (struct layout){
        .places = arena_take(memory, h->n, sizeof *out->places),
        .edges = arena_take(memory, h->n, sizeof *out->edges),
    };
    if (!turn || !leaves || !out->places || !out->edges)
        return err_set(e, ERR_NO_MEMORY, "layout of %zu units", h->n);
    find_turns(h, turn, leaves);
    find_radii(h, turn, radius);
    for (size_t i = 0; i < h->n; i++) {
        double angle = 2 * M_PI * turn[i], r = radius[h->depth[i]];
        out->places[i] = (struct layout_place){.x = (float)(r * sin(angle)),
                                               .y = (float)(-r * cos(angle))};
        if (h->parents[i] >= 0)
            out->edges[out->n_edges++] = (struct layout_edge){
                .from = (uint32_t)i, .to = (uint32_t)h->parents[i]};
    }
    places_set_frame(out, h->n);
    return ERR_OK;
}
