/* Work: a whole request is answered, here or on another thread.
 *
 * Quick requests are answered on the lane's thread; slow ones become tickets of
 * the executor. Nobody is left to wait for a reply that comes too late: when
 * the lane itself is behind, or the executor has no room, a request is refused
 * at once; and work whose client has gone is dropped.
 */
#include "server/lane.h"

#include "server/admission.h"
#include "server/http.h"

#include <poll.h>
#include <sys/socket.h>

/* ---- the way back ---- */

/* Back on the lane's thread. */
static void come_back(struct poller_task *t)
{
    struct visit *v =
        (struct visit *)((char *)t - offsetof(struct visit, done));

    v->away = false;
    v->back = true;
    http_resume(v->connection);
}

/* The reply is ready; on any thread. */
static void send_back(void *arg)
{
    struct visit *v = arg;

    poller_post(v->connection->lane->poller, &v->done);
}

/* ---- whether anybody waits ---- */

static short look(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

/* A client that has closed its connection and one that only says that it will
 * send no more look the same: both sent FIN. The first answers whatever it is
 * sent by a reset. So, once, it is sent what any client must take at any time
 * before the reply (RFC 9110, 15.2), and 100 is the one that all do take. Not
 * through TLS, whose records only the library can make: there it counts as
 * waiting. On the executor's thread, while the connection is suspended. */
static bool is_wanted(void *arg)
{
    static const char still[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct visit *v = arg;
    const struct connection *c = v->connection;
    short seen = look(c->fd);

    if ((seen & POLLRDHUP) != 0 && !v->asked && v->takes_interim) {
        v->asked = true;
        (void)send(c->fd, still, sizeof still - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        seen = look(c->fd);
    }
    return (seen & (POLLERR | POLLHUP)) == 0;
}

/* ---- slow ---- */

/* What nobody waits for is not begun; true if it refused. */
static bool refuse_unwanted(struct visit *v, bool late)
{
    struct exchange *x = &v->exchange;
    usec deadline = x->request.deadline;

    if (!is_wanted(v)) {
        x->response.account.refusal = METERS_GONE;
        exchange_refuse(x, STATUS_CLIENT_GONE, "the client has gone");
        return true;
    }
    if (!late)
        return false;
    x->response.account.refusal = METERS_DEADLINE;
    exchange_refuse(x, 504,
                    deadline != 0 && clock_now() > deadline
                        ? "the request's time was over before its turn came: "
                          "try again later, or give it more time"
                        : "the request waited too long for its turn "
                          "(--deadline): try again later");
    return true;
}

static struct visit *visit_of(struct ticket *t)
{
    return (struct visit *)((char *)t - offsetof(struct visit, ticket));
}

/* On a thread of the executor, as the next one. */
static enum ticket_end run_ticket(struct ticket *t, bool late)
{
    struct visit *v = visit_of(t);

    account_lap(&v->exchange.response.account, STAGE_QUEUE);
    bool refused = refuse_unwanted(v, late);
    if (!exchange_run(&v->exchange))
        return TICKET_GIVEN;
    exchange_pack(&v->exchange);
    return !refused && v->exchange.response.status / 100 == 2 ? TICKET_USUAL
                                                              : TICKET_UNUSUAL;
}

static void end_ticket(struct ticket *t)
{
    send_back(visit_of(t));
}

/* True if it is on its way to the executor. */
static bool hand_over(struct visit *v)
{
    const struct lane_rules *rules = v->connection->lane->rules;
    struct exchange *x = &v->exchange;
    nsec retry;

    v->ticket.run = run_ticket;
    v->ticket.done = end_ticket;
    v->ticket.kind = api_cost(rules->exchange.api, &x->request);
    v->ticket.deadline = clock_now() + rules->deadline;
    if (x->request.deadline != 0 && x->request.deadline < v->ticket.deadline)
        v->ticket.deadline = x->request.deadline;
    x->request.wanted = is_wanted;
    x->request.wanted_arg = v;
    if (executor_submit(rules->exchange.executor, &v->ticket, &retry))
        return true;
    admission_refuse(x, retry);
    return false;
}

/* ---- packing ---- */

/* Of a reply whose packing is all that is left: if it has waited too long it
 * goes as it is. */
static enum ticket_end pack_ticket(struct ticket *t, bool late)
{
    if (!late)
        exchange_pack(&visit_of(t)->exchange);
    return late ? TICKET_UNUSUAL : TICKET_USUAL;
}

/* Whether another thread packs the reply; where they have no time for that, it
 * goes as it is. */
static bool pack_elsewhere(struct visit *v, const struct lane_rules *rules)
{
    static const char packing[] = "packing";
    uint64_t kind = cost_hash(0, packing, sizeof packing);
    nsec retry;

    v->ticket.run = pack_ticket;
    v->ticket.done = end_ticket;
    v->ticket.deadline = clock_now() + rules->deadline;
    v->ticket.kind = (struct cost_kind){
        .kind = kind,
        .family = kind,
        .units = v->exchange.response.body.length + 1,
    };
    return executor_submit(rules->exchange.executor, &v->ticket, &retry);
}

/* ---- all ---- */

bool connection_work(struct connection *c)
{
    struct lane *lane = c->lane;
    struct visit *v = c->visit;
    struct exchange *x = &v->exchange;

    c->deadline = 0;
    if (v->back)
        return true;
    account_skip(&x->response.account);
    v->done.run = come_back;
    x->ready = send_back;
    x->ready_arg = v;
    v->away = true;
    if (!admission_refuse_lag(x, lane->round) && exchange_is_slow(x) &&
        hand_over(v))
        return false;
    if (!exchange_run(x))
        return false;
    if (!exchange_is_long(x))
        exchange_pack(x);
    else if (pack_elsewhere(v, lane->rules))
        return false;
    v->away = false;
    return true;
}
