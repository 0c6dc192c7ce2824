/* Bounded queue: order, bound, closing, many threads. */
#include "lib/base/clock.h"
#include "lib/base/lock.h"
#include "lib/base/mem.h"
#include "lib/base/queue.h"

#include <check.h>
#include <stdatomic.h>
#include <stdint.h>

Suite *suite_queue(void);

#define PRODUCERS 3
#define CONSUMERS 3
#define ITEMS_EACH 3000

START_TEST(items_come_out_in_order_across_the_end_of_the_ring)
{
    int items[5];
    struct queue *q = queue_new(3);

    ck_assert_ptr_nonnull(q);
    for (int round = 0; round < 5; round++) {
        ck_assert(queue_push(q, &items[0]));
        ck_assert(queue_push(q, &items[1]));
        ck_assert_ptr_eq(queue_pop(q), &items[0]);
        ck_assert(queue_push(q, &items[2]));
        ck_assert_ptr_eq(queue_pop(q), &items[1]);
        ck_assert_ptr_eq(queue_pop(q), &items[2]);
    }
    queue_free(q);
}
END_TEST

START_TEST(a_full_queue_refuses_at_once)
{
    int item;
    struct queue *q = queue_new(2);

    ck_assert(queue_push(q, &item));
    ck_assert(queue_push(q, &item));
    ck_assert(!queue_push(q, &item));
    queue_pop(q);
    ck_assert(queue_push(q, &item));
    queue_free(q);
}
END_TEST

START_TEST(a_closed_queue_hands_out_what_it_has)
{
    int item;
    struct queue *q = queue_new(4);

    ck_assert(queue_push(q, &item));
    queue_close(q);
    ck_assert(!queue_push(q, &item));
    ck_assert_ptr_eq(queue_pop(q), &item);
    ck_assert_ptr_null(queue_pop(q));
    ck_assert_ptr_null(queue_pop(q));
    queue_free(q);
    queue_free(NULL);
}
END_TEST

static void *pop_once(void *arg)
{
    return queue_pop(arg);
}

START_TEST(closing_wakes_all_who_wait)
{
    struct queue *q = queue_new(1);
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        threads[i] = thread_start("pop", pop_once, q);
    clock_sleep(20000); /* so that they do wait */
    queue_close(q);
    for (int i = 0; i < 3; i++)
        thread_join(threads[i]);
    queue_free(q);
}
END_TEST

struct crowd {
    struct queue *queue;
    atomic_bool done; /* the queue is about to be closed */
    atomic_int seen[PRODUCERS][ITEMS_EACH];
    int last[CONSUMERS][PRODUCERS]; /* each consumer writes its own row */
};

struct worker {
    struct crowd *crowd;
    int number;
    bool in_order;
    bool woken_early;
};

static void *produce(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < ITEMS_EACH; i++) {
        while (!queue_push(w->crowd->queue, &w->crowd->seen[w->number][i]))
            clock_sleep(10);
    }
    return NULL;
}

static void *consume(void *arg)
{
    struct worker *w = arg;
    atomic_int *first = &w->crowd->seen[0][0];
    atomic_int *item;

    w->in_order = true;
    while ((item = queue_pop(w->crowd->queue)) != NULL) {
        int position = (int)(item - first);
        int producer = position / ITEMS_EACH;
        int *last = &w->crowd->last[w->number][producer];
        if (position % ITEMS_EACH < *last)
            w->in_order = false;
        *last = position % ITEMS_EACH;
        atomic_fetch_add(item, 1);
    }
    w->woken_early = !atomic_load(&w->crowd->done);
    return NULL;
}

START_TEST(many_threads_lose_and_double_nothing)
{
    struct crowd *c = mem_array(1, sizeof *c);
    struct worker workers[PRODUCERS + CONSUMERS];
    pthread_t threads[PRODUCERS + CONSUMERS];

    c->queue = queue_new(16);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
        bool makes = i < PRODUCERS;
        workers[i] = (struct worker){c, makes ? i : i - PRODUCERS, true, false};
        threads[i] =
            thread_start("worker", makes ? produce : consume, &workers[i]);
    }
    for (int i = 0; i < PRODUCERS; i++)
        thread_join(threads[i]);
    atomic_store(&c->done, true);
    queue_close(c->queue);
    for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++) {
        thread_join(threads[i]);
        ck_assert(workers[i].in_order);
        ck_assert(!workers[i].woken_early);
    }
    for (int p = 0; p < PRODUCERS; p++) {
        for (int i = 0; i < ITEMS_EACH; i++)
            ck_assert_int_eq(atomic_load(&c->seen[p][i]), 1);
    }
    queue_free(c->queue);
    mem_free(c);
}
END_TEST

START_TEST(no_memory_gives_no_queue)
{
    for (size_t n = 0; n < 2; n++) {
        mem_fail_after(n);
        ck_assert_ptr_null(queue_new(4));
    }
    mem_fail_after(SIZE_MAX);
    ck_assert_ptr_null(queue_new(SIZE_MAX));
}
END_TEST

Suite *suite_queue(void)
{
    Suite *s = suite_create("queue");
    TCase *one = tcase_create("one thread");
    TCase *many = tcase_create("many threads");

    tcase_add_test(one, items_come_out_in_order_across_the_end_of_the_ring);
    tcase_add_test(one, a_full_queue_refuses_at_once);
    tcase_add_test(one, a_closed_queue_hands_out_what_it_has);
    tcase_add_test(one, no_memory_gives_no_queue);
    tcase_add_test(many, closing_wakes_all_who_wait);
    tcase_add_test(many, many_threads_lose_and_double_nothing);
    suite_add_tcase(s, one);
    suite_add_tcase(s, many);
    return s;
}
