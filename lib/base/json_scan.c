/* Reading JSON text that has been checked: numbers, and the spans of members
 * and elements. Nothing is allocated and nothing beyond the span is read, even
 * if the text was not checked after all.
 *
 * Numbers are exact. Up to 19 digits fit a 64-bit integer w, and then either
 * w and the power of ten are both exact doubles and one multiplication rounds
 * once (Clinger, "How to read floating point numbers accurately", 1990), or w
 * is divided by the power in integers, with a sticky last bit. The rest goes
 * to strtod, as digits without a decimal point, so that no locale matters.
 */
#include "lib/base/json.h"

#include "lib/base/digits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_W_DIGITS 19 /* any 19 digits are below 2^64 */
/* A double halfway case has at most 767 significant digits: what follows can
 * only matter by being zero or not. */
#define MAX_DIGITS 800

struct number {
    const char *digits; /* first significant digit */
    const char *end;    /* after the last digit before the exponent */
    uint64_t w;         /* value of the digits, if count <= MAX_W_DIGITS */
    size_t count;       /* significant digits, without leading zeros */
    int64_t exponent;   /* value = digits * 10^exponent */
    bool negative;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads e+12 at `at`, where e stands; returns where it ends, or `at` itself if
 * no digit follows. */
static const char *read_exponent(const char *at, const char *end,
                                 int64_t *exponent)
{
    const char *start = at;
    bool negative = false;

    *exponent = 0;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        negative = *at++ == '-';
    if (at == end || !is_digit(*at))
        return start;
    for (; at < end && is_digit(*at); at++) {
        if (*exponent < INT64_MAX / 100) /* huge is huge: no overflow */
            *exponent = *exponent * 10 + (*at - '0');
    }
    if (negative)
        *exponent = -*exponent;
    return at;
}

/* Takes a number apart; returns where it ends, NULL if there is none. */
static const char *take_apart(struct number *n, const char *at, const char *end)
{
    const char *first;

    n->negative = at < end && *at == '-';
    if (n->negative)
        at++;
    if (at == end || !is_digit(*at))
        return NULL;
    while (at < end && *at == '0')
        at++;
    first = at;
    n->w = 0;
    at = digits_read(at, end, &n->w);
    n->count = (size_t)(at - first);
    n->exponent = 0;
    if (end - at >= 2 && *at == '.' && is_digit(at[1])) {
        const char *point = at++;
        if (n->count == 0) {
            while (at < end && *at == '0')
                at++;
            first = at;
        }
        const char *fraction = at;
        at = digits_read(at, end, &n->w);
        n->count += (size_t)(at - fraction);
        n->exponent = -(int64_t)(at - point - 1);
    }
    n->digits = first;
    n->end = at;
    if (at < end && (*at == 'e' || *at == 'E')) {
        int64_t exponent;
        at = read_exponent(at, end, &exponent);
        n->exponent += exponent;
    }
    return at;
}

/* Digits and exponent for strtod: "123e-5", with a 1 in place of all that
 * follows MAX_DIGITS unless that is zero. */
static double read_long(const struct number *n)
{
    char text[MAX_DIGITS + 32];
    size_t used = 0;
    size_t seen = 0;
    bool more = false;

    for (const char *c = n->digits; c < n->end; c++) {
        if (*c == '.')
            continue;
        seen++;
        if (used < MAX_DIGITS)
            text[used++] = *c;
        else
            more = more || *c != '0';
    }
    int64_t exponent = n->exponent + (int64_t)(seen - used);
    if (more) {
        text[used++] = '1';
        exponent--;
    }
    snprintf(text + used, sizeof text - used, "e%lld", (long long)exponent);
    return strtod(text, NULL);
}

/* w / 10^k for 0 < k <= 27, w > 0, rounded once: the quotient has at least 63
 * bits, and a remainder sets its last one, which rounding to 53 bits takes
 * into account and nothing else. */
static double divide(uint64_t w, unsigned k)
{
    static const uint64_t power5[] = {1u,
                                      5u,
                                      25u,
                                      125u,
                                      625u,
                                      3125u,
                                      15625u,
                                      78125u,
                                      390625u,
                                      1953125u,
                                      9765625u,
                                      48828125u,
                                      244140625u,
                                      1220703125u,
                                      6103515625u,
                                      30517578125u,
                                      152587890625u,
                                      762939453125u,
                                      3814697265625u,
                                      19073486328125u,
                                      95367431640625u,
                                      476837158203125u,
                                      2384185791015625u,
                                      11920928955078125u,
                                      59604644775390625u,
                                      298023223876953125u,
                                      1490116119384765625u,
                                      7450580596923828125u};
    int w_shift = __builtin_clzll(w);
    int p_shift = __builtin_clzll(power5[k]);
    uint64_t divisor = power5[k] << p_shift;
    __extension__ unsigned __int128 dividend = (w << w_shift);
    dividend <<= 63;
    uint64_t quotient = (uint64_t)(dividend / divisor);
    uint64_t rest =
        (uint64_t)(dividend - (unsigned __int128)quotient * divisor);
    int power = p_shift - w_shift - 63 - (int)k;
    /* 2^power as a double; power is between -190 and 63. */
    uint64_t bits = (uint64_t)(1023 + power) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return (double)(quotient | (rest != 0)) * scale;
}

static double value_of(const struct number *n)
{
    static const double power10[] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

    if (n->count == 0)
        return 0;
    if (n->count > MAX_W_DIGITS)
        return read_long(n);
    if (n->w == 0)
        return 0;
    if (n->exponent == 0)
        return (double)n->w;
    if (n->w <= (uint64_t)1 << 53 && n->exponent >= -22 && n->exponent <= 22)
        return n->exponent < 0 ? (double)n->w / power10[-n->exponent]
                               : (double)n->w * power10[n->exponent];
    if (n->exponent < 0 && n->exponent >= -27)
        return divide(n->w, (unsigned)-n->exponent);
    return read_long(n);
}

size_t json_scan_number(const char *text, size_t length, double *value)
{
    struct number n;
    const char *end = take_apart(&n, text, text + length);

    if (end == NULL)
        return 0;
    *value = n.negative ? -value_of(&n) : value_of(&n);
    return (size_t)(end - text);
}

/* ---- spans ---- */

static size_t skip_space(struct json_span s, size_t at)
{
    while (at < s.length && (s.text[at] == ' ' || s.text[at] == '\n' ||
                             s.text[at] == '\r' || s.text[at] == '\t'))
        at++;
    return at;
}

static bool ends_scalar(char c)
{
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' ||
           c == '\r' || c == '\t';
}

/* After the closing quote of the string that starts at `at`. */
static size_t skip_string(struct json_span s, size_t at)
{
    for (at++; at < s.length && s.text[at] != '"'; at++) {
        if (s.text[at] == '\\')
            at++;
    }
    return at < s.length ? at + 1 : s.length;
}

/* After the value that starts at `at`. */
static size_t skip_value(struct json_span s, size_t at)
{
    size_t depth = 0;

    while (at < s.length) {
        char c = s.text[at];
        if (c == '"') {
            at = skip_string(s, at);
        } else if (c == '[' || c == '{') {
            depth++;
            at++;
            continue;
        } else if (c == ']' || c == '}') {
            if (depth == 0)
                return at; /* the enclosing value's */
            depth--;
            at++;
        } else if (depth > 0) {
            at++;
            continue;
        } else {
            while (at < s.length && !ends_scalar(s.text[at]))
                at++;
        }
        if (depth == 0)
            return at;
    }
    return s.length;
}

/* Moves *cursor to the next item of a value that starts with `open`; false at
 * the end. */
static bool next_item(struct json_span s, size_t *cursor, char open)
{
    size_t at = *cursor;

    if (at == 0) {
        at = skip_space(s, 0);
        if (at == s.length || s.text[at] != open) {
            *cursor = s.length;
            return false;
        }
        at = skip_space(s, at + 1);
    } else {
        at = skip_space(s, at);
        if (at < s.length && s.text[at] == ',')
            at = skip_space(s, at + 1);
    }
    *cursor = at;
    if (at < s.length && s.text[at] != ']' && s.text[at] != '}')
        return true;
    *cursor = s.length;
    return false;
}

static struct json_span take_value(struct json_span s, size_t *cursor)
{
    size_t start = *cursor;

    *cursor = skip_value(s, start);
    return (struct json_span){s.text + start, *cursor - start};
}

bool json_next_member(struct json_span object, size_t *cursor,
                      struct json_span *key, struct json_span *value)
{
    if (!next_item(object, cursor, '{') || object.text[*cursor] != '"')
        return false;
    size_t start = *cursor + 1;
    size_t at = skip_string(object, *cursor);
    if (at == start)
        return false; /* a lone quote at the end: not checked text */
    *key = (struct json_span){object.text + start, at - 1 - start};
    at = skip_space(object, at);
    if (at < object.length && object.text[at] == ':')
        at++;
    *cursor = skip_space(object, at);
    *value = take_value(object, cursor);
    return true;
}

bool json_next_element(struct json_span array, size_t *cursor,
                       struct json_span *value)
{
    if (!next_item(array, cursor, '['))
        return false;
    *value = take_value(array, cursor);
    return true;
}
