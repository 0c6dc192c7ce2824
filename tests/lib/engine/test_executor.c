/* Executor: every ticket runs once, a full queue refuses, late ones are told.
 */
#include "lib/base/lock.h"
#include "lib/engine/executor.h"

#include <check.h>
#include <stdatomic.h>

Suite *suite_executor(void);

#define TICKETS 2000

/* A ticket that says when it runs, and may wait at a gate. */
struct job {
    struct ticket ticket;
    struct gate *gate;
    atomic_int runs;
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

static void run(struct ticket *t, bool late)
{
    struct job *job = (struct job *)t; /* its first member */

    job->thread = pthread_self();
    atomic_store(&job->late, late);
    if (job->gate != NULL) {
        lock_take(&job->gate->lock);
        job->gate->waiting++;
        cond_broadcast(&job->gate->changed);
        while (!job->gate->open)
            cond_wait(&job->gate->changed, &job->gate->lock);
        lock_drop(&job->gate->lock);
    }
    atomic_fetch_add(&job->runs, 1);
}

START_TEST(every_ticket_runs_once_on_another_thread)
{
    static struct job jobs[TICKETS];
    struct executor *x = executor_new(3, TICKETS);

    ck_assert_ptr_nonnull(x);
    for (int i = 0; i < TICKETS; i++) {
        jobs[i].ticket.run = run;
        ck_assert(executor_submit(x, &jobs[i].ticket));
    }
    executor_free(x);
    for (int i = 0; i < TICKETS; i++) {
        ck_assert_int_eq(atomic_load(&jobs[i].runs), 1);
        ck_assert(!atomic_load(&jobs[i].late));
        ck_assert(!pthread_equal(jobs[i].thread, pthread_self()));
    }
}
END_TEST

START_TEST(a_full_queue_refuses_at_once)
{
    struct gate gate;
    struct job jobs[4] = {{.runs = 0}};
    struct executor *x = executor_new(1, 2);

    gate_init(&gate);
    for (int i = 0; i < 4; i++) {
        jobs[i].ticket.run = run;
        jobs[i].gate = &gate;
    }
    ck_assert(executor_submit(x, &jobs[0].ticket));
    ck_assert(gate_await(&gate, 1)); /* taken out of the queue */
    ck_assert(executor_submit(x, &jobs[1].ticket));
    ck_assert(executor_submit(x, &jobs[2].ticket));
    ck_assert(!executor_submit(x, &jobs[3].ticket));
    gate_open(&gate);
    executor_free(x);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(atomic_load(&jobs[i].runs), i < 3);
}
END_TEST

START_TEST(as_many_work_together_as_there_are_threads)
{
    struct gate gate;
    struct job jobs[3] = {{.runs = 0}};
    struct executor *x = executor_new(3, 8);

    gate_init(&gate);
    for (int i = 0; i < 3; i++) {
        jobs[i].ticket.run = run;
        jobs[i].gate = &gate;
        ck_assert(executor_submit(x, &jobs[i].ticket));
    }
    ck_assert(gate_await(&gate, 3));
    gate_open(&gate);
    executor_free(x);
}
END_TEST

START_TEST(a_ticket_past_its_deadline_is_told_so)
{
    struct gate gate;
    struct job first = {.ticket = {.run = run}, .gate = &gate};
    struct job late = {.ticket = {.run = run}};
    struct job in_time = {.ticket = {.run = run}};
    struct executor *x = executor_new(1, 4);

    gate_init(&gate);
    ck_assert(executor_submit(x, &first.ticket));
    ck_assert(gate_await(&gate, 1));
    late.ticket.deadline = clock_now() + 5000;
    in_time.ticket.deadline = clock_now() + (usec)3600 * 1000000;
    ck_assert(executor_submit(x, &late.ticket));
    ck_assert(executor_submit(x, &in_time.ticket));
    clock_sleep(10000);
    gate_open(&gate);
    executor_free(x);
    ck_assert(!atomic_load(&first.late));
    ck_assert(atomic_load(&late.late));
    ck_assert_int_eq(atomic_load(&late.runs), 1);
    ck_assert(!atomic_load(&in_time.late));
}
END_TEST

START_TEST(freeing_lets_the_queue_finish)
{
    struct gate gate;
    struct job jobs[5] = {{.runs = 0}};
    struct executor *x = executor_new(1, 8);

    gate_init(&gate);
    gate_open(&gate);
    for (int i = 0; i < 5; i++) {
        jobs[i].ticket.run = run;
        jobs[i].gate = &gate;
        ck_assert(executor_submit(x, &jobs[i].ticket));
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
    tcase_add_test(t, a_full_queue_refuses_at_once);
    tcase_add_test(t, as_many_work_together_as_there_are_threads);
    tcase_add_test(t, a_ticket_past_its_deadline_is_told_so);
    tcase_add_test(t, freeing_lets_the_queue_finish);
    suite_add_tcase(s, t);
    return s;
}
