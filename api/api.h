/* API: requests in, replies out; knows no sockets and no axis values.
 *
 * api_handle is a plain function on structs: it finds the route, checks, runs
 * and prints. Who called it (a socket, a test) does not matter. Requests own an
 * arena that holds everything they need, so there is one bound per request.
 */
#ifndef SPARSED_API_API_H
#define SPARSED_API_API_H

#include "api/account.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/engine/cost.h"
#include "lib/engine/registry.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define API_MAX_BODY_BYTES ((size_t)64 << 20)
#define API_MAX_ROWS 1024
/* Of one request while api_handle runs: what its arena hands out (the body's
 * tensors, one pass), and its reply. A reply of several passes is put together
 * from parts that are no longer than it, so a running request holds at most
 * API_MAX_REQUEST_BYTES + 2 * API_MAX_REPLY_BYTES. An npz body is inflated
 * into as much as a body may have, before there is any reply. */
#define API_MAX_REQUEST_BYTES ((size_t)192 << 20)
#define API_MAX_REPLY_BYTES ((size_t)96 << 20)
#define API_MAX_HEADERS 24
#define API_ID_BYTES 129
#define API_VALUE_BYTES 256 /* of a header of a reply */
/* JSON bodies over it, and npy bodies over a quarter of it, take many times
 * longer to read and compute than a hand-over to another thread costs; one
 * input of a thousand numbers is below. */
#define API_QUICK_BYTES ((size_t)16 << 10)

struct cors;
struct learner;
struct meters;
struct store;

/* What a token may be used for, as bits; `admin` has them all. */
enum scope {
    SCOPE_INFER = 1 << 0, /* inference, and looking at models */
    SCOPE_LEARN = 1 << 1, /* samples, labels, fine-tunes */
    SCOPE_ADMIN = 1 << 2, /* versions and the repository */
    SCOPE_ALL = SCOPE_INFER | SCOPE_LEARN | SCOPE_ADMIN
};

/* The parts that learning needs. */
struct learning {
    struct store *store;
    struct learner *learner;
    /* May change at any time. */
    atomic_size_t max_samples, max_labels;
};

/* What lives as long as the process; the caller fills it. */
struct api {
    /* NULL while the models are being loaded. Setting it publishes
     * missing_models too. */
    struct registry *_Atomic registry;
    /* Set by the server, read by readyz; may change at any time. */
    bool (*draining)(void *arg);
    void *draining_arg;
    bool allow_missing_models;  /* ready although a model failed to load */
    const char *missing_models; /* why the models folder could not be read */
    /* Set before the registry; NULL: nothing can be learned, for the reason in
     * no_learning. Inference goes on. */
    const struct learning *learning;
    const char *no_learning;
    struct meters *meters; /* what /metrics shows, or NULL */
    struct cors *cors;     /* whose pages may ask, or NULL */
    /* One of so many requests of a version is watched (watch.h); 0: none.
     * May change at any time. */
    atomic_size_t watch_every;
};

/* What method and path say. */
struct route_match {
    const struct route *route;
    char model[REPOSITORY_MAX_NAME + 1]; /* "" if none */
    uint64_t version;                    /* 0: the one in service */
    uint64_t unit, sample, job;
};

struct api_request {
    const char *method; /* "GET" */
    const char *target; /* raw path, not decoded, without the query */
    const struct route_match *match; /* what api_match found for the two, so
                                        that they are read once, or NULL */
    const char *query;               /* raw, without '?'; "" if there is none */
    const char *content_type;        /* headers: NULL if absent */
    const char *content_encoding;    /* `body` is decoded already */
    const char *accept;
    const char *accept_encoding;
    const char *if_match;
    const char *if_none_match;
    const char *packed_tags; /* if_none_match as it came, see coding.h */
    const char *idempotency_key;
    const char *last_event_id;
    const char *header_length; /* Inference-Header-Content-Length */
    const char *origin;
    const char *cors_method;  /* Access-Control-Request-Method */
    const char *cors_headers; /* Access-Control-Request-Headers */
    const char *trace;        /* 32 hex digits of a traceparent, see trace.h */
    unsigned scopes;          /* what the caller may do (scope bits) */
    bool has_token;           /* and whether by a token, */
    const char *token;        /* whose name this is */
    bool takes_tokens;        /* whether there are any, for the detail of 401 */
    usec deadline;            /* nobody waits for the reply after it; 0: none */
    /* Asked between blocks of rows, if not NULL: false, and the rest is not
     * computed. */
    bool (*wanted)(void *arg);
    void *wanted_arg;
    const char *id; /* checked and made by the server, never NULL */
    const char *body;
    size_t body_length;
    struct arena *memory;
    /* Told when a reply that had to wait for the disk is ready, once, from
     * another thread. NULL: api_handle waits instead. */
    void (*finished)(void *arg);
    void *finished_arg;
};

/* A reply that goes on after its head, as events do. One thread at a time. */
struct api_stream {
    /* Appends what there is to say now, maybe nothing, to the empty `out`;
     * false: that was the end. Called several times a second. */
    bool (*next)(void *arg, struct buf *out);
    void (*close)(void *arg); /* always called, once */
    void *arg;
};

struct api_response {
    int status;
    const char *content_type; /* static text */
    size_t n_headers;
    struct buf body;   /* or, if `fixed` is not NULL: */
    const void *fixed; /* bytes that outlive the reply (embedded files) */
    size_t fixed_length;
    struct api_stream stream; /* or, if `next` is not NULL, this */
    unsigned retry_seconds;   /* for 429 and 503; 0: 1 */
    struct account account;   /* begun by the caller */
    struct {              /* at the end: only n_headers are ever looked at */
        const char *name; /* static */
        char value[API_VALUE_BYTES];
    } headers[API_MAX_HEADERS];
};

void api_response_init(struct api_response *r);
void api_response_fini(struct api_response *r);
/* Empties it for the next reply; the body's block stays if it is no larger. */
void api_response_reset(struct api_response *r, size_t keep_bytes);
void api_response_header(struct api_response *r, const char *name,
                         const char *value);

/* Begins a reply in JSON: what it is printed into. */
struct buf *api_response_json(struct api_response *r, int status);

/* Reads the request's method and path. False: no route. */
bool api_match(const struct api_request *request, struct route_match *m);

/* Fills the response whatever comes; never fails. False: the reply waits for
 * the disk; all three arguments must live, untouched, until request->finished
 * is called, which may be before this returns. */
bool api_handle(struct api *api, const struct api_request *request,
                struct api_response *response);

/* Looks at the headers alone, before any body is read: fills the response and
 * returns true if the request can be refused now (no route, wrong method, a
 * body longer than the route takes, a content type it does not take). */
bool api_refuse_early(struct api *api, const struct api_request *request,
                      size_t announced_length, struct api_response *response);

/* Whether the request's route is open to anybody, as probes and metrics are;
 * a path that is no route is not. */
bool api_is_open(struct api *api, const struct api_request *request);

/* Whether the request may take long and belongs to the executor: a big body or
 * one of many rows, more steps than usual, pictures to make or to read, a body
 * still to be decoded, a model that searches for its codes. One row of a
 * thousand numbers is quick. A body that is not there yet (NULL) is told by its
 * length alone. */
bool api_is_slow(struct api *api, const struct api_request *request);

/* What a slow request is like, for the estimate of its cost. */
struct cost_kind api_cost(struct api *api, const struct api_request *request);

/* The refusals that the server itself makes, in the error format of the
 * request's route family: 408, 413, 429, 431, 503 with Retry-After ... */
void api_refuse(const struct api_request *request, int status,
                const char *detail, struct api_response *response);

#endif
