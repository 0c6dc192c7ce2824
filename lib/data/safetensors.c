/* safetensors: open files. A file is mapped and stays on disk until a tensor
 * is read; a tensor that does not lie aligned in it is copied.
 *
 * Whoever writes such a file must rename a new one into place, as
 * safetensors_write does: truncating a mapped file takes its pages away.
 */
#include "lib/data/safetensors.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/safetensors_header.h"

#include <assert.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are used as they stand in the file");

struct safetensors {
    const unsigned char *map;
    size_t map_length;
    struct st_header header;
    void **copies; /* (header.n) of tensors that were not aligned, or NULL */
};

static bool is_aligned(const struct st_tensor *t)
{
    return (uintptr_t)t->data % st_type_bytes(t->type) == 0;
}

static enum err_code align(struct safetensors *s, struct err *e)
{
    s->copies = mem_array(s->header.n, sizeof(*s->copies));
    if (s->copies == NULL)
        return err_set(e, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < s->header.n; i++) {
        struct st_tensor *t = &s->header.entries[i].tensor;
        if (is_aligned(t))
            continue;
        s->copies[i] = mem_raw(t->bytes);
        if (s->copies[i] == NULL)
            return err_set(e, ERR_NO_MEMORY,
                           "tensor %.64s: no memory for "
                           "%zu bytes",
                           t->name, t->bytes);
        memcpy(s->copies[i], t->data, t->bytes);
        t->data = s->copies[i];
    }
    return ERR_OK;
}

struct safetensors *safetensors_open(const char *path, struct err *e)
{
    struct safetensors *s = mem_array(1, sizeof(*s));
    if (s == NULL) {
        err_set(e, ERR_NO_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    s->map = file_map(path, &s->map_length, e);
    if (s->map == NULL) {
        safetensors_close(s);
        return NULL;
    }
    if (st_header_read(&s->header, s->map, s->map_length, e) != ERR_OK ||
        align(s, e) != ERR_OK) {
        err_wrap(e, "%s", path);
        safetensors_close(s);
        return NULL;
    }
    return s;
}

void safetensors_close(struct safetensors *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; s->copies != NULL && i < s->header.n; i++)
        mem_free(s->copies[i]);
    mem_free(s->copies);
    st_header_fini(&s->header);
    file_unmap(s->map, s->map_length);
    mem_free(s);
}

size_t safetensors_count(const struct safetensors *s)
{
    return s->header.n;
}

const struct st_tensor *safetensors_at(const struct safetensors *s, size_t i)
{
    assert(i < s->header.n);
    return &s->header.entries[i].tensor;
}

const struct st_tensor *safetensors_find(const struct safetensors *s,
                                         const char *name)
{
    size_t low = 0;
    size_t high = s->header.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct st_tensor *t = &s->header.entries[middle].tensor;
        int order = strcmp(name, t->name);
        if (order == 0)
            return t;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *safetensors_meta(const struct safetensors *s, const char *key)
{
    const struct json *value = json_get(s->header.meta, key);
    return value != NULL ? json_text(value) : NULL;
}
