/* Tls: the only file that knows GnuTLS: certificates, the server's side of a
 * connection, hashes and random numbers that others must not guess.
 *
 * libmicrohttpd makes the sessions, and takes them through their handshakes.
 * Here each is given its credentials when it begins: certificate, key and whom
 * to trust are one counted set, so that a new set serves new connections while
 * old ones end with theirs.
 */
#ifndef SPARSED_SERVER_TLS_H
#define SPARSED_SERVER_TLS_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* ---- a server's credentials ---- */

struct tls;

struct tls_files {
    const char *cert;      /* PEM: the certificate, then those that signed it */
    const char *key;       /* PEM, without a password */
    const char *client_ca; /* PEM: clients must show a certificate that one of
                            * these signed; NULL: they need none */
};

/* NULL: ERR_INVALID for files that are no such thing or do not belong together,
 * or as file_read. */
struct tls *tls_new(const struct tls_files *files, struct err *e);
void tls_free(struct tls *t); /* after all links have ended; or NULL */

/* Reads the files again, for connections that begin from now on. On an error
 * all stays as it was. */
enum err_code tls_reload(struct tls *t, const struct tls_files *files,
                         struct err *e) ERR_CHECKED;

/* ---- one connection's session, on its thread ---- */

struct tls_set;

/* In the connection's storage, which must stay where it is. */
struct tls_link {
    struct tls_set *set;
    int fd;
    bool *moved;               /* set when bytes have come or gone */
    void (*opened)(void *arg); /* the handshake is done */
    void *arg;
};

/* A new session (gnutls_session_t); `link` has all but `set`. false: it cannot
 * be had, cut the connection. */
bool tls_begin(struct tls *t, void *session, struct tls_link *link);
/* When the session is no more. A zeroed link is fine. */
void tls_end(struct tls_link *link);

/* Sends all of it now; false if that was not possible. */
bool tls_send(void *session, const void *bytes, size_t length);

/* For libmicrohttpd, which wants to be told of certificates: there are none
 * but those of tls_begin. */
extern void (*const tls_no_certificate)(void);

/* ---- a client, for commands ---- */

struct tls_client;

/* A handshake over a connected socket, which stays the caller's. The server is
 * not verified. cert and key (or NULL) are files. NULL: ERR_IO, ... */
struct tls_client *tls_client_open(int fd, const char *cert, const char *key,
                                   struct err *e);
void tls_client_close(struct tls_client *c);

/* As send and recv, -1 on any error. */
ssize_t tls_client_send(struct tls_client *c, const void *bytes, size_t length);
ssize_t tls_client_recv(struct tls_client *c, void *bytes, size_t size);

/* ---- hashes and random numbers ---- */

#define TLS_HASH_BYTES 32

/* SHA-256. */
void tls_hash(unsigned char out[TLS_HASH_BYTES], const void *bytes,
              size_t length);

/* For keys. */
void tls_random(void *out, size_t length);

#endif
