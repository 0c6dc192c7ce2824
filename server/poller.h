/* Poller: a thread that waits for one descriptor and for tasks that other
 * threads post to it.
 *
 * All that belongs to the thread's connections is touched on that thread only:
 * who wants something of them posts a task.
 */
#ifndef SPARSED_SERVER_POLLER_H
#define SPARSED_SERVER_POLLER_H

#include "lib/base/err.h"

struct poller;

/* In its owner's storage, which must live until run is called. A task may be
 * posted again as soon as it runs. */
struct poller_task {
    void (*run)(struct poller_task *t);
    struct poller_task *next;
};

struct poller_work {
    void *arg;
    int fd; /* readable when there is something to do */
    /* Longest wait in milliseconds, -1: none. Called before every wait. */
    int (*wait_ms)(void *arg);
    /* After every wait and after the tasks, whatever ended it. */
    void (*run)(void *arg);
};

/* Starts the thread. NULL: ERR_IO, ERR_NO_MEMORY. */
struct poller *poller_new(const char *name, const struct poller_work *work,
                          struct err *e);

/* From any thread. Tasks run in the order they were posted. */
void poller_post(struct poller *p, struct poller_task *t);

/* Runs what was posted before, ends the thread, frees. NULL is fine. */
void poller_free(struct poller *p);

#endif
