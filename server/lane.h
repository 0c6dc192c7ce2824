/* Lane: one poller thread with its connections and their requests.
 *
 * All of a connection happens on its lane's thread. What comes from others, a
 * new connection, an answer of the executor or of the store, is posted as a
 * task. The lane keeps the clock: requests that drip in, replies that nobody
 * takes and idle connections that stand in others' way are cut; streams with
 * nothing to say are suspended, and asked again a few times a second.
 */
#ifndef SPARSED_SERVER_LANE_H
#define SPARSED_SERVER_LANE_H

#include "lib/base/clock.h"
#include "lib/engine/executor.h"
#include "server/exchange.h"
#include "server/linger.h"
#include "server/poller.h"
#include "server/tls.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct MHD_Connection;
struct MHD_Daemon;

/* What all lanes share. */
struct lane_rules {
    struct exchange_rules exchange;
    struct tls *tls; /* NULL: plain HTTP */
    /* These may change at any time. */
    atomic_size_t max_connections;
    _Atomic usec timeout;         /* without traffic */
    _Atomic usec request_timeout; /* for headers and body together */
    _Atomic usec deadline;        /* of a slow request, to begin */
    atomic_bool crowded;          /* clients wait for others to go */
    atomic_size_t lost; /* whole requests that lane_cut left without reply */
    /* A connection has gone; any lane's thread. */
    void (*gone)(void *arg);
    void *gone_arg;
};

/* A request's exchange and its way through other threads. */
struct visit {
    struct exchange exchange;
    struct ticket ticket;
    struct poller_task done;
    struct connection *connection;
    struct visit *next; /* unused ones of a lane */
    bool away;          /* with another thread: the connection is suspended */
    bool back;          /* from there: the reply is ready */
    bool quiet;         /* a stream with nothing to say: likewise suspended */
    bool told;          /* the reply was written beside the library */
    bool takes_interim; /* what is no reply yet may be sent beside it too */
    bool asked;         /* the client, whether it is still there */
};

struct connection {
    struct lane *lane;
    struct MHD_Connection *mhd;
    struct connection *newer, *older; /* by when they became idle */
    struct visit *visit;              /* NULL between requests */
    usec idle_since;
    usec deadline; /* to be cut at; 0: none */
    int fd;
    int linger_fd;   /* a second descriptor that outlives mhd's, or -1 */
    uint64_t client; /* pace_client of its other end */
    struct tls_link link;
};

struct lane {
    struct lane_rules *rules;
    struct MHD_Daemon *daemon;
    struct poller *poller;
    struct connection *newest, *oldest;
    size_t n;       /* connections */
    size_t n_begun; /* ever */
    size_t n_quiet; /* of the n */
    bool moved;     /* something has, in this round: see http_wait_ms */
    usec round;     /* when this round of the connections began */
    struct visit *unused;
    size_t n_unused;
    struct linger_list lingering;
    usec next_sweep;
    usec next_look; /* at quiet streams */
    bool draining;
    usec drain_start;
    struct poller_task drain, cut;
};

/* Fills the caller's zeroed lane and starts its thread. ERR_IO, ERR_INTERNAL,
 * ERR_NO_MEMORY. */
enum err_code lane_start(struct lane *lane, struct lane_rules *rules,
                         struct err *e) ERR_CHECKED;

/* From any thread: every connection closes after its reply, or when it has
 * been idle a moment, and streams end; or, the harder way, at once, but for
 * those that another thread works for. Each to be called once. */
void lane_drain(struct lane *lane);
void lane_cut(struct lane *lane);

/* Ends the thread and closes what is left; nothing may be with another
 * thread. A zeroed lane is fine. */
void lane_stop(struct lane *lane);

/* ---- on the lane's thread ---- */

/* NULL: out of memory. */
struct connection *connection_new(struct lane *lane, struct MHD_Connection *mhd,
                                  int fd, uint64_t client);
/* Under TLS: the handshake is done. */
void connection_opened(struct connection *c);
void connection_free(struct connection *c);

/* A request line has come; false: out of memory. */
bool connection_begin(struct connection *c, const char *target);

/* The reply is on its way. */
void connection_replies(struct connection *c);

/* The reply has left, or never will. */
void connection_end(struct connection *c, bool sent);

/* The request is complete. True: its reply is ready now; false: another thread
 * brings it, and http_resume follows. */
bool connection_work(struct connection *c);

/* The socket takes more of a stream: up to `room` bytes, of which there are
 * *n. STREAM_QUIET: none now, http_resume follows. */
enum stream_state connection_stream(struct connection *c, char *to, size_t room,
                                    size_t *n);

#endif
