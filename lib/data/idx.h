/* IDX: the format of the MNIST files, plain or gzipped.
 *
 * Two zero bytes, a type, a rank, one big-endian 32-bit size an axis, then
 * big-endian elements in row-major order and nothing after them.
 */
#ifndef SPARSED_DATA_IDX_H
#define SPARSED_DATA_IDX_H

#include "lib/base/err.h"
#include "lib/data/npy.h"

#include <stddef.h>

/* A view of the caller's bytes, as npy_parse gives one. ERR_INVALID with what
 * was wrong; nothing is allocated. */
enum err_code idx_parse(struct npy *out, const void *bytes, size_t length,
                        struct err *e) ERR_CHECKED;

/* An open file: `array` dies with it. */
struct idx_file {
    struct npy array;
    const unsigned char *map;
    size_t map_length;
    char *inflated; /* NULL unless the file was gzipped */
};

/* Opens a file, gzipped or not, of at most max_bytes inflated. Errors carry
 * the path: ERR_NOT_FOUND, ERR_INVALID, ERR_TOO_LARGE, ERR_NO_MEMORY. The
 * caller empties *out with idx_close, which accepts a zeroed one. */
enum err_code idx_open(struct idx_file *out, const char *path, size_t max_bytes,
                       struct err *e) ERR_CHECKED;
void idx_close(struct idx_file *f);

#endif
