/* Database: the little of SQL that the store needs, over any kind of database
 * that database_kind.h can describe.
 *
 * SQL is written for all kinds: parameters are $1, $2 ... in the order of their
 * first use; values are 64-bit integers, texts, bytes or null; rows are added
 * with numbers that the program gives (counters.h). A query is prepared once a
 * connection and used again. Its errors stick, as a buf's do: a caller puts,
 * reads and checks once, in query_end.
 */
#ifndef SPARSED_STORE_DATABASE_H
#define SPARSED_STORE_DATABASE_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum database_mode { DATABASE_WRITE, DATABASE_READ };

/* A connection: one thread at a time. */
struct database;

/* "KIND:PLACE", as "sqlite:/var/lib/sparsed/store.sqlite". The first connection
 * is one that writes: it makes what is not there, and judges what is. Readers
 * take it as it is. NULL as store_open. */
struct database *database_open(const char *url, enum database_mode mode,
                               struct err *e);
void database_close(struct database *db); /* NULL is fine */

/* What the database of such a URL takes on disk; 0: not known. */
uint64_t database_bytes(const char *url);

/* ---- transactions ---- */

enum err_code database_begin(struct database *db, struct err *e) ERR_CHECKED;
/* What it wrote is on disk afterwards. After an error, roll back. */
enum err_code database_commit(struct database *db, struct err *e) ERR_CHECKED;
void database_rollback(struct database *db); /* without one: nothing */

/* An error may have ended it: then all that it did is undone. */
bool database_in_transaction(const struct database *db);

/* One within a transaction: undo goes back to where it was set. */
enum err_code database_savepoint(struct database *db, struct err *e)
    ERR_CHECKED;
enum err_code database_release(struct database *db, struct err *e) ERR_CHECKED;
enum err_code database_undo(struct database *db, struct err *e) ERR_CHECKED;

/* ---- queries ---- */

struct query {
    struct database *db;
    struct statement *statement;
    size_t n_put;
    struct err err;
};

/* `sql` is a static text, known again by its address. Every begun query is
 * ended, before the transaction is. */
void query_begin(struct query *q, struct database *db, const char *sql);

/* The next parameter. Texts and bytes must live until query_end; NULL is
 * null. */
void query_put_int(struct query *q, int64_t value);
void query_put_text(struct query *q, const char *text);
void query_put_bytes(struct query *q, const void *bytes, size_t length);

/* Whether there is a (further) row; false after an error too. */
bool query_next(struct query *q);

/* Columns of the row, from 0. Values live until the next query_next. What has
 * another type (the file is damaged) becomes an error and 0 or NULL. */
int64_t query_int(struct query *q, int column);
uint64_t query_count(struct query *q, int column); /* not negative */
const char *query_text(struct query *q, int column);
const char *query_text_or_null(struct query *q, int column);
const void *query_bytes(struct query *q, int column, size_t *length);
/* A text of fewer than `size` bytes. */
void query_copy_text(struct query *q, int column, char *out, size_t size);

/* Notes that what was read cannot be: ERR_CORRUPT. */
void query_refuse(struct query *q, const char *why);
bool query_failed(const struct query *q);

enum err_code query_end(struct query *q, struct err *e) ERR_CHECKED;
/* Runs what gives no rows, and ends it. */
enum err_code query_run(struct query *q, struct err *e) ERR_CHECKED;

/* Several statements, separated by ";", without parameters. */
enum err_code database_run(struct database *db, const char *sql, struct err *e)
    ERR_CHECKED;

/* ---- what schema.c needs ---- */

/* Number of the last migration that was run; 0: an empty database. */
enum err_code database_version(struct database *db, int64_t *version,
                               struct err *e) ERR_CHECKED;
enum err_code database_set_version(struct database *db, int64_t version,
                                   struct err *e) ERR_CHECKED;

#endif
