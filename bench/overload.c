/* Open-loop load: requests are sent at random times of a given rate, however
 * long the replies take, and a latency is counted from the time at which its
 * request was meant to be sent.
 *
 * usage: overload PORT SKIPPED SECONDS SEED CONNECTIONS [RATE FILE]...
 *
 * Each FILE holds whole requests of HTTP/1.1 that are all alike; each kind has
 * its own connections, kept alive, and its own Poisson arrivals. What finds no
 * free connection waits here. What is meant to be sent in the first SKIPPED
 * seconds is sent, and not counted. Prints one line of JSON a kind: how many
 * were meant to be sent, were refused (503, 429) and answered (200), other
 * statuses and errors, and percentiles of latency in milliseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_KINDS 4
#define EVENTS 256
#define HEAD_BYTES 4096
#define GRACE 10.0 /* seconds for the last replies */

enum outcome { ANSWERED, REFUSED, OTHER, FAILED, OUTCOMES };

struct latencies {
    float *ms;
    size_t n, room;
};

struct kind {
    const char *request;
    size_t length;
    double rate, next; /* arrival */
    double *meant;     /* times of those that wait for a connection */
    size_t first, last, room;
    size_t n; /* that count */
    struct client *free;
    size_t sent;
    struct latencies of[OUTCOMES];
};

struct client {
    int fd;
    struct kind *kind;
    struct client *next; /* free ones */
    bool busy;
    double meant;
    size_t written;
    char head[HEAD_BYTES]; /* of the reply, and what came with it */
    size_t n_head;
    size_t left; /* of the body; known once `status` is */
    int status;
    bool closes;
};

static int epoll;
static struct sockaddr_in address;
static uint64_t seed;
static size_t n_kinds, n_busy;
static double counted; /* from when on */
static struct kind kinds[MAX_KINDS];

static void die(const char *what)
{
    fprintf(stderr, "overload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Exponential, mean 1 (xorshift64*). */
static double draw(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    uint64_t bits = (seed * 0x2545F4914F6CDD1Du) >> 11;
    return -log(((double)bits + 1) / 9007199254740993.0);
}

static void *grow(void *block, size_t *room, size_t size)
{
    *room = *room > 0 ? 2 * *room : 1024;
    block = realloc(block, *room * size);
    if (block == NULL)
        die("memory");
    return block;
}

/* ---- one connection ---- */

static void open_client(struct client *c)
{
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 ||
        connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("epoll_ctl");
}

static void put_free(struct client *c)
{
    c->next = c->kind->free;
    c->kind->free = c;
}

static void end(struct client *c, enum outcome outcome)
{
    struct latencies *l = &c->kind->of[outcome];

    if (l->n == l->room)
        l->ms = grow(l->ms, &l->room, sizeof *l->ms);
    if (c->meant >= counted)
        l->ms[l->n++] = (float)((now() - c->meant) * 1e3);
    n_busy--;
    c->busy = false;
    if (outcome == FAILED || c->closes) {
        close(c->fd);
        open_client(c);
    }
    put_free(c);
}

static void push(struct client *c)
{
    const struct kind *k = c->kind;

    while (c->written < k->length) {
        ssize_t n = send(c->fd, k->request + c->written, k->length - c->written,
                         MSG_NOSIGNAL);
        if (n < 0)
            return; /* what is wrong is seen when the reply is read */
        c->written += (size_t)n;
    }
}

static void begin(struct client *c, double meant)
{
    c->busy = true;
    c->meant = meant;
    c->written = 0;
    c->n_head = 0;
    c->status = 0;
    c->closes = false;
    n_busy++;
    push(c);
}

/* True once the head is whole; `left` is then what is missing of the body. */
static bool read_head(struct client *c)
{
    c->head[c->n_head] = 0;
    char *body = strstr(c->head, "\r\n\r\n");

    if (body == NULL)
        return false;
    c->status = (int)strtol(c->head + sizeof "HTTP/1.1", NULL, 10);
    *body = 0;
    const char *length = strcasestr(c->head, "\r\nContent-Length:");
    c->left = length != NULL ? strtoul(length + 17, NULL, 10) : 0;
    c->closes = strcasestr(c->head, "\r\nConnection: close") != NULL;
    size_t here = c->n_head - (size_t)(body + 4 - c->head);
    c->left -= here < c->left ? here : c->left;
    return true;
}

static void pull(struct client *c)
{
    static char rest[1 << 16];

    for (;;) {
        bool has_head = c->status != 0;
        ssize_t n = has_head ? recv(c->fd, rest, sizeof rest, 0)
                             : recv(c->fd, c->head + c->n_head,
                                    HEAD_BYTES - 1 - c->n_head, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            end(c, FAILED);
            return;
        }
        if (has_head)
            c->left -= (size_t)n < c->left ? (size_t)n : c->left;
        else
            c->n_head += (size_t)n;
        if ((has_head || read_head(c)) && c->left == 0) {
            end(c, c->status == 200                       ? ANSWERED
                   : c->status == 503 || c->status == 429 ? REFUSED
                                                          : OTHER);
            return;
        }
    }
}

/* ---- all ---- */

static void arrive(struct kind *k, double until)
{
    for (; k->next <= until; k->next += draw() / k->rate) {
        if (k->last == k->room)
            k->meant = grow(k->meant, &k->room, sizeof *k->meant);
        k->meant[k->last++] = k->next;
        k->n += k->next >= counted;
    }
    while (k->first < k->last && k->free != NULL) {
        struct client *c = k->free;
        k->free = c->next;
        begin(c, k->meant[k->first++]);
    }
}

static void handle(struct client *c)
{
    if (!c->busy) { /* an idle one was closed */
        char byte;
        if (recv(c->fd, &byte, 1, MSG_PEEK) == 0) {
            close(c->fd);
            open_client(c);
        }
        return;
    }
    if (c->written < c->kind->length)
        push(c);
    pull(c);
}

static void run(double skipped, double seconds)
{
    struct epoll_event events[EVENTS];
    double start = now(), until = start + skipped + seconds;

    counted = start + skipped;
    for (size_t i = 0; i < n_kinds; i++)
        kinds[i].next = start + draw() / kinds[i].rate;
    for (;;) {
        double at = now(), soonest = until;
        size_t waiting = 0;
        for (size_t i = 0; i < n_kinds; i++) {
            arrive(&kinds[i], at < until ? at : until);
            waiting += kinds[i].last - kinds[i].first;
            if (kinds[i].next < soonest)
                soonest = kinds[i].next;
        }
        if (at > until + GRACE || (at >= until && n_busy + waiting == 0))
            return;
        double wait = at >= until ? 0.01 : soonest - now();
        struct timespec t = {.tv_nsec = wait > 0 ? (long)(wait * 1e9) : 0};
        if (t.tv_nsec > 10000000)
            t.tv_nsec = 10000000;
        int n = epoll_pwait2(epoll, events, EVENTS, &t, NULL);
        for (int i = 0; i < n; i++)
            handle(events[i].data.ptr);
    }
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void print_latencies(const char *name, struct latencies *l)
{
    static const double shares[] = {0.5, 0.9, 0.99, 0.999};

    qsort(l->ms, l->n, sizeof *l->ms, compare);
    printf(", \"%s\": {\"n\": %zu", name, l->n);
    for (size_t i = 0; i < 4 && l->n > 0; i++)
        printf(", \"p%g\": %.3f", shares[i] * 100,
               (double)l->ms[(size_t)(shares[i] * (double)(l->n - 1) + 0.5)]);
    if (l->n > 0)
        printf(", \"most\": %.3f", (double)l->ms[l->n - 1]);
    printf("}");
}

static void print_kind(struct kind *k)
{
    printf("{\"meant\": %zu, \"unsent\": %zu", k->n, k->last - k->first);
    print_latencies("answered", &k->of[ANSWERED]);
    print_latencies("refused", &k->of[REFUSED]);
    printf(", \"other\": %zu, \"failed\": %zu}\n", k->of[OTHER].n,
           k->of[FAILED].n);
}

static void load(struct kind *k, const char *path)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &s) != 0)
        die(path);
    k->length = (size_t)s.st_size;
    k->request = mmap(NULL, k->length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (k->request == MAP_FAILED)
        die(path);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc < 8 || argc % 2 != 0 || argc > 6 + 2 * MAX_KINDS) {
        fprintf(stderr, "usage: overload PORT SKIPPED SECONDS SEED CONNECTIONS "
                        "[RATE FILE]...\n");
        return 2;
    }
    address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    seed = 0x9E3779B97F4A7C15u ^ strtoul(argv[4], NULL, 10);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    size_t connections = strtoul(argv[5], NULL, 10);
    for (int i = 6; i < argc; i += 2) {
        struct kind *k = &kinds[n_kinds++];
        k->rate = strtod(argv[i], NULL);
        load(k, argv[i + 1]);
        struct client *clients = calloc(connections, sizeof *clients);
        if (clients == NULL || k->rate <= 0)
            die("rate, connections");
        for (size_t j = 0; j < connections; j++) {
            clients[j].kind = k;
            open_client(&clients[j]);
            put_free(&clients[j]);
        }
    }
    run(strtod(argv[2], NULL), strtod(argv[3], NULL));
    for (size_t i = 0; i < n_kinds; i++)
        print_kind(&kinds[i]);
    return 0;
}
