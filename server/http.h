/* HTTP: the only file that knows libmicrohttpd; it drives one daemon a lane.
 *
 * The daemons have an external event loop: the library's internal one stands
 * still when exactly 128 events come at once. All functions are for the lane's
 * thread, but for start and stop.
 */
#ifndef SPARSED_SERVER_HTTP_H
#define SPARSED_SERVER_HTTP_H

#include "lib/base/err.h"
#include "server/lane.h"

#include <sys/socket.h>

/* Makes lane->daemon; ERR_INTERNAL. */
enum err_code http_start(struct lane *lane, struct err *e) ERR_CHECKED;
/* Closes all connections, of which none may be suspended. */
void http_stop(struct lane *lane);

int http_fd(const struct lane *lane);
int http_wait_ms(struct lane *lane); /* -1: no need */
void http_run(struct lane *lane);

/* Takes the socket over; false: it is closed already. */
bool http_add(struct lane *lane, int fd, const struct sockaddr_storage *peer,
              socklen_t length);

/* Writes the exchange's reply to the socket without the library, which cannot
 * answer before it has the whole request; the connection is then to be cut.
 * false: it could not be written. */
bool http_tell(struct connection *c);

/* The reply of a suspended connection is ready. */
void http_resume(struct connection *c);

#endif
