/* Runs of decimal digits, eight bytes at a time: what makes checking and
 * reading big arrays of numbers fast. Never reads at or beyond `end`.
 *
 * With '0' taken away, a byte is a digit if it is at most 9; adding 0x76 sets
 * its high bit otherwise. A carry out of a byte that is no digit can only
 * spoil the bytes after it, and only the first such byte is looked for.
 */
#ifndef SPARSED_BASE_DIGITS_H
#define SPARSED_BASE_DIGITS_H

#include <stdint.h>
#include <string.h>

/* Eight bytes as an integer, the first byte lowest, '0' taken away. */
static inline uint64_t digits_load(const char *at)
{
    uint64_t bytes;

    memcpy(&bytes, at, sizeof bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    return bytes ^ 0x3030303030303030u;
}

/* How many of the eight are digits, before the first that is none. */
static inline unsigned digits_count(uint64_t eight)
{
    uint64_t other =
        ((eight + 0x7676767676767676u) | eight) & 0x8080808080808080u;

    return other == 0 ? 8 : (unsigned)__builtin_ctzll(other) / 8;
}

/* The value of eight digits, the first (lowest byte) weighing most: pairs,
 * then fours, then all are added up within one register. */
static inline uint64_t digits_value(uint64_t eight)
{
    const uint64_t mask = 0x000000FF000000FFu;

    eight = eight * 10 + (eight >> 8);
    return ((eight & mask) * 0x000F424000000064u +
            ((eight >> 16) & mask) * 0x0000271000000001u) >>
           32;
}

/* Skips a run of digits; returns where it ends. */
static inline const char *digits_skip(const char *at, const char *end)
{
    while (end - at >= 8) {
        unsigned n = digits_count(digits_load(at));
        at += n;
        if (n < 8)
            return at;
    }
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* As digits_skip, with w = w * 10^n + value of the n digits (modulo 2^64). */
static inline const char *digits_read(const char *at, const char *end,
                                      uint64_t *w)
{
    static const uint64_t power10[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

    while (end - at >= 8) {
        uint64_t eight = digits_load(at);
        unsigned n = digits_count(eight);
        if (n == 0)
            return at;
        *w = *w * power10[n] + digits_value(eight << (64 - 8 * n));
        at += n;
        if (n < 8)
            return at;
    }
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        *w = *w * 10 + (uint64_t)(*at - '0');
    return at;
}

#endif
