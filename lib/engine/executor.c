/* Executor: threads that take tickets from one bounded queue.
 */
#include "lib/engine/executor.h"

#include "lib/base/lock.h"
#include "lib/base/mem.h"
#include "lib/base/queue.h"

#include <assert.h>

struct executor {
    struct queue *queue;
    size_t n_threads;
    pthread_t threads[];
};

static void *run(void *arg)
{
    struct executor *x = arg;
    struct ticket *t;

    while ((t = queue_pop(x->queue)) != NULL)
        t->run(t, t->deadline != 0 && clock_now() > t->deadline);
    return NULL;
}

struct executor *executor_new(size_t threads, size_t capacity)
{
    size_t bytes;

    assert(threads > 0 && capacity > 0);
    if (!mem_mul(threads, sizeof(pthread_t), &bytes))
        return NULL;
    struct executor *x = mem_array(1, sizeof *x + bytes);
    if (x == NULL)
        return NULL;
    x->queue = queue_new(capacity);
    if (x->queue == NULL) {
        mem_free(x);
        return NULL;
    }
    x->n_threads = threads;
    for (size_t i = 0; i < threads; i++)
        x->threads[i] = thread_start("executor", run, x);
    return x;
}

void executor_free(struct executor *x)
{
    if (x == NULL)
        return;
    queue_close(x->queue);
    for (size_t i = 0; i < x->n_threads; i++)
        thread_join(x->threads[i]);
    queue_free(x->queue);
    mem_free(x);
}

bool executor_submit(struct executor *x, struct ticket *t)
{
    return queue_push(x->queue, t);
}
