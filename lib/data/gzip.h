/* gzip: bytes in memory inflated and deflated, in the gzip format (RFC 1952)
 * and zlib's (RFC 1950, what HTTP calls "deflate").
 */
#ifndef SPARSED_DATA_GZIP_H
#define SPARSED_DATA_GZIP_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum gzip_form { GZIP_FORM, ZLIB_FORM };

#define GZIP_QUICK 1 /* levels of gzip_deflate */
#define GZIP_BEST 9

bool gzip_is(const void *bytes, size_t length);

/* The inflated bytes with a 0 byte after them, freed by mem_free; several
 * members one after the other are joined. NULL on error: ERR_INVALID (no
 * gzip, cut off, wrong checksum), ERR_TOO_LARGE over max_bytes,
 * ERR_NO_MEMORY. */
char *gzip_inflate(const void *bytes, size_t length, size_t max_bytes,
                   size_t *inflated_length, struct err *e);

/* A stream that is read piece by piece, for who counts memory before it is
 * taken. The bytes, of either form, must live as long as it does; NULL:
 * ERR_NO_MEMORY. */
struct gzip_reader;
struct gzip_reader *gzip_open(const void *bytes, size_t length, struct err *e);
void gzip_close(struct gzip_reader *r);

/* Up to `room` bytes (not 0) more into out, *got of them. *done: that was all,
 * of all members, and there is nothing after them. ERR_INVALID. */
enum err_code gzip_read(struct gzip_reader *r, void *out, size_t room,
                        size_t *got, bool *done, struct err *e) ERR_CHECKED;

/* Appends the bytes, deflated. ERR_TOO_LARGE if they do not fit into what the
 * buffer may still grow by; ERR_NO_MEMORY. Some of it is there after errors
 * too. */
enum err_code gzip_deflate(struct buf *out, const void *bytes, size_t length,
                           enum gzip_form form, int level, struct err *e)
    ERR_CHECKED;

#endif
