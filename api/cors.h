/* Cors: which pages of other sites may read our replies (the Fetch standard,
 * section 3.2). None may unless the operator lists where they come from; a
 * browser asks first, with OPTIONS, whether it may send anything unusual.
 *
 * No credentials of the browser's own are ever allowed: whoever is to be let
 * in has a token, which a page sends by itself.
 */
#ifndef SPARSED_API_CORS_H
#define SPARSED_API_CORS_H

#include "api/api.h"

#include <stdbool.h>

#define CORS_ORIGIN_BYTES 128

struct cors;

/* Nobody is listed. NULL: ERR_NO_MEMORY. */
struct cors *cors_new(struct err *e);
void cors_free(struct cors *c);

/* Replaces the list, at any time: origins as browsers send them
 * ("https://example.org:8443"), separated by commas, or "*"; NULL or "": none.
 * ERR_INVALID, and the list stays as it was. */
enum err_code cors_set(struct cors *c, const char *list, struct err *e)
    ERR_CHECKED;

/* Whether the origin is listed. NULL, for either: no. */
bool cors_allows(struct cors *c, const char *origin);

/* Before any reply is sent: says who may read it. c NULL: nobody. */
void cors_mark(struct cors *c, const struct api_request *request,
               struct api_response *response);

/* Adds the answer to a preflight, if the request is one of a listed origin, on
 * a path that has these methods. */
void cors_preflight(struct cors *c, const struct api_request *request,
                    const char *methods, struct api_response *response);

#endif
