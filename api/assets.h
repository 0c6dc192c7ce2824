/* Files that the binary carries: the contract and the demo page. The Makefile
 * turns openapi.yaml and web/ into this table with scripts/assets.sh.
 */
#ifndef SPARSED_API_ASSETS_H
#define SPARSED_API_ASSETS_H

#include "lib/data/gzip.h"

#include <stddef.h>
#include <stdint.h>

struct asset {
    const char *path; /* from the server's root: "/openapi.yaml", "/app.js" */
    const char *type; /* for Content-Type */
    const unsigned char *data; /* data[size] is 0 */
    size_t size;
    uint64_t tag; /* a fingerprint of the bytes */
};

/* Sorted by path; assets[assets_count].path is NULL. */
extern const struct asset assets[];
extern const size_t assets_count;

/* The file of that path, or NULL. */
const struct asset *assets_find(const char *path);

/* The file that begins at `data`, packed as well as can be when first asked
 * for, and kept. NULL: no file does, or memory is out. */
const struct buf *assets_pack(const void *data, enum gzip_form form);

#endif
