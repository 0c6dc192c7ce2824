/* npz through libzip; the only file that knows libzip.
 *
 * Reading goes by the central directory, because numpy leaves the sizes in
 * the local headers to zip64 fields. Writing builds the archive in memory and
 * hands it to lib/base/file.h, which makes it durable.
 */
#include "lib/data/npz.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>

#define NAME_BYTES 128
#define DEFLATE_MAX_RATIO 1032 /* bytes out for a byte in, at the very best */
#define DEFLATE_SLACK 1024
#define PIECE_BYTES ((size_t)1 << 16)
#define DOS_1980_01_01 0x21

struct npz {
    zip_t *zip;
    size_t left_bytes;              /* that arrays may still take */
    char *members[NPZ_MAX_MEMBERS]; /* inflated ones, by ZIP index */
    size_t lengths[NPZ_MAX_MEMBERS];
};

static enum err_code set_zip(struct err *e, zip_error_t *error)
{
    enum err_code code = zip_error_code_zip(error) == ZIP_ER_MEMORY
                             ? ERR_NO_MEMORY
                             : ERR_INVALID;
    return err_set(e, code, "zip: %s", zip_error_strerror(error));
}

static zip_t *open_zip(const void *bytes, size_t length, struct err *e)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_t *zip = NULL;
    zip_source_t *source = zip_source_buffer_create(bytes, length, 0, &error);
    if (source != NULL)
        zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    if (zip == NULL) {
        set_zip(e, &error);
        zip_source_free(source);
    }
    zip_error_fini(&error);
    return zip;
}

struct npz *npz_open(const void *bytes, size_t length, size_t max_bytes,
                     struct err *e)
{
    if (length < 4 || memcmp(bytes, "PK", 2) != 0) {
        err_set(e, ERR_INVALID, "not an npz file (%zu bytes)", length);
        return NULL;
    }
    struct npz *z = mem_array(1, sizeof(*z));
    if (z == NULL) {
        err_set(e, ERR_NO_MEMORY, "npz: out of memory");
        return NULL;
    }
    z->left_bytes = max_bytes;
    z->zip = open_zip(bytes, length, e);
    if (z->zip == NULL) {
        npz_close(z);
        return NULL;
    }
    zip_int64_t n = zip_get_num_entries(z->zip, 0);
    if (n > NPZ_MAX_MEMBERS) {
        err_set(e, ERR_TOO_LARGE, "npz: %lld members, more than %d",
                (long long)n, NPZ_MAX_MEMBERS);
        npz_close(z);
        return NULL;
    }
    return z;
}

void npz_close(struct npz *z)
{
    if (z == NULL)
        return;
    if (z->zip != NULL)
        zip_discard(z->zip);
    for (size_t i = 0; i < NPZ_MAX_MEMBERS; i++)
        mem_free(z->members[i]);
    mem_free(z);
}

/* Index of the member, or -1. */
static zip_int64_t find(const struct npz *z, const char *key)
{
    char name[NAME_BYTES];
    int length = snprintf(name, sizeof(name), "%s.npy", key);
    if (length < 0 || (size_t)length >= sizeof(name))
        return -1;
    return zip_name_locate(z->zip, name, 0);
}

bool npz_has(const struct npz *z, const char *key)
{
    return find(z, key) >= 0;
}

/* What the directory says of a member, judged against what it could be. */
static enum err_code check_member(const struct npz *z, zip_uint64_t i,
                                  size_t *size, struct err *e)
{
    zip_stat_t stat;
    const zip_uint64_t want = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                              ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(z->zip, i, 0, &stat) != 0 || (stat.valid & want) != want)
        return err_set(e, ERR_INVALID, "sizes are missing");
    if (stat.encryption_method != ZIP_EM_NONE)
        return err_set(e, ERR_INVALID, "encrypted");
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE)
        return err_set(e, ERR_INVALID,
                       "compression method %d: want stored or deflated",
                       stat.comp_method);
    if (stat.size > z->left_bytes)
        return err_set(e, ERR_TOO_LARGE,
                       "%llu bytes inflated, more than the %zu left",
                       (unsigned long long)stat.size, z->left_bytes);
    zip_uint64_t reach = stat.comp_size;
    if (stat.comp_method == ZIP_CM_DEFLATE &&
        (__builtin_mul_overflow(reach, DEFLATE_MAX_RATIO, &reach) ||
         __builtin_add_overflow(reach, DEFLATE_SLACK, &reach)))
        reach = UINT64_MAX;
    if (stat.size > reach)
        return err_set(e, ERR_INVALID,
                       "claims %llu bytes, its %llu bytes cannot hold them",
                       (unsigned long long)stat.size,
                       (unsigned long long)stat.comp_size);
    *size = stat.size;
    return ERR_OK;
}

/* Reads to the end, where libzip compares the checksum. */
static enum err_code read_all(zip_file_t *file, char *out, size_t size,
                              struct err *e)
{
    size_t done = 0;
    char spare;
    zip_int64_t got = 1;
    while (got > 0 && done < size) {
        got = zip_fread(file, out + done, size - done);
        if (got > 0)
            done += (size_t)got;
    }
    if (got >= 0 && done == size)
        got = zip_fread(file, &spare, 1);
    if (got < 0)
        return set_zip(e, zip_file_get_error(file));
    if (got > 0 || done < size)
        return err_set(e, ERR_INVALID,
                       "not the %zu bytes that the directory says", size);
    return ERR_OK;
}

static enum err_code inflate_member(struct npz *z, zip_uint64_t i,
                                    struct err *e)
{
    size_t size = 0;
    if (check_member(z, i, &size, e) != ERR_OK)
        return e->code;
    char *data = mem_raw(size);
    if (data == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu bytes", size);
    zip_file_t *file = zip_fopen_index(z->zip, i, 0);
    enum err_code code = file == NULL ? set_zip(e, zip_get_error(z->zip))
                                      : read_all(file, data, size, e);
    if (file != NULL)
        zip_fclose(file);
    if (code != ERR_OK) {
        mem_free(data);
        return code;
    }
    z->members[i] = data;
    z->lengths[i] = size;
    z->left_bytes -= size;
    return ERR_OK;
}

static enum err_code read_member(struct npz *z, const char *key,
                                 enum err_code (*parse)(struct npy *,
                                                        const void *, size_t,
                                                        struct err *),
                                 struct npy *out, struct err *e)
{
    zip_int64_t i = find(z, key);
    if (i < 0 || i >= NPZ_MAX_MEMBERS)
        return err_set(e, ERR_NOT_FOUND, "npz: no member %s.npy", key);
    if ((z->members[i] == NULL &&
         inflate_member(z, (zip_uint64_t)i, e) != ERR_OK) ||
        parse(out, z->members[i], z->lengths[i], e) != ERR_OK)
        return err_wrap(e, "%s.npy", key);
    return ERR_OK;
}

enum err_code npz_read(struct npz *z, const char *key, struct npy *out,
                       struct err *e)
{
    return read_member(z, key, npy_parse, out, e);
}

enum err_code npz_read_any(struct npz *z, const char *key, struct npy *out,
                           struct err *e)
{
    return read_member(z, key, npy_parse_any, out, e);
}

/* ---- writing ---- */

/* Adds the printed npy as a stored member; `file` must live until zip_close. */
static bool add_member(zip_t *zip, const char *key, const struct buf *file)
{
    char name[NAME_BYTES];
    int length = snprintf(name, sizeof(name), "%s.npy", key);
    assert(length > 0 && (size_t)length < sizeof(name));
    zip_source_t *source = zip_source_buffer(zip, file->data, file->length, 0);
    zip_int64_t i = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
        zip_source_free(source);
        return false;
    }
    return zip_set_file_compression(zip, (zip_uint64_t)i, ZIP_CM_STORE, 0) ==
               0 &&
           zip_file_set_dostime(zip, (zip_uint64_t)i, 0, DOS_1980_01_01, 0) ==
               0;
}

/* The finished archive in `source` as a file. */
static enum err_code write_source(zip_source_t *source, const char *path,
                                  struct err *e)
{
    if (zip_source_open(source) != 0)
        return set_zip(e, zip_source_error(source));
    struct file_writer *w = file_create(path, e);
    enum err_code code = w == NULL ? e->code : ERR_OK;
    zip_int64_t got = 1;
    while (code == ERR_OK && got > 0) {
        char piece[PIECE_BYTES];
        got = zip_source_read(source, piece, sizeof(piece));
        if (got < 0)
            code = set_zip(e, zip_source_error(source));
        else
            code = file_write(w, piece, (size_t)got, e);
    }
    zip_source_close(source);
    if (code == ERR_OK)
        return file_commit(w, e);
    file_abandon(w);
    return code;
}

/* Fills `source` with an archive of the printed files. */
static enum err_code pack(zip_source_t *source, const struct npz_array *arrays,
                          const struct buf *files, size_t n, struct err *e)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_t *zip = zip_open_from_source(source, ZIP_TRUNCATE, &error);
    if (zip == NULL) {
        set_zip(e, &error);
        zip_error_fini(&error);
        return e->code;
    }
    zip_source_keep(source);
    enum err_code code = ERR_OK;
    for (size_t i = 0; i < n && code == ERR_OK; i++)
        if (!add_member(zip, arrays[i].key, &files[i]))
            code = set_zip(e, zip_get_error(zip));
    if (code == ERR_OK && zip_close(zip) != 0)
        code = set_zip(e, zip_get_error(zip));
    if (code != ERR_OK)
        zip_discard(zip);
    return code;
}

static enum err_code pack_and_write(const char *path,
                                    const struct npz_array *arrays,
                                    const struct buf *files, size_t n,
                                    struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (buf_failed(&files[i]))
            return err_set(e, ERR_NO_MEMORY, "%s: out of memory", path);
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    if (source == NULL)
        set_zip(e, &error);
    zip_error_fini(&error);
    if (source == NULL)
        return err_wrap(e, "%s", path);
    enum err_code code = pack(source, arrays, files, n, e);
    if (code != ERR_OK)
        err_wrap(e, "%s", path);
    else
        code = write_source(source, path, e);
    zip_source_free(source);
    return code;
}

enum err_code npz_write(const char *path, const struct npz_array *arrays,
                        size_t n, struct err *e)
{
    assert(n > 0 && n <= NPZ_MAX_MEMBERS);
    struct buf files[NPZ_MAX_MEMBERS];
    for (size_t i = 0; i < n; i++) {
        const struct npz_array *a = &arrays[i];
        buf_init(&files[i], SIZE_MAX / 4);
        if (a->floats != NULL)
            npy_print_floats(&files[i], a->shape, a->rank, a->floats);
        else if (a->texts != NULL)
            npy_print_texts(&files[i], a->texts, a->shape[0]);
        else
            npy_print_int64(&files[i], a->shape, a->rank, a->ints);
    }
    enum err_code code = pack_and_write(path, arrays, files, n, e);
    for (size_t i = 0; i < n; i++)
        buf_fini(&files[i]);
    return code;
}
