/* Versions: the tuned versions of models, and which version of a model is in
 * service. The files are elsewhere; a version that is not here does not exist.
 */
#ifndef SPARSED_STORE_VERSIONS_H
#define SPARSED_STORE_VERSIONS_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shipped versions are below, tuned ones from here. */
#define VERSIONS_FIRST_TUNED 1001

struct database;

struct stored_version {
    const char *model;
    uint64_t version, parent;
    int64_t job; /* that made it */
    int64_t created_ms;
};

/* ERR_CONFLICT if it is there. */
enum err_code versions_add(struct database *db, const struct stored_version *v,
                           struct err *e) ERR_CHECKED;
/* ERR_NOT_FOUND; ERR_CONFLICT if it is in service. */
enum err_code versions_delete(struct database *db, const char *model,
                              uint64_t version, struct err *e) ERR_CHECKED;
/* By model, then version; model NULL: all. False stops. */
enum err_code versions_each(struct database *db, const char *model,
                            bool (*visit)(void *arg,
                                          const struct stored_version *v),
                            void *arg, struct err *e) ERR_CHECKED;
/* The number for a new version of the model: VERSIONS_FIRST_TUNED, or one more
 * than any that was ever given out here, or than `highest`. It is not given
 * out again. */
enum err_code versions_take_number(struct database *db, const char *model,
                                   uint64_t highest, uint64_t *version,
                                   struct err *e) ERR_CHECKED;

/* Records which version of a model is in service. ERR_NOT_FOUND for a tuned
 * one that is not here. */
enum err_code versions_set_service(struct database *db, const char *model,
                                   uint64_t version, int64_t wall_ms,
                                   struct err *e) ERR_CHECKED;
/* *version 0: no record. */
enum err_code versions_get_service(struct database *db, const char *model,
                                   uint64_t *version, struct err *e)
    ERR_CHECKED;

#endif
