/* Patterns of S as a table. */
#include "lib/model/structure/inhibition.h"

#include "lib/model/structure/places.h"

#include <math.h>
#include <string.h>

#define MAX_MEMBERS 16
#define MAX_STRENGTH 1e6
#define MAX_DISTANCE 1e6

struct inhibition_pattern {
    const char *name;
    const char *const *members; /* of the structure's JSON, besides */
    enum err_code (*read)(struct inhibition *p, const struct json *j,
                          const char *where, struct err *e);
    /* Whether two different units inhibit each other. */
    bool (*joins)(const struct inhibition *p, size_t a, size_t b);
    /* How many it joins to unit i; NULL: as many for all. */
    size_t (*partners)(const struct inhibition *p, size_t i);
    enum err_code (*layout)(const struct inhibition *p, struct layout *out,
                            struct arena *memory, struct err *e);
    enum err_code (*prune)(const struct inhibition *p, struct json *j,
                           const bool *keep, struct err *e);
};

/* ---- every pair ---- */

static enum err_code read_nothing(struct inhibition *p, const struct json *j,
                                  const char *where, struct err *e)
{
    (void)p, (void)j, (void)where, (void)e;
    return ERR_OK;
}

static bool joins_all(const struct inhibition *p, size_t a, size_t b)
{
    (void)p, (void)a, (void)b;
    return true;
}

static enum err_code lay_out_square(const struct inhibition *p,
                                    struct layout *out, struct arena *memory,
                                    struct err *e)
{
    return places_on_square(out, p->units, memory, e);
}

/* What is said of any number of units needs no change. */
static enum err_code prune_freely(const struct inhibition *p, struct json *j,
                                  const bool *keep, struct err *e)
{
    (void)p, (void)j, (void)keep, (void)e;
    return ERR_OK;
}

/* ---- at a distance on a ring or a torus ---- */

static enum err_code read_distances(struct inhibition *p, const struct json *j,
                                    const char *where, struct err *e)
{
    p->near = p->far = -1;
    if (json_get_number(j, where, "near", 0, MAX_DISTANCE, &p->near, e) ||
        json_get_number(j, where, "far", 0, MAX_DISTANCE, &p->far, e))
        return e->code;
    if (p->near < 0 || p->far < 0)
        return err_set(e, ERR_INVALID, "%s.%s: missing", where,
                       p->near < 0 ? "near" : "far");
    if (p->near >= p->far)
        return err_set(e, ERR_INVALID,
                       "%s.far: must be over near (%.9g), not %.9g", where,
                       p->near, p->far);
    return ERR_OK;
}

/* The shorter way round. */
static double round_distance(size_t a, size_t b, size_t n)
{
    size_t d = a > b ? a - b : b - a;
    return (double)(d < n - d ? d : n - d);
}

static bool joins_on_ring(const struct inhibition *p, size_t a, size_t b)
{
    double d = round_distance(a, b, p->units);
    return d > p->near && d <= p->far;
}

static enum err_code lay_out_ring(const struct inhibition *p,
                                  struct layout *out, struct arena *memory,
                                  struct err *e)
{
    return places_on_ring(out, p->units, memory, e);
}

static enum err_code read_grid(struct inhibition *p, const struct json *j,
                               const char *where, struct err *e)
{
    if (json_get_size(j, where, "height", 1, p->units, &p->height, e) ||
        json_get_size(j, where, "width", 1, p->units, &p->width, e))
        return e->code;
    if (p->height == 0 || p->width == 0)
        return err_set(e, ERR_INVALID, "%s.%s: missing", where,
                       p->height == 0 ? "height" : "width");
    if (p->height * p->width != p->units)
        return err_set(e, ERR_INVALID,
                       "%s.height: a grid of %zu x %zu has not the layer's "
                       "%zu units",
                       where, p->height, p->width, p->units);
    return read_distances(p, j, where, e);
}

static bool joins_on_grid(const struct inhibition *p, size_t a, size_t b)
{
    double x = round_distance(a % p->width, b % p->width, p->width);
    double y = round_distance(a / p->width, b / p->width, p->height);
    double d = sqrt(x * x + y * y);
    return d > p->near && d <= p->far;
}

static enum err_code lay_out_grid(const struct inhibition *p,
                                  struct layout *out, struct arena *memory,
                                  struct err *e)
{
    return places_on_torus(out, p->height, p->width, memory, e);
}

static enum err_code prune_grid(const struct inhibition *p, struct json *j,
                                const bool *keep, struct err *e)
{
    (void)p, (void)j, (void)keep;
    return err_set(e, ERR_CONFLICT, "the units of a grid cannot be pruned");
}

/* ---- all but ancestors and descendants ---- */

static enum err_code read_tree(struct inhibition *p, const struct json *j,
                               const char *where, struct err *e)
{
    return hierarchy_read(&p->tree, p->units, j, where, e);
}

static bool joins_unrelated(const struct inhibition *p, size_t a, size_t b)
{
    return !hierarchy_above(&p->tree, a, b) && !hierarchy_above(&p->tree, b, a);
}

static size_t partners_unrelated(const struct inhibition *p, size_t i)
{
    return p->units - p->tree.depth[i] - p->tree.size[i];
}

static enum err_code lay_out_tree(const struct inhibition *p,
                                  struct layout *out, struct arena *memory,
                                  struct err *e)
{
    return hierarchy_layout(&p->tree, out, memory, e);
}

static enum err_code prune_tree(const struct inhibition *p, struct json *j,
                                const bool *keep, struct err *e)
{
    return hierarchy_prune(&p->tree, j, keep, e);
}

/* ---- the table ---- */

static const struct inhibition_pattern patterns[] = {
    {"tree", (const char *const[]){"branching", "parents", NULL}, read_tree,
     joins_unrelated, partners_unrelated, lay_out_tree, prune_tree},
    {"ring", (const char *const[]){"near", "far", NULL}, read_distances,
     joins_on_ring, NULL, lay_out_ring, prune_freely},
    {"grid", (const char *const[]){"height", "width", "near", "far", NULL},
     read_grid, joins_on_grid, NULL, lay_out_grid, prune_grid},
    {"all", (const char *const[]){NULL}, read_nothing, joins_all, NULL,
     lay_out_square, prune_freely},
};

static enum err_code find_pattern(struct inhibition *p, const struct json *j,
                                  const char *where, struct err *e)
{
    const char *name = NULL;
    if (json_get_text(j, where, "pattern", &name, e))
        return e->code;
    if (!name)
        return err_set(e, ERR_INVALID, "%s.pattern: missing", where);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (strcmp(patterns[i].name, name) == 0)
            p->pattern = &patterns[i];
    if (!p->pattern)
        return err_set(e, ERR_INVALID,
                       "%s.pattern: must be one of \"tree\", \"ring\", "
                       "\"grid\" and \"all\", not \"%.60s\"",
                       where, name);
    return ERR_OK;
}

static enum err_code check_members(const struct inhibition *p,
                                   const struct json *j, const char *where,
                                   const char *const *always, struct err *e)
{
    const char *known[MAX_MEMBERS + 1] = {"pattern", "strength"};
    size_t n = 2;
    for (size_t i = 0; always[i] && n < MAX_MEMBERS; i++)
        known[n++] = always[i];
    for (size_t i = 0; p->pattern->members[i] && n < MAX_MEMBERS; i++)
        known[n++] = p->pattern->members[i];
    return json_only(j, where, known, e);
}

enum err_code inhibition_read(struct inhibition *p, size_t units,
                              const struct json *j, const char *where,
                              const char *const *always, struct err *e)
{
    double strength = -1;
    p->units = units;
    if (find_pattern(p, j, where, e) || check_members(p, j, where, always, e) ||
        json_get_number(j, where, "strength", 0, MAX_STRENGTH, &strength, e))
        return e->code;
    if (strength < 0)
        return err_set(e, ERR_INVALID, "%s.strength: missing", where);
    p->strength = (float)strength;
    return p->pattern->read(p, j, where, e);
}

void inhibition_fini(struct inhibition *p)
{
    hierarchy_fini(&p->tree);
}

void inhibition_fill(const struct inhibition *p, float *S)
{
    for (size_t a = 0; a < p->units; a++)
        for (size_t b = 0; b < p->units; b++)
            S[a * p->units + b] =
                a != b && p->pattern->joins(p, a, b) ? p->strength : 0.0f;
}

void inhibition_sums(const struct inhibition *p, float *sums)
{
    size_t partners = 0;
    for (size_t b = 1; !p->pattern->partners && b < p->units; b++)
        partners += p->pattern->joins(p, 0, b);
    for (size_t i = 0; i < p->units; i++) {
        if (p->pattern->partners)
            partners = p->pattern->partners(p, i);
        sums[i] = (float)partners * p->strength;
    }
}

void inhibition_close(const struct inhibition *p, bool *keep)
{
    if (p->tree.n > 0)
        hierarchy_close(&p->tree, keep);
}

enum err_code inhibition_prune(const struct inhibition *p, struct json *j,
                               const bool *keep, struct err *e)
{
    return p->pattern->prune(p, j, keep, e);
}

enum err_code inhibition_layout(const struct inhibition *p, struct layout *out,
                                struct arena *memory, struct err *e)
{
    return p->pattern->layout(p, out, memory, e);
}
