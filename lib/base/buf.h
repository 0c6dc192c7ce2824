/* Growable bytes with a maximum: what replies, files and messages are
 * written into.
 *
 * Errors stick: after the first append that does not fit, every further one
 * is ignored and buf_failed answers true. So a writer appends freely and
 * checks once at the end.
 */
#ifndef SPARSED_BASE_BUF_H
#define SPARSED_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* data[length] is always 0 once data is not NULL */
    size_t length;
    size_t room;
    size_t max_bytes;
    bool failed;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b);

/* Empties it and clears the failure; keeps the memory. */
void buf_reset(struct buf *b);

/* Forgets what was appended after the first `length` bytes, of which there
 * are as many at least. A failure stays. */
void buf_cut(struct buf *b, size_t length);

bool buf_failed(const struct buf *b);

/* Hands the bytes to the caller, who frees them with mem_free; the buffer is
 * empty afterwards. NULL if it failed or nothing was ever written. */
char *buf_take(struct buf *b, size_t *length);

void buf_add(struct buf *b, const void *bytes, size_t length);
void buf_char(struct buf *b, char c);
void buf_text(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for `length` more bytes and returns where they start, not yet
 * counted; NULL (and failed) if they do not fit. buf_advance counts them. */
char *buf_reserve(struct buf *b, size_t length);
void buf_advance(struct buf *b, size_t length);

/* JSON pieces. A float is printed so that reading it back gives the same
 * float (at most 9 significant digits); it must be finite. Text is quoted and
 * escaped; invalid UTF-8 becomes U+FFFD. */
void buf_json_float(struct buf *b, float value);
void buf_json_double(struct buf *b, double value);
void buf_json_uint(struct buf *b, uint64_t value);
void buf_json_text(struct buf *b, const char *text);
void buf_json_text_n(struct buf *b, const char *text, size_t length);

#endif
