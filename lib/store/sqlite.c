/* SQLite, the database in one file; the only file that knows it.
 *
 * The log (WAL) lets readers and the writer go on beside each other, and
 * another process too; synchronous=FULL makes a commit durable before it
 * returns. The file may be anybody's: an application id says that it is ours,
 * its own views and triggers are not run, and it is checked when it is opened.
 */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/store/database_kind.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID 0x73707273 /* "sprs" */
#define BUSY_MS 10000
#define MAX_VALUE_BYTES (128 << 20) /* one row, one text */
#define MAX_SQL_BYTES (1 << 20)
/* Up to this size all is checked at the start, as fast as it can be read. */
#define CHECKED_BYTES ((int64_t)256 << 20)

struct sqlite {
    struct database base; /* first */
    sqlite3 *handle;
    char path[PATH_MAX];
};

static struct sqlite *self(const struct database *db)
{
    return (struct sqlite *)(uintptr_t)db;
}

/* ---- errors ---- */

static enum err_code code_of_io(int result, int reason)
{
    switch (result) {
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_DATA:
    case SQLITE_IOERR_CORRUPTFS:
        return ERR_CORRUPT;
    case SQLITE_IOERR_NOMEM:
        return ERR_NO_MEMORY;
    default:
        return reason == ENOSPC || reason == EDQUOT || reason == EFBIG
                   ? ERR_NO_SPACE
                   : ERR_IO;
    }
}

/* A mistake in a query that was tested, a broken constraint, a file that is
 * none: the file is not what this program made. */
static enum err_code code_of(int result, int reason)
{
    switch (result & 0xff) {
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_IOERR:
        return code_of_io(result, reason);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ERR_DENIED;
    case SQLITE_CANTOPEN:
        return reason == EACCES || reason == EPERM || reason == EROFS
                   ? ERR_DENIED
               : reason == ENOSPC || reason == EDQUOT ? ERR_NO_SPACE
                                                      : ERR_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_TOOBIG:
        return ERR_TOO_LARGE;
    default:
        return ERR_CORRUPT;
    }
}

static const char *remedy(enum err_code code)
{
    if (code == ERR_CORRUPT)
        return "; restore a copy, or begin a new one with --store";
    if (code == ERR_DENIED)
        return "; the file and its folder must be writable";
    if (code == ERR_NO_SPACE)
        return "; free some disk space";
    if (code == ERR_BUSY)
        return "; another process is writing it";
    return "";
}

/* The errno behind an error. A failed write to the log is not always told
 * through the connection: then it is asked of the log's file. */
static int reason_of(const struct sqlite *s, int result)
{
    sqlite3_file *log = NULL;
    int reason = sqlite3_system_errno(s->handle);

    if (reason != 0 || (result & 0xff) != SQLITE_IOERR)
        return reason;
    sqlite3_file_control(s->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log != NULL && log->pMethods != NULL)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &reason);
    return reason;
}

static enum err_code fail(const struct sqlite *s, int result, struct err *e)
{
    int reason = reason_of(s, result);
    enum err_code code = code_of(result, reason);
    bool shows = code == ERR_IO || code == ERR_DENIED;

    assert((result & 0xff) != SQLITE_MISUSE);
    return err_set(e, code, "store %.100s: %.80s%s%s%s", s->path,
                   sqlite3_errmsg(s->handle), shows && reason ? ": " : "",
                   shows && reason ? strerror(reason) : "", remedy(code));
}

/* ---- queries ---- */

static enum err_code run(struct database *db, const char *sql, struct err *e)
{
    struct sqlite *s = self(db);
    int result = sqlite3_exec(s->handle, sql, NULL, NULL, NULL);

    return result == SQLITE_OK ? ERR_OK : fail(s, result, e);
}

/* What a pragma or query answers first; without an answer, "". */
struct answer {
    int64_t number;
    char text[64]; /* cut to size */
};

static enum err_code ask(struct sqlite *s, const char *sql, struct answer *a,
                         struct err *e)
{
    sqlite3_stmt *st = NULL;
    const unsigned char *text = NULL;
    int result = sqlite3_prepare_v2(s->handle, sql, -1, &st, NULL);

    *a = (struct answer){0};
    if (result == SQLITE_OK)
        result = sqlite3_step(st);
    if (result == SQLITE_ROW) {
        a->number = sqlite3_column_int64(st, 0);
        text = sqlite3_column_text(st, 0);
    }
    if (text != NULL)
        snprintf(a->text, sizeof a->text, "%s", (const char *)text);
    enum err_code code = result == SQLITE_ROW || result == SQLITE_DONE
                             ? ERR_OK
                             : fail(s, result, e);
    sqlite3_finalize(st);
    return code;
}

static enum err_code prepare(struct statement *st, struct err *e)
{
    struct sqlite *s = self(st->db);
    sqlite3_stmt *prepared = NULL;
    int result = sqlite3_prepare_v3(s->handle, st->sql, -1,
                                    SQLITE_PREPARE_PERSISTENT, &prepared, NULL);

    if (result != SQLITE_OK)
        return fail(s, result, e);
    /* $1 is a name here, numbered by its first use. */
    for (int i = 1; i <= sqlite3_bind_parameter_count(prepared); i++) {
        char name[16];
        snprintf(name, sizeof name, "$%d", i);
        assert(strcmp(sqlite3_bind_parameter_name(prepared, i), name) == 0);
    }
    st->prepared = prepared;
    return ERR_OK;
}

static void finish(struct statement *st)
{
    sqlite3_finalize(st->prepared);
}

static enum err_code put(struct statement *st, size_t at, const struct value *v,
                         struct err *e)
{
    sqlite3_stmt *to = st->prepared;
    int i = (int)at;
    int result = SQLITE_OK;

    switch (v->type) {
    case VALUE_INT:
        result = sqlite3_bind_int64(to, i, v->number);
        break;
    case VALUE_TEXT:
        result = sqlite3_bind_text64(to, i, v->bytes, v->length, SQLITE_STATIC,
                                     SQLITE_UTF8);
        break;
    case VALUE_BYTES:
        result = sqlite3_bind_blob64(to, i, v->bytes, v->length, SQLITE_STATIC);
        break;
    case VALUE_NULL:
    case VALUE_OTHER:
        result = sqlite3_bind_null(to, i);
        break;
    }
    assert(result != SQLITE_RANGE);
    return result == SQLITE_OK ? ERR_OK : fail(self(st->db), result, e);
}

static enum err_code step(struct statement *st, bool *row, struct err *e)
{
    int result = sqlite3_step(st->prepared);

    *row = result == SQLITE_ROW;
    return result == SQLITE_ROW || result == SQLITE_DONE
               ? ERR_OK
               : fail(self(st->db), result, e);
}

static struct value column(struct statement *st, int at)
{
    sqlite3_stmt *from = st->prepared;
    struct value v = {.type = VALUE_OTHER};

    assert(at < sqlite3_column_count(from));
    switch (sqlite3_column_type(from, at)) {
    case SQLITE_INTEGER:
        v.type = VALUE_INT;
        v.number = sqlite3_column_int64(from, at);
        break;
    case SQLITE_TEXT:
        v.type = VALUE_TEXT;
        v.bytes = sqlite3_column_text(from, at);
        v.length = (size_t)sqlite3_column_bytes(from, at);
        break;
    case SQLITE_BLOB:
        v.type = VALUE_BYTES;
        v.bytes = sqlite3_column_blob(from, at);
        v.length = (size_t)sqlite3_column_bytes(from, at);
        break;
    case SQLITE_NULL:
        v.type = VALUE_NULL;
        break;
    default:
        break;
    }
    return v;
}

/* What a step said it has said: reset says it again. */
static void reset(struct statement *st)
{
    sqlite3_reset(st->prepared);
    sqlite3_clear_bindings(st->prepared);
}

static bool in_transaction(const struct database *db)
{
    return sqlite3_get_autocommit(self(db)->handle) == 0;
}

/* ---- opening ---- */

static enum err_code version(struct database *db, int64_t *out, struct err *e)
{
    struct answer a;
    enum err_code code = ask(self(db), "PRAGMA user_version", &a, e);

    *out = a.number;
    return code;
}

static enum err_code set_version(struct database *db, int64_t number,
                                 struct err *e)
{
    char sql[100];

    snprintf(sql, sizeof sql,
             "PRAGMA application_id = %d; PRAGMA user_version = %lld",
             APPLICATION_ID, (long long)number);
    return run(db, sql, e);
}

/* A path that SQLite takes for nothing but a path. */
static enum err_code set_path(struct sqlite *s, const char *place,
                              struct err *e)
{
    int n = snprintf(s->path, sizeof s->path, "%s%s",
                     place[0] == '/' ? "" : "./", place);

    if (n < 0 || (size_t)n >= sizeof s->path)
        return err_set(e, ERR_INVALID, "store: the path is too long");
    return ERR_OK;
}

/* An empty file that only its owner may read, if there is none: the log's files
 * take their rights from it. */
static enum err_code make_file(const struct sqlite *s, struct err *e)
{
    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        close(fd);
        return file_sync_folder_of(s->path, e);
    }
    int reason = errno;
    if (reason == EEXIST)
        return ERR_OK;
    err_set_errno(e, reason, "store %.100s: cannot make it", s->path);
    if (reason == EACCES || reason == EPERM || reason == EROFS)
        e->code = ERR_DENIED;
    else if (e->code == ERR_NOT_FOUND)
        e->code = ERR_IO; /* of the folder */
    return e->code;
}

/* Limits first: what is read from here on may be anything. */
static enum err_code set_limits(struct sqlite *s, struct err *e)
{
    static const struct {
        int what, value;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
    };
    int result = sqlite3_extended_result_codes(s->handle, 1);

    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if (result == SQLITE_OK)
            result = sqlite3_db_config(s->handle, switches[i].what,
                                       switches[i].value, NULL);
    }
    if (result == SQLITE_OK)
        result = sqlite3_busy_timeout(s->handle, BUSY_MS);
    sqlite3_limit(s->handle, SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES);
    sqlite3_limit(s->handle, SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES);
    sqlite3_limit(s->handle, SQLITE_LIMIT_ATTACHED, 0);
    return result == SQLITE_OK ? ERR_OK : fail(s, result, e);
}

/* Whether the file is ours, or empty. */
static enum err_code check_owner(struct sqlite *s, struct err *e)
{
    struct answer id, tables;

    if (sqlite3_db_readonly(s->handle, "main") == 1)
        return err_set(e, ERR_DENIED, "store %.100s is read-only%s", s->path,
                       remedy(ERR_DENIED));
    if (ask(s, "PRAGMA application_id", &id, e) != ERR_OK ||
        ask(s, "SELECT count(*) FROM sqlite_schema", &tables, e) != ERR_OK)
        return e->code;
    if (id.number != APPLICATION_ID && (id.number != 0 || tables.number != 0))
        return err_set(e, ERR_CORRUPT,
                       "store %.100s is another program's database; choose "
                       "another place with --store",
                       s->path);
    return ERR_OK;
}

static enum err_code check_with(struct sqlite *s, const char *sql,
                                struct err *e)
{
    struct answer a;

    if (ask(s, sql, &a, e) != ERR_OK)
        return e->code;
    if (strcmp(a.text, "ok") != 0)
        return err_set(e, ERR_CORRUPT, "store %.80s is damaged: %s%s", s->path,
                       a.text, remedy(ERR_CORRUPT));
    return ERR_OK;
}

/* A large file would take long: there, what few pages count for all. */
static enum err_code check_contents(struct sqlite *s, struct err *e)
{
    static const char *const small[] = {
        "PRAGMA integrity_check(sqlite_schema)",
        "PRAGMA integrity_check(counters)",
        "PRAGMA integrity_check(models)",
        "PRAGMA integrity_check(labels)",
        "PRAGMA integrity_check(jobs)",
        "PRAGMA integrity_check(versions)",
        "PRAGMA integrity_check(version_numbers)",
        "PRAGMA integrity_check(services)",
    };
    struct answer pages, page_bytes, number;

    if (ask(s, "PRAGMA page_count", &pages, e) != ERR_OK ||
        ask(s, "PRAGMA page_size", &page_bytes, e) != ERR_OK ||
        ask(s, "PRAGMA user_version", &number, e) != ERR_OK)
        return e->code;
    if (number.number == 0 || pages.number <= CHECKED_BYTES / page_bytes.number)
        return check_with(s, "PRAGMA integrity_check(1)", e);
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        if (check_with(s, small[i], e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

static enum err_code set_log(struct sqlite *s, struct err *e)
{
    struct answer a;

    if (ask(s, "PRAGMA journal_mode = WAL", &a, e) != ERR_OK)
        return e->code;
    if (strcmp(a.text, "wal") == 0)
        return ERR_OK;
    return err_set(e, ERR_IO,
                   "store %.100s: the file system cannot hold a write-ahead "
                   "log (no shared memory); choose a local disk with --store",
                   s->path);
}

/* Everything but the rights of a reader. The log is written back in pieces of
 * 16 MiB, and cut to 64 when a long reading had let it grow. */
static const char standard[] = "PRAGMA synchronous = FULL;"
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA secure_delete = FAST;"
                               "PRAGMA wal_autocheckpoint = 4096;"
                               "PRAGMA journal_size_limit = 67108864;";

static enum err_code connect(struct sqlite *s, struct err *e)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    bool writes = s->base.mode == DATABASE_WRITE;

    if (writes && make_file(s, e) != ERR_OK)
        return e->code;
    int result = sqlite3_open_v2(s->path, &s->handle, flags, NULL);
    if (s->handle == NULL)
        return err_set(e, ERR_NO_MEMORY, "store: out of memory");
    if (result != SQLITE_OK)
        return fail(s, result, e);
    if (set_limits(s, e) != ERR_OK)
        return e->code;
    if (writes && (check_owner(s, e) != ERR_OK || set_log(s, e) != ERR_OK))
        return e->code;
    if (run(&s->base, standard, e) != ERR_OK)
        return e->code;
    return writes ? check_contents(s, e)
                  : run(&s->base, "PRAGMA query_only = ON", e);
}

static void disconnect(struct database *db)
{
    struct sqlite *s = self(db);
    int result = sqlite3_close(s->handle);

    assert(result == SQLITE_OK); /* no query is left */
    mem_free(s);
}

static struct database *open_file(const char *place, enum database_mode mode,
                                  struct err *e)
{
    struct sqlite *s = mem_array(1, sizeof *s);

    if (s == NULL) {
        err_set(e, ERR_NO_MEMORY, "store: out of memory");
        return NULL;
    }
    s->base = (struct database){.kind = &database_sqlite, .mode = mode};
    if (set_path(s, place, e) != ERR_OK || connect(s, e) != ERR_OK) {
        disconnect(&s->base);
        return NULL;
    }
    return &s->base;
}

const struct database_kind database_sqlite = {
    .name = "sqlite",
    .files = (const char *const[]){"", "-wal", "-shm", NULL},
    .words = {"INTEGER", "TEXT", "BLOB", "STRICT"},
    .begin = {"BEGIN IMMEDIATE", "BEGIN"},
    .open = open_file,
    .close = disconnect,
    .in_transaction = in_transaction,
    .run = run,
    .prepare = prepare,
    .finish = finish,
    .put = put,
    .step = step,
    .column = column,
    .reset = reset,
    .version = version,
    .set_version = set_version,
};
