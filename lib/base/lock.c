/* Mutex and condition over pthreads. A failing pthread call means that the
 * program is wrong (or cannot go on), so it is asserted here, once.
 */
#include "lib/base/lock.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define USEC_PER_SECOND 1000000
#define LOWEST_PRIORITY 19

/* Not assert alone: its argument must run, and a message must name it. */
static void must(int result, const char *what)
{
    if (result != 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(result));
        abort();
    }
}

void lock_init(struct lock *l)
{
    pthread_mutexattr_t attr;

    must(pthread_mutexattr_init(&attr), "pthread_mutexattr_init");
    must(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK),
         "pthread_mutexattr_settype");
    must(pthread_mutex_init(&l->mutex, &attr), "pthread_mutex_init");
    pthread_mutexattr_destroy(&attr);
    memset(&l->owner, 0, sizeof l->owner);
    l->held = false;
}

void lock_fini(struct lock *l)
{
    assert(!l->held);
    must(pthread_mutex_destroy(&l->mutex), "pthread_mutex_destroy");
}

static void mark_taken(struct lock *l)
{
    l->owner = pthread_self();
    l->held = true;
}

void lock_take(struct lock *l)
{
    must(pthread_mutex_lock(&l->mutex), "pthread_mutex_lock");
    mark_taken(l);
}

void lock_drop(struct lock *l)
{
    assert(lock_held(l));
    l->held = false;
    must(pthread_mutex_unlock(&l->mutex), "pthread_mutex_unlock");
}

bool lock_held(const struct lock *l)
{
    return l->held && pthread_equal(l->owner, pthread_self());
}

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;

    must(pthread_condattr_init(&attr), "pthread_condattr_init");
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC),
         "pthread_condattr_setclock");
    must(pthread_cond_init(&c->cond, &attr), "pthread_cond_init");
    pthread_condattr_destroy(&attr);
}

void cond_fini(struct cond *c)
{
    must(pthread_cond_destroy(&c->cond), "pthread_cond_destroy");
}

void cond_wait(struct cond *c, struct lock *l)
{
    assert(lock_held(l));
    l->held = false;
    must(pthread_cond_wait(&c->cond, &l->mutex), "pthread_cond_wait");
    mark_taken(l);
}

bool cond_wait_until(struct cond *c, struct lock *l, usec deadline)
{
    if (deadline < 0)
        deadline = 0;
    struct timespec t = {
        .tv_sec = (time_t)(deadline / USEC_PER_SECOND),
        .tv_nsec = (long)(deadline % USEC_PER_SECOND) * 1000,
    };
    assert(lock_held(l));
    l->held = false;
    int result = pthread_cond_timedwait(&c->cond, &l->mutex, &t);
    mark_taken(l);
    if (result == ETIMEDOUT)
        return false;
    must(result, "pthread_cond_timedwait");
    return true;
}

void cond_signal(struct cond *c)
{
    must(pthread_cond_signal(&c->cond), "pthread_cond_signal");
}

void cond_broadcast(struct cond *c)
{
    must(pthread_cond_broadcast(&c->cond), "pthread_cond_broadcast");
}

pthread_t thread_start(const char *name, void *(*run)(void *), void *arg)
{
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    char kept[16];

    sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &before), "pthread_sigmask");
    must(pthread_create(&thread, NULL, run, arg), "pthread_create");
    must(pthread_sigmask(SIG_SETMASK, &before, NULL), "pthread_sigmask");
    snprintf(kept, sizeof kept, "%s", name);
    /* A name is a convenience: the thread may be gone already. */
    (void)pthread_setname_np(thread, kept);
    return thread;
}

void thread_join(pthread_t thread)
{
    must(pthread_join(thread, NULL), "pthread_join");
}

/* Linux gives a priority to the calling thread alone. */
void thread_nice(int by)
{
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + by);
}

void thread_lower(void)
{
    struct sched_param none = {.sched_priority = 0};

    /* Linux gives both to the calling thread alone, and to what it starts. */
    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0)
        (void)setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY);
}
