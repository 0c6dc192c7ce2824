/* Cost: how long requests of a kind take, learned from those that ran.
 *
 * A kind is whatever is told before a request is read: its route, model, media
 * type, options, and how long its body is, by powers of two. What is kept of it
 * is a mean of nanoseconds a unit, in one word of a table that forgets what
 * falls into the same place. Any thread, no lock.
 */
#ifndef SPARSED_ENGINE_COST_H
#define SPARSED_ENGINE_COST_H

#include "lib/base/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define COST_PLACES 1024 /* a power of two */

/* One request. Hashes; cost_hash makes them. */
struct cost_kind {
    uint64_t kind;   /* with its options and the size of its body */
    uint64_t family; /* without: what is taken of a kind not seen before */
    size_t units;    /* bytes of its body, at least 1 */
};

/* Zeroed: nothing is known. */
struct costs {
    atomic_uint_fast64_t places[COST_PLACES];
};

uint64_t cost_hash(uint64_t before, const void *bytes, size_t length);

/* Processor time that the request will take; a guess if nothing is known. */
nsec cost_estimate(const struct costs *c, const struct cost_kind *k);

/* It took that much. */
void cost_learn(struct costs *c, const struct cost_kind *k, nsec took);

#endif
