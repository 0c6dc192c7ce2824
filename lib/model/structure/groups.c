/* groups: units that are on together share one price, lambda sum_j v_j with
 * v_j = sqrt(sum_{i in P_j} w_ji z_i^2) (group lasso; Kavukcuoglu, Ranzato,
 * Fergus, LeCun 2009 for overlapping windows on a torus with Gaussian weights,
 * whose neighbours become alike: a topographic map).
 *
 * The groups are fixed: consecutive blocks, lists, or windows on a map; or the
 * rule of windows.h, for codes that are pictures. They have no threshold for a
 * single coordinate: where a whole group is off, no unit by itself can lower
 * the energy although all together can.
 */
#include "lib/base/mem.h"
#include "lib/model/structure/places.h"
#include "lib/model/structure/pools_read.h"
#include "lib/model/structure/windows.h"

#include <math.h>

struct groups {
    struct pools pools;
    struct pools_map map; /* height 0: the groups lie on none */
};

static const struct pools *pools_of(const struct structure *s)
{
    return &((const struct groups *)s->own)->pools;
}

/* ---- settings ---- */

static enum err_code read_groups(struct groups *own, size_t units,
                                 const struct json *j, const char *where,
                                 struct err *e)
{
    const struct json *lists = json_get(j, "lists");
    const struct json *map = json_get(j, "map");
    const struct json *blocks = json_get(j, "blocks");
    if (!!lists + !!map + !!blocks != 1)
        return err_set(e, ERR_INVALID,
                       "%s: wants one of \"blocks\", \"lists\", \"map\" and "
                       "\"window\"",
                       where);
    if (json_get(j, "weights") && !lists)
        return err_set(e, ERR_INVALID, "%s.weights: only with \"lists\"",
                       where);
    if (map)
        return pools_read_map(&own->pools, &own->map, units, j, where, e);
    return lists ? pools_read_lists(&own->pools, units, j, where, e)
                 : pools_read_blocks(&own->pools, units, j, where, e);
}

static enum err_code configure(struct structure *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *e)
{
    (void)params;
    bool partition = false;
    double lambda = 0;
    struct groups *own = s->own = mem_array(1, sizeof *own);
    if (!own)
        return err_set(e, ERR_NO_MEMORY, "%s", where);
    if (json_get_number(j, where, "lambda", 0, 1e6, &lambda, e) ||
        json_get_bool(j, where, "partition", &partition, e) ||
        read_groups(own, space_size(&s->code), j, where, e) ||
        (partition && pools_check_partition(&own->pools, where, e)))
        return e->code;
    s->lambda = (float)lambda;
    s->pooled = space_vector(own->pools.n);
    if (own->map.height > 0)
        s->pooled = (struct space){.channels = 1,
                                   .height = own->map.height / own->map.stride,
                                   .width = own->map.width / own->map.stride,
                                   .periodic = true};
    return ERR_OK;
}

static void fini(struct structure *s)
{
    struct groups *own = s->own;
    if (own)
        pools_fini(&own->pools);
    mem_free(own);
    s->own = NULL;
}

/* ---- fewer units ---- */

static struct json *unit_number(const struct pools *p, int64_t k,
                                const size_t *number)
{
    return json_new_number((double)number[p->indices[k]]);
}

/* The lists, and their weights where they have some, of what is kept. */
static void write_lists(const struct pools *p, struct json *j, const bool *keep,
                        const size_t *number, const bool *groups)
{
    struct json *lists = json_new_array();
    struct json *weights = json_get(j, "weights") ? json_new_array() : NULL;
    for (size_t g = 0; g < p->n; g++) {
        if (!groups[g])
            continue;
        struct json *list = json_new_array();
        struct json *list_weights = weights ? json_new_array() : NULL;
        for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
            if (!keep[p->indices[k]])
                continue;
            json_add(list, unit_number(p, k, number));
            if (weights)
                json_add(list_weights, json_new_number((double)p->weights[k]));
        }
        json_add(lists, list);
        if (weights)
            json_add(weights, list_weights);
    }
    json_remove(j, "blocks");
    json_set(j, "lists", lists);
    if (weights)
        json_set(j, "weights", weights);
}

static enum err_code prune(const struct structure *s, struct json *j,
                           const bool *keep, bool *groups, struct err *e)
{
    const struct groups *own = s->own;
    const struct pools *p = &own->pools;
    size_t kept = 0, kept_groups = 0;
    if (own->map.height > 0)
        return err_set(e, ERR_CONFLICT,
                       "units of a map cannot be taken out of it");
    for (size_t g = 0; g < p->n; g++) {
        groups[g] = false;
        for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++)
            groups[g] = groups[g] || keep[p->indices[k]];
        kept_groups += groups[g];
    }
    if (kept_groups == 0)
        return err_set(e, ERR_CONFLICT, "no group would be left");
    size_t *number = mem_array(p->units, sizeof *number);
    if (!number)
        return err_set(e, ERR_NO_MEMORY, "%zu units", p->units);
    for (size_t i = 0; i < p->units; i++) {
        number[i] = kept;
        kept += keep[i];
    }
    write_lists(p, j, keep, number, groups);
    mem_free(number);
    return ERR_OK;
}

/* ---- layout ---- */

/* Groups as near-square blocks on shelves, with room between; a unit lies in
 * the first group that has it, those without group in a last block. */
struct shelf {
    float left, top, height, width; /* the next block's corner; the widest */
    float across;                   /* how wide a shelf may get */
};

static const float gap = 0.5f;

static void put_block(struct shelf *f, struct layout_place *places,
                      const uint32_t *units, size_t n)
{
    size_t side = (size_t)ceil(sqrt((double)n)), rows = (n + side - 1) / side;
    if (f->left > 0 && f->left + (float)side > f->across) {
        f->left = 0;
        f->top += f->height + gap;
        f->height = 0;
    }
    for (size_t k = 0; k < n; k++)
        places[units[k]] = (struct layout_place){
            .x = f->left + (float)(k % side), .y = f->top + (float)(k / side)};
    f->left += (float)side;
    f->width = fmaxf(f->width, f->left);
    f->left += gap;
    f->height = fmaxf(f->height, (float)rows);
}

static void put_groups(const struct pools *p, struct shelf *f,
                       struct layout_place *places, uint32_t *units)
{
    for (size_t g = 0; g < p->n; g++) {
        size_t n = 0;
        for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
            int64_t i = p->indices[k];
            if (p->unit_group[p->unit_first[i]] == g)
                units[n++] = (uint32_t)i;
        }
        if (n > 0)
            put_block(f, places, units, n);
    }
    size_t n = 0;
    for (size_t i = 0; i < p->units; i++)
        if (p->unit_first[i] == p->unit_first[i + 1])
            units[n++] = (uint32_t)i;
    if (n > 0)
        put_block(f, places, units, n);
}

static enum err_code layout(const struct structure *s, struct layout *out,
                            struct arena *memory, struct err *e)
{
    const struct groups *own = s->own;
    const struct pools *p = &own->pools;
    if (own->map.height > 0)
        return places_on_torus(out, own->map.height, own->map.width, memory, e);
    uint32_t *units = arena_take(memory, p->units, sizeof *units);
    *out = (struct layout){
        .places = arena_take(memory, p->units, sizeof *out->places)};
    if (!units || !out->places)
        return err_set(e, ERR_NO_MEMORY, "layout of %zu units", p->units);
    float side = sqrtf((float)p->units / (float)p->n) + gap;
    struct shelf f = {.across = ceilf(sqrtf((float)p->n)) * ceilf(side)};
    put_groups(p, &f, out->places, units);
    out->width = f.width;
    out->height = f.top + f.height;
    return ERR_OK;
}

extern const struct structure_kind structure_groups;

static const struct structure_kind *variant(const struct json *j)
{
    return json_get(j, "window") ? windows_variant(j) : &structure_groups;
}

const struct structure_kind structure_groups = {
    .name = "groups",
    .help = "units pay by the group, lambda sqrt(sum w z^2)",
    .settings = (const char *const[]){"lambda", "blocks", "lists", "weights",
                                      "map", "partition", NULL},
    .heads = 1,
    .variant = variant,
    .configure = configure,
    .fini = fini,
    .value = pools_value,
    .gradient = pools_gradient,
    .prox = pools_prox,
    .prox_state = pools_prox_state,
    .prox_bytes = pools_prox_bytes,
    .pool = pools_pool,
    .pool_backward = pools_pool_backward,
    .unpool = pools_unpool,
    .pools = pools_of,
    .prune = prune,
    .emit_pool = pools_emit_pool,
    .emit_unpool = pools_emit_unpool,
    .layout = layout,
};
