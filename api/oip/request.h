/* Requests of the Open Inference Protocol: a JSON object, maybe followed by raw
 * bytes that it speaks of (the extension "binary_tensor_data"), or nothing but
 * such bytes. Members that are null count as absent, unknown ones are ignored.
 */
#ifndef SPARSED_API_OIP_REQUEST_H
#define SPARSED_API_OIP_REQUEST_H

#include "api/oip/outputs.h"

struct oip_request {
    struct json_span id; /* as it was sent, with its quotes; length 0: none */
    size_t n_parts;
    struct oip_part parts[OIP_OUTPUTS]; /* in the order of the reply */
};

/* Reads the call's body for its model, into *q, r->rows and the call's options
 * and deadline. *q is zeroed, and its parts have no buffers yet. All that is
 * wrong with a request is ERR_INVALID or ERR_SHAPE, too many rows are
 * ERR_TOO_LARGE. */
enum err_code oip_request_read(struct oip_request *q, struct run *r,
                               struct err *e) ERR_CHECKED;

/* Takes the header Inference-Header-Content-Length apart: *json_length of the
 * body's bytes are JSON, all without the header. ERR_INVALID unless it is a
 * number from 0 to the body's length. */
enum err_code oip_header_length(const struct api_request *request,
                                size_t *json_length, struct err *e) ERR_CHECKED;

#endif
