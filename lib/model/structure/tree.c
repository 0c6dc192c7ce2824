/* tree: every sub-tree is a group, lambda sum_j w_j |z_g(j)| with g(j) unit j
 * and all its descendants (Jenatton, Mairal, Obozinski, Bach 2011). So a unit
 * is off wherever its parent is; several trees may stand side by side.
 *
 * As pools, v_j = w_j |z_g(j)|: their weights are the squares of the w_j.
 *
 * Prox: one group after another, each before its ancestors, is exact; for the
 * L2 norm in O(n) (their algorithm 3). Upwards, with q_j = |u_g(j)|^2 after
 * the children have had their turn,
 *     q_j = u_j^2 + sum_{children c} q_c rho_c^2,
 *     rho_j = max(0, 1 - t w_j / sqrt(q_j)),
 * and downwards each unit is multiplied by the rho of its branch, its own
 * included.
 */
#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/math/lanes.h"
#include "lib/model/structure/hierarchy.h"
#include "lib/model/structure/pools.h"

#include <assert.h>
#include <math.h>

static const double lightest = 1e-3, heaviest = 1e3;

struct tree {
    struct hierarchy hierarchy;
    float *weights; /* (n) */
    struct pools pools;
};

static const struct pools *pools_of(const struct structure *s)
{
    return &((const struct tree *)s->own)->pools;
}

/* ---- settings ---- */

static enum err_code read_weights(struct tree *own, size_t n,
                                  const struct json *j, const char *where,
                                  struct err *e)
{
    const struct json *weights = json_get(j, "weights");
    size_t i = 0;
    own->weights = mem_array(n, sizeof *own->weights);
    if (!own->weights)
        return err_set(e, ERR_NO_MEMORY, "%s", where);
    for (size_t k = 0; k < n; k++)
        own->weights[k] = 1.0f;
    if (!weights)
        return ERR_OK;
    if (!json_is_array(weights) || json_count(weights) != n)
        return err_set(e, ERR_INVALID,
                       "%s.weights: must be an array of %zu numbers, one a "
                       "unit",
                       where, n);
    for (const struct json *w = json_first(weights); w; w = json_next(w)) {
        double weight = json_is_number(w) ? json_number(w) : 0;
        if (!(weight >= lightest && weight <= heaviest))
            return err_set(e, ERR_INVALID,
                           "%s.weights[%zu]: must be a number from %g to %g",
                           where, i, lightest, heaviest);
        own->weights[i++] = (float)weight;
    }
    return ERR_OK;
}

/* Units come in rising order to all their ancestors' groups. next (n). */
static void fill_pools(struct tree *own, int64_t *next)
{
    const struct hierarchy *h = &own->hierarchy;
    struct pools *p = &own->pools;
    for (size_t g = 0; g < h->n; g++) {
        next[g] = p->indptr[g];
        p->indptr[g + 1] = p->indptr[g] + h->size[g];
    }
    for (size_t i = 0; i < h->n; i++)
        for (int32_t g = (int32_t)i; g >= 0; g = h->parents[g]) {
            p->indices[next[g]] = (int64_t)i;
            p->weights[next[g]++] = own->weights[g] * own->weights[g];
        }
}

static enum err_code make_pools(struct tree *own, const char *where,
                                struct err *e)
{
    const struct hierarchy *h = &own->hierarchy;
    size_t entries = 0;
    for (size_t i = 0; i < h->n; i++)
        entries += h->size[i];
    if (pools_init(&own->pools, h->n, h->n, entries, e))
        return err_wrap(e, "%s: sub-trees", where);
    int64_t *next = mem_array(h->n, sizeof *next);
    if (!next)
        return err_set(e, ERR_NO_MEMORY, "%s", where);
    fill_pools(own, next);
    mem_free(next);
    return pools_finish(&own->pools, e);
}

static enum err_code configure(struct structure *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e)
{
    (void)params;
    double lambda = 0;
    size_t n = space_size(&s->code);
    struct tree *own = s->own = mem_array(1, sizeof *own);
    if (!own)
        return err_set(e, ERR_NO_MEMORY, "%s", where);
    if (n > POOLS_MAX_GROUPS)
        return err_set(e, ERR_TOO_LARGE, "%s: a tree of %zu units, at most %zu",
                       where, n, POOLS_MAX_GROUPS);
    if (json_get_number(j, where, "lambda", 0, 1e6, &lambda, e) ||
        hierarchy_read(&own->hierarchy, n, j, where, e) ||
        read_weights(own, n, j, where, e) || make_pools(own, where, e))
        return e->code;
    s->lambda = (float)lambda;
    s->pooled = space_vector(n);
    return ERR_OK;
}

static void fini(struct structure *s)
{
    struct tree *own = s->own;
    if (own) {
        hierarchy_fini(&own->hierarchy);
        pools_fini(&own->pools);
        mem_free(own->weights);
    }
    mem_free(own);
    s->own = NULL;
}

/* ---- running ---- */

/* z (n), 16 rows of u on entry. sums (n), zeros, get q and then the product of
 * rho along the branch. */
KERNEL_CLONES
static void shrink(const struct tree *own, lanes *restrict z,
                   lanes *restrict sums, float t)
{
    const struct hierarchy *h = &own->hierarchy;
    for (size_t k = h->n; k-- > 0;) {
        uint32_t i = h->order[k];
        lanes q = sums[i] + z[i] * z[i], root = q;
        LANES_SQRT(root);
        lanes bound = LANES_ALL(t * own->weights[i]);
        lanes rho = LANES_KEEP(root > bound, 1.0f - bound / root);
        sums[i] = rho;
        if (h->parents[i] >= 0)
            sums[h->parents[i]] += q * rho * rho;
    }
    for (size_t k = 0; k < h->n; k++) {
        uint32_t i = h->order[k];
        if (h->parents[i] >= 0)
            sums[i] *= sums[h->parents[i]];
        z[i] *= sums[i];
    }
}

static void prox(const struct structure *s, float *z, const float *u,
                 float step, size_t B, float *state, struct arena *scratch)
{
    const struct tree *own = s->own;
    size_t n = own->hierarchy.n;
    struct arena_mark mark = arena_mark(scratch);
    lanes *tile = arena_take(scratch, n, sizeof *tile);
    lanes *sums = arena_take(scratch, n, sizeof *sums);
    (void)state;
    assert(tile && sums);
    for (size_t b = 0; b < B; b += LANES) {
        size_t rows = B - b < LANES ? B - b : LANES;
        lanes_load(tile, u + b * n, n, rows, n);
        memset(sums, 0, n * sizeof *sums);
        shrink(own, tile, sums, step * s->lambda);
        lanes_store(z + b * n, n, tile, rows, n);
    }
    arena_rewind(scratch, mark);
}

static size_t prox_bytes(const struct structure *s, size_t B)
{
    (void)B;
    return 2 * space_size(&s->code) * sizeof(lanes) + 2 * MEM_ALIGN;
}

/* ---- fewer units, and where they stand ---- */

static void close(const struct structure *s, bool *keep)
{
    hierarchy_close(&((const struct tree *)s->own)->hierarchy, keep);
}

static enum err_code prune(const struct structure *s, struct json *j,
                           const bool *keep, bool *groups, struct err *e)
{
    const struct tree *own = s->own;
    const struct hierarchy *h = &own->hierarchy;
    memcpy(groups, keep, h->n * sizeof *groups);
    if (json_get(j, "weights")) {
        struct json *weights = json_new_array();
        for (size_t i = 0; i < h->n; i++)
            if (keep[i])
                json_add(weights, json_new_number((double)own->weights[i]));
        json_set(j, "weights", weights);
    }
    return hierarchy_prune(h, j, keep, e);
}

static enum err_code layout(const struct structure *s, struct layout *out,
                            struct arena *memory, struct err *e)
{
    return hierarchy_layout(&((const struct tree *)s->own)->hierarchy, out,
                            memory, e);
}

const struct structure_kind structure_tree = {
    .name = "tree",
    .help = "every sub-tree is a group: no unit is on without its parent",
    .settings = (const char *const[]){"lambda", "branching", "parents",
                                      "weights", NULL},
    .heads = 1,
    .configure = configure,
    .fini = fini,
    .value = pools_value,
    .gradient = pools_gradient,
    .prox = prox,
    .prox_bytes = prox_bytes,
    .pool = pools_pool,
    .pool_backward = pools_pool_backward,
    .unpool = pools_unpool,
    .pools = pools_of,
    .close = close,
    .prune = prune,
    .emit_pool = pools_emit_pool,
    .emit_unpool = pools_emit_unpool,
    .layout = layout,
};
