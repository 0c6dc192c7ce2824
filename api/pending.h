/* Pending: a reply that waits for the disk. What a handler wants written is run
 * in the store's transaction, and the reply goes once that is durable; no
 * thread waits for it meanwhile.
 *
 * It lives in the request's arena, as all that it needs must. The reply is
 * printed within the transaction, so that an idempotency key can keep it
 * there: sent again, the request is answered as before and does nothing
 * (draft-ietf-httpapi-idempotency-key-header-07).
 */
#ifndef SPARSED_API_PENDING_H
#define SPARSED_API_PENDING_H

#include "api/call.h"
#include "lib/store/keys.h"
#include "lib/store/store.h"

struct pending {
    struct call call; /* a copy: the handler's own is gone when these run */
    /* In the writer's transaction: changes the store and prints the reply,
     * with its status, at the end of the body. May run a second time, so it
     * adds no headers. */
    enum err_code (*write)(struct pending *p, struct database *db,
                           struct err *e);
    /* Once it is durable, before the reply goes; NULL: nothing. An error takes
     * the reply's place. */
    enum err_code (*after)(struct pending *p, struct err *e);

    /* pending_send's own: */
    struct store_work work;
    struct key key; /* key.key NULL: none was sent */
    char key_text[KEYS_MAX_BYTES + 1];
    size_t printed; /* bytes of the reply that were there before */
    bool replayed;
};

/* `size` zeroed bytes that begin with a struct pending, which is filled in.
 * NULL: ERR_NO_MEMORY. */
void *pending_new(const struct call *call, size_t size,
                  enum err_code (*write)(struct pending *, struct database *,
                                         struct err *),
                  struct err *e);

/* Looks at the request's Idempotency-Key. For routes whose replies are short:
 * they are kept. ERR_INVALID for a key that is none. */
enum err_code pending_take_key(struct pending *p, struct err *e) ERR_CHECKED;

/* An `after`: tells the learner. */
enum err_code pending_wake(struct pending *p, struct err *e);

/* The last step of a handler, whose result is its own: the reply is filled in
 * later, or, if the request cannot wait, now. ERR_BUSY: too much waits. */
enum err_code pending_send(struct pending *p, struct call *call, struct err *e)
    ERR_CHECKED;

#endif
