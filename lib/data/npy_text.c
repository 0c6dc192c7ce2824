/* npy: arrays of texts. numpy keeps them as UTF-32 or as bytes, all as long as
 * the longest, and takes trailing zeros for padding.
 */
#include "lib/base/utf8.h"
#include "lib/data/npy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

bool npy_is_text(const struct npy *a)
{
    return a->kind == NPY_TEXT || a->kind == NPY_BYTES;
}

/* Bytes (1 to 4) of a code point as UTF-8; 0 if it is none. */
static size_t encode(char out[4], uint32_t c)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};

    if (c > 0x10FFFF)
        return 0;
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[n] | c);
    return utf8_step(out, n) == n ? n : 0; /* no surrogate */
}

static uint32_t code_point(const struct npy *a, const unsigned char *p)
{
    return a->big_endian ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
                               (uint32_t)p[2] << 8 | p[3]
                         : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
                               (uint32_t)p[1] << 8 | p[0];
}

static enum err_code too_long(size_t i, size_t size, struct err *e)
{
    return err_set(e, ERR_TOO_LARGE, "element %zu is over %zu bytes", i,
                   size - 1);
}

static enum err_code no_character(size_t i, struct err *e)
{
    return err_set(e, ERR_INVALID, "element %zu holds what is no character", i);
}

static enum err_code read_points(const struct npy *a, size_t i, char *out,
                                 size_t size, size_t *length, struct err *e)
{
    const unsigned char *p = a->data + i * a->item_bytes;
    size_t n = a->item_bytes / 4;

    while (n > 0 && code_point(a, p + 4 * (n - 1)) == 0)
        n--;
    *length = 0;
    for (size_t k = 0; k < n; k++) {
        char c[4];
        size_t step = encode(c, code_point(a, p + 4 * k));
        if (step == 0)
            return no_character(i, e);
        if (*length + step >= size)
            return too_long(i, size, e);
        memcpy(out + *length, c, step);
        *length += step;
    }
    return ERR_OK;
}

static enum err_code read_bytes(const struct npy *a, size_t i, char *out,
                                size_t size, size_t *length, struct err *e)
{
    const char *p = (const char *)a->data + i * a->item_bytes;

    *length = a->item_bytes;
    while (*length > 0 && p[*length - 1] == 0)
        --*length;
    if (*length >= size)
        return too_long(i, size, e);
    for (size_t at = 0; at < *length;) {
        size_t step = utf8_step(p + at, *length - at);
        if (step == 0)
            return no_character(i, e);
        at += step;
    }
    memcpy(out, p, *length);
    return ERR_OK;
}

enum err_code npy_text(const struct npy *a, size_t i, char *out, size_t size,
                       size_t *length, struct err *e)
{
    assert(npy_is_text(a) && a->rank <= 1 && i < a->count && size > 0);
    enum err_code code = a->kind == NPY_TEXT
                             ? read_points(a, i, out, size, length, e)
                             : read_bytes(a, i, out, size, length, e);
    if (code == ERR_OK)
        out[*length] = 0;
    return code;
}

/* ---- writing ---- */

/* The code point of a character of `step` bytes. */
static uint32_t decode(const char *text, size_t step)
{
    static const unsigned char kept[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t c = (unsigned char)text[0] & kept[step];

    for (size_t i = 1; i < step; i++)
        c = c << 6 | ((unsigned char)text[i] & 0x3F);
    return c;
}

static size_t count_characters(const char *text)
{
    size_t n = 0;

    for (; *text != 0; n++) {
        size_t step = utf8_step(text, strlen(text));
        assert(step > 0);
        text += step;
    }
    return n;
}

void npy_print_texts(struct buf *b, const char *const *texts, size_t n)
{
    size_t width = 1;
    char descr[32];

    for (size_t i = 0; i < n; i++) {
        size_t length = count_characters(texts[i]);
        width = length > width ? length : width;
    }
    snprintf(descr, sizeof descr, "<U%zu", width);
    npy_print_header(b, descr, &n, 1);
    for (size_t i = 0; i < n; i++) {
        const char *at = texts[i];
        for (size_t k = 0; k < width; k++) {
            size_t step = *at != 0 ? utf8_step(at, strlen(at)) : 0;
            uint32_t c = step > 0 ? decode(at, step) : 0;
            const unsigned char word[4] = {
                (unsigned char)c, (unsigned char)(c >> 8),
                (unsigned char)(c >> 16), (unsigned char)(c >> 24)};
            buf_add(b, word, sizeof word);
            at += step;
        }
    }
}
