/* Meters: what the whole process counts of its requests, beside what each
 * served version counts of its own (lib/engine/usage.h). The server adds, the
 * route /metrics shows.
 */
#ifndef SPARSED_API_METERS_H
#define SPARSED_API_METERS_H

#include "lib/base/clock.h"
#include "lib/base/histogram.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define METERS_ROUTES 96   /* route_index: rows of the table, and two more */
#define METERS_STATUSES 31 /* different statuses, the last is any other */

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
    METERS_NONE, /* it did not */
#define X(name, word) METERS_##name,
    METERS_REASONS(X)
#undef X
        METERS_N_REASONS
};

/* Zeroed: nothing has happened. */
struct meters {
    usec started_wall; /* when the process was started */
    struct meters_route {
        atomic_uint_fast64_t statuses[METERS_STATUSES]; /* meters_status */
        struct histogram seconds;
    } routes[METERS_ROUTES];
    atomic_uint_fast64_t refused[METERS_N_REASONS];
    atomic_uint_fast64_t bytes_in, bytes_out; /* bodies, as on the wire */
    atomic_size_t in_flight;                  /* requests */
    atomic_size_t connections;                /* open ones */
    atomic_size_t waiting;                    /* slow requests in the queue */
    atomic_uint_fast64_t waiting_cost_ns; /* what they will take, estimated */
};

struct account;

/* A request has ended: its route, refusal and time, until now, are in the
 * account. */
void meters_add(struct meters *m, const struct account *a, int status,
                size_t bytes_in, size_t bytes_out);

/* The status at a place of meters_route.statuses; 0: any other, or none. */
int meters_status(size_t place);

/* "queue_full" */
const char *meters_reason_word(enum meters_reason reason);

#endif
