/* Poller: poll() on the descriptor and on an eventfd that stands for a list of
 * tasks.
 */
#include "server/poller.h"

#include "lib/base/lock.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct poller {
    struct poller_work work;
    int wake; /* eventfd */
    pthread_t thread;
    struct lock lock;
    struct poller_task *first, *last; /* guarded by lock */
    bool stop;                        /* guarded by lock */
};

static struct poller_task *take_tasks(struct poller *p, bool *stop)
{
    uint64_t count;

    /* Before the list is taken: a task posted later rings again. */
    while (read(p->wake, &count, sizeof count) < 0 && errno == EINTR)
        continue;
    lock_take(&p->lock);
    struct poller_task *tasks = p->first;
    p->first = NULL;
    p->last = NULL;
    *stop = p->stop;
    lock_drop(&p->lock);
    return tasks;
}

static void *run(void *arg)
{
    struct poller *p = arg;
    bool stop = false;

    while (!stop) {
        struct pollfd fds[] = {{.fd = p->wake, .events = POLLIN},
                               {.fd = p->work.fd, .events = POLLIN}};
        int wait_ms = p->work.wait_ms(p->work.arg);
        if (poll(fds, 2, wait_ms) < 0)
            fds[0].revents = 0;
        if (fds[0].revents != 0) {
            struct poller_task *t = take_tasks(p, &stop);
            while (t != NULL) {
                struct poller_task *next = t->next;
                t->run(t);
                t = next;
            }
        }
        p->work.run(p->work.arg);
    }
    return NULL;
}

struct poller *poller_new(const char *name, const struct poller_work *work,
                          struct err *e)
{
    struct poller *p = mem_array(1, sizeof *p);

    if (p == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory for a thread");
        return NULL;
    }
    p->work = *work;
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->wake < 0) {
        err_set_errno(e, errno, "eventfd");
        mem_free(p);
        return NULL;
    }
    lock_init(&p->lock);
    p->thread = thread_start(name, run, p);
    return p;
}

/* Under the lock: once the thread has seen `stop`, the poller may be gone. */
static void ring_locked(struct poller *p)
{
    uint64_t one = 1;

    while (write(p->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void poller_post(struct poller *p, struct poller_task *t)
{
    t->next = NULL;
    lock_take(&p->lock);
    if (p->last != NULL)
        p->last->next = t;
    else
        p->first = t;
    p->last = t;
    ring_locked(p);
    lock_drop(&p->lock);
}

void poller_free(struct poller *p)
{
    if (p == NULL)
        return;
    lock_take(&p->lock);
    p->stop = true;
    ring_locked(p);
    lock_drop(&p->lock);
    thread_join(p->thread);
    lock_fini(&p->lock);
    close(p->wake);
    mem_free(p);
}
