/* sparsed health: asks a server for /healthz, for health checks in images that
 * have no other HTTP client.
 */
#include "server/command.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_SECONDS 3

/* "http://127.0.0.1:8080/", "127.0.0.1:8080", "[::1]:8080" cut into host and
 * port in `room`; false if it is none of these. */
static bool split(char *room, const char **host, const char **port)
{
    char *start = strncmp(room, "http://", 7) == 0 ? room + 7 : room;

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

/* Sends the request and reads the status line. */
static enum err_code ask(int fd, const char *host, struct err *e)
{
    char text[256];
    size_t got = 0;
    int length = snprintf(text, sizeof text,
                          "GET /healthz HTTP/1.1\r\nHost: %.100s\r\n"
                          "Connection: close\r\n\r\n",
                          host);

    if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length)
        return err_set_errno(e, errno, "cannot send to %.100s", host);
    while (got < sizeof text - 1 && memchr(text, '\n', got) == NULL) {
        ssize_t n = recv(fd, text + got, sizeof text - 1 - got, 0);
        if (n == 0)
            break;
        if (n < 0)
            return err_set_errno(e, errno, "no answer from %.100s", host);
        got += (size_t)n;
    }
    text[got] = 0;
    if (strncmp(text, "HTTP/1.1 200 ", 13) == 0)
        return ERR_OK;
    text[strcspn(text, "\r\n")] = 0;
    return err_set(e, ERR_IO, "%.100s answers: %.100s", host, text);
}

static int run(int argc, char **argv)
{
    char room[300] = "127.0.0.1:8080";
    const char *host;
    const char *port;
    struct err e;

    if (argc > 2)
        return command_refuse(&command_health, "one argument too many");
    if (argc == 2)
        snprintf(room, sizeof room, "%s", argv[1]);
    if (!split(room, &host, &port))
        return command_refuse(&command_health,
                              "the argument is no URL or ADDR:PORT");
    int fd = reach(host, port, &e);
    if (fd < 0)
        return command_fail(&command_health, &e);
    enum err_code code = ask(fd, host, &e);
    close(fd);
    if (code != ERR_OK)
        return command_fail(&command_health, &e);
    puts("ok");
    return COMMAND_DONE;
}

const struct command command_health = {
    .name = "health",
    .usage = "[ADDR:PORT]",
    .help = "asks a server for /healthz (127.0.0.1:8080 by default)",
    .run = run,
    .starts_itself = true,
};
