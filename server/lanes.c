/* Lanes: the listener's side of the connections.
 */
#include "server/lanes.h"

#include "api/meters.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "server/http.h"
#include "server/lane.h"

#include <sys/random.h>
#include <unistd.h>

struct lanes {
    struct lane_rules rules;
    struct listener *listener;
    atomic_size_t open; /* connections, those on their way to a lane too */
    size_t turn;        /* whose the next is; the listener's thread */
    size_t n;
    struct lane lanes[];
};

/* A connection on its way to a lane. */
struct arrival {
    struct poller_task task;
    struct lane *lane;
    int fd;
    socklen_t length;
    struct sockaddr_storage peer;
};

static void gone(void *arg)
{
    struct lanes *l = arg;

    atomic_fetch_sub(&l->open, 1);
    atomic_fetch_sub(&l->rules.exchange.api->meters->connections, 1);
    if (atomic_exchange(&l->rules.crowded, false))
        listener_wake(l->listener);
}

static bool has_room(void *arg)
{
    struct lanes *l = arg;

    if (atomic_load(&l->open) < l->rules.max_connections)
        return true;
    atomic_store(&l->rules.crowded, true);
    /* One may have gone in between, and not have seen it. */
    return atomic_load(&l->open) < l->rules.max_connections;
}

static void arrive(struct poller_task *t)
{
    struct arrival *a = (struct arrival *)t; /* its first member */

    if (!http_add(a->lane, a->fd, &a->peer, a->length))
        log_event(LOG_WARN, "http", "connection-not-added", NULL);
    mem_free(a);
}

static void take(void *arg, int fd, const struct sockaddr_storage *peer,
                 socklen_t length)
{
    struct lanes *l = arg;
    struct arrival *a = mem_array(1, sizeof *a);

    if (a == NULL) {
        close(fd);
        return;
    }
    a->task.run = arrive;
    a->lane = &l->lanes[l->turn++ % l->n];
    a->fd = fd;
    a->length = length;
    a->peer = *peer;
    atomic_fetch_add(&l->open, 1);
    atomic_fetch_add(&l->rules.exchange.api->meters->connections, 1);
    poller_post(a->lane->poller, &a->task);
}

static void set_limits(struct lanes *l, const struct lanes_limits *limits)
{
    l->rules.exchange.max_body = limits->max_body;
    l->rules.exchange.max_held = limits->max_held;
    l->rules.exchange.max_streams = (limits->max_connections + 3) / 4;
    l->rules.max_connections = limits->max_connections;
    l->rules.timeout = limits->timeout;
    l->rules.request_timeout = limits->request_timeout;
    l->rules.deadline = limits->deadline;
    l->rules.exchange.packs = limits->compress;
    access_set(&l->rules.exchange.access, limits->log_requests);
}

struct lanes *lanes_new(const struct lanes_settings *s, struct err *e)
{
    size_t bytes;
    struct lanes *l = NULL;

    if (mem_mul(s->threads, sizeof(struct lane), &bytes))
        l = mem_array(1, sizeof *l + bytes);
    if (l == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory for %zu threads", s->threads);
        return NULL;
    }
    l->rules.exchange.api = s->api;
    l->rules.exchange.guard = s->guard;
    l->rules.tls = s->tls;
    if (getrandom(&l->rules.exchange.seed, sizeof l->rules.exchange.seed,
                  GRND_NONBLOCK) < 0)
        l->rules.exchange.seed = (uint64_t)clock_wall();
    l->rules.exchange.executor = s->executor;
    l->rules.gone = gone;
    l->rules.gone_arg = l;
    l->listener = s->listener;
    set_limits(l, &s->limits);
    for (; l->n < s->threads; l->n++) {
        if (lane_start(&l->lanes[l->n], &l->rules, e) != ERR_OK) {
            l->n++; /* begun, so stopped */
            lanes_free(l);
            return NULL;
        }
    }
    return l;
}

void lanes_set(struct lanes *l, const struct lanes_limits *limits)
{
    set_limits(l, limits);
    listener_wake(l->listener); /* there may be room now */
}

void lanes_accept(struct lanes *l)
{
    struct listener_work work = {.arg = l, .room = has_room, .take = take};

    listener_start(l->listener, &work);
}

void lanes_drain(struct lanes *l)
{
    listener_stop(l->listener);
    for (size_t i = 0; i < l->n; i++)
        lane_drain(&l->lanes[i]);
}

size_t lanes_connections(struct lanes *l)
{
    return atomic_load(&l->open);
}

void lanes_cut(struct lanes *l)
{
    for (size_t i = 0; i < l->n; i++)
        lane_cut(&l->lanes[i]);
}

size_t lanes_lost(struct lanes *l)
{
    return atomic_load(&l->rules.lost);
}

void lanes_free(struct lanes *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n; i++)
        lane_stop(&l->lanes[i]);
    mem_free(l);
}
