/* Growable bytes: room doubles up to the maximum, one byte of it kept for the
 * closing zero. The JSON pieces are in buf_json.c.
 */
#include "lib/base/buf.h"

#include "lib/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_ROOM 256

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max_bytes = max_bytes};
}

void buf_fini(struct buf *b)
{
    mem_free(b->data);
    buf_init(b, b->max_bytes);
}

void buf_reset(struct buf *b)
{
    b->length = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = 0;
}

void buf_cut(struct buf *b, size_t length)
{
    assert(length <= b->length);
    b->length = length;
    if (b->data != NULL)
        b->data[length] = 0;
}

bool buf_failed(const struct buf *b)
{
    return b->failed;
}

char *buf_take(struct buf *b, size_t *length)
{
    char *data = b->data;

    if (b->failed || data == NULL) {
        *length = 0;
        buf_fini(b);
        return NULL;
    }
    *length = b->length;
    buf_init(b, b->max_bytes);
    return data;
}

/* Makes room for `length` more bytes and the closing zero. */
static bool make_room(struct buf *b, size_t length)
{
    if (b->failed)
        return false;
    if (b->room > b->length && length < b->room - b->length)
        return true;
    if (length > b->max_bytes - b->length || b->max_bytes >= SIZE_MAX / 2) {
        b->failed = true;
        return false;
    }
    size_t room = b->room > 0 ? 2 * b->room : FIRST_ROOM;
    if (room < b->length + length + 1)
        room = b->length + length + 1;
    if (room > b->max_bytes + 1)
        room = b->max_bytes + 1;
    char *data = mem_raw(room);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    if (b->length > 0)
        memcpy(data, b->data, b->length);
    data[b->length] = 0;
    mem_free(b->data);
    b->data = data;
    b->room = room;
    return true;
}

char *buf_reserve(struct buf *b, size_t length)
{
    return make_room(b, length) ? b->data + b->length : NULL;
}

void buf_advance(struct buf *b, size_t length)
{
    if (b->failed)
        return;
    b->length += length;
    b->data[b->length] = 0;
}

void buf_add(struct buf *b, const void *bytes, size_t length)
{
    if (!make_room(b, length))
        return;
    if (length > 0)
        memcpy(b->data + b->length, bytes, length);
    buf_advance(b, length);
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;

    if (!make_room(b, 0))
        return;
    size_t left = b->room - b->length;
    va_start(args, format);
    int length = vsnprintf(b->data + b->length, left, format, args);
    va_end(args);
    if (length < 0)
        b->failed = true;
    /* Most texts fit at once. */
    if (length >= 0 && (size_t)length >= left && make_room(b, (size_t)length)) {
        va_start(args, format);
        vsnprintf(b->data + b->length, (size_t)length + 1, format, args);
        va_end(args);
    }
    if (b->failed)
        b->data[b->length] = 0;
    else
        buf_advance(b, (size_t)length);
}
