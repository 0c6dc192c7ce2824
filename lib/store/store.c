/* Store: the writer and its queue, and the readers that are lent.
 *
 * The writer takes all that waits, up to a bound, and commits it together. If
 * the commit fails, or an error in the middle has undone everything, nobody
 * knows who is to blame: then each piece is tried again in a transaction of its
 * own.
 */
#include "lib/store/store.h"

#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/database.h"
#include "lib/store/schema.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define READERS 4
#define MAX_PIECES 256                      /* in one commit, */
#define MAX_PIECES_BYTES ((size_t)64 << 20) /* or one larger piece */
#define TRY_AGAIN ((usec)5 * 1000 * 1000)

struct store {
    char *url;
    size_t max_waiting, max_waiting_bytes;
    struct database *writer; /* the writer thread's */
    pthread_t thread;

    struct lock lock;
    struct cond work; /* there is some, or closing is set */
    struct cond back; /* a reader came back */
    /* under the lock: */
    struct store_work *first, **end;
    size_t waiting, waiting_bytes; /* those being run, too */
    bool closing;
    struct database *idle[READERS];
    size_t n_idle, n_readers;
    struct err trouble; /* ERR_OK: well */
};

/* ---- health ---- */

static bool is_own_fault(enum err_code code)
{
    return code == ERR_NO_SPACE || code == ERR_IO || code == ERR_CORRUPT ||
           code == ERR_DENIED;
}

/* What the last commit came to: fine, or a fault of the store's own. */
static void note_health(struct store *s, const struct err *e)
{
    char text[sizeof e->msg + 16];
    bool well = e->code == ERR_OK;

    lock_take(&s->lock);
    bool news = well != (s->trouble.code == ERR_OK);
    s->trouble = *e;
    lock_drop(&s->lock);
    if (news && well)
        log_event(LOG_INFO, "store", "well again", NULL);
    else if (news)
        log_event(LOG_ERROR, "store", "cannot write", "why=%s",
                  log_quote(text, sizeof text, e->msg));
}

bool store_is_well(struct store *s, char *why, size_t size)
{
    lock_take(&s->lock);
    bool well = s->trouble.code == ERR_OK;
    if (!well && size > 0)
        snprintf(why, size, "%s", s->trouble.msg);
    lock_drop(&s->lock);
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
static void take_locked(struct store *s, struct group *g)
{
    size_t bytes = 0;

    assert(lock_held(&s->lock));
    for (g->n = 0; g->n < MAX_PIECES && s->first != NULL; g->n++) {
        struct store_work *w = s->first;
        if (g->n > 0 && w->bytes > MAX_PIECES_BYTES - bytes)
            break;
        bytes = w->bytes > MAX_PIECES_BYTES - bytes ? MAX_PIECES_BYTES
                                                    : bytes + w->bytes;
        g->pieces[g->n] = w;
        s->first = w->next;
    }
    if (s->first == NULL)
        s->end = &s->first;
}

/* Runs one piece within the transaction; its error is in *result, and undone.
 * False if that could not be: the transaction is to be given up. */
static bool run_piece(struct store *s, struct store_work *w, struct err *result)
{
    struct err e;

    result->code = ERR_OK;
    if (database_savepoint(s->writer, result) != ERR_OK)
        return false;
    if (w->run(w, s->writer, result) == ERR_OK) {
        result->code = ERR_OK;
        return database_release(s->writer, result) == ERR_OK;
    }
    return database_in_transaction(s->writer) &&
           database_undo(s->writer, &e) == ERR_OK;
}

/* Runs pieces from .. to-1 in one transaction; false, and nothing done, if
 * that failed as a whole, with the reason in *e. */
static bool run_together(struct store *s, struct group *g, size_t from,
                         size_t to, struct err *e)
{
    bool fine = database_begin(s->writer, e) == ERR_OK;

    for (size_t i = from; fine && i < to; i++) {
        fine = run_piece(s, g->pieces[i], &g->results[i]);
        if (!fine)
            *e = g->results[i];
    }
    fine = fine && database_commit(s->writer, e) == ERR_OK;
    if (!fine)
        database_rollback(s->writer);
    return fine;
}

static void run_group(struct store *s, struct group *g)
{
    struct err e = {.code = ERR_OK};
    const struct err *health = NULL;

    if (!run_together(s, g, 0, g->n, &e)) {
        for (size_t i = 0; i < g->n; i++) {
            if (g->n > 1 && run_together(s, g, i, i + 1, &e))
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
        note_health(s, health);
}

static void finish_group(struct store *s, struct group *g)
{
    size_t bytes = 0;

    for (size_t i = 0; i < g->n; i++)
        bytes += g->pieces[i]->bytes;
    lock_take(&s->lock);
    s->waiting -= g->n;
    s->waiting_bytes -= bytes;
    lock_drop(&s->lock);
    for (size_t i = 0; i < g->n; i++)
        g->pieces[i]->done(g->pieces[i], &g->results[i]);
}

/* Whether a commit succeeds again, when nobody asks for one. */
static enum err_code touch(struct store_work *w, struct database *db,
                           struct err *e)
{
    struct query q;

    (void)w;
    query_begin(&q, db,
                "INSERT INTO counters (name, value) VALUES ($1, 1)"
                " ON CONFLICT (name) DO UPDATE SET value = 1 - counters.value");
    query_put_text(&q, "touch");
    return query_run(&q, e);
}

static void try_again(struct store *s, struct group *g)
{
    struct store_work w = {.run = touch};

    g->n = 1;
    g->pieces[0] = &w;
    run_group(s, g);
}

/* Waits for work; false if the time has come to try whether the store is well
 * again. */
static bool wait_locked(struct store *s)
{
    usec until = clock_now() + TRY_AGAIN;

    while (s->first == NULL && !s->closing) {
        if (s->trouble.code == ERR_OK)
            cond_wait(&s->work, &s->lock);
        else if (!cond_wait_until(&s->work, &s->lock, until))
            return false;
    }
    return true;
}

static void *write_all(void *arg)
{
    struct store *s = arg;
    struct group *g = mem_must(1, sizeof *g);

    lock_take(&s->lock);
    for (;;) {
        bool woken = wait_locked(s);
        take_locked(s, g);
        if (woken && g->n == 0)
            break; /* closing, and nothing is left */
        lock_drop(&s->lock);
        if (g->n > 0) {
            run_group(s, g);
            finish_group(s, g);
        } else {
            try_again(s, g);
        }
        lock_take(&s->lock);
    }
    lock_drop(&s->lock);
    mem_free(g);
    return NULL;
}

/* ---- submitting ---- */

enum err_code store_submit(struct store *s, struct store_work *w, struct err *e)
{
    enum err_code code = ERR_OK;

    w->next = NULL;
    lock_take(&s->lock);
    if (s->closing)
        code = err_set(e, ERR_BUSY, "the store is closing");
    else if (s->waiting >= s->max_waiting ||
             (s->waiting > 0 &&
              (w->bytes > s->max_waiting_bytes ||
               s->waiting_bytes > s->max_waiting_bytes - w->bytes)))
        code = err_set(e, ERR_BUSY,
                       "%zu pieces of work with %zu bytes wait for the store; "
                       "try again",
                       s->waiting, s->waiting_bytes);
    if (code == ERR_OK) {
        *s->end = w;
        s->end = &w->next;
        s->waiting++;
        s->waiting_bytes += w->bytes;
        cond_signal(&s->work);
    }
    lock_drop(&s->lock);
    return code;
}

/* A piece of work whose submitter waits. */
struct awaited {
    struct store_work work; /* first */
    struct store_work *inner;
    struct lock lock;
    struct cond ready;
    bool is_ready;
    struct err result;
};

static enum err_code run_inner(struct store_work *w, struct database *db,
                               struct err *e)
{
    struct awaited *a = (struct awaited *)w;

    return a->inner->run(a->inner, db, e);
}

static void wake(struct store_work *w, const struct err *e)
{
    struct awaited *a = (struct awaited *)w;

    lock_take(&a->lock);
    a->result = *e;
    a->is_ready = true;
    cond_signal(&a->ready);
    lock_drop(&a->lock);
}

enum err_code store_write(struct store *s, struct store_work *w, struct err *e)
{
    struct awaited a = {
        .work = {.run = run_inner, .done = wake, .bytes = w->bytes},
        .inner = w};

    lock_init(&a.lock);
    cond_init(&a.ready);
    enum err_code code = store_submit(s, &a.work, e);
    if (code == ERR_OK) {
        lock_take(&a.lock);
        while (!a.is_ready)
            cond_wait(&a.ready, &a.lock);
        lock_drop(&a.lock);
        code = a.result.code;
        if (code != ERR_OK)
            *e = a.result;
    }
    cond_fini(&a.ready);
    lock_fini(&a.lock);
    return code;
}

/* ---- reading ---- */

/* An idle connection, or leave to open another one: then *db is NULL. */
static void borrow(struct store *s, struct database **db)
{
    *db = NULL;
    lock_take(&s->lock);
    while (s->n_idle == 0 && s->n_readers == READERS)
        cond_wait(&s->back, &s->lock);
    if (s->n_idle > 0)
        *db = s->idle[--s->n_idle];
    else
        s->n_readers++;
    lock_drop(&s->lock);
}

static void give_back(struct store *s, struct database *db)
{
    lock_take(&s->lock);
    if (db != NULL)
        s->idle[s->n_idle++] = db;
    else
        s->n_readers--;
    cond_signal(&s->back);
    lock_drop(&s->lock);
}

struct database *store_begin_read(struct store *s, struct err *e)
{
    struct database *db;

    borrow(s, &db);
    if (db == NULL)
        db = database_open(s->url, DATABASE_READ, e);
    if (db == NULL || database_begin(db, e) != ERR_OK) {
        give_back(s, db);
        return NULL;
    }
    return db;
}

void store_end_read(struct store *s, struct database *db)
{
    database_rollback(db);
    give_back(s, db);
}

/* ---- life ---- */

static void free_store(struct store *s)
{
    assert(s->n_idle == s->n_readers); /* all were given back */
    for (size_t i = 0; i < s->n_idle; i++)
        database_close(s->idle[i]);
    database_close(s->writer);
    cond_fini(&s->back);
    cond_fini(&s->work);
    lock_fini(&s->lock);
    mem_free(s->url);
    mem_free(s);
}

struct store *store_open(const struct store_settings *settings, struct err *e)
{
    struct store *s = mem_array(1, sizeof *s);
    char *url = mem_text(settings->url);

    if (s == NULL || url == NULL) {
        mem_free(s);
        mem_free(url);
        err_set(e, ERR_NO_MEMORY, "store: out of memory");
        return NULL;
    }
    s->url = url;
    s->max_waiting = settings->max_waiting;
    s->max_waiting_bytes = settings->max_waiting_bytes;
    s->end = &s->first;
    lock_init(&s->lock);
    cond_init(&s->work);
    cond_init(&s->back);
    s->writer = database_open(url, DATABASE_WRITE, e);
    if (s->writer == NULL || schema_update(s->writer, e) != ERR_OK) {
        free_store(s);
        return NULL;
    }
    s->thread = thread_start("store", write_all, s);
    return s;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    lock_take(&s->lock);
    s->closing = true;
    cond_signal(&s->work);
    lock_drop(&s->lock);
    thread_join(s->thread);
    free_store(s);
}
