/* Seeded random numbers: xoshiro256** 1.0 (Blackman & Vigna, "Scrambled linear
 * pseudorandom number generators", 2018), seeded by splitmix64 as its authors
 * advise. A normal number keeps no half for later: the four words are the
 * whole state, so that a checkpoint is complete.
 */
#include "lib/base/rng.h"

#include <assert.h>
#include <math.h>

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct rng rng_make(uint64_t seed, const char *purpose, uint64_t index)
{
    struct rng r;
    uint64_t state = seed;

    /* Each of the three is mixed in whole before the next, so that (1, 2) and
     * (2, 1) are no relatives. */
    state = splitmix64(&state);
    for (const char *c = purpose; *c != 0; c++) {
        state ^= (unsigned char)*c;
        state = splitmix64(&state);
    }
    state ^= index;
    state = splitmix64(&state);
    for (int i = 0; i < 4; i++)
        r.state[i] = splitmix64(&state);
    return r;
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* [0, 1), 53 random bits. */
static double unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

float rng_uniform(struct rng *r, float low, float high)
{
    double u = (double)(rng_u64(r) >> 40) * 0x1p-24;
    float value = (float)((double)low + u * ((double)high - (double)low));

    /* Rounding to float can reach the open end. */
    return value < high || low >= high ? value : nextafterf(high, low);
}

float rng_normal(struct rng *r)
{
    double u = 1.0 - unit(r); /* (0, 1]: the logarithm stays finite */
    double v = unit(r);

    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

size_t rng_below(struct rng *r, size_t n)
{
    assert(n > 0);
    /* Lemire, "Fast random integer generation in an interval", 2019. */
    __extension__ unsigned __int128 product;
    uint64_t floor = (0 - (uint64_t)n) % n;

    do {
        product = (unsigned __int128)rng_u64(r) * n;
    } while ((uint64_t)product < floor);
    return (size_t)(product >> 64);
}

void rng_shuffle(struct rng *r, uint32_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = rng_below(r, i);
        uint32_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
