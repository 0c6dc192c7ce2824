/* Schema: the store's tables, and how an older store gets them.
 */
#ifndef SPARSED_STORE_SCHEMA_H
#define SPARSED_STORE_SCHEMA_H

#include "lib/base/err.h"

struct database;

/* Runs the migrations that are missing, each in a transaction with its number.
 * ERR_CORRUPT for a store of a newer program. Needs a connection that
 * writes. */
enum err_code schema_update(struct database *db, struct err *e) ERR_CHECKED;

#endif
