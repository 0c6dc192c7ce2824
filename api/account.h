/* Account: where the time of one request went and what it did, for
 * Server-Timing, the log, the metrics.
 *
 * Each step ends with account_lap, which puts the time since the last lap down
 * to its stage.
 */
#ifndef SPARSED_API_ACCOUNT_H
#define SPARSED_API_ACCOUNT_H

#include "lib/engine/repository.h"
#include "lib/engine/usage.h"

struct account {
    const char *route; /* the row's pattern; NULL: none matched */
    char model[REPOSITORY_MAX_NAME + 1]; /* that ran, or "" */
    uint64_t version;
    size_t rows;
    nsec begun; /* with its headers */
    nsec lap;   /* end of the last one */
    nsec stages[STAGES];
    const char *refusal; /* static word: why the server itself said no */
};

/* Now. */
void account_begin(struct account *a);

/* The time since the last lap, or the beginning, went into the stage. */
void account_lap(struct account *a, enum stage stage);

/* "queue;dur=0.011, parse;dur=0.120, ..." in milliseconds, into out: stages
 * that took any time. Returns the length, 0 if there is none. */
size_t account_print(const struct account *a, char *out, size_t size);

#endif
