/* The plain body grows by doubling, as bodies do that are received. */
#include "server/unpack.h"

#include "lib/data/gzip.h"

/* What it gets at first, and grows by at least. */
#define FIRST_STEP ((size_t)4 * 1024)
/* JSON packs to a quarter or less. */
#define LIKELY_GROWTH 4

/* As much again as there is, within its maximum. */
static size_t choose_step(const struct buf *plain, size_t coded_length)
{
    size_t step =
        plain->length > 0 ? plain->length : LIKELY_GROWTH * coded_length;
    size_t room = plain->max_bytes - plain->length;

    if (step < FIRST_STEP)
        step = FIRST_STEP;
    return step < room ? step : room;
}

/* There may be no more: the stream must end without another byte. */
static enum err_code read_end(struct gzip_reader *reader, bool *done,
                              struct err *e)
{
    char spare;
    size_t got;

    if (gzip_read(reader, &spare, 1, &got, done, e) != ERR_OK)
        return e->code;
    return got == 0 ? ERR_OK : err_set(e, ERR_TOO_LARGE, "too long");
}

static enum err_code read_all(struct gzip_reader *reader, struct buf *plain,
                              size_t coded_length, unpack_hold *hold, void *arg,
                              struct err *e)
{
    bool done = false;
    size_t got;

    while (!done) {
        size_t step = choose_step(plain, coded_length);
        if (step == 0) {
            if (read_end(reader, &done, e) != ERR_OK)
                return e->code;
            continue;
        }
        if (!hold(arg, step))
            return err_set(e, ERR_BUSY, "no room for a body");
        char *to = buf_reserve(plain, step);
        if (to == NULL)
            return err_set(e, ERR_NO_MEMORY, "no memory for a body");
        if (gzip_read(reader, to, step, &got, &done, e) != ERR_OK)
            return e->code;
        buf_advance(plain, got);
    }
    return ERR_OK;
}

enum err_code unpack_body(struct buf *body, unpack_hold *hold, void *arg,
                          struct err *e)
{
    struct gzip_reader *reader = gzip_open(body->data, body->length, e);
    struct buf plain;

    if (reader == NULL)
        return e->code;
    buf_init(&plain, body->max_bytes);
    enum err_code code = read_all(reader, &plain, body->length, hold, arg, e);
    gzip_close(reader);
    if (code == ERR_OK) {
        buf_fini(body);
        *body = plain;
    } else {
        buf_fini(&plain);
    }
    return code;
}
