/* gzip: inflating a whole file in memory, with a bound on what comes out.
 */
#ifndef SPARSED_DATA_GZIP_H
#define SPARSED_DATA_GZIP_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

bool gzip_is(const void *bytes, size_t length);

/* The inflated bytes with a 0 byte after them, freed by mem_free; several
 * members one after the other are joined. NULL on error: ERR_INVALID (no
 * gzip, cut off, wrong checksum), ERR_TOO_LARGE over max_bytes,
 * ERR_NO_MEMORY. */
char *gzip_inflate(const void *bytes, size_t length, size_t max_bytes,
                   size_t *inflated_length, struct err *e);

#endif
