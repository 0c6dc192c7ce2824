/* Idempotency keys: what was answered to a request that a client may send
 * again (draft-ietf-httpapi-idempotency-key-header-07).
 *
 * Looking one up and adding it happen in the same work as what the request
 * does, so that it is done once, across restarts too.
 */
#ifndef SPARSED_STORE_KEYS_H
#define SPARSED_STORE_KEYS_H

#include "lib/base/err.h"

#include <stdint.h>

#define KEYS_MAX_BYTES 255
#define KEYS_LIVE_MS ((int64_t)24 * 3600 * 1000)
#define KEYS_MAX 100000 /* of all; the oldest go first */

struct database;

struct key {
    const char *scope; /* method and path */
    const char *key;
    uint64_t body;   /* fingerprint of the request's body and type */
    int64_t wall_ms; /* now */
};

struct key_answer {
    int status;  /* 0: the key is new */
    char *reply; /* owned; NULL when new */
};

/* ERR_SHAPE if the key was used with another body. */
enum err_code keys_find(struct database *db, const struct key *k,
                        struct key_answer *a, struct err *e) ERR_CHECKED;
/* Keeps the answer; forgets those that are too old or too many. */
enum err_code keys_add(struct database *db, const struct key *k, int status,
                       const char *reply, struct err *e) ERR_CHECKED;
void key_answer_fini(struct key_answer *a);

#endif
