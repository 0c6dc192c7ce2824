/* Access log: one line a request, of which a share may do.
 *
 * Of good requests the share is drawn by their ids: a client that gives them
 * finds all or nothing of its request in the logs of all that it went through.
 * Errors are always logged, but for floods of what clients do wrong or the
 * server turns away, which must not fill a disk: over ACCESS_REFUSALS of those
 * in a second, the rest is only counted.
 */
#ifndef SPARSED_SERVER_ACCESS_H
#define SPARSED_SERVER_ACCESS_H

#include "api/api.h"

#include <stdatomic.h>
#include <stdint.h>

#define ACCESS_REFUSALS 200

struct access {
    atomic_uint_fast64_t share; /* of 2^32 */
    atomic_int_fast64_t second; /* in which refusals are counted, */
    atomic_size_t refusals;     /* and how many there were */
};

struct access_line {
    const struct api_request *request;
    const char *method; /* as sent */
    const struct account *account;
    int status;
    size_t bytes; /* of the reply's body */
};

/* `share` of good requests, 0 to 1, is logged; at any time. Zeroed: none. */
void access_set(struct access *a, double share);

/* At the end of a request; from any thread. Neither tensors nor query values
 * nor tokens are told, but a token's name. */
void access_log(struct access *a, const struct access_line *line);

#endif
