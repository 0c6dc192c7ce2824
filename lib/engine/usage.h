/* Usage: what one served version has been asked for since it was loaded, and
 * what its codes looked like; added to by any thread, without a lock.
 *
 * One place for what Prometheus scrapes and what the statistics extension of
 * the Open Inference Protocol tells.
 */
#ifndef SPARSED_ENGINE_USAGE_H
#define SPARSED_ENGINE_USAGE_H

#include "lib/base/clock.h"
#include "lib/base/histogram.h"

#include <stdbool.h>

/* What the time of a request is spent on. */
enum stage { STAGE_QUEUE, STAGE_PARSE, STAGE_COMPUTE, STAGE_PRINT, STAGES };

#define USAGE_ROUTES 16  /* different routes that are counted apart */
#define USAGE_BATCHES 32 /* different batch sizes that are counted apart */

extern const struct histogram_scale usage_seconds; /* of ns; 50 us .. 10 s */
extern const struct histogram_scale usage_rows;    /* 1 .. 1,024 */
extern const struct histogram_scale usage_share;   /* of millionths; 0 .. 1 */
extern const struct histogram_scale usage_error;   /* of millionths; 0 .. 4 */

/* Zeroed by usage_new. `route` is static text, set once. */
struct usage {
    struct usage_sum {
        atomic_uint_fast64_t count, ns;
    } succeeded, failed, stages[STAGES]; /* requests; stages of good ones */
    atomic_uint_fast64_t rows;           /* of good ones */
    atomic_uint_fast64_t runs;           /* executions of the model */
    atomic_int_fast64_t last_ms;         /* wall time of the last; 0: none */
    struct usage_route {
        const char *_Atomic route;
        struct histogram seconds, queue, compute; /* of good ones */
    } routes[USAGE_ROUTES];
    struct usage_batch {
        atomic_uint_fast64_t size; /* 0: unused */
        struct usage_sum stages[STAGES];
    } batches[USAGE_BATCHES];
    struct histogram batch_rows;
    struct histogram active;      /* share of units that are on, a row */
    struct histogram groups_on;   /* share of groups that are on, a row */
    struct histogram error;       /* relative error of reconstruction, a row */
    struct histogram confidence;  /* largest probability, a row */
    atomic_uint_fast64_t turns;   /* requests that may be watched */
    atomic_uint_fast64_t watched; /* rows whose groups were counted */
    size_t n_groups;
    atomic_uint_fast64_t *groups; /* (n_groups) rows where the group was on */
};

/* One request that ran a model, or tried to. */
struct usage_request {
    const char *route; /* static text, or NULL */
    bool ok;
    size_t rows;
    nsec whole; /* from its headers to its printed reply */
    nsec stages[STAGES];
};

struct usage *usage_new(size_t n_groups); /* NULL: out of memory */
void usage_free(struct usage *u);

void usage_add(struct usage *u, const struct usage_request *r);

#endif
