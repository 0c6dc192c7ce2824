/* Meters: what the whole process counts of its requests, beside what each
 * served version counts of its own (lib/engine/usage.h). The server adds, the
 * route /metrics shows.
 */
#ifndef SPARSED_API_METERS_H
#define SPARSED_API_METERS_H

#include "lib/base/histogram.h"

#include <stdatomic.h>
#include <stdint.h>

#define METERS_ROUTES 96 /* rows of the route table, and one for no row */

/* Why the server said no by itself: `reason` of sparsed_refused_total. */
#define METERS_REASONS(X)                                                      \
    X(QUEUE, "queue_full")                                                     \
    X(LAG, "overloaded")                                                       \
    X(DEADLINE, "deadline")                                                    \
    X(GONE, "client_gone")                                                     \
    X(HELD, "memory")                                                          \
    X(RATE, "rate")                                                            \
    X(QUOTA, "quota")                                                          \
    X(TOKEN, "unauthorized")                                                   \
    X(SCOPE, "forbidden")                                                      \
    X(ORIGIN, "origin")                                                        \
    X(SLOW_CLIENT, "slow_client")                                              \
    X(MALFORMED, "malformed")                                                  \
    X(LOADING, "loading")

enum meters_reason {
#define X(name, word) METERS_##name,
    METERS_REASONS(X)
#undef X
        METERS_N_REASONS
};

/* Zeroed: nothing has happened. */
struct meters {
    struct meters_route {
        /* By status: 200, 201, ... in the order of a table in meters.c. */
        atomic_uint_fast64_t statuses[32];
        struct histogram seconds;
    } routes[METERS_ROUTES];
    atomic_uint_fast64_t refused[METERS_N_REASONS];
    atomic_uint_fast64_t bytes_in, bytes_out; /* bodies, as on the wire */
    atomic_size_t in_flight;                  /* requests */
    atomic_size_t connections;                /* open ones */
    atomic_size_t waiting;                    /* slow requests in the queue */
    atomic_uint_fast64_t waiting_cost_ns; /* what they will take, estimated */
};

#endif
