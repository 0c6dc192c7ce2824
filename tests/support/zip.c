/* Laying ZIP archives: local headers with the data, then the directory. */
#include "tests/support/zip.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

static uint32_t crc32_of(const void *data, size_t length)
{
    const unsigned char *p = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < length; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void add_number(struct buf *b, size_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_char(b, (char)(value >> (8 * i) & 255));
}

/* The fields that local header and directory share. */
static void add_common(struct buf *b, const struct zip_member *m, size_t packed)
{
    add_number(b, 20, 2); /* version needed */
    add_number(b, m->flags, 2);
    add_number(b, m->method, 2);
    add_number(b, 0x210000, 4); /* 1980-01-01 00:00 */
    add_number(b, crc32_of(m->data, m->length), 4);
    add_number(b, packed, 4);
    add_number(b, m->claimed > 0 ? m->claimed : m->length, 4);
    add_number(b, strlen(m->name), 2);
    add_number(b, 0, 2); /* extra field */
}

void zip_lay(struct buf *b, const struct zip_member *members, size_t n)
{
    size_t offsets[100];
    ck_assert_uint_le(n, 100);
    buf_init(b, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        const struct zip_member *m = &members[i];
        size_t more = m->method == ZIP_DEFLATED ? 5 : 0;
        offsets[i] = b->length;
        buf_add(b, "PK\3\4", 4);
        add_common(b, m, m->length + more);
        buf_text(b, m->name);
        if (more > 0) {
            buf_char(b, 1);
            add_number(b, m->length, 2);
            add_number(b, ~m->length, 2);
        }
        buf_add(b, m->data, m->length);
    }
    size_t start = b->length;
    for (size_t i = 0; i < n; i++) {
        const struct zip_member *m = &members[i];
        buf_add(b, "PK\1\2", 4);
        add_number(b, 20, 2);
        add_common(b, m, m->length + (m->method == ZIP_DEFLATED ? 5 : 0));
        add_number(b, 0, 4); /* comment, disk */
        add_number(b, 0, 6); /* attributes */
        add_number(b, offsets[i], 4);
        buf_text(b, m->name);
    }
    size_t size = b->length - start;
    buf_add(b, "PK\5\6\0\0\0\0", 8);
    add_number(b, n, 2);
    add_number(b, n, 2);
    add_number(b, size, 4);
    add_number(b, start, 4);
    add_number(b, 0, 2);
    ck_assert(!buf_failed(b));
}
