/* gzip through zlib; the only file that knows zlib.
 *
 * The length that a gzip file states about itself is not believed: output
 * grows piece by piece and stops at the caller's maximum, so memory follows
 * what really comes out of the file.
 */
#include "lib/data/gzip.h"

#include "lib/base/mem.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#define PIECE_BYTES ((size_t)1 << 18)
#define MOST_BYTES ((size_t)1 << 30) /* zlib counts in 32 bits */
#define MAX_WINDOW 15                /* bits of the farthest look back */
#define MIN_WINDOW 9
#define FORM_GZIP 16 /* added to the window's bits */
#define FORM_EITHER 32
#define SMALLER_MEMORY 7 /* than the window's bits: zlib's own ratio */

struct gzip_reader {
    z_stream z;
    const unsigned char *end; /* of the input */
    bool members;             /* in the gzip form there may be several */
};

bool gzip_is(const void *bytes, size_t length)
{
    return length >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}

static enum err_code set_zlib(struct err *e, const z_stream *z, int result)
{
    if (result == Z_MEM_ERROR)
        return err_set(e, ERR_NO_MEMORY, "gzip: out of memory");
    if (result == Z_BUF_ERROR)
        return err_set(e, ERR_INVALID, "gzip: the data end too early");
    return err_set(e, ERR_INVALID, "gzip: damaged data (%s)",
                   z->msg != NULL ? z->msg : "not gzip or zlib");
}

static uInt at_most(size_t bytes)
{
    return (uInt)(bytes < MOST_BYTES ? bytes : MOST_BYTES);
}

/* ---- inflating ---- */

struct gzip_reader *gzip_open(const void *bytes, size_t length, struct err *e)
{
    struct gzip_reader *r = mem_array(1, sizeof *r);

    if (r == NULL || inflateInit2(&r->z, MAX_WINDOW + FORM_EITHER) != Z_OK) {
        mem_free(r);
        err_set(e, ERR_NO_MEMORY, "gzip: out of memory");
        return NULL;
    }
    r->z.next_in = bytes;
    r->end = r->z.next_in + length;
    r->members = gzip_is(bytes, length);
    return r;
}

void gzip_close(struct gzip_reader *r)
{
    if (r != NULL)
        inflateEnd(&r->z);
    mem_free(r);
}

/* A member has ended, and something follows it: that must be another. */
static enum err_code begin_member(struct gzip_reader *r, struct err *e)
{
    if (!r->members || !gzip_is(r->z.next_in, (size_t)(r->end - r->z.next_in)))
        return err_set(e, ERR_INVALID, "gzip: something follows the end");
    inflateReset(&r->z);
    return ERR_OK;
}

enum err_code gzip_read(struct gzip_reader *r, void *out, size_t room,
                        size_t *got, bool *done, struct err *e)
{
    z_stream *z = &r->z;

    z->next_out = out;
    *got = 0;
    *done = false;
    while (*got < room && !*done) {
        uInt space = at_most(room - *got);
        z->avail_out = space;
        z->avail_in = at_most((size_t)(r->end - z->next_in));
        int result = inflate(z, Z_NO_FLUSH);
        *got += space - z->avail_out;
        if (result != Z_OK && result != Z_STREAM_END)
            return set_zlib(e, z, result);
        *done = result == Z_STREAM_END && z->next_in == r->end;
        if (result == Z_STREAM_END && !*done && begin_member(r, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

/* One piece more into out. At its maximum a single spare byte takes its place:
 * a stream that still fills it is too long. */
static enum err_code read_piece(struct gzip_reader *r, struct buf *out,
                                bool *done, struct err *e)
{
    size_t room = out->max_bytes - out->length;
    char spare;
    size_t got;

    if (room > PIECE_BYTES)
        room = PIECE_BYTES;
    char *to = room > 0 ? buf_reserve(out, room) : &spare;
    if (to == NULL)
        return err_set(e, ERR_NO_MEMORY, "gzip: out of memory");
    enum err_code code = gzip_read(r, to, room > 0 ? room : 1, &got, done, e);
    if (room == 0 && got > 0)
        return err_set(e, ERR_TOO_LARGE,
                       "gzip: inflates to more than %zu bytes", out->max_bytes);
    if (room > 0)
        buf_advance(out, got);
    return code;
}

char *gzip_inflate(const void *bytes, size_t length, size_t max_bytes,
                   size_t *inflated_length, struct err *e)
{
    if (!gzip_is(bytes, length)) {
        err_set(e, ERR_INVALID, "gzip: not a gzip file");
        return NULL;
    }
    struct gzip_reader *r = gzip_open(bytes, length, e);
    if (r == NULL)
        return NULL;
    struct buf out;
    buf_init(&out, max_bytes);
    bool done = false;
    enum err_code code = ERR_OK;
    while (code == ERR_OK && !done)
        code = read_piece(r, &out, &done, e);
    gzip_close(r);

    char *inflated = NULL;
    if (code == ERR_OK) {
        buf_text(&out, ""); /* an empty file still gives a buffer */
        inflated = buf_take(&out, inflated_length);
        if (inflated == NULL)
            err_set(e, ERR_NO_MEMORY, "gzip: out of memory");
    }
    buf_fini(&out);
    return inflated;
}

/* ---- deflating ---- */

/* No wider than the text is long: zlib clears all that it looks back with,
 * which for a text of a thousand bytes is most of the time it takes. */
static int choose_window(size_t length)
{
    int bits = MIN_WINDOW;

    while (bits < MAX_WINDOW && (size_t)1 << bits < length)
        bits++;
    return bits;
}

static enum err_code deflate_all(z_stream *z, struct buf *out,
                                 const unsigned char *end, struct err *e)
{
    int result = Z_OK;

    while (result == Z_OK) {
        size_t left = (size_t)(end - z->next_in);
        size_t room = out->max_bytes - out->length;
        room = room < PIECE_BYTES ? room : PIECE_BYTES;
        z->next_out = room > 0 ? (unsigned char *)buf_reserve(out, room) : NULL;
        if (room == 0)
            return err_set(e, ERR_TOO_LARGE, "gzip: more than %zu bytes",
                           out->max_bytes);
        if (z->next_out == NULL)
            return err_set(e, ERR_NO_MEMORY, "gzip: out of memory");
        z->avail_in = at_most(left);
        z->avail_out = (uInt)room;
        result = deflate(z, left <= MOST_BYTES ? Z_FINISH : Z_NO_FLUSH);
        buf_advance(out, room - z->avail_out);
    }
    return result == Z_STREAM_END ? ERR_OK : set_zlib(e, z, result);
}

enum err_code gzip_deflate(struct buf *out, const void *bytes, size_t length,
                           enum gzip_form form, int level, struct err *e)
{
    z_stream z = {.next_in = bytes};
    int window = choose_window(length);
    int memory = window - SMALLER_MEMORY;
    int result = deflateInit2(&z, level, Z_DEFLATED,
                              window + (form == GZIP_FORM ? FORM_GZIP : 0),
                              memory, Z_DEFAULT_STRATEGY);

    if (result != Z_OK)
        return set_zlib(e, &z, result);
    enum err_code code = deflate_all(&z, out, z.next_in + length, e);
    deflateEnd(&z);
    return code;
}
