/* A kind of database: what database.c asks of a library that speaks to one.
 * Another kind is one more file with such a table, and a row in database.c.
 */
#ifndef SPARSED_STORE_DATABASE_KIND_H
#define SPARSED_STORE_DATABASE_KIND_H

#include "lib/store/database.h"

/* How it says the words that differ in a schema. */
enum database_word {
    DATABASE_INT,   /* the type of 64-bit integers, */
    DATABASE_TEXT,  /* of UTF-8, */
    DATABASE_BYTES, /* of bytes, */
    DATABASE_TABLE, /* and what stands behind a table's columns */
    DATABASE_WORDS
};

enum value_type { VALUE_NULL, VALUE_INT, VALUE_TEXT, VALUE_BYTES, VALUE_OTHER };

struct value {
    enum value_type type;
    int64_t number;
    const void *bytes; /* of texts and bytes; a text ends with 0 */
    size_t length;
};

/* A prepared query; `prepared` is the kind's own. */
struct statement {
    struct database *db;
    const char *sql;
    void *prepared;
    bool used; /* by a query that has not ended */
    struct statement *next;
};

/* What every kind's connection begins with. */
struct database {
    const struct database_kind *kind;
    enum database_mode mode;
    struct statement *statements;
};

struct database_kind {
    const char *name; /* in URLs */
    /* What its files are called behind the place; NULL behind the last. */
    const char *const *files;
    const char *words[DATABASE_WORDS];
    const char *begin[2]; /* by mode */

    /* Sets kind and mode; the rest of struct database is zero. */
    struct database *(*open)(const char *place, enum database_mode mode,
                             struct err *e);
    void (*close)(struct database *db); /* statements are finished */
    bool (*in_transaction)(const struct database *db);
    enum err_code (*run)(struct database *db, const char *sql, struct err *e);

    /* Fills statement->prepared from db and sql. */
    enum err_code (*prepare)(struct statement *st, struct err *e);
    void (*finish)(struct statement *st);
    /* Parameter `at`, from 1. */
    enum err_code (*put)(struct statement *st, size_t at, const struct value *v,
                         struct err *e);
    enum err_code (*step)(struct statement *st, bool *row, struct err *e);
    struct value (*column)(struct statement *st, int column);
    void (*reset)(struct statement *st);

    enum err_code (*version)(struct database *db, int64_t *version,
                             struct err *e);
    enum err_code (*set_version)(struct database *db, int64_t version,
                                 struct err *e);
};

extern const struct database_kind database_sqlite;

#endif
