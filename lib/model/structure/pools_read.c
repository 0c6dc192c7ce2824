/* Groups from JSON. */
#include "lib/model/structure/pools_read.h"

#include "lib/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Weights beyond these would leave what float32 can square; those of a window
 * are told from what they would be if all were alike. */
static const double lightest = 1e-6, heaviest = 1e6;

/* ---- blocks ---- */

enum err_code pools_read_blocks(struct pools *p, size_t units,
                                const struct json *j, const char *where,
                                struct err *e)
{
    size_t k = 0;
    if (json_get_size(j, where, "blocks", 1, units, &k, e))
        return e->code;
    if (units % k != 0)
        return err_set(e, ERR_INVALID, "%s.blocks: %zu does not divide %zu",
                       where, k, units);
    if (pools_init(p, units, units / k, units, e))
        return err_wrap(e, "%s.blocks", where);
    for (size_t i = 0; i < units; i++) {
        p->indices[i] = (int64_t)i;
        p->weights[i] = 1.0f;
        p->indptr[i / k + 1] = (int64_t)i + 1;
    }
    return pools_finish(p, e);
}

/* ---- lists ---- */

struct entry {
    int64_t unit;
    float weight;
};

static int by_unit(const void *a, const void *b)
{
    int64_t left = ((const struct entry *)a)->unit;
    int64_t right = ((const struct entry *)b)->unit;
    return (left > right) - (left < right);
}

/* The group at `list`, sorted, into entries. weights may be NULL. */
static enum err_code read_list(struct entry *entries, size_t units,
                               const struct json *list,
                               const struct json *weights, const char *where,
                               size_t g, struct err *e)
{
    size_t n = json_count(list), i = 0;
    const struct json *w = weights ? json_first(weights) : NULL;
    if (weights && (!json_is_array(weights) || json_count(weights) != n))
        return err_set(e, ERR_INVALID,
                       "%s.weights[%zu]: must be %zu numbers, as lists[%zu] "
                       "has",
                       where, g, n, g);
    for (const struct json *u = json_first(list); u; u = json_next(u), i++) {
        double unit = json_is_number(u) ? json_number(u) : -1;
        double weight = w ? json_is_number(w) ? json_number(w) : 0 : 1;
        if (!(unit >= 0 && unit < (double)units && unit == floor(unit)))
            return err_set(e, ERR_INVALID,
                           "%s.lists[%zu][%zu]: must be a unit, 0 to %zu",
                           where, g, i, units - 1);
        if (!(weight >= lightest && weight <= heaviest))
            return err_set(e, ERR_INVALID,
                           "%s.weights[%zu][%zu]: must be a number from %g to "
                           "%g",
                           where, g, i, lightest, heaviest);
        entries[i] =
            (struct entry){.unit = (int64_t)unit, .weight = (float)weight};
        w = w ? json_next(w) : NULL;
    }
    qsort(entries, n, sizeof *entries, by_unit);
    for (i = 1; i < n; i++)
        if (entries[i].unit == entries[i - 1].unit)
            return err_set(e, ERR_INVALID, "%s.lists[%zu]: unit %lld is twice",
                           where, g, (long long)entries[i].unit);
    return ERR_OK;
}

/* How many entries the lists have; the most in one into *longest. */
static enum err_code count_lists(const struct json *lists, size_t units,
                                 const char *where, size_t *entries,
                                 size_t *longest, struct err *e)
{
    size_t g = 0;
    *entries = *longest = 0;
    if (!json_is_array(lists))
        return err_set(e, ERR_INVALID,
                       "%s.lists: must be an array of arrays of units", where);
    for (const struct json *l = json_first(lists); l; l = json_next(l), g++) {
        size_t n = json_count(l);
        if (!json_is_array(l) || n == 0 || n > units)
            return err_set(e, ERR_INVALID,
                           "%s.lists[%zu]: must be an array of 1 to %zu units",
                           where, g, units);
        *entries += n;
        *longest = n > *longest ? n : *longest;
    }
    return ERR_OK;
}

static enum err_code fill_lists(struct pools *p, struct entry *entries,
                                const struct json *lists,
                                const struct json *weights, const char *where,
                                struct err *e)
{
    size_t g = 0;
    const struct json *w = weights ? json_first(weights) : NULL;
    for (const struct json *l = json_first(lists); l; l = json_next(l), g++) {
        size_t n = json_count(l), first = (size_t)p->indptr[g];
        if (read_list(entries, p->units, l, w, where, g, e))
            return e->code;
        for (size_t k = 0; k < n; k++) {
            p->indices[first + k] = entries[k].unit;
            p->weights[first + k] = entries[k].weight;
        }
        p->indptr[g + 1] = (int64_t)(first + n);
        w = w ? json_next(w) : NULL;
    }
    return ERR_OK;
}

enum err_code pools_read_lists(struct pools *p, size_t units,
                               const struct json *j, const char *where,
                               struct err *e)
{
    const struct json *lists = json_get(j, "lists");
    const struct json *weights = json_get(j, "weights");
    size_t n = json_count(lists), total, longest;
    if (count_lists(lists, units, where, &total, &longest, e))
        return e->code;
    if (weights && (!json_is_array(weights) || json_count(weights) != n))
        return err_set(e, ERR_INVALID,
                       "%s.weights: must be an array of %zu arrays, as lists "
                       "has",
                       where, n);
    if (pools_init(p, units, n, total, e))
        return err_wrap(e, "%s.lists", where);
    struct entry *entries = mem_array(longest, sizeof *entries);
    if (!entries)
        return err_set(e, ERR_NO_MEMORY, "%s.lists", where);
    enum err_code code = fill_lists(p, entries, lists, weights, where, e);
    mem_free(entries);
    return code ? code : pools_finish(p, e);
}

/* ---- map ---- */

static enum err_code read_map(struct pools_map *map, size_t units,
                              const struct json *m, const char *where,
                              struct err *e)
{
    static const char *const known[] = {"height", "width", "window",
                                        "stride", "sigma", NULL};
    const struct json *sigma = json_get(m, "sigma");
    double value = 1;
    *map = (struct pools_map){.stride = 1};
    if (!json_is_object(m))
        return err_set(e, ERR_INVALID, "%s: must be an object", where);
    if (json_only(m, where, known, e) ||
        json_get_size(m, where, "height", 1, units, &map->height, e) ||
        json_get_size(m, where, "width", 1, units, &map->width, e) ||
        json_get_size(m, where, "window", 1, units, &map->window, e) ||
        json_get_size(m, where, "stride", 1, units, &map->stride, e) ||
        json_get_number(m, where, "sigma", 0.1, 1e6, &value, e))
        return e->code;
    map->sigma = sigma ? (float)value : 0.0f;
    /* Each side is at most `units`, so the product does not wrap. */
    if (map->height * map->width != units)
        return err_set(e, ERR_INVALID,
                       "%s: height %zu and width %zu make %zu units, the layer "
                       "has %zu",
                       where, map->height, map->width, map->height * map->width,
                       units);
    size_t side = map->height < map->width ? map->height : map->width;
    if (map->window < 1 || map->window > side)
        return err_set(e, ERR_INVALID, "%s.window: want 1 to %zu, got %zu",
                       where, side, map->window);
    if (map->height % map->stride != 0 || map->width % map->stride != 0)
        return err_set(e, ERR_INVALID,
                       "%s.stride: %zu does not divide both height %zu and "
                       "width %zu",
                       where, map->stride, map->height, map->width);
    return ERR_OK;
}

/* The weight of a window's place (y, x), not yet scaled. */
static double bell(const struct pools_map *map, size_t y, size_t x)
{
    double middle = ((double)map->window - 1) / 2;
    double dy = (double)y - middle, dx = (double)x - middle;
    double s = (double)map->sigma;
    return s > 0 ? exp(-(dy * dy + dx * dx) / (2 * s * s)) : 1;
}

/* The window that starts at (top, left), its units rising: over the edge they
 * go on at the other side. */
static void fill_window(struct pools *p, const struct pools_map *map,
                        size_t first, size_t top, size_t left, double scale)
{
    size_t k = first;
    for (size_t row = 0; row < map->height; row++) {
        size_t y = (row + map->height - top) % map->height;
        if (y >= map->window)
            continue;
        for (size_t column = 0; column < map->width; column++) {
            size_t x = (column + map->width - left) % map->width;
            if (x >= map->window)
                continue;
            p->indices[k] = (int64_t)(row * map->width + column);
            p->weights[k++] = (float)(bell(map, y, x) * scale);
        }
    }
}

/* What the weights of a window add up to; refuses corners that weigh next to
 * nothing. */
static enum err_code weigh_window(const struct pools_map *map, double *sum,
                                  const char *where, struct err *e)
{
    *sum = 0;
    for (size_t y = 0; y < map->window; y++)
        for (size_t x = 0; x < map->window; x++)
            *sum += bell(map, y, x);
    double alike = *sum / (double)(map->window * map->window);
    if (bell(map, 0, 0) < lightest * alike)
        return err_set(e, ERR_INVALID,
                       "%s.sigma: %.6g is too narrow for a window of %zu, in "
                       "whose corners nothing is left",
                       where, (double)map->sigma, map->window);
    return ERR_OK;
}

enum err_code pools_read_map(struct pools *p, struct pools_map *map,
                             size_t units, const struct json *j,
                             const char *where, struct err *e)
{
    char inside[96];
    double sum;
    snprintf(inside, sizeof inside, "%s.map", where);
    if (read_map(map, units, json_get(j, "map"), inside, e) ||
        weigh_window(map, &sum, inside, e))
        return e->code;
    size_t across = map->width / map->stride, down = map->height / map->stride;
    size_t size = map->window * map->window, entries; /* at most `units` */
    if (!mem_mul(across * down, size, &entries))
        entries = SIZE_MAX;
    if (pools_init(p, units, across * down, entries, e))
        return err_wrap(e, "%s", inside);
    for (size_t g = 0; g < p->n; g++) {
        fill_window(p, map, g * size, g / across * map->stride,
                    g % across * map->stride, 1 / sum);
        p->indptr[g + 1] = (int64_t)((g + 1) * size);
    }
    return pools_finish(p, e);
}

/* ---- partitions ---- */

enum err_code pools_check_partition(const struct pools *p, const char *where,
                                    struct err *e)
{
    for (size_t i = 0; i < p->units; i++) {
        uint32_t n = p->unit_first[i + 1] - p->unit_first[i];
        if (n != 1)
            return err_set(e, ERR_INVALID,
                           "%s.partition: unit %zu is in %s group, not in one",
                           where, i, n ? "more than one" : "no");
    }
    return ERR_OK;
}
