/* Usage: relaxed counters; a route or a batch size claims its place once. */
#include "lib/engine/usage.h"

#include "lib/base/mem.h"

#define MS ((uint64_t)1000000)
#define SECOND ((uint64_t)1000000000)

const struct histogram_scale usage_seconds = {
    .unit = 1e-9,
    .n = 18,
    .bounds = {MS / 20, MS / 10, MS / 4, MS / 2, MS, 5 * MS / 2, 5 * MS,
               10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, SECOND,
               5 * SECOND / 2, 5 * SECOND, 10 * SECOND, 30 * SECOND},
};

const struct histogram_scale usage_rows = {
    .unit = 1,
    .n = 11,
    .bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024},
};

const struct histogram_scale usage_share = {
    .unit = 1e-6,
    .n = 16,
    .bounds = {1000, 2500, 5000, 10000, 25000, 50000, 75000, 100000, 150000,
               200000, 300000, 500000, 700000, 900000, 990000, 1000000},
};

const struct histogram_scale usage_error = {
    .unit = 1e-6,
    .n = 14,
    .bounds = {50000, 100000, 150000, 200000, 250000, 300000, 400000, 500000,
               600000, 700000, 800000, 1000000, 2000000, 4000000},
};

struct usage *usage_new(size_t n_groups)
{
    struct usage *u = mem_array(1, sizeof *u);

    if (u == NULL)
        return NULL;
    u->n_groups = n_groups;
    u->groups = mem_array(n_groups > 0 ? n_groups : 1, sizeof *u->groups);
    if (u->groups == NULL) {
        mem_free(u);
        return NULL;
    }
    return u;
}

void usage_free(struct usage *u)
{
    if (u == NULL)
        return;
    mem_free(u->groups);
    mem_free(u);
}

static void add(struct usage_sum *s, nsec ns)
{
    atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->ns, (uint64_t)ns, memory_order_relaxed);
}

/* NULL: all places are taken. */
static struct usage_route *find_route(struct usage *u, const char *route)
{
    for (size_t i = 0; i < USAGE_ROUTES && route != NULL; i++) {
        const char *there = u->routes[i].route;
        if (there == NULL &&
            atomic_compare_exchange_strong(&u->routes[i].route, &there, route))
            return &u->routes[i];
        if (there == route)
            return &u->routes[i];
    }
    return NULL;
}

static struct usage_batch *find_batch(struct usage *u, size_t rows)
{
    for (size_t i = 0; i < USAGE_BATCHES; i++) {
        uint_fast64_t there = u->batches[i].size;
        if (there == 0 &&
            atomic_compare_exchange_strong(&u->batches[i].size, &there, rows))
            return &u->batches[i];
        if (there == rows)
            return &u->batches[i];
    }
    return NULL;
}

static void add_route(struct usage_route *route, const struct usage_request *r)
{
    histogram_add(&route->seconds, &usage_seconds, (uint64_t)r->whole);
    histogram_add(&route->queue, &usage_seconds,
                  (uint64_t)r->stages[STAGE_QUEUE]);
    histogram_add(&route->compute, &usage_seconds,
                  (uint64_t)r->stages[STAGE_COMPUTE]);
}

static void add_good(struct usage *u, const struct usage_request *r)
{
    struct usage_route *route = find_route(u, r->route);
    struct usage_batch *batch = r->rows > 0 ? find_batch(u, r->rows) : NULL;

    if (route != NULL)
        add_route(route, r);
    for (int i = 0; i < STAGES; i++) {
        add(&u->stages[i], r->stages[i]);
        if (batch != NULL)
            add(&batch->stages[i], r->stages[i]);
    }
    atomic_fetch_add_explicit(&u->rows, r->rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&u->runs, 1, memory_order_relaxed);
    histogram_add(&u->batch_rows, &usage_rows, r->rows);
}

void usage_add(struct usage *u, const struct usage_request *r)
{
    add(r->ok ? &u->succeeded : &u->failed, r->whole);
    if (r->ok)
        add_good(u, r);
    atomic_store_explicit(&u->last_ms, clock_wall() / 1000,
                          memory_order_relaxed);
}
