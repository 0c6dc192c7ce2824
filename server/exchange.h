/* Exchange: one request and its reply, from the request line to the line in
 * the log; knows no socket.
 *
 * The server tells it the target, the headers and the body piece by piece, and
 * asks what to do. Its memory is used again for the next request. One thread
 * at a time: a poller, or, while the connection is suspended, the executor or
 * who brings a reply that waited for the disk.
 */
#ifndef SPARSED_SERVER_EXCHANGE_H
#define SPARSED_SERVER_EXCHANGE_H

#include "api/api.h"
#include "lib/base/clock.h"
#include "server/access.h"
#include "server/frame.h"
#include "server/stream.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct executor;
struct guard;

#define STATUS_CLIENT_GONE 499 /* in the log only */

/* What all exchanges of a server share. */
struct exchange_rules {
    struct api *api;
    struct executor *executor; /* NULL: there is always room */
    struct guard *guard;       /* NULL: anybody may do anything */
    atomic_size_t max_body; /* this and the next two may change at any time */
    atomic_size_t max_held;
    atomic_size_t max_streams;
    atomic_size_t streams; /* open ones, all connections */
    atomic_size_t held;    /* bytes of bodies and replies, all connections */
    atomic_bool packs;     /* replies, for clients that like that; likewise */
    struct access access;
    atomic_uint_fast64_t n; /* request ids made */
    uint64_t seed;          /* what ids begin from */
};

struct exchange {
    struct exchange_rules *rules;
    struct api_request request;
    struct route_match match; /* the request's, if it has one */
    struct api_response response;
    struct stream stream; /* the reply's, if it is one */
    /* Told, on another thread, that a reply that had to wait is ready. */
    void (*ready)(void *arg);
    void *ready_arg;
    struct arena memory;
    struct arena_mark mark; /* after what the log needs */
    struct buf body;
    size_t max_body; /* what rules->max_body was at the request line */
    size_t held;     /* what of rules->held is this one's */
    struct frame frame;
    uint64_t client;    /* whose connection it is, see pace_client */
    size_t received;    /* of the body, bytes */
    uint64_t swallowed; /* body bytes thrown away after a refusal */
    bool decided;       /* all headers are known */
    bool answered;      /* response is filled */
    const char *method; /* as sent: HEAD is GET in the request */
    char id[API_ID_BYTES];
    usec begun;
};

/* A zeroed exchange with `ready` set becomes usable; ended by exchange_fini. */
void exchange_init(struct exchange *x, struct exchange_rules *rules);
void exchange_fini(struct exchange *x);

/* A new request with its raw target ("/a/b?c=d", copied); false: out of
 * memory. */
bool exchange_begin(struct exchange *x, const char *target);

/* One header; `value` must live until exchange_end. */
void exchange_header(struct exchange *x, const char *name, size_t name_length,
                     const char *value, size_t value_length);

enum exchange_verdict {
    EXCHANGE_GO_ON,  /* read the body, if any, then exchange_run */
    EXCHANGE_ANSWER, /* send the response now, and close */
    EXCHANGE_SWALLOW /* read the body to its end, then send the response */
};

/* After the last header, before the body. method lives until exchange_end;
 * version is "HTTP/1.1". */
enum exchange_verdict exchange_decide(struct exchange *x, const char *method,
                                      const char *version);

/* A piece of the body. Over a limit the response is filled and the rest is
 * thrown away; false when too much has been: close the connection. */
bool exchange_body(struct exchange *x, const char *bytes, size_t length);

/* Whether the whole request belongs to the executor: none before the models
 * are loaded. */
bool exchange_is_slow(const struct exchange *x);

/* Fills the response, unless it is already. False: it waits for the disk, and
 * the exchange is not to be touched until `ready` is called, which may be
 * before this returns. */
bool exchange_run(struct exchange *x);

/* After exchange_run has said true: packs the reply, if that is to be done,
 * and whether that takes long. A reply that waited for the disk goes as it is:
 * the store's thread has better things to do. */
bool exchange_is_long(const struct exchange *x);
void exchange_pack(struct exchange *x);

/* Fills the response with a refusal, see api_refuse. */
void exchange_refuse(struct exchange *x, int status, const char *detail);

/* Adds what every reply says, once, before it is sent. */
void exchange_dress(struct exchange *x);

/* The reply has left, or never will (`sent` false): logs the request, if its
 * headers came at all, and forgets it. */
void exchange_end(struct exchange *x, bool sent);

#endif
