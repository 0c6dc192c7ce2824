/* Stream: one buffer, filled when it is empty.
 */
#include "server/stream.h"

#include <assert.h>
#include <string.h>

/* A line that event streams ignore (WHATWG HTML 9.2.6). */
static const char last_words[] = ": the server stops\n\n";

void stream_open(struct stream *s, const struct api_stream *source)
{
    assert(source->next != NULL && source->close != NULL);
    *s = (struct stream){.source = *source};
    buf_init(&s->out, STREAM_MAX_BYTES);
}

void stream_close(struct stream *s)
{
    if (!stream_is_open(s))
        return;
    s->source.close(s->source.arg);
    s->source = (struct api_stream){.next = NULL};
    buf_fini(&s->out);
}

bool stream_is_open(const struct stream *s)
{
    return s->source.next != NULL;
}

/* Quiet streams hold no memory. */
static void ask(struct stream *s)
{
    buf_fini(&s->out);
    s->taken = 0;
    s->ended = !s->source.next(s->source.arg, &s->out);
    if (buf_failed(&s->out))
        s->broken = true;
}

enum stream_state stream_look(struct stream *s)
{
    if (!s->broken && !s->ended && s->taken == s->out.length)
        ask(s);
    if (s->broken)
        return STREAM_BROKEN;
    if (s->taken < s->out.length)
        return STREAM_SAYS;
    return s->ended ? STREAM_ENDED : STREAM_QUIET;
}

size_t stream_take(struct stream *s, char *to, size_t room)
{
    size_t n = s->out.length - s->taken;

    if (n > room)
        n = room;
    if (n > 0)
        memcpy(to, s->out.data + s->taken, n);
    s->taken += n;
    s->bytes += n;
    return n;
}

void stream_finish(struct stream *s)
{
    if (s->ended)
        return;
    s->ended = true;
    /* Where it does not fit the client is slow, and it goes without. */
    buf_text(&s->out, last_words);
}

void stream_break(struct stream *s)
{
    s->broken = true;
}
