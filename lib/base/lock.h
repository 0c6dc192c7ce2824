/* Mutex and condition that know their owner: pthread failures are programmer's
 * errors and end the process; lock_held lets helpers named `..._locked` assert
 * their contract.
 */
#ifndef SPARSED_BASE_LOCK_H
#define SPARSED_BASE_LOCK_H

#include "lib/base/clock.h"

#include <pthread.h>
#include <stdbool.h>

struct lock {
    pthread_mutex_t mutex;
    pthread_t owner; /* valid while held; read only by lock_held */
    bool held;
};

struct cond {
    pthread_cond_t cond; /* on the monotonic clock */
};

void lock_init(struct lock *l);
void lock_fini(struct lock *l);
void lock_take(struct lock *l);
void lock_drop(struct lock *l);
bool lock_held(const struct lock *l); /* by this thread */

void cond_init(struct cond *c);
void cond_fini(struct cond *c);
void cond_wait(struct cond *c, struct lock *l);
/* false if the deadline (clock_now's clock) passed first. */
bool cond_wait_until(struct cond *c, struct lock *l, usec deadline);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

/* Starts a joinable thread with that name (at most 15 bytes kept). Signals are
 * blocked in it: they belong to the main thread. Aborts if it cannot. */
pthread_t thread_start(const char *name, void *(*run)(void *), void *arg);
void thread_join(pthread_t thread);

/* From now on this thread is nicer to others by so much (1 .. 19) than it was:
 * it runs, but lets them first. */
void thread_nice(int by);

/* From now on this thread, and those that it starts, run when nobody else wants
 * the processor (or nearly so, where the system has no such class). There is no
 * way back. */
void thread_lower(void);

#endif
