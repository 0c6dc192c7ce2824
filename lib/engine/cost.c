/* Cost: each place holds the upper half of its kind's hash and a float. */
#include "lib/engine/cost.h"

#include <string.h>

/* Of a kind that nobody knows: what parsing a byte of JSON and computing with
 * it takes a small model. */
#define GUESS 12.0F
/* Share of the newest in the mean. */
#define NEWEST 0.125F
#define LEAST ((nsec)20000)
#define MOST ((nsec)3600 * 1000000000)

/* FNV-1a, 64 bit, and a last stir, since tag and place are parts of it. */
uint64_t cost_hash(uint64_t before, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t h = before ^ 0xCBF29CE484222325u;

    for (size_t i = 0; i < length; i++)
        h = (h ^ at[i]) * 0x100000001B3u;
    h ^= h >> 32;
    h *= 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
}

static size_t place_of(uint64_t hash)
{
    return hash & (COST_PLACES - 1);
}

/* Never 0, which is an empty place. */
static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32) | 1;
}

static uint64_t pack(uint64_t hash, float mean)
{
    uint32_t bits;

    memcpy(&bits, &mean, sizeof bits);
    return (uint64_t)tag_of(hash) << 32 | bits;
}

/* Nanoseconds a unit; negative: unknown. */
static float mean_of(const struct costs *c, uint64_t hash)
{
    uint64_t word = atomic_load_explicit(&c->places[place_of(hash)],
                                         memory_order_relaxed);
    uint32_t bits = (uint32_t)word;
    float mean;

    if (word >> 32 != tag_of(hash))
        return -1;
    memcpy(&mean, &bits, sizeof mean);
    return mean;
}

nsec cost_estimate(const struct costs *c, const struct cost_kind *k)
{
    float mean = mean_of(c, k->kind);

    if (mean < 0)
        mean = mean_of(c, k->family);
    if (mean < 0)
        mean = GUESS;
    double ns = (double)mean * (double)k->units;
    return ns < (double)LEAST ? LEAST : ns > (double)MOST ? MOST : (nsec)ns;
}

/* Two who learn at once may lose one of the two: it is a mean. */
static void learn(struct costs *c, uint64_t hash, float one)
{
    float mean = mean_of(c, hash);

    atomic_store_explicit(
        &c->places[place_of(hash)],
        pack(hash, mean < 0 ? one : mean + NEWEST * (one - mean)),
        memory_order_relaxed);
}

void cost_learn(struct costs *c, const struct cost_kind *k, nsec took)
{
    float one = (float)took / (float)k->units;

    learn(c, k->kind, one);
    if (k->family != k->kind)
        learn(c, k->family, one);
}
