/* Settings: one row of a table for each thing that a command can be told, read
 * from text into the member of a struct.
 *
 * The row says type, range, default and unit, so that flags, environment,
 * files, help and errors all come from the same place.
 */
#ifndef SPARSED_SERVER_SETTING_H
#define SPARSED_SERVER_SETTING_H

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum setting_type {
    SETTING_TEXT,    /* const char *, not owned */
    SETTING_FLAG,    /* bool */
    SETTING_COUNT,   /* size_t */
    SETTING_BYTES,   /* size_t; "64MiB" */
    SETTING_SECONDS, /* usec; "1.5" */
    SETTING_NUMBER,  /* double */
    SETTING_CHOICE   /* int: index into choices */
};

struct setting {
    const char *section; /* of this row and those that follow, or NULL */
    const char *name;    /* "max-body": --max-body, SPARSED_MAX_BODY */
    enum setting_type type;
    size_t offset;        /* of the member */
    double min, max;      /* of COUNT, BYTES, SECONDS, NUMBER */
    const char *standard; /* the default as text, or NULL: left as it is */
    const char *value;    /* what the help calls the value */
    const char *help;
    const char *const *choices; /* of CHOICE; ends with NULL */
    bool live;                  /* SIGHUP changes it while the daemon runs */
    bool not_in_file;           /* a flag or variable only */
};

/* Tables end with a row without a name. */

/* NULL if there is none of that name (`length` bytes). */
const struct setting *setting_find(const struct setting *table,
                                   const char *name, size_t length);

/* Reads text into the member of *into; ERR_INVALID that names `source`
 * ("--max-body", "SPARSED_MAX_BODY"), the range or the choices. */
enum err_code setting_read(const struct setting *s, void *into,
                           const char *text, const char *source, struct err *e)
    ERR_CHECKED;

/* The member as a JSON value, which setting_read takes without its quotes;
 * null for a text that is NULL. */
void setting_print(struct buf *out, const struct setting *s, const void *from);

/* The member of *from into *to; a text stays where it is. */
void setting_copy(const struct setting *s, void *to, const void *from);

/* Every row's default. */
void settings_standard(const struct setting *table, void *into);

/* ---- where they come from: setting_sources.c ---- */

/* Reads --name value, --name=value and bare flags of argv[1..argc); what is
 * none goes to `operands`, exactly n of them ("MODEL" ..., by their names in
 * `what`). ERR_INVALID. */
enum err_code settings_read_flags(const struct setting *table, void *into,
                                  int argc, char **argv,
                                  const char *const *what,
                                  const char **operands, size_t n,
                                  struct err *e) ERR_CHECKED;

/* The variables SPARSED_NAME. ERR_INVALID. */
enum err_code settings_read_environment(const struct setting *table, void *into,
                                        char *const *environment, struct err *e)
    ERR_CHECKED;

/* An object's members; null leaves a setting as it is. Texts point into
 * `object`. ERR_INVALID. */
enum err_code settings_read_json(const struct setting *table, void *into,
                                 const struct json *object, struct err *e)
    ERR_CHECKED;

/* All rows as such an object. */
void settings_print_json(FILE *out, const struct setting *table,
                         const void *from);

#endif
