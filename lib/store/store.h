/* Store: what must not be lost, samples, jobs, versions, idempotency keys, in
 * one database; and the one thread that writes it.
 *
 * Everything that changes the store is a piece of work, run by the writer. All
 * work that waits is run in one transaction and made durable by one flush
 * (group commit), so many small posts cost little more than one. Each piece has
 * a savepoint of its own: what fails leaves no trace, and the others stand.
 * Readers see the last commit and wait for nobody.
 */
#ifndef SPARSED_STORE_STORE_H
#define SPARSED_STORE_STORE_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct database; /* database.h */

struct store_settings {
    const char *url;          /* "sqlite:PATH" */
    size_t max_waiting;       /* pieces of work, */
    size_t max_waiting_bytes; /* and what they hold, that may wait */
};

/* Opens it, makes it if there is none, brings an old one up to date. NULL:
 * ERR_INVALID (the URL), ERR_CORRUPT (damaged, no store, or of a newer
 * program), ERR_DENIED (read-only), ERR_NO_SPACE, ERR_IO, ERR_NO_MEMORY. */
struct store *store_open(const struct store_settings *settings, struct err *e);
/* From any thread: what may wait from now on. */
void store_set_max_waiting_bytes(struct store *s, size_t max_waiting_bytes);
/* Runs what waits, then closes. NULL is fine. */
void store_close(struct store *s);

/* ---- writing ---- */

/* In its owner's storage, which must live until `done` returns. */
struct store_work {
    /* On the writer's thread, within a transaction; an error undoes what it
     * did. It may run a second time, after a commit that failed for another's
     * sake. */
    enum err_code (*run)(struct store_work *w, struct database *db,
                         struct err *e);
    /* On the writer's thread: e->code is ERR_OK once it is durable. It must be
     * quick, and may submit more work. */
    void (*done)(struct store_work *w, const struct err *e);
    size_t bytes; /* what it holds while it waits */
    struct store_work *next;
};

/* From any thread; does not wait. An error (ERR_BUSY: too much waits, or the
 * store is closing) means that neither function is called. */
enum err_code store_submit(struct store *s, struct store_work *w, struct err *e)
    ERR_CHECKED;

/* Submits and waits; `done` is not called and may be NULL. Not for the
 * writer's thread. */
enum err_code store_write(struct store *s, struct store_work *w, struct err *e)
    ERR_CHECKED;

/* ---- reading ---- */

/* A connection for reading, given back with store_end_read; waits for one if
 * all are lent. All that is read through it until then is of one moment. NULL:
 * ERR_IO and the like. */
struct database *store_begin_read(struct store *s, struct err *e);
/* The same, but NULL where it would have to wait. */
struct database *store_try_read(struct store *s);
void store_end_read(struct store *s, struct database *db);

/* ---- health ---- */

/* What it takes on disk. */
uint64_t store_bytes(const struct store *s);

/* False, with the reason in `why` (a text cut to size), since the last commit
 * failed for a reason of the store's own (disk, damage) and until one
 * succeeds. */
bool store_is_well(struct store *s, char *why, size_t size);

#endif
