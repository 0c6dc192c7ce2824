/* What libmicrohttpd alone can do: any body is read, the answer is constant.
 *
 * usage: ceiling WAY THREADS BYTES
 *
 * WAY is how each thread's daemon waits: `internal` is the library's own loop
 * over epoll, its fastest, which stands still when 128 events come at once, so
 * with no more than 127 connections a thread; `external` is epoll_wait on the
 * daemon's descriptor and MHD_run, as in server/http.c. The answer has BYTES
 * bytes. Prints "listening on URL", as `sparsed serve` does, and serves until
 * it is killed. The kernel deals connections out (SO_REUSEPORT).
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_THREADS 64
#define CONNECTIONS 127 /* with `internal` */
#define POOL_BYTES ((size_t)16 * 1024)

struct answer {
    size_t length;
    char *text;
};

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *body,
                                  size_t *body_length, void **context)
{
    const struct answer *a = arg;

    (void)url;
    (void)method;
    (void)version;
    (void)body;
    if (*context == NULL) {
        *context = arg;
        return MHD_YES;
    }
    if (*body_length > 0) {
        *body_length = 0;
        return MHD_YES;
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(
        a->length, a->text, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(r, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, r);
    MHD_destroy_response(r);
    return result;
}

static void *serve(void *arg)
{
    struct MHD_Daemon *d = arg;
    struct epoll_event event;
    int fd = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int outer = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN};

    epoll_ctl(outer, EPOLL_CTL_ADD, fd, &wanted);
    for (;;) {
        MHD_UNSIGNED_LONG_LONG ms;
        bool any = MHD_get_timeout(d, &ms) == MHD_YES;
        if (!any || ms > 0)
            epoll_wait(outer, &event, 1, any ? (int)ms : -1);
        MHD_run(d);
    }
    return NULL;
}

/* A listening socket; all of one port take connections in turn. */
static int listen_on(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t length = sizeof in;
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&in, sizeof in) != 0 ||
        listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&in, &length) != 0) {
        perror("ceiling: listen");
        exit(1);
    }
    *port = ntohs(in.sin_port);
    return fd;
}

static void start(struct answer *a, bool internal, int fd)
{
    unsigned flags = internal ? MHD_USE_EPOLL_INTERNAL_THREAD : MHD_USE_EPOLL;
    pthread_t thread;
    struct MHD_Daemon *d = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, a, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, internal ? CONNECTIONS : 100000u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES, MHD_OPTION_END);

    if (d == NULL) {
        fprintf(stderr, "ceiling: libmicrohttpd does not start\n");
        exit(1);
    }
    if (!internal && pthread_create(&thread, NULL, serve, d) != 0) {
        fprintf(stderr, "ceiling: no thread\n");
        exit(1);
    }
}

int main(int n, char **words)
{
    long threads = n == 4 ? strtol(words[2], NULL, 10) : 0;
    long bytes = n == 4 ? strtol(words[3], NULL, 10) : -1;
    bool internal = n == 4 && strcmp(words[1], "internal") == 0;
    struct answer a;
    uint16_t port = 0;

    if (threads < 1 || threads > MOST_THREADS || bytes < 0 ||
        (!internal && strcmp(words[1], "external") != 0)) {
        fprintf(stderr, "usage: ceiling internal|external THREADS BYTES\n");
        return 2;
    }
    a.length = (size_t)bytes;
    a.text = malloc(a.length + 1);
    if (a.text == NULL)
        return 1;
    memset(a.text, '7', a.length);
    for (long i = 0; i < threads; i++)
        start(&a, internal, listen_on(&port));
    printf("listening on http://127.0.0.1:%u\n", port);
    fflush(stdout);
    pause();
    return 0;
}
