/* safetensors files: memory-mapped reading in which nothing in the header is
 * believed, and writing that is atomic.
 *
 * Layout (format 0.x of the public `safetensors` package): 8 bytes header
 * length, JSON header, one buffer. The reader refuses what the reference
 * reader refuses: holes, overlaps, sizes that do not fit shape and type,
 * bytes missing or left over, duplicate names.
 */
#ifndef SPARSED_DATA_SAFETENSORS_H
#define SPARSED_DATA_SAFETENSORS_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define ST_MAX_RANK 8
#define ST_MAX_TENSORS 4096
#define ST_MAX_HEADER_BYTES (16u << 20)

/* name in the file, bytes an element */
#define ST_TYPES(X)                                                            \
    X(BOOL, 1)                                                                 \
    X(U8, 1)                                                                   \
    X(I8, 1)                                                                   \
    X(U16, 2)                                                                  \
    X(I16, 2)                                                                  \
    X(F16, 2)                                                                  \
    X(BF16, 2)                                                                 \
    X(U32, 4)                                                                  \
    X(I32, 4)                                                                  \
    X(F32, 4)                                                                  \
    X(U64, 8)                                                                  \
    X(I64, 8)                                                                  \
    X(F64, 8)

enum st_type {
#define X(name, bytes) ST_##name,
    ST_TYPES(X)
#undef X
};

/* One tensor of an open file; a view that dies with the file. `data` is
 * aligned to 4 bytes at least for 4-byte types, to 8 for 8-byte ones: a tensor
 * that is not so in the file is copied into aligned memory. */
struct st_tensor {
    const char *name;
    enum st_type type;
    size_t rank;
    size_t shape[ST_MAX_RANK];
    size_t count; /* elements */
    size_t bytes;
    const void *data;
};

struct safetensors; /* an open file */

/* NULL on error: ERR_NOT_FOUND, ERR_IO, ERR_NO_MEMORY, or ERR_CORRUPT with the
 * tensor's name and what does not fit. */
struct safetensors *safetensors_open(const char *path, struct err *e);
void safetensors_close(struct safetensors *s);

size_t safetensors_count(const struct safetensors *s);
/* Sorted by name. */
const struct st_tensor *safetensors_at(const struct safetensors *s, size_t i);
/* NULL if there is none of that name. */
const struct st_tensor *safetensors_find(const struct safetensors *s,
                                         const char *name);
/* Text of a `__metadata__` entry, or NULL. */
const char *safetensors_meta(const struct safetensors *s, const char *key);

/* ---- writing ---- */

struct st_meta {
    const char *key;
    const char *value;
};

/* Writes all at once: header padded to 8 bytes, tensors sorted by alignment,
 * then name; `data` of each must hold count elements of its type (`count` and
 * `bytes` are computed here). Atomic and durable (lib/base/file.h). The same
 * input gives the same bytes. */
enum err_code safetensors_write(const char *path,
                                const struct st_tensor *tensors, size_t n,
                                const struct st_meta *meta, size_t n_meta,
                                struct err *e) ERR_CHECKED;

#endif
