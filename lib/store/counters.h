/* Counters: numbers that are given out once and never again.
 */
#ifndef SPARSED_STORE_COUNTERS_H
#define SPARSED_STORE_COUNTERS_H

#include "lib/base/err.h"

#include <stdint.h>

struct database;

/* Takes the next n numbers of that counter, from 1; *last gets the last. */
enum err_code counters_take(struct database *db, const char *name, int64_t n,
                            int64_t *last, struct err *e) ERR_CHECKED;

/* The store's own random number, made when it is first asked for. */
enum err_code counters_seed(struct database *db, uint64_t *seed, struct err *e)
    ERR_CHECKED;

#endif
