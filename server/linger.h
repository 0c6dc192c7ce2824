/* Linger: connections that were answered before their body was read, and are
 * read empty for a while before they are closed.
 *
 * Closing a socket with unread bytes resets the connection, and the reset can
 * overtake the answer: a client that is still sending would never see its 413.
 * One owner thread, as the poller that has it.
 */
#ifndef SPARSED_SERVER_LINGER_H
#define SPARSED_SERVER_LINGER_H

#include "lib/base/clock.h"

#include <stdbool.h>
#include <stddef.h>

#define LINGER_MAX 32
#define LINGER_WAIT_MS 20 /* how often linger_run is to be called */

struct linger_list {
    size_t n;
    struct {
        int fd;
        usec until;
    } list[LINGER_MAX];
};

/* Takes the descriptor over; with a full list it is closed at once. */
void linger_add(struct linger_list *l, int fd);

/* Reads what came; closes those that are done or late. */
void linger_run(struct linger_list *l);

void linger_fini(struct linger_list *l);

#endif
