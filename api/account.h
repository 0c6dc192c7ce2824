/* Account: where the time of one request went and what it did, for
 * Server-Timing, the log, the metrics.
 *
 * Each step ends with account_lap, which puts the time since the last lap down
 * to its stage. The time in which a body is received belongs to none:
 * account_skip ends it.
 */
#ifndef SPARSED_API_ACCOUNT_H
#define SPARSED_API_ACCOUNT_H

#include "api/meters.h"
#include "lib/engine/repository.h"
#include "lib/engine/usage.h"

struct route;
struct served;

struct account {
    const struct route *route;           /* the row; NULL: none matched */
    char model[REPOSITORY_MAX_NAME + 1]; /* that ran, or "" */
    uint64_t version;
    size_t rows;
    nsec begun; /* with its headers */
    nsec lap;   /* end of the last one */
    nsec stages[STAGES];
    enum meters_reason refusal; /* why the server itself said no */
};

/* Now. */
void account_begin(struct account *a);

/* The time since the last lap, or the beginning, was no stage's. */
void account_skip(struct account *a);

/* The time since the last lap, or the beginning, went into the stage. */
void account_lap(struct account *a, enum stage stage);

/* The end of a request that ran a model, or tried to: counts it in the
 * version's usage. If it went well (`ok`), what came since the last lap was
 * printing, and `rows` are set. Once a request, before the version is
 * released and before the reply goes to another thread. */
void account_settle(struct account *a, const struct served *s, bool ok);

/* "queue" */
const char *account_stage_word(enum stage stage);

/* "queue;dur=0.011, parse;dur=0.120, ..." in milliseconds, into out: stages
 * that took any time. Returns the length, 0 if there is none. */
size_t account_print(const struct account *a, char *out, size_t size);

#endif
