/* gzip through zlib; the only file that knows zlib.
 *
 * The length that a gzip file states about itself is not believed: output
 * grows piece by piece and stops at the caller's maximum, so memory follows
 * what really comes out of the file.
 */
#include "lib/data/gzip.h"

#include "lib/base/buf.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#define PIECE_BYTES ((size_t)1 << 18)
#define INPUT_BYTES ((size_t)1 << 30) /* zlib counts in 32 bits */
#define GZIP_WINDOW (15 + 16)         /* largest window, gzip wrapper only */

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
                   z->msg != NULL ? z->msg : "not a gzip file");
}

/* Room for the next piece of output. At the maximum a single spare byte takes
 * its place: a stream that still fills it is too long. */
static enum err_code give_room(z_stream *z, struct buf *out,
                               unsigned char *spare, struct err *e)
{
    size_t room = out->max_bytes - out->length;
    if (room == 0) {
        z->next_out = spare;
        z->avail_out = 1;
        return ERR_OK;
    }
    if (room > PIECE_BYTES)
        room = PIECE_BYTES;
    z->next_out = (unsigned char *)buf_reserve(out, room);
    z->avail_out = (uInt)room;
    if (z->next_out == NULL)
        return err_set(e, ERR_NO_MEMORY, "gzip: out of memory");
    return ERR_OK;
}

/* One call of inflate; *done once the last member has ended. */
static enum err_code inflate_piece(z_stream *z, struct buf *out,
                                   const unsigned char *end, bool *done,
                                   struct err *e)
{
    unsigned char spare;
    size_t left = (size_t)(end - z->next_in);
    z->avail_in = (uInt)(left < INPUT_BYTES ? left : INPUT_BYTES);
    if (give_room(z, out, &spare, e) != ERR_OK)
        return e->code;
    bool full = z->next_out == &spare;
    size_t room = z->avail_out;
    int result = inflate(z, Z_NO_FLUSH);
    if (full && z->avail_out == 0)
        return err_set(e, ERR_TOO_LARGE,
                       "gzip: inflates to more than %zu bytes", out->max_bytes);
    if (!full)
        buf_advance(out, room - z->avail_out);
    if (result != Z_OK && result != Z_STREAM_END)
        return set_zlib(e, z, result);
    *done = result == Z_STREAM_END && z->next_in == end;
    if (result == Z_STREAM_END && !*done)
        inflateReset(z);
    return ERR_OK;
}

char *gzip_inflate(const void *bytes, size_t length, size_t max_bytes,
                   size_t *inflated_length, struct err *e)
{
    if (!gzip_is(bytes, length)) {
        err_set(e, ERR_INVALID, "gzip: not a gzip file");
        return NULL;
    }
    z_stream z = {.next_in = bytes};
    int result = inflateInit2(&z, GZIP_WINDOW);
    if (result != Z_OK) {
        set_zlib(e, &z, result);
        return NULL;
    }
    struct buf out;
    buf_init(&out, max_bytes);
    const unsigned char *end = z.next_in + length;
    bool done = false;
    enum err_code code = ERR_OK;
    while (code == ERR_OK && !done)
        code = inflate_piece(&z, &out, end, &done, e);
    inflateEnd(&z);

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
