/* safetensors: writing. Types with wide elements come first and the header is
 * padded to 8 bytes, so every tensor lies aligned for its type.
 */
#include "lib/data/safetensors.h"

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/safetensors_header.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES 8
#define ALIGN_BYTES 8

/* By width, then type, then name: fixed whatever the caller's order. */
static int in_file_order(const void *a, const void *b)
{
    const struct st_tensor *x = *(const struct st_tensor *const *)a;
    const struct st_tensor *y = *(const struct st_tensor *const *)b;
    size_t x_bytes = st_type_bytes(x->type), y_bytes = st_type_bytes(y->type);
    if (x_bytes != y_bytes)
        return x_bytes > y_bytes ? -1 : 1;
    if (x->type != y->type)
        return x->type > y->type ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    const struct st_tensor *x = *(const struct st_tensor *const *)a;
    const struct st_tensor *y = *(const struct st_tensor *const *)b;
    return strcmp(x->name, y->name);
}

static enum err_code check_names(const struct st_tensor **sorted, size_t n,
                                 struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(sorted[i]->name, "__metadata__") == 0)
            return err_set(e, ERR_INVALID,
                           "tensor name __metadata__ is reserved");
        if (i > 0 && strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            return err_set(e, ERR_INVALID, "two tensors are named %.64s",
                           sorted[i]->name);
    }
    return ERR_OK;
}

static enum err_code tensor_bytes(const struct st_tensor *t, size_t *bytes,
                                  struct err *e)
{
    assert(t->rank <= ST_MAX_RANK);
    *bytes = st_type_bytes(t->type);
    for (size_t k = 0; k < t->rank; k++)
        if (!mem_mul(*bytes, t->shape[k], bytes))
            return err_set(e, ERR_TOO_LARGE,
                           "tensor %.64s: the size of its shape overflows",
                           t->name);
    return ERR_OK;
}

static void print_meta(struct buf *b, const struct st_meta *meta, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_text(b, i == 0 ? "\"__metadata__\":{" : ",");
        buf_json_text(b, meta[i].key);
        buf_char(b, ':');
        buf_json_text(b, meta[i].value);
    }
    if (n > 0)
        buf_char(b, '}');
}

static void print_tensor(struct buf *b, const struct st_tensor *t, size_t begin,
                         size_t end)
{
    buf_json_text(b, t->name);
    buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", st_type_name(t->type));
    for (size_t k = 0; k < t->rank; k++)
        buf_printf(b, k == 0 ? "%zu" : ",%zu", t->shape[k]);
    buf_printf(b, "],\"data_offsets\":[%zu,%zu]}", begin, end);
}

/* The length and the padded JSON. */
static enum err_code print_header(struct buf *b,
                                  const struct st_tensor **sorted, size_t n,
                                  const struct st_meta *meta, size_t n_meta,
                                  struct err *e)
{
    char length[LENGTH_BYTES] = {0};
    buf_add(b, length, LENGTH_BYTES);
    buf_char(b, '{');
    print_meta(b, meta, n_meta);
    size_t begin = 0;
    for (size_t i = 0; i < n; i++) {
        size_t end;
        if (tensor_bytes(sorted[i], &end, e) != ERR_OK)
            return e->code;
        if (__builtin_add_overflow(begin, end, &end))
            return err_set(e, ERR_TOO_LARGE, "the tensors' sizes overflow");
        if (i > 0 || n_meta > 0)
            buf_char(b, ',');
        print_tensor(b, sorted[i], begin, end);
        begin = end;
    }
    buf_char(b, '}');
    while (b->length % ALIGN_BYTES != 0 && !buf_failed(b))
        buf_char(b, ' ');
    if (buf_failed(b))
        return err_set(e, ERR_TOO_LARGE,
                       "the header takes more than %zu bytes (or memory is "
                       "out)",
                       b->max_bytes - LENGTH_BYTES);
    size_t header_length = b->length - LENGTH_BYTES;
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        b->data[i] = (char)(header_length >> (8 * i) & 255);
    return ERR_OK;
}

static enum err_code write_file(const char *path, const struct buf *header,
                                const struct st_tensor **sorted, size_t n,
                                struct err *e)
{
    struct file_writer *w = file_create(path, e);
    if (w == NULL)
        return e->code;
    enum err_code code = file_write(w, header->data, header->length, e);
    for (size_t i = 0; i < n && code == ERR_OK; i++) {
        size_t bytes;
        code = tensor_bytes(sorted[i], &bytes, e);
        if (code == ERR_OK)
            code = file_write(w, sorted[i]->data, bytes, e);
    }
    if (code == ERR_OK)
        return file_commit(w, e);
    file_abandon(w);
    return code;
}

enum err_code safetensors_write(const char *path,
                                const struct st_tensor *tensors, size_t n,
                                const struct st_meta *meta, size_t n_meta,
                                struct err *e)
{
    assert(n <= ST_MAX_TENSORS);
    struct buf header;
    buf_init(&header, LENGTH_BYTES + ST_MAX_HEADER_BYTES);
    const struct st_tensor **sorted = mem_array(n, sizeof(*sorted));
    if (sorted == NULL)
        return err_set(e, ERR_NO_MEMORY, "%s: out of memory", path);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &tensors[i];
    if (n > 1)
        qsort(sorted, n, sizeof(*sorted), by_name);
    enum err_code code = check_names(sorted, n, e);
    if (n > 1)
        qsort(sorted, n, sizeof(*sorted), in_file_order);
    if (code == ERR_OK)
        code = print_header(&header, sorted, n, meta, n_meta, e);
    if (code == ERR_OK)
        code = write_file(path, &header, sorted, n, e);
    else
        err_wrap(e, "%s", path);
    buf_fini(&header);
    mem_free(sorted);
    return code;
}
