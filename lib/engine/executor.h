/* Executor: a few threads that do the slow requests, so that a big batch never
 * holds up a quick one.
 *
 * Quick work runs at once on the thread that has it; slow work comes here as a
 * ticket and waits in a bounded queue. A full queue refuses at once.
 */
#ifndef SPARSED_ENGINE_EXECUTOR_H
#define SPARSED_ENGINE_EXECUTOR_H

#include "lib/base/clock.h"

#include <stdbool.h>
#include <stddef.h>

struct executor;

struct ticket {
    void (*run)(struct ticket *t, bool late); /* late: deadline has passed */
    usec deadline;                            /* 0: none */
};

struct executor *executor_new(size_t threads, size_t capacity);
/* Lets what is queued finish, then stops the threads. */
void executor_free(struct executor *x);

/* false, at once, if the queue is full or closing; else run is called on one
 * of the threads. The ticket is the caller's and must live until then. */
bool executor_submit(struct executor *x, struct ticket *t);

#endif
