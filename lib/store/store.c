/* Store: the writer's thread, and the readers that are lent.
 */
#include "lib/store/store.h"

#include "lib/base/lock.h"
#include "lib/base/mem.h"
#include "lib/store/database.h"
#include "lib/store/schema.h"
#include "lib/store/writer.h"

#include <assert.h>

#define READERS 4

struct store {
    char *url;
    struct writer *writer;

    struct lock lock;
    struct cond back; /* a reader came back */
    /* under the lock: */
    struct database *idle[READERS];
    size_t n_idle, n_readers;
};

/* ---- writing ---- */

enum err_code store_submit(struct store *s, struct store_work *w, struct err *e)
{
    return writer_submit(s->writer, w, e);
}

void store_set_max_waiting_bytes(struct store *s, size_t max_waiting_bytes)
{
    writer_set_max_waiting_bytes(s->writer, max_waiting_bytes);
}

bool store_is_well(struct store *s, char *why, size_t size)
{
    return writer_is_well(s->writer, why, size);
}

uint64_t store_bytes(const struct store *s)
{
    return database_bytes(s->url);
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

/* An idle connection, or leave to open another one: then *db is NULL. False if
 * all are lent, and nobody waits for one. */
static bool borrow(struct store *s, struct database **db, bool waits)
{
    *db = NULL;
    lock_take(&s->lock);
    while (waits && s->n_idle == 0 && s->n_readers == READERS)
        cond_wait(&s->back, &s->lock);
    bool ok = s->n_idle > 0 || s->n_readers < READERS;
    if (s->n_idle > 0)
        *db = s->idle[--s->n_idle];
    else if (ok)
        s->n_readers++;
    lock_drop(&s->lock);
    return ok;
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

/* With what was borrowed. */
static struct database *begin(struct store *s, struct database *db,
                              struct err *e)
{
    if (db == NULL)
        db = database_open(s->url, DATABASE_READ, e);
    if (db == NULL || database_begin(db, e) != ERR_OK) {
        give_back(s, db);
        return NULL;
    }
    return db;
}

struct database *store_begin_read(struct store *s, struct err *e)
{
    struct database *db;

    (void)borrow(s, &db, true);
    return begin(s, db, e);
}

struct database *store_try_read(struct store *s)
{
    struct database *db;
    struct err unused;

    return borrow(s, &db, false) ? begin(s, db, &unused) : NULL;
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
    cond_fini(&s->back);
    lock_fini(&s->lock);
    mem_free(s->url);
    mem_free(s);
}

/* The database, up to date, and its writer. */
static struct writer *start(const struct store_settings *settings,
                            struct err *e)
{
    struct database *db = database_open(settings->url, DATABASE_WRITE, e);
    struct writer *w = NULL;

    if (db != NULL && schema_update(db, e) == ERR_OK)
        w = writer_new(db, settings, e);
    if (w == NULL)
        database_close(db);
    return w;
}

struct store *store_open(const struct store_settings *settings, struct err *e)
{
    struct store *s = mem_array(1, sizeof *s);

    if (s == NULL) {
        err_set(e, ERR_NO_MEMORY, "store: out of memory");
        return NULL;
    }
    lock_init(&s->lock);
    cond_init(&s->back);
    s->url = mem_text(settings->url);
    if (s->url == NULL)
        err_set(e, ERR_NO_MEMORY, "store: out of memory");
    else
        s->writer = start(settings, e);
    if (s->writer != NULL)
        return s;
    free_store(s);
    return NULL;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    writer_close(s->writer);
    free_store(s);
}
