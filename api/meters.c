/* Relaxed counters, one set a route. */
#include "api/meters.h"

#include "api/account.h"
#include "api/routes.h"

#include <assert.h>

/* 499 is a client that went before its reply was sent. */
static const int statuses[METERS_STATUSES - 1] = {
    200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 406, 408, 409, 411,
    412, 413, 415, 417, 422, 428, 429, 431, 499, 500, 501, 503, 504, 505, 507};

static const char *const words[METERS_N_REASONS] = {
#define X(name, word) [METERS_##name] = word,
    METERS_REASONS(X)
#undef X
};

int meters_status(size_t place)
{
    return place < METERS_STATUSES - 1 ? statuses[place] : 0;
}

const char *meters_reason_word(enum meters_reason reason)
{
    return words[reason];
}

static void add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void meters_add(struct meters *m, const struct account *a, int status,
                size_t bytes_in, size_t bytes_out)
{
    size_t index = route_index(a->route);
    size_t place = 0;

    assert(index < METERS_ROUTES);
    struct meters_route *route = &m->routes[index];
    while (place < METERS_STATUSES - 1 && statuses[place] != status)
        place++;
    add(&route->statuses[place], 1);
    histogram_add(&route->seconds, &usage_seconds,
                  (uint64_t)(clock_now_ns() - a->begun));
    if (a->refusal != METERS_NONE)
        add(&m->refused[a->refusal], 1);
    if (bytes_in > 0)
        add(&m->bytes_in, bytes_in);
    if (bytes_out > 0)
        add(&m->bytes_out, bytes_out);
}
