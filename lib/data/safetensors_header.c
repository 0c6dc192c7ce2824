/* safetensors: reading the header. The text is checked as strict JSON first;
 * then the spans of its members are read directly, sizes as exact 64-bit
 * integers, because a double would round offsets above 2^53.
 *
 * The buffer must be covered by the tensors exactly: sorted by offsets, each
 * one begins where the one before it ends, the first at 0, the last at the
 * end of the file.
 */
#include "lib/data/safetensors_header.h"

#include "lib/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES 8
#define MAX_META 256
#define NAMES_MAX_BYTES ((size_t)2 * ST_MAX_HEADER_BYTES)
#define SHOWN_CHARS 64 /* of a foreign text, in a message */

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
#define X(name, bytes) {#name, bytes},
    ST_TYPES(X)
#undef X
};
#define TYPES (sizeof(types) / sizeof(types[0]))

size_t st_type_bytes(enum st_type type)
{
    return types[type].bytes;
}

const char *st_type_name(enum st_type type)
{
    return types[type].name;
}

static int shown(struct json_span s)
{
    return (int)(s.length < SHOWN_CHARS ? s.length : SHOWN_CHARS);
}

static bool span_is(struct json_span s, const char *text)
{
    return s.length == strlen(text) && memcmp(s.text, text, s.length) == 0;
}

/* json_parse on text that was checked already: a damaged file still. */
static struct json *parse(const char *text, size_t length, struct err *e)
{
    struct json *j = json_parse(text, length, e);
    if (j == NULL && e->code == ERR_INVALID)
        e->code = ERR_CORRUPT;
    return j;
}

/* Exact non-negative integer, no sign, point or exponent. */
static bool read_size(struct json_span s, size_t *out)
{
    size_t value = 0;
    for (size_t i = 0; i < s.length; i++)
        if (s.text[i] < '0' || s.text[i] > '9' ||
            __builtin_mul_overflow(value, (size_t)10, &value) ||
            __builtin_add_overflow(value, (size_t)(s.text[i] - '0'), &value))
            return false;
    *out = value;
    return s.length > 0;
}

/* Up to `room` sizes; SIZE_MAX if it is no such list. */
static size_t read_sizes(struct json_span list, size_t *out, size_t room)
{
    struct json_span value;
    size_t cursor = 0;
    size_t n = 0;
    if (list.length == 0 || list.text[0] != '[')
        return SIZE_MAX;
    while (json_next_element(list, &cursor, &value))
        if (n == room || !read_size(value, &out[n++]))
            return SIZE_MAX;
    return n;
}

static enum err_code read_type(struct json_span value, struct st_tensor *t,
                               struct err *e)
{
    for (size_t i = 0; i < TYPES; i++) {
        size_t length = strlen(types[i].name);
        if (value.length == length + 2 && value.text[0] == '"' &&
            memcmp(value.text + 1, types[i].name, length) == 0) {
            t->type = (enum st_type)i;
            return ERR_OK;
        }
    }
    return err_set(e, ERR_CORRUPT, "dtype %.*s is not supported", shown(value),
                   value.text);
}

/* The three members that count; others are ignored, as the reference reader
 * does. */
static enum err_code read_members(struct json_span object,
                                  struct st_entry *entry, struct err *e)
{
    bool has_type = false, has_shape = false, has_offsets = false;
    struct json_span key, value;
    size_t cursor = 0;
    while (json_next_member(object, &cursor, &key, &value)) {
        if (span_is(key, "dtype")) {
            if (read_type(value, &entry->tensor, e) != ERR_OK)
                return e->code;
            has_type = true;
        } else if (span_is(key, "shape")) {
            entry->tensor.rank =
                read_sizes(value, entry->tensor.shape, ST_MAX_RANK);
            if (entry->tensor.rank == SIZE_MAX)
                return err_set(e, ERR_CORRUPT,
                               "shape is no list of at most %d sizes",
                               ST_MAX_RANK);
            has_shape = true;
        } else if (span_is(key, "data_offsets")) {
            size_t offsets[2];
            if (read_sizes(value, offsets, 2) != 2)
                return err_set(e, ERR_CORRUPT,
                               "data_offsets is no pair of sizes");
            entry->begin = offsets[0];
            entry->end = offsets[1];
            has_offsets = true;
        }
    }
    if (!has_type || !has_shape || !has_offsets)
        return err_set(e, ERR_CORRUPT, "%s is missing",
                       !has_type    ? "dtype"
                       : !has_shape ? "shape"
                                    : "data_offsets");
    return ERR_OK;
}

/* What shape and type imply against what the offsets say. */
static enum err_code check_extent(struct st_entry *entry, struct err *e)
{
    struct st_tensor *t = &entry->tensor;
    t->count = 1;
    bool fits = true;
    for (size_t k = 0; k < t->rank && fits; k++)
        fits = mem_mul(t->count, t->shape[k], &t->count);
    if (!fits || !mem_mul(t->count, st_type_bytes(t->type), &t->bytes))
        return err_set(e, ERR_CORRUPT, "the size of its shape overflows");
    if (entry->end < entry->begin)
        return err_set(e, ERR_CORRUPT,
                       "data_offsets end (%zu) before they "
                       "begin (%zu)",
                       entry->end, entry->begin);
    if (entry->end - entry->begin != t->bytes)
        return err_set(e, ERR_CORRUPT,
                       "shape and dtype want %zu bytes, data_offsets give %zu",
                       t->bytes, entry->end - entry->begin);
    return ERR_OK;
}

/* The text of a key, escapes decoded. */
static const char *take_name(struct st_header *h, struct json_span key,
                             struct err *e)
{
    const char *name;
    if (memchr(key.text, '\\', key.length) == NULL) {
        name = arena_text(&h->names, key.text, key.length);
    } else {
        /* With the quotes that stand around it. */
        struct json *j = parse(key.text - 1, key.length + 2, e);
        if (j == NULL) {
            err_wrap(e, "name of tensor %.*s", shown(key), key.text);
            return NULL;
        }
        name = arena_text(&h->names, json_text(j), strlen(json_text(j)));
        json_free(j);
    }
    if (name == NULL)
        err_set(e, ERR_NO_MEMORY, "header: out of memory");
    return name;
}

static enum err_code read_entry(struct st_header *h, struct json_span key,
                                struct json_span value, struct err *e)
{
    struct st_entry *entry = &h->entries[h->n];
    entry->tensor.name = take_name(h, key, e);
    if (entry->tensor.name == NULL)
        return e->code;
    if (value.length == 0 || value.text[0] != '{')
        err_set(e, ERR_CORRUPT, "not an object");
    else if (read_members(value, entry, e) == ERR_OK &&
             check_extent(entry, e) == ERR_OK) {
        h->n++;
        return ERR_OK;
    }
    return err_wrap(e, "tensor %.64s", entry->tensor.name);
}

static enum err_code read_meta(struct st_header *h, struct json_span object,
                               struct err *e)
{
    struct json_span key, value;
    size_t cursor = 0;
    size_t n = 0;
    if (object.length == 0 || object.text[0] != '{')
        return err_set(e, ERR_CORRUPT, "__metadata__ is no object");
    for (; json_next_member(object, &cursor, &key, &value); n++)
        if (value.text[0] != '"')
            return err_set(e, ERR_CORRUPT, "__metadata__ %.*s is no text",
                           shown(key), key.text);
    if (n > MAX_META)
        return err_set(e, ERR_CORRUPT,
                       "__metadata__ has %zu members, more "
                       "than %d",
                       n, MAX_META);
    if (h->meta != NULL)
        return err_set(e, ERR_CORRUPT, "__metadata__ stands there twice");
    h->meta = parse(object.text, object.length, e);
    return h->meta != NULL ? ERR_OK : err_wrap(e, "__metadata__");
}

static enum err_code read_object(struct st_header *h, struct json_span object,
                                 struct err *e)
{
    struct json_span key, value;
    size_t cursor = 0;
    size_t n = 0;
    while (json_next_member(object, &cursor, &key, &value))
        n += span_is(key, "__metadata__") ? 0 : 1;
    if (n > ST_MAX_TENSORS)
        return err_set(e, ERR_CORRUPT, "header: %zu tensors, more than %d", n,
                       ST_MAX_TENSORS);
    h->entries = mem_array(n, sizeof(*h->entries));
    if (h->entries == NULL)
        return err_set(e, ERR_NO_MEMORY, "header: out of memory");
    cursor = 0;
    while (json_next_member(object, &cursor, &key, &value)) {
        enum err_code code = span_is(key, "__metadata__")
                                 ? read_meta(h, value, e)
                                 : read_entry(h, key, value, e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct st_entry *x = a, *y = b;
    return strcmp(x->tensor.name, y->tensor.name);
}

static int by_offset(const void *a, const void *b)
{
    const struct st_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static void sort(struct st_header *h, int (*order)(const void *, const void *))
{
    if (h->n > 1)
        qsort(h->entries, h->n, sizeof(*h->entries), order);
}

/* Leaves the entries sorted by name. */
static enum err_code check_cover(struct st_header *h, size_t buffer_bytes,
                                 struct err *e)
{
    sort(h, by_name);
    for (size_t i = 1; i < h->n; i++)
        if (by_name(&h->entries[i - 1], &h->entries[i]) == 0)
            return err_set(e, ERR_CORRUPT, "tensor %.64s stands there twice",
                           h->entries[i].tensor.name);
    sort(h, by_offset);
    size_t end = 0;
    for (size_t i = 0; i < h->n; i++) {
        const struct st_entry *entry = &h->entries[i];
        if (entry->begin != end)
            return err_set(e, ERR_CORRUPT,
                           "tensor %.64s: begins at byte %zu, but the one "
                           "before it ends at %zu (%s)",
                           entry->tensor.name, entry->begin, end,
                           entry->begin > end ? "a hole" : "an overlap");
        end = entry->end;
    }
    if (end != buffer_bytes)
        return err_set(e, ERR_CORRUPT,
                       "the tensors take %zu bytes, but %zu follow the header",
                       end, buffer_bytes);
    sort(h, by_name);
    return ERR_OK;
}

static enum err_code read_length(const unsigned char *file, size_t length,
                                 size_t *header_length, struct err *e)
{
    if (length < LENGTH_BYTES)
        return err_set(e, ERR_CORRUPT,
                       "a file of %zu bytes is too short for a header", length);
    uint64_t n = 0;
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        n |= (uint64_t)file[i] << (8 * i);
    if (n > ST_MAX_HEADER_BYTES)
        return err_set(e, ERR_CORRUPT,
                       "header of %llu bytes, more than %u (or no "
                       "safetensors file)",
                       (unsigned long long)n, ST_MAX_HEADER_BYTES);
    if (n > length - LENGTH_BYTES)
        return err_set(e, ERR_CORRUPT,
                       "header of %llu bytes is cut off: the file has %zu",
                       (unsigned long long)n, length);
    *header_length = (size_t)n;
    return ERR_OK;
}

/* The object within the white space around it. */
static enum err_code find_object(const unsigned char *file, size_t length,
                                 struct json_span *object, struct err *e)
{
    object->text = (const char *)file + LENGTH_BYTES;
    object->length = length;
    if (json_check(object->text, object->length, e) != ERR_OK) {
        e->code = ERR_CORRUPT;
        return err_wrap(e, "header");
    }
    while (object->length > 0 && strchr(" \t\r\n", object->text[0]) != NULL) {
        object->text++;
        object->length--;
    }
    if (object->length == 0 || object->text[0] != '{')
        return err_set(e, ERR_CORRUPT, "header: not an object");
    return ERR_OK;
}

enum err_code st_header_read(struct st_header *h, const unsigned char *file,
                             size_t length, struct err *e)
{
    *h = (struct st_header){0};
    arena_init(&h->names, NAMES_MAX_BYTES);
    size_t header_length = 0;
    struct json_span object;
    if (read_length(file, length, &header_length, e) != ERR_OK ||
        find_object(file, header_length, &object, e) != ERR_OK ||
        read_object(h, object, e) != ERR_OK)
        return e->code;
    const unsigned char *buffer = file + LENGTH_BYTES + header_length;
    if (check_cover(h, length - LENGTH_BYTES - header_length, e) != ERR_OK)
        return e->code;
    for (size_t i = 0; i < h->n; i++)
        h->entries[i].tensor.data = buffer + h->entries[i].begin;
    return ERR_OK;
}

void st_header_fini(struct st_header *h)
{
    mem_free(h->entries);
    json_free(h->meta);
    arena_fini(&h->names);
    *h = (struct st_header){0};
}
