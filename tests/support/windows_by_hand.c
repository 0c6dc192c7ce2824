/* Windows, unit by unit. */
#include "tests/support/windows_by_hand.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct rule {
    size_t channels, height, width;
    size_t size[2], stride[2];
    double sigma;
    size_t maps, maps_stride;
};

static const struct rule rules[] = {
    {3, 6, 6, {2, 2}, {2, 2}, 0, 1, 1},
    {2, 7, 5, {3, 3}, {2, 2}, 0, 1, 1},
    {5, 7, 9, {3, 2}, {3, 1}, 0, 3, 2},
    {7, 4, 4, {4, 4}, {1, 1}, 0, 4, 3},
    {1, 23, 19, {5, 5}, {3, 3}, 1.3, 1, 1},
    {2, 5, 33, {2, 7}, {1, 4}, 2, 2, 1},
    {8, 1, 1, {1, 1}, {1, 1}, 0, 3, 2},
    {6, 1, 1, {1, 1}, {1, 1}, 0, 6, 6},
    {6, 7, 5, {3, 2}, {3, 2}, 0, 2, 2},
    {2, 16, 32, {3, 3}, {2, 2}, 0, 1, 1},
    /* more columns than a buffer holds, a window of many rows, a column */
    {1, 3, 4200, {2, 3}, {2, 2}, 0, 1, 1},
    {1, 2, 2100, {1, 1000}, {1, 700}, 0, 1, 1},
    {2, 90, 60, {70, 50}, {15, 9}, 30, 1, 1},
    {1, 4200, 1, {5, 1}, {2, 1}, 0, 1, 1},
};
_Static_assert(sizeof rules / sizeof rules[0] == WINDOWS_CASES, "as told");

enum err_code windows_make(struct structure *s, const struct space *code,
                           const char *json, struct err *e)
{
    struct params params = {0};
    struct json *j = json_parse(json, strlen(json), e);
    ck_assert_msg(j != NULL, "%s: %s", json, e->msg);
    *s = (struct structure){
        .kind = windows_variant(j), .code = *code, .cell = *code};
    enum err_code result = s->kind->configure(s, j, "here", &params, e);
    json_free(j);
    return result;
}

static double bell(size_t i, size_t size, double sigma)
{
    double x = (double)i - ((double)size - 1) / 2;
    return sigma > 0 ? exp(-x * x / (2 * sigma * sigma)) : 1;
}

/* Before a whole window's are made to add up to 1. */
static double weight(const struct rule *r, size_t y, size_t x)
{
    return bell(y, r->size[0], r->sigma) * bell(x, r->size[1], r->sigma);
}

static size_t count(size_t n, size_t size, size_t stride)
{
    size_t windows = 1;
    for (size_t end = size; end < n; end += stride)
        windows++;
    return windows;
}

/* Adds one window's units, from entry k on. */
static size_t list_window(struct pools *p, size_t k, const struct rule *r,
                          size_t map, size_t top, size_t left)
{
    double sum = 0;
    for (size_t y = 0; y < r->size[0]; y++)
        for (size_t x = 0; x < r->size[1]; x++)
            sum += weight(r, y, x) * (double)r->maps;
    for (size_t i = 0; i < p->units; i++) {
        size_t m = i / r->width / r->height;
        size_t y = i / r->width % r->height - top, x = i % r->width - left;
        if ((m + r->channels - map) % r->channels >= r->maps ||
            y >= r->size[0] || x >= r->size[1])
            continue;
        p->indices[k] = (int64_t)i;
        p->weights[k++] = (float)(weight(r, y, x) / sum);
    }
    return k;
}

static void list_all(struct windows_case *c, const struct rule *r)
{
    struct err e;
    size_t rows = count(r->height, r->size[0], r->stride[0]), k = 0;
    size_t columns = count(r->width, r->size[1], r->stride[1]);
    ck_assert_uint_eq(c->s.pooled.height, rows);
    ck_assert_uint_eq(c->s.pooled.width, columns);
    ck_assert_uint_eq(c->s.pooled.channels,
                      (r->channels + r->maps_stride - 1) / r->maps_stride);
    ck_assert(!pools_init(&c->lists, c->units, c->groups,
                          c->groups * r->maps * r->size[0] * r->size[1], &e));
    for (size_t g = 0; g < c->groups; g++) {
        k = list_window(&c->lists, k, r, g / columns / rows * r->maps_stride,
                        g / columns % rows * r->stride[0],
                        g % columns * r->stride[1]);
        c->lists.indptr[g + 1] = (int64_t)k;
    }
    ck_assert(!pools_finish(&c->lists, &e));
}

static float *numbers(size_t n)
{
    return mem_must(WINDOWS_ROWS * n, sizeof(float));
}

void windows_case_init(struct windows_case *c, int i)
{
    const struct rule *r = &rules[i];
    struct rng rng = rng_make((uint64_t)i, "windows", 0);
    struct err e;
    char json[300];
    snprintf(json, sizeof json,
             "{\"lambda\":0.7,\"window\":{\"size\":[%zu,%zu],\"stride\":[%zu,"
             "%zu],\"sigma\":%g,\"maps\":%zu,\"maps_stride\":%zu}}",
             r->size[0], r->size[1], r->stride[0], r->stride[1], r->sigma,
             r->maps, r->maps_stride);
    struct space code = {r->channels, r->height, r->width, false};
    *c = (struct windows_case){0};
    ck_assert_msg(!windows_make(&c->s, &code, json, &e), "%s", e.msg);
    c->units = space_size(&c->s.code);
    c->groups = space_size(&c->s.pooled);
    list_all(c, r);
    c->z = numbers(c->units);
    c->dz = numbers(c->units);
    c->out = numbers(c->units);
    c->v = numbers(c->groups);
    c->dv = numbers(c->groups);
    for (size_t k = c->units; k < WINDOWS_ROWS * c->units; k++)
        if (rng_below(&rng, 3) > 0)
            c->z[k] = rng_uniform(&rng, -1, 1) * (float)(k / c->units);
    for (size_t k = 0; k < WINDOWS_ROWS * c->groups; k++)
        c->dv[k] = rng_uniform(&rng, -1, 1);
}

void windows_case_fini(struct windows_case *c)
{
    c->s.kind->fini(&c->s);
    pools_fini(&c->lists);
    mem_free(c->z);
    mem_free(c->dz);
    mem_free(c->out);
    mem_free(c->v);
    mem_free(c->dv);
}
