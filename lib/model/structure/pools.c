/* Weighted groups: their two views, and what runs over a code. */
#include "lib/model/structure/pools.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/math/lanes.h"

#include <math.h>
#include <string.h>

/* Below this a pooled activation is as good as 0. */
static const float smallest = 1e-12f;

/* ---- life ---- */

enum err_code pools_init(struct pools *p, size_t units, size_t n,
                         size_t entries, struct err *e)
{
    *p = (struct pools){.units = units, .n = n};
    if (n == 0)
        return err_set(e, ERR_INVALID, "there is no group");
    if (n > POOLS_MAX_GROUPS || entries > POOLS_MAX_ENTRIES)
        return err_set(e, ERR_TOO_LARGE,
                       "%zu groups with %zu entries: at most %zu with %zu", n,
                       entries, POOLS_MAX_GROUPS, POOLS_MAX_ENTRIES);
    p->indptr = mem_array(n + 1, sizeof *p->indptr);
    p->indices = mem_array(entries, sizeof *p->indices);
    p->weights = mem_array(entries, sizeof *p->weights);
    p->even = mem_array(n, sizeof *p->even);
    p->inverse = mem_array(entries, sizeof *p->inverse);
    p->unit_first = mem_array(units + 1, sizeof *p->unit_first);
    p->unit_group = mem_array(entries, sizeof *p->unit_group);
    p->unit_weight = mem_array(entries, sizeof *p->unit_weight);
    p->unit_sum = mem_array(units, sizeof *p->unit_sum);
    if (p->indptr && p->indices && p->weights && p->even && p->inverse &&
        p->unit_first && p->unit_group && p->unit_weight && p->unit_sum)
        return ERR_OK;
    pools_fini(p);
    return err_set(e, ERR_NO_MEMORY, "%zu groups with %zu entries", n, entries);
}

enum err_code pools_finish(struct pools *p, struct err *e)
{
    size_t entries = pools_entries(p);
    uint32_t *next = mem_array(p->units + 1, sizeof *next);
    if (!next)
        return err_set(e, ERR_NO_MEMORY, "%zu groups", p->n);
    for (size_t k = 0; k < entries; k++)
        p->unit_first[p->indices[k] + 1]++;
    p->disjoint = true;
    for (size_t i = 0; i < p->units; i++) {
        p->disjoint = p->disjoint && p->unit_first[i + 1] <= 1;
        p->unit_first[i + 1] += p->unit_first[i];
        next[i] = p->unit_first[i];
    }
    for (size_t g = 0; g < p->n; g++) {
        int64_t first = p->indptr[g];
        p->even[g] = first < p->indptr[g + 1] ? p->weights[first] : 0;
        for (int64_t k = first; k < p->indptr[g + 1]; k++) {
            int64_t i = p->indices[k];
            p->unit_group[next[i]] = (uint32_t)g;
            p->unit_weight[next[i]++] = p->weights[k];
            p->unit_sum[i] += p->weights[k];
            p->inverse[k] = 1.0f / p->weights[k];
            if (p->weights[k] != p->weights[first])
                p->even[g] = 0;
        }
    }
    mem_free(next);
    return ERR_OK;
}

void pools_fini(struct pools *p)
{
    mem_free(p->indptr);
    mem_free(p->indices);
    mem_free(p->weights);
    mem_free(p->even);
    mem_free(p->inverse);
    mem_free(p->unit_first);
    mem_free(p->unit_group);
    mem_free(p->unit_weight);
    mem_free(p->unit_sum);
    *p = (struct pools){0};
}

/* ---- 16 rows ----
 * The groups' numbers of 16 rows lie side by side; the units come by a block
 * at a time, so that nothing is needed but what a stack holds. */

enum { BLOCK = 16 };

/* From row b of z (B,units), as many rows as there are lanes. */
struct rows {
    size_t b, B;
};

static bool next_rows(struct rows *r, size_t B)
{
    r->b += r->B;
    r->B = B - r->b < LANES ? B - r->b : LANES;
    return r->B > 0;
}

static size_t block_size(const struct pools *p, size_t first)
{
    return p->units - first < BLOCK ? p->units - first : BLOCK;
}

/* v (n). */
KERNEL_CLONES
static void pool_rows(const struct pools *p, lanes *restrict v, const float *z,
                      size_t B)
{
    lanes x[BLOCK];
    memset(v, 0, p->n * sizeof *v);
    for (size_t first = 0; first < p->units; first += BLOCK) {
        size_t count = block_size(p, first);
        lanes_load(x, z + first, p->units, B, count);
        for (size_t i = 0; i < count; i++) {
            lanes square = x[i] * x[i];
            uint32_t end = p->unit_first[first + i + 1];
            for (uint32_t k = p->unit_first[first + i]; k < end; k++)
                v[p->unit_group[k]] += p->unit_weight[k] * square;
        }
    }
    for (size_t g = 0; g < p->n; g++)
        LANES_SQRT(v[g]);
}

/* sum_j w_ij c_j over the groups of each unit of a block. */
KERNEL_CLONES
static void gather(const struct pools *p, lanes *restrict out,
                   const lanes *restrict c, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lanes sum = {0};
        uint32_t end = p->unit_first[first + i + 1];
        for (uint32_t k = p->unit_first[first + i]; k < end; k++)
            sum += p->unit_weight[k] * c[p->unit_group[k]];
        out[i] = sum;
    }
}

/* dz_i += z_i sum_j w_ij c_j, what every gradient through pools is made of. */
static void spread_rows(const struct pools *p, float *dz, const lanes *c,
                        const float *z, size_t B)
{
    lanes x[BLOCK], sum[BLOCK], d[BLOCK];
    for (size_t first = 0; first < p->units; first += BLOCK) {
        size_t count = block_size(p, first);
        lanes_load(x, z + first, p->units, B, count);
        lanes_load(d, dz + first, p->units, B, count);
        gather(p, sum, c, first, count);
        for (size_t i = 0; i < count; i++)
            d[i] += x[i] * sum[i];
        lanes_store(dz + first, p->units, d, B, count);
    }
}

/* c (n) = above / v of rows (B,n). */
static void ratios(const struct pools *p, lanes *c, const float *above,
                   const float *v, size_t B)
{
    lanes low[BLOCK];
    lanes_load(c, above, p->n, B, p->n);
    for (size_t first = 0; first < p->n; first += BLOCK) {
        size_t count = p->n - first < BLOCK ? p->n - first : BLOCK;
        lanes_load(low, v + first, p->n, B, count);
        for (size_t i = 0; i < count; i++)
            c[first + i] /=
                LANES_PICK(low[i] > smallest, low[i], LANES_ALL(smallest));
    }
}

/* ---- rows ---- */

static const struct pools *pools_of(const struct structure *s)
{
    return s->kind->pools(s);
}

double pools_value(const struct structure *s, const float *z, size_t B)
{
    const struct pools *p = pools_of(s);
    lanes v[POOLS_MAX_GROUPS];
    double sum = 0;
    for (struct rows r = {0}; next_rows(&r, B);) {
        pool_rows(p, v, z + r.b * p->units, r.B);
        for (size_t g = 0; g < p->n; g++)
            for (size_t b = 0; b < r.B; b++)
                sum += (double)v[g][b];
    }
    return (double)s->lambda * sum;
}

void pools_gradient(const struct structure *s, float *dz, const float *z,
                    size_t B, float scale)
{
    const struct pools *p = pools_of(s);
    lanes c[POOLS_MAX_GROUPS];
    float slope = scale * s->lambda;
    for (struct rows r = {0}; next_rows(&r, B);) {
        pool_rows(p, c, z + r.b * p->units, r.B);
        for (size_t g = 0; g < p->n; g++)
            c[g] = LANES_KEEP(c[g] > 0.0f, slope / c[g]);
        spread_rows(p, dz + r.b * p->units, c, z + r.b * p->units, r.B);
    }
}

void pools_pool(const struct structure *s, float *v, const float *z, size_t B)
{
    const struct pools *p = pools_of(s);
    lanes tile[POOLS_MAX_GROUPS];
    for (struct rows r = {0}; next_rows(&r, B);) {
        pool_rows(p, tile, z + r.b * p->units, r.B);
        lanes_store(v + r.b * p->n, p->n, tile, r.B, p->n);
    }
}

void pools_pool_backward(const struct structure *s, float *dz, const float *dv,
                         const float *z, const float *v, size_t B)
{
    const struct pools *p = pools_of(s);
    lanes c[POOLS_MAX_GROUPS];
    for (struct rows r = {0}; next_rows(&r, B);) {
        ratios(p, c, dv + r.b * p->n, v + r.b * p->n, r.B);
        spread_rows(p, dz + r.b * p->units, c, z + r.b * p->units, r.B);
    }
}

static void unpool_rows(const struct pools *p, float *out, const lanes *c,
                        const float *z, size_t B)
{
    lanes x[BLOCK], sum[BLOCK];
    for (size_t first = 0; first < p->units; first += BLOCK) {
        size_t count = block_size(p, first);
        lanes_load(x, z + first, p->units, B, count);
        gather(p, sum, c, first, count);
        for (size_t i = 0; i < count; i++)
            if (p->unit_sum[first + i] > 0.0f)
                x[i] *= sum[i] / p->unit_sum[first + i];
        lanes_store(out + first, p->units, x, B, count);
    }
}

void pools_unpool(const struct structure *s, float *out, const float *wanted,
                  const float *z, const float *v, size_t B)
{
    const struct pools *p = pools_of(s);
    lanes c[POOLS_MAX_GROUPS];
    for (struct rows r = {0}; next_rows(&r, B);) {
        ratios(p, c, wanted + r.b * p->n, v + r.b * p->n, r.B);
        unpool_rows(p, out + r.b * p->units, c, z + r.b * p->units, r.B);
    }
}

/* ---- told to others ---- */

/* The weights as a matrix for GRAPH_PRODUCT: one row a group (n,units), or one
 * row a unit with weights that add up to 1 (units,n). */
enum matrix { BY_GROUP, BY_UNIT };

static int emit_matrix(const struct pools *p, struct graph *g, enum matrix by)
{
    size_t rows = by == BY_GROUP ? p->n : p->units;
    size_t columns = by == BY_GROUP ? p->units : p->n, count;
    float *w = mem_mul(rows, columns, &count)
                   ? arena_zeroed(g->memory, count, sizeof *w)
                   : NULL;
    if (!w)
        return GRAPH_NONE;
    for (size_t j = 0; j < p->n; j++)
        for (int64_t k = p->indptr[j]; k < p->indptr[j + 1]; k++) {
            size_t i = (size_t)p->indices[k];
            if (by == BY_GROUP)
                w[j * columns + i] = p->weights[k];
            else
                w[i * columns + j] = p->weights[k] / p->unit_sum[i];
        }
    return g->constant(g, by == BY_GROUP ? "pools" : "unpools", w, 2,
                       (size_t[]){rows, columns});
}

int pools_emit_pool(const struct structure *s, struct graph *g, int z)
{
    const struct pools *p = pools_of(s);
    int square = g->apply(g, GRAPH_MULTIPLY, z, z);
    int sums = g->apply(g, GRAPH_PRODUCT, square, emit_matrix(p, g, BY_GROUP));
    return g->apply(g, GRAPH_SQRT, sums, GRAPH_NONE);
}

/* 1 for each unit without group, which unpooling leaves as it is. */
static int emit_lone(const struct pools *p, struct graph *g)
{
    float *lone = arena_zeroed(g->memory, p->units, sizeof *lone);
    if (!lone)
        return GRAPH_NONE;
    for (size_t i = 0; i < p->units; i++)
        lone[i] = p->unit_sum[i] == 0.0f ? 1.0f : 0.0f;
    return g->constant(g, "lone_units", lone, 1, &p->units);
}

int pools_emit_unpool(const struct structure *s, struct graph *g, int wanted,
                      int z, int v)
{
    const struct pools *p = pools_of(s);
    static const size_t one = 1;
    int safe = g->apply(g, GRAPH_MAX, v,
                        g->constant(g, "smallest_pool", &smallest, 1, &one));
    int ratio = g->apply(g, GRAPH_DIVIDE, wanted, safe);
    int factor = g->apply(g, GRAPH_PRODUCT, ratio, emit_matrix(p, g, BY_UNIT));
    factor = g->apply(g, GRAPH_ADD, factor, emit_lone(p, g));
    return g->apply(g, GRAPH_MULTIPLY, z, factor);
}
