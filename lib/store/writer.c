/* Writer: takes all that waits, up to a bound, and commits it together. If the
 * commit fails, or an error in the middle has undone everything, nobody knows
 * who is to blame: then each piece is tried again in a transaction of its own.
 */
#include "lib/store/writer.h"

#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/database.h"

#include <assert.h>
#include <stdio.h>

#define MAX_PIECES 256                      /* in one commit, */
#define MAX_PIECES_BYTES ((size_t)64 << 20) /* or one larger piece */
#define TRY_AGAIN ((usec)5 * 1000 * 1000)

struct writer {
    struct database *db; /* the thread's */
    size_t max_waiting, max_waiting_bytes;
    pthread_t thread;

    struct lock lock;
    struct cond work; /* there is some, or closing is set */
    /* under the lock: */
    struct store_work *first, **end;
    size_t waiting, waiting_bytes; /* those being run, too */
    bool closing;
    struct err trouble; /* ERR_OK: well */
};

/* ---- health ---- */

static bool is_own_fault(enum err_code code)
{
    return code == ERR_NO_SPACE || code == ERR_IO || code == ERR_CORRUPT ||
           code == ERR_DENIED;
}

/* What the last commit came to: fine, or a fault of the store's own. */
static void note_health(struct writer *w, const struct err *e)
{
    char text[sizeof e->msg + 16];
    bool well = e->code == ERR_OK;

    lock_take(&w->lock);
    bool news = well != (w->trouble.code == ERR_OK);
    w->trouble = *e;
    lock_drop(&w->lock);
    if (news && well)
        log_event(LOG_INFO, "store", "well again", NULL);
    else if (news)
        log_event(LOG_ERROR, "store", "cannot write", "why=%s",
                  log_quote(text, sizeof text, e->msg));
}

bool writer_is_well(struct writer *w, char *why, size_t size)
{
    lock_take(&w->lock);
    bool well = w->trouble.code == ERR_OK;
    if (!well && size > 0)
        snprintf(why, size, "%s", w->trouble.msg);
    lock_drop(&w->lock);
    return well;
}

/* ---- the writer ---- */

/* What is committed together. */
struct group {
    struct store_work *pieces[MAX_PIECES];
    struct err results[MAX_PIECES];
    size_t n;
};

/* Moves pieces from the queue to the group. */
static void take_locked(struct writer *w, struct group *g)
{
    size_t bytes = 0;

    assert(lock_held(&w->lock));
    for (g->n = 0; g->n < MAX_PIECES && w->first != NULL; g->n++) {
        struct store_work *work = w->first;
        if (g->n > 0 && work->bytes > MAX_PIECES_BYTES - bytes)
            break;
        bytes = work->bytes > MAX_PIECES_BYTES - bytes ? MAX_PIECES_BYTES
                                                       : bytes + work->bytes;
        g->pieces[g->n] = work;
        w->first = work->next;
    }
    if (w->first == NULL)
        w->end = &w->first;
}

/* Runs one piece within the transaction; its error is in *result, and undone.
 * False if that could not be: the transaction is to be given up. */
static bool run_piece(struct writer *w, struct store_work *work,
                      struct err *result)
{
    struct err e;

    result->code = ERR_OK;
    if (database_savepoint(w->db, result) != ERR_OK)
        return false;
    if (work->run(work, w->db, result) == ERR_OK) {
        result->code = ERR_OK;
        return database_release(w->db, result) == ERR_OK;
    }
    return database_in_transaction(w->db) && database_undo(w->db, &e) == ERR_OK;
}

/* Runs pieces from .. to-1 in one transaction; false, and nothing done, if
 * that failed as a whole, with the reason in *e. */
static bool run_together(struct writer *w, struct group *g, size_t from,
                         size_t to, struct err *e)
{
    bool fine = database_begin(w->db, e) == ERR_OK;

    for (size_t i = from; fine && i < to; i++) {
        fine = run_piece(w, g->pieces[i], &g->results[i]);
        if (!fine)
            *e = g->results[i];
    }
    fine = fine && database_commit(w->db, e) == ERR_OK;
    if (!fine)
        database_rollback(w->db);
    return fine;
}

static void run_group(struct writer *w, struct group *g)
{
    struct err e = {.code = ERR_OK};
    const struct err *health = NULL;

    if (!run_together(w, g, 0, g->n, &e)) {
        for (size_t i = 0; i < g->n; i++) {
            if (g->n > 1 && run_together(w, g, i, i + 1, &e))
                continue;
            g->results[i] = e;
        }
    }
    for (size_t i = 0; i < g->n; i++) {
        enum err_code code = g->results[i].code;
        if (is_own_fault(code) || (code == ERR_OK && health == NULL))
            health = &g->results[i];
    }
    if (health != NULL)
        note_health(w, health);
}

static void finish_group(struct writer *w, struct group *g)
{
    size_t bytes = 0;

    for (size_t i = 0; i < g->n; i++)
        bytes += g->pieces[i]->bytes;
    lock_take(&w->lock);
    w->waiting -= g->n;
    w->waiting_bytes -= bytes;
    lock_drop(&w->lock);
    for (size_t i = 0; i < g->n; i++)
        g->pieces[i]->done(g->pieces[i], &g->results[i]);
}

/* Whether a commit succeeds again, when nobody asks for one. */
static enum err_code touch(struct store_work *work, struct database *db,
                           struct err *e)
{
    struct query q;

    (void)work;
    query_begin(&q, db,
                "INSERT INTO counters (name, value) VALUES ($1, 1)"
                " ON CONFLICT (name) DO UPDATE SET value = 1 - counters.value");
    query_put_text(&q, "touch");
    return query_run(&q, e);
}

static void try_again(struct writer *w, struct group *g)
{
    struct store_work work = {.run = touch};

    g->n = 1;
    g->pieces[0] = &work;
    run_group(w, g);
}

/* Waits for work; false if the time has come to try whether the store is well
 * again. */
static bool wait_locked(struct writer *w)
{
    usec until = clock_now() + TRY_AGAIN;

    while (w->first == NULL && !w->closing) {
        if (w->trouble.code == ERR_OK)
            cond_wait(&w->work, &w->lock);
        else if (!cond_wait_until(&w->work, &w->lock, until))
            return false;
    }
    return true;
}

static void *write_all(void *arg)
{
    struct writer *w = arg;
    struct group *g = mem_must(1, sizeof *g);

    lock_take(&w->lock);
    for (;;) {
        bool woken = wait_locked(w);
        take_locked(w, g);
        if (woken && g->n == 0)
            break; /* closing, and nothing is left */
        lock_drop(&w->lock);
        if (g->n > 0) {
            run_group(w, g);
            finish_group(w, g);
        } else {
            try_again(w, g);
        }
        lock_take(&w->lock);
    }
    lock_drop(&w->lock);
    mem_free(g);
    return NULL;
}

/* ---- submitting ---- */

enum err_code writer_submit(struct writer *w, struct store_work *work,
                            struct err *e)
{
    enum err_code code = ERR_OK;

    work->next = NULL;
    lock_take(&w->lock);
    if (w->closing)
        code = err_set(e, ERR_BUSY, "the store is closing");
    else if (w->waiting >= w->max_waiting ||
             (w->waiting > 0 &&
              (work->bytes > w->max_waiting_bytes ||
               w->waiting_bytes > w->max_waiting_bytes - work->bytes)))
        code = err_set(e, ERR_BUSY,
                       "%zu pieces of work with %zu bytes wait for the store; "
                       "try again",
                       w->waiting, w->waiting_bytes);
    if (code == ERR_OK) {
        *w->end = work;
        w->end = &work->next;
        w->waiting++;
        w->waiting_bytes += work->bytes;
        cond_signal(&w->work);
    }
    lock_drop(&w->lock);
    return code;
}

void writer_set_max_waiting_bytes(struct writer *w, size_t max_waiting_bytes)
{
    lock_take(&w->lock);
    w->max_waiting_bytes = max_waiting_bytes;
    lock_drop(&w->lock);
}

/* ---- life ---- */

struct writer *writer_new(struct database *db,
                          const struct store_settings *settings, struct err *e)
{
    struct writer *w = mem_array(1, sizeof *w);

    if (w == NULL) {
        err_set(e, ERR_NO_MEMORY, "store: out of memory");
        return NULL;
    }
    w->db = db;
    w->max_waiting = settings->max_waiting;
    w->max_waiting_bytes = settings->max_waiting_bytes;
    w->end = &w->first;
    lock_init(&w->lock);
    cond_init(&w->work);
    w->thread = thread_start("store", write_all, w);
    return w;
}

void writer_close(struct writer *w)
{
    lock_take(&w->lock);
    w->closing = true;
    cond_signal(&w->work);
    lock_drop(&w->lock);
    thread_join(w->thread);
    database_close(w->db);
    cond_fini(&w->work);
    lock_fini(&w->lock);
    mem_free(w);
}
