/* IDX: see idx.h. The elements' meaning is npy's, so only the header is read
 * here; the file's length must be exactly what the header says.
 */
#include "lib/data/idx.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/gzip.h"

static const struct {
    unsigned char code;
    enum npy_kind kind;
    size_t item_bytes;
} types[] = {
    {0x08, NPY_UNSIGNED, 1}, {0x09, NPY_SIGNED, 1}, {0x0b, NPY_SIGNED, 2},
    {0x0c, NPY_SIGNED, 4},   {0x0d, NPY_FLOAT, 4},  {0x0e, NPY_FLOAT, 8},
};
#define TYPES (sizeof(types) / sizeof(types[0]))

enum err_code idx_parse(struct npy *out, const void *bytes, size_t length,
                        struct err *e)
{
    const unsigned char *p = bytes;
    if (length < 4 || p[0] != 0 || p[1] != 0)
        return err_set(e, ERR_INVALID, "not an IDX file (%zu bytes)", length);
    size_t t = 0;
    while (t < TYPES && types[t].code != p[2])
        t++;
    if (t == TYPES)
        return err_set(e, ERR_INVALID, "element type 0x%02x is not known",
                       p[2]);
    size_t rank = p[3];
    if (rank < 1 || rank > NPY_MAX_RANK)
        return err_set(e, ERR_INVALID, "%zu axes: want 1 to %d", rank,
                       NPY_MAX_RANK);
    size_t start = 4 + 4 * rank;
    if (length < start)
        return err_set(e, ERR_INVALID, "the header is cut off");

    struct npy a = {.kind = types[t].kind,
                    .item_bytes = types[t].item_bytes,
                    .big_endian = true,
                    .rank = rank};
    for (size_t k = 0; k < rank; k++) {
        const unsigned char *q = p + 4 + 4 * k;
        a.shape[k] = (size_t)q[0] << 24 | (size_t)q[1] << 16 |
                     (size_t)q[2] << 8 | (size_t)q[3];
    }
    if (npy_set_count(&a, length - start, e) != ERR_OK)
        return e->code;
    a.data = p + start;
    *out = a;
    return ERR_OK;
}

static enum err_code inflate_and_parse(struct idx_file *f, size_t max_bytes,
                                       struct err *e)
{
    const void *bytes = f->map;
    size_t length = f->map_length;
    if (gzip_is(bytes, length)) {
        f->inflated =
            gzip_inflate(f->map, f->map_length, max_bytes, &length, e);
        if (f->inflated == NULL)
            return e->code;
        bytes = f->inflated;
    }
    if (length > max_bytes)
        return err_set(e, ERR_TOO_LARGE, "%zu bytes, more than %zu", length,
                       max_bytes);
    return idx_parse(&f->array, bytes, length, e);
}

enum err_code idx_open(struct idx_file *out, const char *path, size_t max_bytes,
                       struct err *e)
{
    *out = (struct idx_file){0};
    out->map = file_map(path, &out->map_length, e);
    if (out->map == NULL)
        return e->code;
    if (inflate_and_parse(out, max_bytes, e) == ERR_OK)
        return ERR_OK;
    idx_close(out);
    return err_wrap(e, "%s", path);
}

void idx_close(struct idx_file *f)
{
    file_unmap(f->map, f->map_length);
    mem_free(f->inflated);
    *f = (struct idx_file){0};
}
