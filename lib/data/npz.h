/* npz: a ZIP whose members are <key>.npy.
 *
 * Sizes come from the ZIP's central directory and are judged before anything
 * is inflated: members, bytes in all, and no size that DEFLATE could not have
 * reached from the bytes that are there.
 */
#ifndef SPARSED_DATA_NPZ_H
#define SPARSED_DATA_NPZ_H

#include "lib/base/err.h"
#include "lib/data/npy.h"

#include <stdbool.h>
#include <stddef.h>

#define NPZ_MAX_MEMBERS 64

struct npz; /* an open archive */

/* Opens an archive in memory; the bytes must outlive it. Arrays that are read
 * take at most max_bytes together. NULL on error: ERR_INVALID, ERR_TOO_LARGE
 * (members), ERR_NO_MEMORY. */
struct npz *npz_open(const void *bytes, size_t length, size_t max_bytes,
                     struct err *e);
void npz_close(struct npz *z); /* NULL is fine */

bool npz_has(const struct npz *z, const char *key);

/* Inflates and checks the member of that key; the view dies with z. Errors
 * carry the member's name: ERR_NOT_FOUND, ERR_INVALID, ERR_TOO_LARGE,
 * ERR_NO_MEMORY. */
enum err_code npz_read(struct npz *z, const char *key, struct npy *out,
                       struct err *e) ERR_CHECKED;

/* The same, by npy_parse_any: arrays of texts too. */
enum err_code npz_read_any(struct npz *z, const char *key, struct npy *out,
                           struct err *e) ERR_CHECKED;

/* ---- writing ---- */

/* One array to write: floats, ints, or texts (of one axis), the others NULL. */
struct npz_array {
    const char *key;
    size_t rank;
    size_t shape[NPY_MAX_RANK];
    const float *floats;
    const long long *ints;
    const char *const *texts;
};

/* Writes an archive of stored (not deflated) members, atomic and durable
 * (lib/base/file.h). The same input gives the same bytes. */
enum err_code npz_write(const char *path, const struct npz_array *arrays,
                        size_t n, struct err *e) ERR_CHECKED;

#endif
