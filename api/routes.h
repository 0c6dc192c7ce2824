/* Routes: one const row per operation of openapi.yaml, found by method and
 * path.
 *
 * The raw target is split at '/' and each segment decoded by itself, so that
 * an escaped slash never makes a segment; what is no name, number or word of
 * the row does not match.
 */
#ifndef SPARSED_API_ROUTES_H
#define SPARSED_API_ROUTES_H

#include "api/call.h"

#include <stdbool.h>

/* Whose manners a path has: its errors, types, options. */
enum route_family {
    FAMILY_PLAIN,  /* probes and files */
    FAMILY_NATIVE, /* /v1 */
    FAMILY_OPEN    /* /v2, the Open Inference Protocol, and :predict */
};

/* QUICK: unless the body is big, or the model searches for its codes; BODY:
 * unless the body is big. */
enum route_speed { ROUTE_QUICK, ROUTE_BODY, ROUTE_SLOW };

struct route {
    const char *method;
    const char *pattern; /* {model}, {version} ... stand for a segment; a
                            word may follow the model, as in {model}:do */
    api_handler *handle;
    unsigned takes;   /* bodies (media bits); 0: none */
    unsigned gives;   /* replies that Accept chooses from; 0: one kind only */
    unsigned options; /* option bits */
    unsigned outputs; /* output bits; 0: the option `outputs` says */
    enum route_speed speed;
    unsigned scope; /* one scope bit; 0: anybody */
};

/* Ends with a row of NULLs. */
extern const struct route routes[];

/* NULL: FAMILY_PLAIN. */
enum route_family route_family_of(const char *target);

/* Finds the row, if the request does not have it, and fills call->route and the
 * parts of the path. Otherwise false: call->route is NULL, and `allow` (size
 * bytes) holds the methods that the path does have, as in "GET, HEAD, OPTIONS",
 * or "" if there is no such path. */
bool route_find(struct call *call, char *allow, size_t size);

/* 0 for NULL, the row's place from 1, and after all rows that of the demo's
 * files, which are no operations; and back. NULL behind the last. */
size_t route_index(const struct route *route);
const struct route *route_at(size_t index);

/* Appends what there is, for the detail of a 404: the Open Inference Protocol
 * apart from the rest. */
void route_list(struct buf *b, enum route_family family);

#endif
