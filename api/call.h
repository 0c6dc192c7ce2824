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
enum media { MEDIA_JSON = 1, MEDIA_NPY = 2, MEDIA_PNG = 4, MEDIA_JPEG = 8 };

struct route;

struct call {
    struct api *api;
    const struct api_request *request;
    struct api_response *response;
    const struct route *route;
    char model[REPOSITORY_MAX_NAME + 1]; /* from the path, "" if none */
    uint64_t version;                    /* 0: the one in service */
    uint64_t unit;
    enum media body;  /* what was sent */
    enum media reply; /* what Accept chose of the row's offers */
    struct options options;
};

/* Fills call->response. An error becomes the problem reply of its code; what
 * was written to the response before is thrown away. */
typedef enum err_code api_handler(struct call *call, struct err *e);

#endif
