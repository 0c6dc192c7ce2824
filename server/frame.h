/* Frame: what the headers of a request say, and what is wrong with them.
 *
 * One table has a row for each header that anything here knows: a text that the
 * api reads, or a part of the frame. Framing is checked more strictly than the
 * HTTP library does (RFC 9112, section 6), for who reads a request differently
 * than the proxy before it reads another one.
 */
#ifndef SPARSED_SERVER_FRAME_H
#define SPARSED_SERVER_FRAME_H

#include "api/api.h"
#include "api/trace.h"
#include "lib/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed before the first header; stays where it is while the request lives,
 * which may point into it. */
struct frame {
    size_t hosts, lengths, codings;
    size_t bytes;       /* of target and all headers */
    uint64_t length;    /* Content-Length */
    uint64_t seen;      /* rows of the table, as bits */
    bool chunked;       /* Transfer-Encoding is exactly that */
    bool expects;       /* Expect is there: the client waits with its body */
    bool expects_other; /* something but 100-continue */
    const char *id;     /* X-Request-Id, if it can be taken, or NULL */
    const char *host;   /* these three as they came, or NULL */
    const char *authorization;
    const char *fetch_site; /* Sec-Fetch-Site */
    usec patience;          /* Request-Timeout; 0: none */
    char trace[TRACE_BYTES];
    const char *flaw; /* of a header's form, or NULL */
};

/* One header, into the frame or the request; `value` must live as long as they
 * do. */
void frame_header(struct frame *f, struct api_request *request,
                  const char *name, size_t name_length, const char *value,
                  size_t value_length);

/* After the last one: what makes it unsafe, or senseless, to read on, and the
 * status to say it with; NULL if all is well. `version` is "HTTP/1.1". */
const char *frame_find_flaw(const struct frame *f, const char *version,
                            int *status);

#endif
