/* Notify: tells systemd how far the process is, as sd_notify(3) does: a
 * datagram to the socket that NOTIFY_SOCKET names. Without it, nothing.
 */
#ifndef SPARSED_SERVER_NOTIFY_H
#define SPARSED_SERVER_NOTIFY_H

/* The daemon serves; also after a reload. */
void notify_ready(void);
/* It reads its settings again; notify_ready follows. */
void notify_reloading(void);
void notify_stopping(void);

#endif
