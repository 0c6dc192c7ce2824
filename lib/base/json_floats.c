/* Long arrays of numbers, read straight into floats.
 *
 * Only what is written as programs write it is read here: up to 19 digits, a
 * comma, at most one space. Of w digits and k of them behind the point, w
 * times 10^-k in double arithmetic is off by three units in its last place at
 * most (w, the power and the product are rounded once each). That settles the
 * float, but where the 29 bits that a float has not are that near to half of
 * what they can be: such numbers are left to the exact reader too. Pictures
 * have long runs of one value: the text that was last read is looked for again
 * before anything is taken apart.
 */
#include "lib/base/json.h"

#include "lib/base/digits.h"

/* The longest number that is looked at, its comma and space, and eight bytes
 * to be loaded behind each of its parts. */
#define LOOK_BYTES 48
#define MAX_DIGITS 19
#define HALF ((uint64_t)1 << 28)
#define DOUBT 8

static const uint64_t power10[] = {1,      10,      100,      1000,     10000,
                                   100000, 1000000, 10000000, 100000000};
static const double tenth[] = {1e0,   1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,
                               1e-7,  1e-8,  1e-9,  1e-10, 1e-11, 1e-12, 1e-13,
                               1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19};

/* The digits at the place go into w; how many there are, of up to eight. */
static inline unsigned read_group(const char *at, uint64_t *w)
{
    uint64_t eight = digits_load(at);
    unsigned n = digits_count(eight);

    if (n > 0)
        *w = *w * power10[n] + digits_value(eight << (64 - 8 * n));
    return n;
}

/* w / 10^k as a float; false if that is in doubt. */
static inline bool settle(uint64_t w, unsigned k, float *value)
{
    double wide = (double)(int64_t)w * tenth[k];
    uint64_t bits;

    memcpy(&bits, &wide, sizeof bits);
    *value = (float)wide;
    return k == 0 || (bits & (2 * HALF - 1)) - (HALF - DOUBT) > 2 * DOUBT;
}

/* The number at the place; returns where it ends, or NULL. */
static inline const char *read_plain(const char *at, float *value)
{
    bool negative = *at == '-';
    uint64_t w = 0;
    unsigned k = 0;

    at += negative;
    unsigned n = read_group(at, &w);
    if (n == 0 || n == 8 || (n > 1 && *at == '0'))
        return NULL;
    unsigned whole = w > 0 ? n : 0;
    at += n;
    if (*at == '.') {
        const char *first = ++at;
        do {
            n = read_group(at, &w);
            at += n;
            k = (unsigned)(at - first);
        } while (n == 8 && k <= 2 * 8);
        if (k == 0)
            return NULL;
    }
    if (whole + k > MAX_DIGITS || w > INT64_MAX || !settle(w, k, value))
        return NULL;
    if (negative)
        *value = -*value;
    return at;
}

/* Of eight bytes as they lie in memory, all but the last `bits`. */
static inline uint64_t first_bytes(const char *at, unsigned bits)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof eight);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return eight >> bits;
#else
    return eight << bits;
#endif
}

size_t json_scan_floats(const char *text, size_t length, float *out, size_t n,
                        size_t *used)
{
    const char *at = text, *end = text + length;
    size_t i = 0;
    float value;

    while (i < n && end - at >= LOOK_BYTES) {
        const char *next = read_plain(at, &value);
        if (next == NULL || *next != ',')
            break;
        size_t step = (size_t)(next - at) + 1 + (next[1] == ' ');
        out[i++] = value;
        at += step;
        if (step >= 8)
            continue;
        unsigned rest = 64 - 8 * (unsigned)step;
        uint64_t same = first_bytes(at - step, rest);
        for (; i < n && end - at >= 8 && first_bytes(at, rest) == same;
             at += step)
            out[i++] = value;
    }
    *used = (size_t)(at - text);
    return i;
}
