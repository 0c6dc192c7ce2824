/* Guard: who may ask, and how often; one call between a request's headers and
 * its body.
 *
 * In this order: pages of other sites, an address's rate, the token, the
 * token's rate and quota. What the token may do is the route's affair (column
 * `scope` of the api's routes). Routes that are open to anybody, as probes and
 * metrics, have no limits and look at no token.
 */
#ifndef SPARSED_SERVER_GUARD_H
#define SPARSED_SERVER_GUARD_H

#include "api/api.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct guard;

struct guard_settings {
    const char *tokens;      /* file, or NULL */
    const char *first_token; /* file, made if missing, or NULL */
    const char *anonymous;   /* scopes without a token, or NULL: see below */
    double rate;             /* requests a second of an address; 0: no limit */
    size_t rate_burst;       /* at once; 0: those of a second */
    bool loopback;           /* nobody else reaches the address */
};

/* Without `anonymous`, nobody may do anything without a token if there is a
 * file of tokens; else inference is open, and all on a loopback address that
 * has no first token. Logs what is open. NULL: as tokens_load, ERR_INVALID,
 * ERR_NO_MEMORY. */
struct guard *guard_open(struct api *api, const struct guard_settings *s,
                         struct err *e);
void guard_close(struct guard *g); /* NULL is fine */

/* Takes new settings and reads the files again, while requests run; on an
 * error all stays as it was. One thread at a time. */
enum err_code guard_reload(struct guard *g, const struct guard_settings *s,
                           struct err *e) ERR_CHECKED;

/* What the headers say of the sender, beside what the api reads. */
struct guard_sender {
    uint64_t client; /* pace_client */
    const char *method;
    const char *authorization; /* headers, or NULL */
    const char *host;
    const char *fetch_site; /* Sec-Fetch-Site */
};

/* Sets the request's scopes and token. True: refuses it, the response is
 * filled. From any thread. */
bool guard_refuse(struct guard *g, const struct guard_sender *sender,
                  struct api_request *request, struct api_response *response);

#endif
