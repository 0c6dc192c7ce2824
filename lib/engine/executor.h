/* Executor: a few threads that do the slow requests, so that a big batch never
 * holds up a quick one; and a queue that is bounded by what it will cost.
 *
 * Every ticket has an estimated cost, and with it a promise: when it begins at
 * the latest. Promises are kept in their order, the earliest first; a ticket
 * that cannot have one without breaking another's is refused at once.
 *
 * What is promised depends on the load. A burst may wait for `queue`
 * nanoseconds, and a ticket always for as long as it takes itself: short ones
 * go first, and each is overtaken only by those that come soon after it. When
 * more is asked for than can be done, so that all would wait that long, what
 * was refused is kept in mind, and a ticket may wait for a quarter of what it
 * takes: the replies that are given are then hardly slower than at rest.
 *
 * Beside each thread stands a second one, for a ticket that is much shorter
 * than what runs: the two share the processor until the short one is done.
 */
#ifndef SPARSED_ENGINE_EXECUTOR_H
#define SPARSED_ENGINE_EXECUTOR_H

#include "lib/engine/cost.h"

#include <stdbool.h>
#include <stddef.h>

#define EXECUTOR_MAX_WAITING 1024

struct executor;

struct executor_settings {
    size_t threads;
    nsec queue;          /* a burst, for each thread */
    struct costs *costs; /* the caller's; learns from what runs */
    /* If not NULL, kept at how many wait, and what they will take. */
    atomic_size_t *waiting;
    atomic_uint_fast64_t *waiting_ns;
};

enum ticket_end {
    TICKET_USUAL,   /* its work was done: its time tells something */
    TICKET_UNUSUAL, /* it was not */
    TICKET_GIVEN    /* done, and the ticket is somebody else's */
};

struct ticket {
    /* late: the deadline has passed, so nothing is to be done. */
    enum ticket_end (*run)(struct ticket *t, bool late);
    /* Called last, unless TICKET_GIVEN: its place is free already, and whoever
     * waits for its end may send the next. */
    void (*done)(struct ticket *t);
    usec deadline; /* to begin; 0: none */
    struct cost_kind kind;

    /* The executor's own. */
    nsec cost; /* estimated */
    nsec by;   /* promised to begin by */
    struct ticket *next;
};

struct executor *executor_new(const struct executor_settings *s);
/* Lets what is queued finish, then stops the threads. */
void executor_free(struct executor *x);

/* False, at once, if the ticket would wait too long, or the executor is
 * closing; *retry is then the time until there may be room for it. Else run
 * and done are called on one of the threads. The ticket is the caller's and
 * must live until then. */
bool executor_submit(struct executor *x, struct ticket *t, nsec *retry);

/* Whether a request like this would be taken now; one that would not counts as
 * refused. */
bool executor_has_room(struct executor *x, const struct cost_kind *k,
                       nsec *retry);

/* How much may wait, from now on. */
void executor_set_queue(struct executor *x, nsec queue);

#endif
