/* Call: one request on its way through the api: the row of the route table
 * that it matched, the parts of its path, its options, and where the reply
 * goes. Handlers get this and nothing else.
 */
#ifndef SPARSED_API_CALL_H
#define SPARSED_API_CALL_H

#include "api/api.h"
#include "api/options.h"
#include "lib/engine/repository.h"

#include <stdint.h>

/* Media types of bodies and replies, as bits. */
enum media {
    MEDIA_JSON = 1 << 0,
    MEDIA_NPY = 1 << 1,
    MEDIA_PNG = 1 << 2,
    MEDIA_JPEG = 1 << 3,
    MEDIA_NDJSON = 1 << 4,
    MEDIA_NPZ = 1 << 5,
    MEDIA_EVENTS = 1 << 6,
    MEDIA_NOTHING = 1 << 7, /* in a row: there need not be a body */
    MEDIA_ANY = 1 << 8      /* in a row: its type is not looked at */
};

struct route;

/* A version in the path that is none: no model has it. */
#define CALL_NO_VERSION UINT64_MAX

struct call {
    struct api *api;
    const struct api_request *request;
    struct api_response *response;
    const struct route *route;
    char model[REPOSITORY_MAX_NAME + 1]; /* from the path, "" if none */
    uint64_t version;                    /* 0: the one in service */
    uint64_t unit, sample, job;
    enum media body;  /* what was sent; 0: none */
    enum media reply; /* what Accept chose of the row's offers */
    struct options options;
    usec deadline; /* nobody waits after it; 0: none */
    bool waits;    /* set by pending_send: the reply comes from elsewhere */
};

/* Fills call->response. An error becomes the problem reply of its code; what
 * was written to the response before is thrown away. */
typedef enum err_code api_handler(struct call *call, struct err *e);

#endif
