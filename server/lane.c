/* Lane: connections in the order in which they became idle, a look at their
 * deadlines every second, and one at quiet streams a few times a second.
 */
#include "server/lane.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "server/http.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define SECOND ((usec)1000000)
#define SWEEP SECOND
#define DRAIN_SWEEP (SECOND / 20)
/* While stopping: how long a connection may be idle (a request may be on its
 * way), or receive on. */
#define DRAIN_IDLE (SECOND / 4)
#define DRAIN_RECEIVE (5 * SECOND)
/* When clients wait, so many that are idle so long are cut in each sweep. */
#define CROWDED_IDLE SECOND
#define CROWDED_CUTS 32
/* A reply's client is given a second more for each so many bytes. */
#define SLOWEST_BYTES_PER_SECOND 65536
/* How often streams that are quiet are asked. */
#define STREAM_LOOK (SECOND / 5)
#define KEPT_VISITS 64
/* For a TLS handshake, of which nothing is received but by its ends. */
#define HANDSHAKE_TIME (10 * SECOND)

/* ---- visits ---- */

static struct visit *take_visit(struct lane *lane)
{
    struct visit *v = lane->unused;

    if (v != NULL) {
        lane->unused = v->next;
        lane->n_unused--;
        return v;
    }
    v = mem_array(1, sizeof *v);
    if (v != NULL)
        exchange_init(&v->exchange, &lane->rules->exchange);
    return v;
}

static void free_visit(struct visit *v)
{
    exchange_fini(&v->exchange);
    mem_free(v);
}

static void keep_visit(struct lane *lane, struct visit *v)
{
    if (lane->n_unused == KEPT_VISITS) {
        free_visit(v);
        return;
    }
    v->next = lane->unused;
    lane->unused = v;
    lane->n_unused++;
}

static void end_visit(struct connection *c, bool sent)
{
    if (c->visit == NULL)
        return;
    assert(!c->visit->away);
    exchange_end(&c->visit->exchange, sent || c->visit->told);
    keep_visit(c->lane, c->visit);
    c->visit = NULL;
}

/* ---- connections ---- */

static void link_newest(struct connection *c)
{
    struct lane *lane = c->lane;

    c->newer = NULL;
    c->older = lane->newest;
    if (lane->newest != NULL)
        lane->newest->newer = c;
    else
        lane->oldest = c;
    lane->newest = c;
}

static void unlink_one(struct connection *c)
{
    struct lane *lane = c->lane;

    if (c->newer != NULL)
        c->newer->older = c->older;
    else
        lane->newest = c->older;
    if (c->older != NULL)
        c->older->newer = c->newer;
    else
        lane->oldest = c->newer;
}

/* The library sees the first byte of a request and we do not: its first line
 * has to be here in this time too. */
static void become_idle(struct connection *c)
{
    c->idle_since = clock_now();
    c->deadline = c->idle_since + c->lane->rules->timeout;
}

struct connection *connection_new(struct lane *lane, struct MHD_Connection *mhd,
                                  int fd, uint64_t client)
{
    struct connection *c = mem_array(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->lane = lane;
    c->mhd = mhd;
    c->fd = fd;
    c->client = client;
    c->linger_fd = -1;
    become_idle(c);
    usec latest = c->idle_since + HANDSHAKE_TIME;
    if (lane->rules->tls != NULL && c->deadline > latest)
        c->deadline = latest;
    link_newest(c);
    return c;
}

void connection_opened(struct connection *c)
{
    become_idle(c);
}

void connection_free(struct connection *c)
{
    if (c == NULL)
        return;
    end_visit(c, false);
    if (c->linger_fd >= 0)
        linger_add(&c->lane->lingering, c->linger_fd);
    unlink_one(c);
    mem_free(c);
}

bool connection_begin(struct connection *c, const char *target)
{
    end_visit(c, false);
    struct visit *v = take_visit(c->lane);
    if (v == NULL)
        return false;
    v->connection = c;
    v->away = false;
    v->back = false;
    v->quiet = false;
    v->told = false;
    v->asked = false;
    c->visit = v;
    v->exchange.client = c->client;
    bool begun = exchange_begin(&v->exchange, target);
    c->deadline = v->exchange.begun + c->lane->rules->request_timeout;
    return begun;
}

void connection_replies(struct connection *c)
{
    size_t bytes = c->visit->exchange.response.body.length;

    c->deadline = clock_now() + c->lane->rules->request_timeout +
                  (usec)(bytes / SLOWEST_BYTES_PER_SECOND) * SECOND;
}

void connection_end(struct connection *c, bool sent)
{
    end_visit(c, sent);
    become_idle(c);
    unlink_one(c);
    link_newest(c);
}

/* ---- streams ---- */

enum stream_state connection_stream(struct connection *c, char *to, size_t room,
                                    size_t *n)
{
    struct lane *lane = c->lane;
    struct stream *s = &c->visit->exchange.stream;
    usec patience = lane->draining ? DRAIN_RECEIVE : lane->rules->timeout;

    if (lane->draining)
        stream_finish(s);
    enum stream_state state = stream_look(s);
    *n = state == STREAM_SAYS ? stream_take(s, to, room) : 0;
    if (state == STREAM_QUIET) {
        c->visit->quiet = true;
        c->deadline = 0;
        lane->n_quiet++;
    } else {
        c->deadline = clock_now() + patience;
    }
    return state;
}

static bool is_quiet(const struct connection *c)
{
    return c->visit != NULL && c->visit->quiet;
}

/* To be called again by the library; connection_stream says what is next. */
static void wake(struct connection *c)
{
    c->visit->quiet = false;
    c->lane->n_quiet--;
    http_resume(c);
}

/* A suspended connection does not see its client go. One that only says that
 * it will send no more looks the same; event sources do not. */
static bool client_is_gone(const struct connection *c)
{
    struct pollfd fd = {.fd = c->fd, .events = POLLRDHUP};

    return poll(&fd, 1, 0) > 0;
}

static void look_at_streams(struct lane *lane, usec now)
{
    for (struct connection *c = lane->oldest; c != NULL; c = c->newer) {
        if (!is_quiet(c))
            continue;
        struct stream *s = &c->visit->exchange.stream;
        if (client_is_gone(c))
            stream_break(s);
        if (stream_look(s) != STREAM_QUIET)
            wake(c);
    }
    lane->next_look = now + STREAM_LOOK;
}

/* ---- the clock ---- */

/* The daemon finds the socket closed by both sides, and lets it go. */
static void cut(struct connection *c)
{
    shutdown(c->fd, SHUT_RDWR);
    c->deadline = 0;
    if (is_quiet(c)) {
        stream_break(&c->visit->exchange.stream);
        wake(c);
    }
}

/* A whole head, but not the body: it can be told why. */
static void refuse_late(struct connection *c)
{
    struct exchange *x = &c->visit->exchange;
    char detail[120];

    x->response.account.refusal = METERS_SLOW_CLIENT;
    snprintf(detail, sizeof detail,
             "the whole request was not received within %.1f s "
             "(--request-timeout)",
             (double)(clock_now() - x->begun) / 1e6);
    exchange_refuse(x, 408, detail);
    c->visit->told = http_tell(c);
}

static void end_late(struct connection *c)
{
    const struct exchange *x = c->visit != NULL ? &c->visit->exchange : NULL;

    if (x != NULL && x->decided && !x->answered)
        refuse_late(c);
    else if (x != NULL)
        log_event(LOG_INFO, "http", "cut", "why=%s",
                  x->answered ? "reply-not-taken" : "request-not-received");
    cut(c);
}

static void sweep(struct lane *lane, usec now)
{
    int makes_room = atomic_load(&lane->rules->crowded) ? CROWDED_CUTS : 0;
    struct connection *newer;

    for (struct connection *c = lane->oldest; c != NULL; c = newer) {
        usec idle = c->visit == NULL ? now - c->idle_since : 0;
        newer = c->newer;
        if (c->deadline != 0 && now > c->deadline) {
            end_late(c);
        } else if (lane->draining && idle > DRAIN_IDLE &&
                   now - lane->drain_start > DRAIN_IDLE) {
            cut(c);
        } else if (makes_room > 0 && idle > CROWDED_IDLE) {
            cut(c);
            makes_room--;
        }
    }
    lane->next_sweep = now + (lane->draining ? DRAIN_SWEEP : SWEEP);
}

/* What comes first; -1 is never. */
static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int wait_ms(void *arg)
{
    struct lane *lane = arg;
    int own = lane->lingering.n > 0 ? LINGER_WAIT_MS
              : lane->n == 0        ? -1
              : lane->draining      ? (int)(DRAIN_SWEEP / 1000)
                                    : (int)(SWEEP / 1000);

    if (lane->n_quiet > 0) {
        usec left = lane->next_look - clock_now();
        own = sooner(own, left > 0 ? (int)(left / 1000) + 1 : 0);
    }
    return sooner(http_wait_ms(lane), own);
}

static void run(void *arg)
{
    struct lane *lane = arg;

    lane->round = clock_now();
    http_run(lane);
    if (lane->lingering.n > 0)
        linger_run(&lane->lingering);
    usec now = clock_now();
    if (now >= lane->next_sweep)
        sweep(lane, now);
    if (lane->n_quiet > 0 && now >= lane->next_look)
        look_at_streams(lane, now);
}

/* ---- start and stop ---- */

static void drain_now(struct poller_task *t)
{
    struct lane *lane =
        (struct lane *)((char *)t - offsetof(struct lane, drain));
    usec now = clock_now();
    usec latest = now + DRAIN_RECEIVE;

    lane->draining = true;
    lane->drain_start = now;
    lane->next_sweep = 0;
    for (struct connection *c = lane->oldest; c != NULL; c = c->newer) {
        if (is_quiet(c))
            wake(c);
        /* One that is with another thread has no deadline. */
        else if (c->deadline > latest && c->visit != NULL &&
                 (!c->visit->exchange.answered ||
                  stream_is_open(&c->visit->exchange.stream)))
            c->deadline = latest;
    }
}

static void cut_now(struct poller_task *t)
{
    struct lane *lane = (struct lane *)((char *)t - offsetof(struct lane, cut));

    for (struct connection *c = lane->oldest; c != NULL; c = c->newer) {
        if (c->visit != NULL && c->visit->away)
            continue;
        if (c->visit != NULL && c->visit->exchange.answered &&
            !stream_is_open(&c->visit->exchange.stream))
            atomic_fetch_add(&lane->rules->lost, 1);
        cut(c);
    }
}

enum err_code lane_start(struct lane *lane, struct lane_rules *rules,
                         struct err *e)
{
    lane->rules = rules;
    lane->drain.run = drain_now;
    lane->cut.run = cut_now;
    if (http_start(lane, e) != ERR_OK)
        return e->code;
    struct poller_work work = {
        .arg = lane, .fd = http_fd(lane), .wait_ms = wait_ms, .run = run};
    lane->poller = poller_new("poller", &work, e);
    return lane->poller != NULL ? ERR_OK : e->code;
}

void lane_drain(struct lane *lane)
{
    poller_post(lane->poller, &lane->drain);
}

void lane_cut(struct lane *lane)
{
    poller_post(lane->poller, &lane->cut);
}

void lane_stop(struct lane *lane)
{
    poller_free(lane->poller);
    http_stop(lane);
    linger_fini(&lane->lingering);
    while (lane->unused != NULL) {
        struct visit *v = lane->unused;
        lane->unused = v->next;
        free_visit(v);
    }
}
