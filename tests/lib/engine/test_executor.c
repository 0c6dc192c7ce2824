/* Executor: every ticket runs once, in the order of promises; what would wait
 * too long is refused; short ones run beside long ones.
 */
#include "lib/base/lock.h"
#include "lib/engine/executor.h"

#include <check.h>
#include <stdatomic.h>
#include <string.h>

Suite *suite_executor(void);

#define TICKETS 1000
#define MS ((nsec)1000000)
#define SECOND (1000 * MS)

static struct costs costs;
static atomic_int n_run;

/* A ticket that says when it runs, and may wait at a gate. */
struct job {
    struct ticket ticket;
    struct gate *gate;
    atomic_int runs;
    atomic_int place; /* the how manieth of all that ran, from 1 */
    atomic_bool late;
    pthread_t thread;
};

struct gate {
    struct lock lock;
    struct cond changed;
    int waiting; /* jobs at the gate */
    bool open;
};

static void gate_init(struct gate *g)
{
    *g = (struct gate){.open = false};
    lock_init(&g->lock);
    cond_init(&g->changed);
}

static void gate_open(struct gate *g)
{
    lock_take(&g->lock);
    g->open = true;
    cond_broadcast(&g->changed);
    lock_drop(&g->lock);
}

/* Until n jobs stand at the gate; false after ten seconds. */
static bool gate_await(struct gate *g, int n)
{
    usec deadline = clock_now() + 10 * 1000000;
    bool there = true;

    lock_take(&g->lock);
    while (there && g->waiting < n)
        there = cond_wait_until(&g->changed, &g->lock, deadline);
    lock_drop(&g->lock);
    return there;
}

static enum ticket_end run(struct ticket *t, bool late)
{
    struct job *job = (struct job *)t; /* its first member */

    job->thread = pthread_self();
    atomic_store(&job->late, late);
    atomic_store(&job->place, atomic_fetch_add(&n_run, 1) + 1);
    if (job->gate != NULL) {
        lock_take(&job->gate->lock);
        job->gate->waiting++;
        cond_broadcast(&job->gate->changed);
        while (!job->gate->open)
            cond_wait(&job->gate->changed, &job->gate->lock);
        lock_drop(&job->gate->lock);
    }
    return TICKET_UNUSUAL;
}

static void note_end(struct ticket *t)
{
    struct job *job = (struct job *)t;

    atomic_fetch_add(&job->runs, 1);
}

/* A ticket that is thought to take so long. */
static void job_init(struct job *job, nsec cost, struct gate *gate)
{
    static uint64_t n;

    memset(job, 0, sizeof *job);
    n++;
    job->ticket.run = run;
    job->ticket.done = note_end;
    job->ticket.kind.kind = cost_hash(1, &n, sizeof n);
    job->ticket.kind.family = job->ticket.kind.kind;
    job->ticket.kind.units = 1;
    cost_learn(&costs, &job->ticket.kind, cost);
    job->gate = gate;
}

static struct executor *start(size_t threads, nsec queue)
{
    struct executor *x = executor_new(&(struct executor_settings){
        .threads = threads, .queue = queue, .costs = &costs});

    ck_assert_ptr_nonnull(x);
    atomic_store(&n_run, 0);
    return x;
}

static bool submit(struct executor *x, struct job *job)
{
    nsec retry;

    return executor_submit(x, &job->ticket, &retry);
}

/* Whether it has run, within ten seconds. */
static bool await_run(struct job *job)
{
    usec until = clock_now() + 10 * 1000000;

    while (atomic_load(&job->runs) == 0 && clock_now() < until)
        clock_sleep(500);
    return atomic_load(&job->runs) > 0;
}

START_TEST(every_ticket_runs_once_on_another_thread)
{
    static struct job jobs[TICKETS];
    struct executor *x = start(3, 3600 * SECOND);

    for (int i = 0; i < TICKETS; i++) {
        job_init(&jobs[i], MS, NULL);
        ck_assert(submit(x, &jobs[i]));
    }
    executor_free(x);
    for (int i = 0; i < TICKETS; i++) {
        ck_assert_int_eq(atomic_load(&jobs[i].runs), 1);
        ck_assert(!atomic_load(&jobs[i].late));
        ck_assert(!pthread_equal(jobs[i].thread, pthread_self()));
    }
}
END_TEST

START_TEST(what_would_wait_longer_than_it_takes_is_refused)
{
    struct gate gate;
    struct job jobs[4];
    struct executor *x = start(1, 0);
    nsec retry = 0;

    gate_init(&gate);
    for (int i = 0; i < 4; i++)
        job_init(&jobs[i], 100 * SECOND, &gate);
    ck_assert(submit(x, &jobs[0]));
    ck_assert(gate_await(&gate, 1));
    ck_assert(submit(x, &jobs[1])); /* a hundred seconds, and it takes that */
    ck_assert(!executor_submit(x, &jobs[2].ticket, &retry)); /* two hundred */
    ck_assert_int_gt(retry, 80 * SECOND);
    ck_assert_int_le(retry, 100 * SECOND);
    ck_assert(!submit(x, &jobs[3]));
    gate_open(&gate);
    executor_free(x);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(atomic_load(&jobs[i].runs), i < 2);
}
END_TEST

START_TEST(a_burst_may_wait_as_long_as_was_set)
{
    struct gate gate;
    struct job jobs[12];
    struct executor *x = start(1, 10 * SECOND);
    int taken = 0;

    gate_init(&gate);
    for (int i = 0; i < 12; i++)
        job_init(&jobs[i], 2 * SECOND, &gate);
    ck_assert(submit(x, &jobs[0]));
    ck_assert(gate_await(&gate, 1));
    for (int i = 1; i < 12; i++)
        taken += submit(x, &jobs[i]);
    ck_assert_int_eq(taken, 5); /* the last of them waits for ten seconds */
    executor_set_queue(x, 100 * SECOND);
    ck_assert(submit(x, &jobs[11]));
    gate_open(&gate);
    executor_free(x);
}
END_TEST

START_TEST(under_overload_nobody_waits_for_long)
{
    struct gate gate, later;
    struct job jobs[40];
    struct executor *x = start(1, 100 * SECOND);
    int i = 0;

    gate_init(&gate);
    gate_init(&later);
    for (int j = 0; j < 40; j++)
        job_init(&jobs[j], 20 * SECOND, j == 30 ? &later : &gate);
    ck_assert(submit(x, &jobs[i++]));
    ck_assert(gate_await(&gate, 1));
    while (submit(x, &jobs[i]))
        i++;
    ck_assert_int_eq(i, 6);
    for (; i < 30; i++)
        ck_assert_msg(!submit(x, &jobs[i]), "number %d", i);
    gate_open(&gate);
    ck_assert(await_run(&jobs[5]));
    /* All is done, and what was refused is not forgotten. */
    ck_assert(submit(x, &jobs[30]));
    ck_assert(gate_await(&later, 1));
    ck_assert(!submit(x, &jobs[31])); /* twenty seconds: more than half */
    gate_open(&later);
    executor_free(x);
}
END_TEST

START_TEST(short_ones_go_first_and_none_is_passed_for_ever)
{
    struct gate gate;
    struct job first, slow, middle, quick, late;
    struct executor *x = start(1, 3600 * SECOND);

    gate_init(&gate);
    job_init(&first, 100 * MS, &gate);
    job_init(&slow, 300 * MS, NULL);
    job_init(&middle, 200 * MS, NULL);
    job_init(&quick, 150 * MS, NULL);
    job_init(&late, 140 * MS, NULL);
    ck_assert(submit(x, &first));
    ck_assert(gate_await(&gate, 1));
    ck_assert(submit(x, &slow));
    ck_assert(submit(x, &middle));
    ck_assert(submit(x, &quick));
    clock_sleep(200000); /* longer than what the slow one takes more */
    ck_assert(submit(x, &late));
    gate_open(&gate);
    executor_free(x);
    ck_assert_int_eq(atomic_load(&quick.place), 2);
    ck_assert_int_eq(atomic_load(&middle.place), 3);
    ck_assert_int_eq(atomic_load(&slow.place), 4);
    ck_assert_int_eq(atomic_load(&late.place), 5);
}
END_TEST

START_TEST(a_short_one_runs_beside_a_long_one)
{
    struct gate gate;
    struct job slow, other, quick;
    struct executor *x = start(1, 3600 * SECOND);

    gate_init(&gate);
    job_init(&slow, 100 * SECOND, &gate);
    job_init(&other, 90 * SECOND, &gate);
    job_init(&quick, MS, NULL);
    ck_assert(submit(x, &slow));
    ck_assert(gate_await(&gate, 1));
    ck_assert(submit(x, &other));
    ck_assert(submit(x, &quick));
    ck_assert(await_run(&quick));
    ck_assert_int_eq(atomic_load(&other.place), 0);
    gate_open(&gate);
    executor_free(x);
}
END_TEST

START_TEST(a_long_one_gives_short_ones_half_of_its_time)
{
    struct gate gate;
    struct job slow, quick[7];
    struct executor *x = start(1, 0);

    gate_init(&gate);
    job_init(&slow, 100 * SECOND, &gate);
    ck_assert(submit(x, &slow));
    ck_assert(gate_await(&gate, 1));
    for (int i = 0; i < 7; i++) {
        job_init(&quick[i], 9 * SECOND, NULL);
        ck_assert_int_eq(submit(x, &quick[i]), i < 5);
        ck_assert(i >= 5 || await_run(&quick[i]));
    }
    gate_open(&gate);
    executor_free(x);
}
END_TEST

START_TEST(no_promise_is_broken_for_a_newcomer)
{
    struct gate gate;
    struct job running, waiting, quick;
    struct executor *x = start(1, 0);

    gate_init(&gate);
    job_init(&running, 20 * SECOND, &gate);
    job_init(&waiting, 21 * SECOND, &gate);
    job_init(&quick, 19 * SECOND, &gate);
    ck_assert(submit(x, &running));
    ck_assert(gate_await(&gate, 1));
    ck_assert(submit(x, &waiting));
    /* It would go first, and the other one begin too late. */
    ck_assert(!submit(x, &quick));
    gate_open(&gate);
    executor_free(x);
}
END_TEST

START_TEST(as_many_work_together_as_there_are_threads)
{
    struct gate gate;
    struct job jobs[4];
    struct executor *x = start(3, 3600 * SECOND);

    gate_init(&gate);
    for (int i = 0; i < 4; i++) {
        job_init(&jobs[i], SECOND, &gate);
        ck_assert(submit(x, &jobs[i]));
    }
    ck_assert(gate_await(&gate, 3));
    clock_sleep(20000);
    ck_assert_int_eq(atomic_load(&n_run), 3);
    gate_open(&gate);
    executor_free(x);
}
END_TEST

START_TEST(a_ticket_past_its_deadline_is_told_so)
{
    struct gate gate;
    struct job first, late, in_time;
    struct executor *x = start(1, 3600 * SECOND);

    gate_init(&gate);
    job_init(&first, MS, &gate);
    job_init(&late, MS, NULL);
    job_init(&in_time, MS, NULL);
    ck_assert(submit(x, &first));
    ck_assert(gate_await(&gate, 1));
    late.ticket.deadline = clock_now() + 5000;
    in_time.ticket.deadline = clock_now() + (usec)3600 * 1000000;
    ck_assert(submit(x, &late));
    ck_assert(submit(x, &in_time));
    clock_sleep(10000);
    gate_open(&gate);
    executor_free(x);
    ck_assert(!atomic_load(&first.late));
    ck_assert(atomic_load(&late.late));
    ck_assert_int_eq(atomic_load(&late.runs), 1);
    ck_assert(!atomic_load(&in_time.late));
}
END_TEST

START_TEST(room_is_told_without_taking_it)
{
    struct gate gate;
    struct job running, other;
    atomic_size_t waiting = 9;
    atomic_uint_fast64_t waiting_ns = 9;
    struct executor *x =
        executor_new(&(struct executor_settings){.threads = 1,
                                                 .costs = &costs,
                                                 .waiting = &waiting,
                                                 .waiting_ns = &waiting_ns});
    nsec retry;

    gate_init(&gate);
    job_init(&running, 50 * SECOND, &gate);
    job_init(&other, 51 * SECOND, &gate);
    ck_assert(executor_has_room(x, &running.ticket.kind, &retry));
    ck_assert(submit(x, &running));
    ck_assert(gate_await(&gate, 1));
    ck_assert_uint_eq(atomic_load(&waiting), 0);
    for (int i = 0; i < 3; i++)
        ck_assert(executor_has_room(x, &other.ticket.kind, &retry));
    ck_assert(submit(x, &other));
    ck_assert_uint_eq(atomic_load(&waiting), 1);
    ck_assert_uint_gt(atomic_load(&waiting_ns), (uint64_t)(50 * SECOND));
    ck_assert(!executor_has_room(x, &other.ticket.kind, &retry));
    gate_open(&gate);
    executor_free(x);
    ck_assert_uint_eq(atomic_load(&waiting), 0);
    ck_assert_uint_eq(atomic_load(&waiting_ns), 0);
}
END_TEST

/* Does next to nothing, and says that it is worth knowing. */
static enum ticket_end run_well(struct ticket *t, bool late)
{
    (void)run(t, late);
    return TICKET_USUAL;
}

START_TEST(what_runs_tells_what_its_kind_costs)
{
    struct job jobs[60];
    struct executor *x = start(1, 3600 * SECOND);

    job_init(&jobs[0], SECOND, NULL);
    for (int i = 0; i < 60; i++) {
        if (i > 0)
            jobs[i] = (struct job){.ticket.kind = jobs[0].ticket.kind,
                                   .ticket.done = note_end};
        jobs[i].ticket.run = run_well;
        ck_assert(submit(x, &jobs[i]));
        ck_assert(await_run(&jobs[i]));
    }
    executor_free(x);
    ck_assert_int_lt(cost_estimate(&costs, &jobs[0].ticket.kind), 20 * MS);
}
END_TEST

START_TEST(freeing_lets_the_queue_finish)
{
    struct gate gate;
    struct job jobs[5];
    struct executor *x = start(1, 3600 * SECOND);

    gate_init(&gate);
    gate_open(&gate);
    for (int i = 0; i < 5; i++) {
        job_init(&jobs[i], MS, &gate);
        ck_assert(submit(x, &jobs[i]));
    }
    executor_free(x);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(atomic_load(&jobs[i].runs), 1);
}
END_TEST

Suite *suite_executor(void)
{
    Suite *s = suite_create("executor");
    TCase *t = tcase_create("tickets");

    tcase_add_test(t, every_ticket_runs_once_on_another_thread);
    tcase_add_test(t, as_many_work_together_as_there_are_threads);
    tcase_add_test(t, a_ticket_past_its_deadline_is_told_so);
    tcase_add_test(t, freeing_lets_the_queue_finish);
    tcase_add_test(t, what_runs_tells_what_its_kind_costs);
    suite_add_tcase(s, t);
    t = tcase_create("promises");
    tcase_add_test(t, what_would_wait_longer_than_it_takes_is_refused);
    tcase_add_test(t, a_burst_may_wait_as_long_as_was_set);
    tcase_add_test(t, under_overload_nobody_waits_for_long);
    tcase_add_test(t, short_ones_go_first_and_none_is_passed_for_ever);
    tcase_add_test(t, a_short_one_runs_beside_a_long_one);
    tcase_add_test(t, a_long_one_gives_short_ones_half_of_its_time);
    tcase_add_test(t, no_promise_is_broken_for_a_newcomer);
    tcase_add_test(t, room_is_told_without_taking_it);
    suite_add_tcase(s, t);
    return s;
}
