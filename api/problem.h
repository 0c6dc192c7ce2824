/* Problems: what went wrong, as a status and a body. The only file that maps
 * error codes to HTTP.
 *
 * The body is an RFC 9457 problem; clients of the Open Inference Protocol,
 * all paths under /v2, get {"error": "..."} instead.
 */
#ifndef SPARSED_API_PROBLEM_H
#define SPARSED_API_PROBLEM_H

#include "api/api.h"

int problem_status(enum err_code code);

/* Replaces whatever the response holds, except headers that were added with
 * the status already set to `status` (Allow, Accept-Post). 429 and 503 get
 * Retry-After. */
void problem_write(const struct api_request *request, int status,
                   const char *detail, struct api_response *response);

void problem_write_err(const struct api_request *request, const struct err *e,
                       struct api_response *response);

#endif
