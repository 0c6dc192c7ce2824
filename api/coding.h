/* Coding: Content-Encoding of bodies and replies (RFC 9110, section 8.4).
 *
 * The server decodes a body before it calls api_handle, so that everything
 * behind sees plain bytes, and packs the reply after it.
 */
#ifndef SPARSED_API_CODING_H
#define SPARSED_API_CODING_H

#include "api/api.h"

/* "deflate" is zlib's format; "x-gzip" is gzip. */
enum coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE, CODING_UNKNOWN };

/* What may be sent to us, for Accept-Encoding. */
#define CODING_TAKEN "gzip, deflate"

/* Of a Content-Encoding header, NULL for none; lists, even of one coding
 * twice, are unknown. */
enum coding coding_parse(const char *header);

/* What an Accept-Encoding header likes best of identity, gzip and deflate:
 * the highest weight, the first of equals. What it does not name, or by `*`
 * only, is not chosen, so NULL gives CODING_NONE. */
enum coding coding_choose(const char *header);

/* Whether the reply will be packed if its client likes that, and the work is
 * long enough for another thread. */
bool coding_is_slow(const struct api_request *request,
                    const struct api_response *response);

/* Packs the reply if its client likes that and it is worth it: of inference,
 * JSON below /v1, files, metrics. Marks what depends on Accept-Encoding by
 * Vary, and a packed one's ETag by a suffix, for its bytes are others. False:
 * the body is as it was. */
bool coding_pack(const struct api_request *request,
                 struct api_response *response);

/* Takes these suffixes off If-Match and If-None-Match, so that handlers need
 * not know them; If-None-Match as it came is kept in request->packed_tags.
 * Nothing is changed where memory is out. */
void coding_unmark_tags(struct api_request *request);

#endif
