/* sparsed health: asks a server for /healthz, for health checks in images that
 * have no other HTTP client.
 *
 * Over TLS the server is not verified: that it answers is all that is asked,
 * and nothing is told to it.
 */
#include "server/command.h"
#include "server/tls.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_SECONDS 3

struct arguments {
    const char *cert, *key;
};

static const struct setting table[] = {
    {.name = "tls-cert",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, cert),
     .value = "FILE",
     .help = "certificate to show to a server that wants one, PEM"},
    {.name = "tls-key",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, key),
     .value = "FILE",
     .help = "its key, PEM"},
    {0},
};

/* A connection, with TLS or without. */
struct line {
    int fd;
    struct tls_client *tls; /* or NULL */
};

/* "http://127.0.0.1:8080/", "127.0.0.1:8080", "[::1]:8080" cut into host and
 * port in `room`; false if it is none of these. */
static bool split(char *room, const char **host, const char **port, bool *tls)
{
    char *start = room;

    if (strncmp(room, "http://", 7) == 0) {
        start = room + 7;
        *tls = false;
    } else if (strncmp(room, "https://", 8) == 0) {
        start = room + 8;
        *tls = true;
    }
    start[strcspn(start, "/")] = 0;
    char *colon = strrchr(start, ':');
    if (colon == NULL || colon == start || colon[1] == 0)
        return false;
    *colon = 0;
    *port = colon + 1;
    *host = start;
    if (start[0] == '[' && colon[-1] == ']') {
        colon[-1] = 0;
        *host = start + 1;
    }
    return true;
}

static int reach(const char *host, const char *port, struct err *e)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct timeval limit = {.tv_sec = TIMEOUT_SECONDS};
    int fd = -1;
    int result = getaddrinfo(host, port, &hints, &found);

    if (result != 0) {
        err_set(e, ERR_IO, "%s:%s: %s", host, port, gai_strerror(result));
        return -1;
    }
    for (struct addrinfo *i = found; i != NULL && fd < 0; i = i->ai_next) {
        fd =
            socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, i->ai_protocol);
        if (fd < 0) {
            err_set_errno(e, errno, "%s:%s", host, port);
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, i->ai_addr, i->ai_addrlen) != 0) {
            err_set_errno(e, errno, "%s:%s", host, port);
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static ssize_t line_send(const struct line *l, const char *text, size_t length)
{
    return l->tls != NULL ? tls_client_send(l->tls, text, length)
                          : send(l->fd, text, length, MSG_NOSIGNAL);
}

static ssize_t line_receive(const struct line *l, char *to, size_t size)
{
    return l->tls != NULL ? tls_client_recv(l->tls, to, size)
                          : recv(l->fd, to, size, 0);
}

/* Sends the request and reads the status line. */
static enum err_code ask(const struct line *l, const char *host, struct err *e)
{
    char text[256];
    size_t got = 0;
    int length = snprintf(text, sizeof text,
                          "GET /healthz HTTP/1.1\r\nHost: %.100s\r\n"
                          "Connection: close\r\n\r\n",
                          host);

    if (line_send(l, text, (size_t)length) != length)
        return err_set(e, ERR_IO, "cannot send to %.100s", host);
    while (got < sizeof text - 1 && memchr(text, '\n', got) == NULL) {
        ssize_t n = line_receive(l, text + got, sizeof text - 1 - got);
        if (n == 0)
            break;
        if (n < 0)
            return err_set(e, ERR_IO, "no answer from %.100s", host);
        got += (size_t)n;
    }
    text[got] = 0;
    if (strncmp(text, "HTTP/1.1 200 ", 13) == 0)
        return ERR_OK;
    text[strcspn(text, "\r\n")] = 0;
    return err_set(e, ERR_IO, "%.100s answers: %.100s", host, text);
}

static enum err_code check(const char *host, const char *port, bool tls,
                           const struct arguments *args, struct err *e)
{
    struct line l = {.fd = reach(host, port, e)};
    enum err_code code = ERR_OK;

    if (l.fd < 0)
        return e->code;
    if (tls) {
        l.tls = tls_client_open(l.fd, args->cert, args->key, e);
        if (l.tls == NULL)
            code = err_wrap(e, "%.100s", host);
    }
    if (code == ERR_OK)
        code = ask(&l, host, e);
    tls_client_close(l.tls);
    close(l.fd);
    return code;
}

/* The address may be left out. */
static enum err_code read_arguments(struct arguments *args, int argc,
                                    char **argv, const char **address,
                                    struct err *e)
{
    static const char *const what[] = {"ADDR:PORT"};
    struct err ignored;

    if (settings_read_flags(table, args, argc, argv, NULL, NULL, 0, &ignored) ==
        ERR_OK)
        return ERR_OK;
    return settings_read_flags(table, args, argc, argv, what, address, 1, e);
}

/* A daemon that is told by its environment to speak TLS is asked with it. */
static int run(int argc, char **argv)
{
    const char *cert = getenv("SPARSED_TLS_CERT");
    const char *address = "127.0.0.1:8080";
    struct arguments args = {.cert = NULL};
    bool tls = cert != NULL && cert[0] != 0;
    const char *host;
    const char *port;
    char room[300];
    struct err e;

    if (read_arguments(&args, argc, argv, &address, &e) != ERR_OK)
        return command_refuse(&command_health, e.msg);
    snprintf(room, sizeof room, "%s", address);
    if (!split(room, &host, &port, &tls))
        return command_refuse(&command_health,
                              "the argument is no URL or ADDR:PORT");
    if (check(host, port, tls, &args, &e) != ERR_OK)
        return command_fail(&command_health, &e);
    puts("ok");
    return COMMAND_DONE;
}

const struct command command_health = {
    .name = "health",
    .usage = "[ADDR:PORT] [--tls-cert FILE --tls-key FILE]",
    .help = "asks a server for /healthz (127.0.0.1:8080; https://ADDR:PORT)",
    .run = run,
    .starts_itself = true,
    .settings = table,
};
