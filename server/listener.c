/* Listener: getaddrinfo, bind, and a loop around accept4.
 */
#include "server/listener.h"

#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACKLOG 1024
/* Out of descriptors or memory: how long to leave accept alone. */
#define PAUSE_MS 100

struct listener {
    int fd;
    int wake; /* eventfd */
    char url[128];
    bool loopback;
    struct listener_work work;
    atomic_bool stop;
    bool started;
    pthread_t thread;
};

/* Cuts "host:port" in place of `room`; false if it is no such thing. */
static bool split(char *room, const char **host, const char **port)
{
    char *colon = strrchr(room, ':');

    if (colon == NULL || colon[1] == 0 || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strtol(colon + 1, NULL, 10) > UINT16_MAX)
        return false;
    *colon = 0;
    *port = colon + 1;
    *host = room;
    if (room[0] == '[' && colon > room + 1 && colon[-1] == ']') {
        colon[-1] = 0;
        *host = room + 1;
    } else if (strchr(room, ':') != NULL) {
        return false; /* an IPv6 address without brackets */
    }
    return true;
}

static struct addrinfo *look_up(const char *address, struct err *e)
{
    char room[300];
    const char *host;
    const char *port;
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};

    int length = snprintf(room, sizeof room, "%s", address);
    if (length < 0 || (size_t)length >= sizeof room ||
        !split(room, &host, &port)) {
        err_set(e, ERR_INVALID,
                "listen: '%.60s' is not ADDR:PORT, as 127.0.0.1:8080 or "
                "[::1]:8080",
                address);
        return NULL;
    }
    int result = getaddrinfo(host[0] != 0 ? host : NULL, port, &hints, &found);
    if (result != 0) {
        err_set(e, ERR_INVALID, "listen: '%.60s': %s", address,
                gai_strerror(result));
        return NULL;
    }
    return found;
}

static int bind_one(const struct addrinfo *info)
{
    int on = 1;
    int fd = socket(info->ai_family,
                    info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    info->ai_protocol);

    if (fd < 0)
        return -1;
    /* A restart need not wait for old connections' last packets. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static bool is_loopback(const struct sockaddr_storage *name)
{
    const struct sockaddr_in *in = (const void *)name;
    const struct sockaddr_in6 *in6 = (const void *)name;

    return name->ss_family == AF_INET
               ? ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
               : name->ss_family == AF_INET6 &&
                     IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static void look_at_name(struct listener *l, const char *scheme)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    char host[64] = "?";
    char port[8] = "?";

    memset(&name, 0, sizeof name);
    getsockname(l->fd, (struct sockaddr *)&name, &length);
    getnameinfo((struct sockaddr *)&name, length, host, sizeof host, port,
                sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(l->url, sizeof l->url,
             name.ss_family == AF_INET6 ? "%s://[%s]:%s" : "%s://%s:%s", scheme,
             host, port);
    l->loopback = is_loopback(&name);
}

struct listener *listener_open(const char *address, const char *scheme,
                               struct err *e)
{
    struct addrinfo *found = look_up(address, e);
    struct listener *l = NULL;
    int fd = -1;

    if (found == NULL)
        return NULL;
    for (struct addrinfo *i = found; i != NULL && fd < 0; i = i->ai_next)
        fd = bind_one(i);
    int number = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        if (number == EADDRINUSE)
            err_set(e, ERR_IO,
                    "cannot listen on %s: the port is in use; stop the other "
                    "program or choose another with --listen ADDR:PORT",
                    address);
        else
            err_set_errno(e, number, "cannot listen on %s", address);
        return NULL;
    }
    int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake >= 0)
        l = mem_array(1, sizeof *l);
    if (l == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory for the listening socket");
        close(fd);
        if (wake >= 0)
            close(wake);
        return NULL;
    }
    l->fd = fd;
    l->wake = wake;
    look_at_name(l, scheme);
    return l;
}

const char *listener_url(const struct listener *l)
{
    return l->url;
}

bool listener_is_loopback(const struct listener *l)
{
    return l->loopback;
}

/* Takes one connection; false if there is none or it cannot be had now. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &length,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        l->work.take(l->work.arg, fd, &peer, length);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
        errno == ENOMEM) {
        log_event(LOG_ERROR, "http", "accept-failed", "errno=%d", errno);
        struct pollfd pause = {.fd = l->wake, .events = POLLIN};
        poll(&pause, 1, PAUSE_MS);
        return false;
    }
    /* The client went away while it waited, or a signal came: go on. */
    return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
}

static void *run(void *arg)
{
    struct listener *l = arg;
    uint64_t count;

    while (!atomic_load(&l->stop)) {
        bool room = l->work.room(l->work.arg);
        struct pollfd fds[] = {{.fd = l->wake, .events = POLLIN},
                               {.fd = room ? l->fd : -1, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents != 0)
            (void)!read(l->wake, &count, sizeof count);
        if (fds[1].revents != 0)
            accept_one(l);
    }
    /* What the kernel has taken would be reset by closing the socket. */
    while (l->work.room(l->work.arg) && accept_one(l))
        continue;
    return NULL;
}

void listener_start(struct listener *l, const struct listener_work *work)
{
    l->work = *work;
    l->started = true;
    l->thread = thread_start("listener", run, l);
}

void listener_wake(struct listener *l)
{
    uint64_t one = 1;

    (void)!write(l->wake, &one, sizeof one);
}

void listener_stop(struct listener *l)
{
    if (l->started) {
        atomic_store(&l->stop, true);
        listener_wake(l);
        thread_join(l->thread);
        l->started = false;
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

void listener_free(struct listener *l)
{
    if (l == NULL)
        return;
    listener_stop(l);
    close(l->wake);
    mem_free(l);
}
