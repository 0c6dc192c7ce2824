/* Executor: tickets in a list by promise, seats for what runs, and a forecast
 * of who begins when.
 */
#include "lib/engine/executor.h"

#include "lib/base/lock.h"
#include "lib/base/mem.h"

#include <assert.h>

#define MS ((nsec)1000000)
/* Under overload a ticket may wait for this part of what it takes, or so long
 * if it is short. */
#define TIGHT_SHARE 4
#define LEAST_WAIT (2 * MS)
/* So many times longer must run what a ticket is run beside. */
#define MUCH_SHORTER 4
/* Lanes, which answer quick requests, come first. */
#define NICE 5
/* How often it is looked whether what runs takes longer than was thought. */
#define LOOK ((usec)5000)
/* Of wall time and processor time of what ran. */
#define NEWEST 0.0625
#define SLOWEST 8.0

/* What runs; a copy, since the ticket may be gone before its thread is back. */
struct job {
    bool on;
    nsec begun, cost;
    nsec given;       /* what guests will have taken from it */
    struct job *host; /* of a guest */
};

struct seat {
    struct job job;
    struct job guest; /* much shorter, on a thread of its own */
    /* Of a forecast: when the seat is free, and for a guest. */
    nsec free, guest_free, given;
    bool has_job;
};

struct executor {
    struct costs *costs;
    atomic_size_t *n_told;
    atomic_uint_fast64_t *ns_told;
    struct lock lock;
    struct cond some; /* a ticket that can be taken has come, or the end */
    /* All below guarded by lock. */
    nsec queue;
    struct ticket *first; /* by promise */
    size_t n_waiting;
    nsec waiting_ns;
    nsec refused; /* work that was, and that idle seats did not make up for */
    nsec looked;
    double slowness; /* wall time / processor time */
    bool closed;
    size_t n_seats;
    size_t n_threads;
    pthread_t *threads; /* two a seat */
    struct seat seats[];
};

/* ---- what will happen when ---- */

static nsec wall_time(const struct executor *x, nsec cost)
{
    return (nsec)((double)cost * x->slowness);
}

/* What has outrun its estimate takes as much longer again. */
static nsec left(const struct executor *x, const struct job *j, nsec now)
{
    nsec took = now - j->begun, takes = wall_time(x, j->cost);

    return !j->on ? 0 : took < takes ? takes - took : took - takes;
}

/* Whether the ticket may run beside the seat's job, which has given guests so
 * much: it goes on slower, by half at most, unless nobody knows how long it
 * takes. */
static bool lets_by(const struct executor *x, const struct seat *s, nsec given,
                    const struct ticket *t, nsec now)
{
    nsec whole = wall_time(x, s->job.cost), takes = wall_time(x, t->cost);

    return s->job.on && takes * MUCH_SHORTER <= left(x, &s->job, now) &&
           (given + takes <= whole / 2 || now - s->job.begun > 2 * whole);
}

static void begin_forecast(struct executor *x, nsec now)
{
    for (size_t i = 0; i < x->n_seats; i++) {
        struct seat *s = &x->seats[i];
        s->guest_free = left(x, &s->guest, now);
        s->free = left(x, &s->job, now) + s->guest_free;
        s->given = s->job.given;
        s->has_job = s->job.on;
    }
}

/* How long from now until the ticket begins, those placed before it first. */
static nsec place(struct executor *x, const struct ticket *t, nsec now)
{
    struct seat *best = &x->seats[0], *beside = NULL;
    nsec takes = wall_time(x, t->cost);

    for (size_t i = 0; i < x->n_seats; i++) {
        struct seat *s = &x->seats[i];
        if (s->free < best->free)
            best = s;
        if (s->has_job &&
            (beside == NULL || s->guest_free < beside->guest_free) &&
            lets_by(x, s, s->given, t, now))
            beside = s;
    }
    nsec wait = best->free;
    if (beside != NULL && beside->guest_free < wait) {
        wait = beside->guest_free;
        beside->guest_free += takes;
        beside->given += takes;
        beside->free += takes;
        return wait;
    }
    best->free += takes;
    best->has_job = false;
    return wait;
}

/* Whether the ticket and all who wait would begin as promised if it were put
 * in now. `wait` becomes its own time to wait. */
static bool fits(struct executor *x, const struct ticket *t, nsec now,
                 nsec *wait)
{
    struct ticket *one = x->first;

    begin_forecast(x, now);
    for (; one != NULL && one->by <= t->by; one = one->next)
        (void)place(x, one, now);
    *wait = place(x, t, now);
    if (now + *wait > t->by)
        return false;
    for (; one != NULL; one = one->next) {
        if (now + place(x, one, now) > one->by)
            return false;
    }
    return true;
}

/* ---- tickets ---- */

static void tell(struct executor *x)
{
    if (x->n_told != NULL)
        atomic_store(x->n_told, x->n_waiting);
    if (x->ns_told != NULL)
        atomic_store(x->ns_told, (uint64_t)x->waiting_ns);
}

static void insert(struct executor *x, struct ticket *t)
{
    struct ticket **at = &x->first;

    while (*at != NULL && (*at)->by <= t->by)
        at = &(*at)->next;
    t->next = *at;
    *at = t;
    x->n_waiting++;
    x->waiting_ns += t->cost;
    tell(x);
}

static struct ticket *take_out(struct executor *x, struct ticket **at)
{
    struct ticket *t = *at;

    *at = t->next;
    x->n_waiting--;
    x->waiting_ns -= t->cost;
    tell(x);
    return t;
}

/* The next ticket that can run, and its place; NULL if none. */
static struct ticket **find_next(struct executor *x, nsec now, struct job **job)
{
    for (size_t i = 0; i < x->n_seats && x->first != NULL; i++) {
        *job = &x->seats[i].job;
        if (!(*job)->on)
            return &x->first;
    }
    for (struct ticket **at = &x->first; *at != NULL; at = &(*at)->next) {
        for (size_t i = 0; i < x->n_seats; i++) {
            struct seat *s = &x->seats[i];
            *job = &s->guest;
            if (!s->guest.on && lets_by(x, s, s->job.given, *at, now))
                return at;
        }
    }
    return NULL;
}

/* Seats that are idle could have done what was refused. */
static void forgive(struct executor *x, nsec now)
{
    for (size_t i = 0; i < x->n_seats; i++) {
        if (!x->seats[i].job.on)
            x->refused -= now - x->looked;
    }
    if (x->refused < 0)
        x->refused = 0;
    x->looked = now;
}

/* ---- threads ---- */

static void learn(struct executor *x, const struct cost_kind *kind, nsec cpu,
                  nsec wall)
{
    double slowness = (double)wall / (double)(cpu > 0 ? cpu : 1);

    cost_learn(x->costs, kind, cpu);
    if (slowness > SLOWEST)
        slowness = SLOWEST;
    x->slowness += NEWEST * (slowness - x->slowness);
    if (x->slowness < 1)
        x->slowness = 1;
}

/* Takes the ticket's place, runs it and gives the place back; under the lock,
 * which is dropped meanwhile. */
static void run_ticket(struct executor *x, struct ticket *t, struct job *job,
                       nsec now)
{
    const struct cost_kind kind = t->kind;
    bool late = t->deadline != 0 && now / 1000 > t->deadline;
    nsec cpu = clock_thread_ns();

    job->on = true;
    job->begun = now;
    job->cost = t->cost;
    job->given = 0;
    if (job->host != NULL)
        job->host->given += wall_time(x, t->cost);
    lock_drop(&x->lock);
    enum ticket_end end = t->run(t, late);
    cpu = clock_thread_ns() - cpu;
    lock_take(&x->lock);
    forgive(x, clock_now_ns());
    job->on = false;
    if (end != TICKET_UNUSUAL)
        learn(x, &kind, cpu, clock_now_ns() - now);
    if (end == TICKET_GIVEN)
        return;
    lock_drop(&x->lock);
    t->done(t);
    lock_take(&x->lock);
}

/* Waits for a ticket that this thread may run; NULL at the end. Under the
 * lock. */
static struct ticket *await_ticket(struct executor *x, struct job **job,
                                   nsec *now)
{
    for (;;) {
        *now = clock_now_ns();
        forgive(x, *now);
        struct ticket **at = find_next(x, *now, job);
        if (at != NULL)
            return take_out(x, at);
        if (x->first == NULL && x->closed)
            return NULL;
        if (x->first == NULL)
            cond_wait(&x->some, &x->lock);
        else
            cond_wait_until(&x->some, &x->lock, clock_now() + LOOK);
    }
}

static void *work(void *arg)
{
    struct executor *x = arg;
    struct ticket *t;
    struct job *job;
    nsec now;

    thread_nice(NICE);
    lock_take(&x->lock);
    while ((t = await_ticket(x, &job, &now)) != NULL)
        run_ticket(x, t, job, now);
    cond_broadcast(&x->some);
    lock_drop(&x->lock);
    return NULL;
}

/* ---- admission ---- */

static void note_refusal(struct executor *x, nsec cost, nsec calm)
{
    nsec most = 2 * calm * (nsec)x->n_seats;

    if (x->refused < most)
        x->refused += wall_time(x, cost);
}

/* Gives the ticket its promise; false if there is none for it. */
static bool promise(struct executor *x, struct ticket *t, nsec *retry)
{
    nsec now = clock_now_ns();
    nsec takes = wall_time(x, t->cost);
    nsec calm = x->queue > takes ? x->queue : takes;
    nsec share = t->cost / TIGHT_SHARE;
    nsec tight = share > LEAST_WAIT ? share : LEAST_WAIT;

    nsec wait;

    forgive(x, now);
    bool room = x->n_waiting < EXECUTOR_MAX_WAITING;
    t->by = now + x->queue + takes;
    if (fits(x, t, now, &wait) && room &&
        wait + x->refused / (nsec)x->n_seats <= calm)
        return true;
    *retry = wait - calm;
    t->by = now + tight;
    if (fits(x, t, now, &wait) && room)
        return true;
    if (*retry < wait - tight)
        *retry = wait - tight;
    note_refusal(x, t->cost, calm);
    return false;
}

bool executor_submit(struct executor *x, struct ticket *t, nsec *retry)
{
    struct job *job;

    t->cost = cost_estimate(x->costs, &t->kind);
    lock_take(&x->lock);
    bool taken = !x->closed && promise(x, t, retry);
    if (taken) {
        insert(x, t);
        if (find_next(x, clock_now_ns(), &job) != NULL)
            cond_signal(&x->some);
    }
    lock_drop(&x->lock);
    return taken;
}

bool executor_has_room(struct executor *x, const struct cost_kind *k,
                       nsec *retry)
{
    struct ticket t = {.cost = cost_estimate(x->costs, k)};

    lock_take(&x->lock);
    bool taken = promise(x, &t, retry);
    lock_drop(&x->lock);
    return taken;
}

void executor_set_queue(struct executor *x, nsec queue)
{
    lock_take(&x->lock);
    x->queue = queue;
    lock_drop(&x->lock);
}

/* ---- begin and end ---- */

struct executor *executor_new(const struct executor_settings *s)
{
    size_t bytes;

    assert(s->threads > 0 && s->costs != NULL);
    if (!mem_mul(s->threads, sizeof(struct seat), &bytes))
        return NULL;
    struct executor *x = mem_array(1, sizeof *x + bytes);
    if (x == NULL)
        return NULL;
    x->threads = mem_array(2 * s->threads, sizeof *x->threads);
    if (x->threads == NULL) {
        mem_free(x);
        return NULL;
    }
    x->costs = s->costs;
    x->n_told = s->waiting;
    x->ns_told = s->waiting_ns;
    x->queue = s->queue;
    x->slowness = 1;
    x->looked = clock_now_ns();
    x->n_seats = s->threads;
    lock_init(&x->lock);
    cond_init(&x->some);
    for (size_t i = 0; i < x->n_seats; i++)
        x->seats[i].guest.host = &x->seats[i].job;
    for (; x->n_threads < 2 * s->threads; x->n_threads++)
        x->threads[x->n_threads] = thread_start("executor", work, x);
    return x;
}

void executor_free(struct executor *x)
{
    if (x == NULL)
        return;
    lock_take(&x->lock);
    x->closed = true;
    cond_broadcast(&x->some);
    lock_drop(&x->lock);
    for (size_t i = 0; i < x->n_threads; i++)
        thread_join(x->threads[i]);
    cond_fini(&x->some);
    lock_fini(&x->lock);
    mem_free(x->threads);
    mem_free(x);
}
