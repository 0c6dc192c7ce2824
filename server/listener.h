/* Listener: the listening socket and the one thread that accepts.
 *
 * Accepting in one place is what balances: connections are handed out in turn,
 * where threads that all wait on one socket would let the first of them take a
 * whole burst. When there is no room the listener leaves new connections in
 * the kernel's backlog until there is.
 */
#ifndef SPARSED_SERVER_LISTENER_H
#define SPARSED_SERVER_LISTENER_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <sys/socket.h>

struct listener;

struct listener_work {
    void *arg;
    /* Whether one more connection may be taken now. */
    bool (*room)(void *arg);
    /* Takes the connection over. */
    void (*take)(void *arg, int fd, const struct sockaddr_storage *peer,
                 socklen_t length);
};

/* Binds and listens; nothing is accepted yet. address: "127.0.0.1:8080",
 * "[::1]:8080", "localhost:0", ":8080" (all addresses). NULL: ERR_INVALID for
 * the address, ERR_IO if it cannot be had (in use, not allowed). */
struct listener *listener_open(const char *address, const char *scheme,
                               struct err *e);

/* "http://127.0.0.1:8080", with the port that was picked; scheme: "http". */
const char *listener_url(const struct listener *l);

/* Whether only this machine reaches it. */
bool listener_is_loopback(const struct listener *l);

void listener_start(struct listener *l, const struct listener_work *work);

/* There is room again; from any thread. */
void listener_wake(struct listener *l);

/* Takes what the kernel has accepted already, ends the thread and closes the
 * socket: further clients are refused. */
void listener_stop(struct listener *l);

void listener_free(struct listener *l); /* stops it if need be */

#endif
