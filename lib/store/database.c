/* Database: URLs, prepared queries used again, and errors that stick. What is
 * said to a library is in its kind's file.
 */
#include "lib/store/database.h"

#include "lib/base/mem.h"
#include "lib/store/database_kind.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct database_kind *const kinds[] = {&database_sqlite};

#define KINDS (sizeof kinds / sizeof *kinds)

/* NULL: none is called so. */
static const struct database_kind *find_kind(const char *url,
                                             const char **place)
{
    for (size_t i = 0; i < KINDS; i++) {
        size_t length = strlen(kinds[i]->name);
        *place = url + length + 1;
        if (strncmp(url, kinds[i]->name, length) == 0 && url[length] == ':' &&
            url[length + 1] != 0)
            return kinds[i];
    }
    return NULL;
}

struct database *database_open(const char *url, enum database_mode mode,
                               struct err *e)
{
    const char *place;
    const struct database_kind *kind = find_kind(url, &place);

    if (kind != NULL)
        return kind->open(place, mode, e);
    err_set(e, ERR_INVALID, "store '%.100s': want sqlite:PATH", url);
    return NULL;
}

uint64_t database_bytes(const char *url)
{
    const char *place;
    const struct database_kind *kind = find_kind(url, &place);
    uint64_t bytes = 0;

    for (size_t i = 0; kind != NULL && kind->files[i] != NULL; i++) {
        char path[PATH_MAX];
        struct stat s;
        snprintf(path, sizeof path, "%s%s", place, kind->files[i]);
        if (stat(path, &s) == 0)
            bytes += (uint64_t)s.st_size;
    }
    return bytes;
}

void database_close(struct database *db)
{
    if (db == NULL)
        return;
    for (struct statement *st = db->statements, *next; st != NULL; st = next) {
        next = st->next;
        assert(!st->used);
        db->kind->finish(st);
        mem_free(st);
    }
    db->kind->close(db);
}

/* ---- transactions ---- */

static enum err_code say(struct database *db, const char *sql, struct err *e)
{
    struct query q;

    query_begin(&q, db, sql);
    return query_run(&q, e);
}

enum err_code database_begin(struct database *db, struct err *e)
{
    return say(db, db->kind->begin[db->mode], e);
}

enum err_code database_commit(struct database *db, struct err *e)
{
    return say(db, "COMMIT", e);
}

void database_rollback(struct database *db)
{
    struct err ignored;

    /* What cannot be undone now is when the connection is closed. */
    if (database_in_transaction(db))
        (void)!say(db, "ROLLBACK", &ignored);
}

bool database_in_transaction(const struct database *db)
{
    return db->kind->in_transaction(db);
}

enum err_code database_savepoint(struct database *db, struct err *e)
{
    return say(db, "SAVEPOINT piece", e);
}

enum err_code database_release(struct database *db, struct err *e)
{
    return say(db, "RELEASE SAVEPOINT piece", e);
}

enum err_code database_undo(struct database *db, struct err *e)
{
    if (say(db, "ROLLBACK TO SAVEPOINT piece", e) != ERR_OK)
        return e->code;
    return database_release(db, e);
}

enum err_code database_run(struct database *db, const char *sql, struct err *e)
{
    return db->kind->run(db, sql, e);
}

enum err_code database_version(struct database *db, int64_t *version,
                               struct err *e)
{
    return db->kind->version(db, version, e);
}

enum err_code database_set_version(struct database *db, int64_t version,
                                   struct err *e)
{
    return db->kind->set_version(db, version, e);
}

/* ---- queries ---- */

/* One that is free, or a new one: a query may be begun again within itself. */
static struct statement *statement_for(struct database *db, const char *sql,
                                       struct err *e)
{
    for (struct statement *st = db->statements; st != NULL; st = st->next) {
        if (st->sql == sql && !st->used)
            return st;
    }
    struct statement *st = mem_array(1, sizeof *st);
    if (st == NULL) {
        err_set(e, ERR_NO_MEMORY, "store: no memory for a query");
        return NULL;
    }
    st->db = db;
    st->sql = sql;
    if (db->kind->prepare(st, e) != ERR_OK) {
        mem_free(st);
        return NULL;
    }
    st->next = db->statements;
    db->statements = st;
    return st;
}

void query_begin(struct query *q, struct database *db, const char *sql)
{
    q->db = db;
    q->n_put = 0;
    q->err.code = ERR_OK;
    q->statement = statement_for(db, sql, &q->err);
    if (q->statement != NULL)
        q->statement->used = true;
}

static void put(struct query *q, const struct value *v)
{
    if (q->err.code == ERR_OK)
        q->db->kind->put(q->statement, ++q->n_put, v, &q->err);
}

void query_put_int(struct query *q, int64_t value)
{
    put(q, &(struct value){.type = VALUE_INT, .number = value});
}

void query_put_text(struct query *q, const char *text)
{
    struct value v = {.type = VALUE_NULL};

    if (text != NULL)
        v = (struct value){
            .type = VALUE_TEXT, .bytes = text, .length = strlen(text)};
    put(q, &v);
}

void query_put_bytes(struct query *q, const void *bytes, size_t length)
{
    put(q,
        &(struct value){.type = VALUE_BYTES, .bytes = bytes, .length = length});
}

bool query_next(struct query *q)
{
    bool row = false;

    if (q->err.code == ERR_OK)
        q->db->kind->step(q->statement, &row, &q->err);
    return q->err.code == ERR_OK && row;
}

void query_refuse(struct query *q, const char *why)
{
    if (q->err.code == ERR_OK)
        err_set(&q->err, ERR_CORRUPT,
                "the store is damaged: %s: restore a copy, or begin a new one",
                why);
}

bool query_failed(const struct query *q)
{
    return q->err.code != ERR_OK;
}

static struct value column(struct query *q, int at, enum value_type want)
{
    const struct value none = {.type = VALUE_NULL};

    if (q->err.code != ERR_OK)
        return none;
    struct value v = q->db->kind->column(q->statement, at);
    if (v.type == want)
        return v;
    if (v.type != VALUE_NULL)
        query_refuse(q, "a value has another type than it should");
    return none;
}

static void refuse_null(struct query *q)
{
    query_refuse(q, "a value is missing");
}

int64_t query_int(struct query *q, int at)
{
    struct value v = column(q, at, VALUE_INT);

    if (v.type == VALUE_NULL)
        refuse_null(q);
    return v.number;
}

uint64_t query_count(struct query *q, int at)
{
    int64_t value = query_int(q, at);

    if (value >= 0)
        return (uint64_t)value;
    query_refuse(q, "a count is negative");
    return 0;
}

const char *query_text_or_null(struct query *q, int at)
{
    return column(q, at, VALUE_TEXT).bytes;
}

const char *query_text(struct query *q, int at)
{
    const char *text = query_text_or_null(q, at);

    if (text == NULL)
        refuse_null(q);
    return text;
}

const void *query_bytes(struct query *q, int at, size_t *length)
{
    struct value v = column(q, at, VALUE_BYTES);

    if (v.bytes == NULL)
        refuse_null(q);
    *length = v.length;
    return v.bytes;
}

void query_copy_text(struct query *q, int at, char *out, size_t size)
{
    const char *text = query_text(q, at);

    out[0] = 0;
    if (text == NULL)
        return;
    size_t length = strlen(text);
    if (length >= size)
        query_refuse(q, "a text is longer than it may be");
    else
        memcpy(out, text, length + 1);
}

enum err_code query_end(struct query *q, struct err *e)
{
    if (q->statement != NULL) {
        q->db->kind->reset(q->statement);
        q->statement->used = false;
    }
    if (q->err.code != ERR_OK)
        *e = q->err;
    return q->err.code;
}

enum err_code query_run(struct query *q, struct err *e)
{
    (void)query_next(q);
    return query_end(q, e);
}
