/* ETags: what a client has already is not sent again, and what it wants to
 * change has not changed since it looked (RFC 9110, sections 8.8.3 and 13).
 *
 * A tag is a fingerprint of the bytes of a reply, or of all that they are made
 * of. Tags of models are of what GET /v1/models/{model} says.
 */
#ifndef SPARSED_API_ETAG_H
#define SPARSED_API_ETAG_H

#include "api/call.h"
#include "lib/base/file.h"

/* A fingerprint of parts: begin with ETAG_START. */
#define ETAG_START FILE_HASH_START
uint64_t etag_mix(uint64_t tag, const void *bytes, size_t length);

/* The reply gets the tag, and must be asked for again each time. True: the
 * client has it (If-None-Match), and the reply is a 304 without a body. */
bool etag_answer(struct call *call, uint64_t tag);

/* The same for a reply that is printed, if its status is 200. */
void etag_seal(struct call *call);

/* ERR_STALE unless the request has no If-Match, or one that names what the
 * model of its path is now. */
enum err_code etag_check(const struct call *call, struct err *e) ERR_CHECKED;

#endif
