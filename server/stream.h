/* Stream: a reply that goes on after its head, between the api that has things
 * to say and a client that takes them; knows no socket.
 *
 * The api is asked again only when all it said is taken: so a slow client holds
 * STREAM_MAX_BYTES at most, and a fast one gets it at once. One thread at a
 * time.
 */
#ifndef SPARSED_SERVER_STREAM_H
#define SPARSED_SERVER_STREAM_H

#include "api/api.h"

#include <stdbool.h>
#include <stddef.h>

#define STREAM_MAX_BYTES ((size_t)256 * 1024)

/* Zeroed: none. */
struct stream {
    struct api_stream source; /* next NULL: closed */
    struct buf out;           /* what was said, */
    size_t taken;             /* and how much of it the socket has */
    size_t bytes;             /* taken in all */
    bool ended;               /* nothing more will be said */
    bool broken;
};

enum stream_state {
    STREAM_SAYS,  /* stream_take gives something */
    STREAM_QUIET, /* nothing now */
    STREAM_ENDED, /* all is said and taken */
    STREAM_BROKEN /* no orderly end: cut the connection */
};

/* Takes the source over, whose `next` is set. */
void stream_open(struct stream *s, const struct api_stream *source);
/* Tells the source, once; a zeroed stream is fine. */
void stream_close(struct stream *s);
bool stream_is_open(const struct stream *s);

/* Asks the source if all that it said is taken. */
enum stream_state stream_look(struct stream *s);

/* The next bytes, at most `room`. */
size_t stream_take(struct stream *s, char *to, size_t room);

/* It ends after what has been said and a comment that says why; a second call
 * does nothing. */
void stream_finish(struct stream *s);

/* It ends now. */
void stream_break(struct stream *s);

#endif
