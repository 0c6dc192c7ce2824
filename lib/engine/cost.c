/* Cost: each place holds the upper half of its kind's hash and a float. */
#include "lib/engine/cost.h"

#include <string.h>

/* Of a kind that nobody knows: what parsing a byte of JSON and computing with
 * it takes a small model. */
#define GUESS 12.0F
/* Share of the newest in the mean. */
#define NEWEST 0.125F
#define LEAST ((nsec)20000)
#define ROW 8 /* places of one cache line */
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

/* The row of places that the kind may be in. */
static size_t row_of(uint64_t hash)
{
    return hash % (COST_PLACES / ROW) * ROW;
}

/* Nanoseconds a unit; negative: unknown. *at is the kind's place, or one that
 * it may take: an empty one, or any. */
static float find(const struct costs *c, uint64_t hash, size_t *at)
{
    size_t row = row_of(hash);

    *at = row + (hash >> 24) % ROW;
    for (size_t i = row; i < row + ROW; i++) {
        uint64_t word =
            atomic_load_explicit(&c->places[i], memory_order_relaxed);
        uint32_t bits = (uint32_t)word;
        float mean;
        if (word == 0)
            *at = i;
        if (word >> 32 != tag_of(hash))
            continue;
        *at = i;
        memcpy(&mean, &bits, sizeof mean);
        return mean;
    }
    return -1;
}

nsec cost_estimate(const struct costs *c, const struct cost_kind *k)
{
    size_t at;
    float mean = find(c, k->kind, &at);

    if (mean < 0)
        mean = find(c, k->family, &at);
    if (mean < 0)
        mean = GUESS;
    double ns = (double)mean * (double)k->units;
    return ns < (double)LEAST ? LEAST : ns > (double)MOST ? MOST : (nsec)ns;
}

/* Two who learn at once may lose one of the two: it is a mean. */
static void learn(struct costs *c, uint64_t hash, float one)
{
    size_t at;
    float mean = find(c, hash, &at);

    if (mean >= 0)
        one = mean + NEWEST * (one - mean);
    atomic_store_explicit(&c->places[at], pack(hash, one),
                          memory_order_relaxed);
}

void cost_learn(struct costs *c, const struct cost_kind *k, nsec took)
{
    float one = (float)took / (float)k->units;

    learn(c, k->kind, one);
    if (k->family != k->kind)
        learn(c, k->family, one);
}
