/* Lanes: all pollers together; deals new connections out to them in turn, and
 * counts them, so that there is one limit for all.
 */
#ifndef SPARSED_SERVER_LANES_H
#define SPARSED_SERVER_LANES_H

#include "api/api.h"
#include "lib/base/clock.h"
#include "lib/engine/executor.h"
#include "server/listener.h"

#include <stddef.h>

struct guard;
struct lanes;
struct tls;

/* What may change while they run. */
struct lanes_limits {
    size_t max_connections;
    size_t max_body;
    size_t max_held;
    usec timeout;
    usec request_timeout;
    usec deadline;
    bool compress;
    double log_requests; /* share of good ones that are logged */
};

struct lanes_settings {
    struct api *api; /* with meters */
    struct executor *executor;
    struct listener *listener;
    struct guard *guard;
    struct tls *tls; /* NULL: plain HTTP */
    size_t threads;
    struct lanes_limits limits;
};

/* Starts the pollers; nothing is accepted yet. The settings' parts must
 * outlive it. NULL: ERR_IO, ERR_INTERNAL, ERR_NO_MEMORY. */
struct lanes *lanes_new(const struct lanes_settings *s, struct err *e);

/* From any thread. Requests under way keep the limits that they began with,
 * where it matters; connections over a lower max_connections stay. */
void lanes_set(struct lanes *l, const struct lanes_limits *limits);

void lanes_accept(struct lanes *l);

/* Stops accepting. What is being received or answered goes on; every
 * connection closes after its reply, or when it has been idle a moment. */
void lanes_drain(struct lanes *l);

/* Open connections; 0 after lanes_drain: everybody has been answered. */
size_t lanes_connections(struct lanes *l);

/* Cuts all connections but those that another thread works for. */
void lanes_cut(struct lanes *l);

/* Whole requests whose replies were cut. */
size_t lanes_lost(struct lanes *l);

/* After the listener has stopped and the executor is gone, and while no reply
 * waits for the store: closes what is open. NULL is fine. */
void lanes_free(struct lanes *l);

#endif
