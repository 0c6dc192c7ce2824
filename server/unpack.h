/* Unpack: a coded body becomes the plain one, in memory that is counted before
 * it is taken: what a body says of its own length is not believed.
 */
#ifndef SPARSED_SERVER_UNPACK_H
#define SPARSED_SERVER_UNPACK_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* May so many bytes more be held? Then they count. */
typedef bool unpack_hold(void *arg, size_t bytes);

/* Puts in the place of a body in gzip or zlib form what it inflates to, up to
 * its max_bytes. Otherwise it is as it was: ERR_TOO_LARGE, ERR_BUSY where hold
 * said no, ERR_NO_MEMORY, ERR_INVALID. What was held stays so. */
enum err_code unpack_body(struct buf *body, unpack_hold *hold, void *arg,
                          struct err *e) ERR_CHECKED;

#endif
