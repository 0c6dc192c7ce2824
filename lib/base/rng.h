/* Seeded random numbers with an owner each: xoshiro256** (Blackman & Vigna,
 * 2018), seeded through splitmix64.
 *
 * A stream is made from a seed and a purpose, so that the order of samples in
 * epoch 7 depends on (seed, "order", 7) and on nothing that happened before:
 * that is what makes a resumed training equal to an undisturbed one.
 */
#ifndef SPARSED_BASE_RNG_H
#define SPARSED_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

/* A stream for (seed, purpose, index); the same three give the same stream. */
struct rng rng_make(uint64_t seed, const char *purpose, uint64_t index);

uint64_t rng_u64(struct rng *r);
float rng_uniform(struct rng *r, float low, float high); /* [low, high) */
float rng_normal(struct rng *r);                         /* mean 0, sd 1 */
size_t rng_below(struct rng *r, size_t n);               /* [0, n), n > 0 */

/* Fisher-Yates shuffle of n indices. */
void rng_shuffle(struct rng *r, uint32_t *items, size_t n);

#endif
