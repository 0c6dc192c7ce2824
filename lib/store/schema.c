/* Schema: a list of migrations that only ever grows at its end. Number n takes
 * a store from version n-1 to n.
 *
 * Words in braces differ from one kind of database to another.
 */
#include "lib/store/schema.h"

#include "lib/base/buf.h"
#include "lib/store/database.h"
#include "lib/store/database_kind.h"

#include <string.h>

#define MAX_SQL_BYTES 65536

static const char *const migrations[] = {
    /* Numbers that were given out, and the seed of the draws. */
    "CREATE TABLE counters ("
    " name {text} PRIMARY KEY,"
    " value {int} NOT NULL"
    ") {table};"

    /* What is known of a model's samples together; `accepted` and `last_id`
     * never fall. */
    "CREATE TABLE models ("
    " id {int} PRIMARY KEY,"
    " name {text} NOT NULL UNIQUE,"
    " row_size {int} NOT NULL,"
    " stored {int} NOT NULL,"
    " labels {int} NOT NULL,"
    " accepted {int} NOT NULL,"
    " last_id {int} NOT NULL"
    ") {table};"

    /* The name '' stands for no label. `total` - `stored` were given up;
     * `arrivals` and `held_arrivals` settle who is held out; draws from
     * `threshold` on were given up once. */
    "CREATE TABLE labels ("
    " id {int} PRIMARY KEY,"
    " model {int} NOT NULL REFERENCES models (id),"
    " name {text} NOT NULL,"
    " total {int} NOT NULL,"
    " stored {int} NOT NULL,"
    " held_out {int} NOT NULL,"
    " arrivals {int} NOT NULL,"
    " held_arrivals {int} NOT NULL,"
    " threshold {int} NOT NULL,"
    " UNIQUE (model, name)"
    ") {table};"
    "CREATE INDEX labels_by_size ON labels (model, stored, id);"

    /* `x`: float32, little-endian. `checksum`: of what a reader is given. */
    "CREATE TABLE samples ("
    " id {int} PRIMARY KEY,"
    " model {int} NOT NULL REFERENCES models (id),"
    " label {int} NOT NULL REFERENCES labels (id),"
    " batch {int} NOT NULL,"
    " created_ms {int} NOT NULL,"
    " held_out {int} NOT NULL,"
    " draw {int} NOT NULL,"
    " checksum {int} NOT NULL,"
    " x {bytes} NOT NULL"
    ") {table};"
    "CREATE INDEX samples_by_model ON samples (model, id);"
    "CREATE INDEX samples_by_label ON samples (label, id);"
    "CREATE INDEX samples_by_batch ON samples (batch, id);"
    "CREATE INDEX samples_by_draw ON samples (label, draw, held_out, id);"

    "CREATE TABLE jobs ("
    " id {int} PRIMARY KEY,"
    " model {text} NOT NULL,"
    " state {int} NOT NULL,"
    " cause {text} NOT NULL,"
    " options {text} NOT NULL,"
    " parent {int} NOT NULL,"
    " version {int} NOT NULL,"
    " promoted {int} NOT NULL,"
    " cancelling {int} NOT NULL,"
    " accepted {int} NOT NULL,"
    " last_id {int} NOT NULL,"
    " created_ms {int} NOT NULL,"
    " started_ms {int} NOT NULL,"
    " ended_ms {int} NOT NULL,"
    " before {text},"
    " after {text},"
    " reason {text}"
    ") {table};"
    "CREATE INDEX jobs_by_model ON jobs (model, id);"
    "CREATE INDEX jobs_by_state ON jobs (state, id);"

    "CREATE TABLE versions ("
    " model {text} NOT NULL,"
    " version {int} NOT NULL,"
    " parent {int} NOT NULL,"
    " job {int} NOT NULL,"
    " created_ms {int} NOT NULL,"
    " PRIMARY KEY (model, version)"
    ") {table};"
    "CREATE TABLE version_numbers ("
    " model {text} PRIMARY KEY,"
    " last {int} NOT NULL"
    ") {table};"
    "CREATE TABLE services ("
    " model {text} PRIMARY KEY,"
    " version {int} NOT NULL,"
    " since_ms {int} NOT NULL"
    ") {table};"

    "CREATE TABLE keys ("
    " id {int} PRIMARY KEY,"
    " scope {text} NOT NULL,"
    " word {text} NOT NULL,"
    " body {int} NOT NULL,"
    " status {int} NOT NULL,"
    " reply {text} NOT NULL,"
    " created_ms {int} NOT NULL,"
    " UNIQUE (scope, word)"
    ") {table};"
    "CREATE INDEX keys_by_age ON keys (created_ms);",
};

#define LATEST ((int64_t)(sizeof migrations / sizeof *migrations))

static void say_words(struct buf *sql, const char *text,
                      const struct database_kind *kind)
{
    static const char *const names[DATABASE_WORDS] = {"{int}", "{text}",
                                                      "{bytes}", "{table}"};

    while (*text != 0) {
        size_t plain = strcspn(text, "{");
        buf_add(sql, text, plain);
        text += plain;
        for (int i = 0; i < DATABASE_WORDS; i++) {
            if (strncmp(text, names[i], strlen(names[i])) == 0) {
                buf_text(sql, kind->words[i]);
                text += strlen(names[i]);
                break;
            }
        }
    }
}

static enum err_code migrate(struct database *db, int64_t number, struct err *e)
{
    struct buf sql;
    enum err_code code;

    buf_init(&sql, MAX_SQL_BYTES);
    say_words(&sql, migrations[number - 1], db->kind);
    if (buf_failed(&sql))
        code = err_set(e, ERR_NO_MEMORY, "store: no memory for its schema");
    else
        code = database_run(db, sql.data, e);
    buf_fini(&sql);
    return code == ERR_OK ? database_set_version(db, number, e) : code;
}

/* One step, unless another process was faster; *version is where it stands. */
static enum err_code take_step(struct database *db, int64_t *version,
                               struct err *e)
{
    if (database_begin(db, e) != ERR_OK)
        return e->code;
    if (database_version(db, version, e) != ERR_OK ||
        (*version < LATEST && migrate(db, ++*version, e) != ERR_OK) ||
        database_commit(db, e) != ERR_OK) {
        database_rollback(db);
        return e->code;
    }
    return ERR_OK;
}

enum err_code schema_update(struct database *db, struct err *e)
{
    int64_t version;

    if (database_version(db, &version, e) != ERR_OK)
        return e->code;
    while (version >= 0 && version < LATEST) {
        if (take_step(db, &version, e) != ERR_OK)
            return err_wrap(e, "schema");
    }
    if (version != LATEST)
        return err_set(e, ERR_CORRUPT,
                       "the store has version %lld, this program knows 1 to "
                       "%lld; use the newer program, or choose another "
                       "--store",
                       (long long)version, (long long)LATEST);
    return ERR_OK;
}
