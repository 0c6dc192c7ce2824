/* JSON pieces of a buffer: numbers as short as they can be while reading back
 * as the same value, and text that is always valid UTF-8.
 */
#include "lib/base/buf.h"

#include "lib/base/utf8.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_INTEGER 9007199254740992.0 /* 2^53 */

static const double power10[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23,
    1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35,
    1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46};

/* The decimal digits of value, at the end of an array of 20; returns how
 * many. */
static size_t print_digits(char *end, uint64_t value)
{
    char *at = end;

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return (size_t)(end - at);
}

/* digits / 10^decimals as plain or exponent notation; returns its length, at
 * most 24. `digits` has no more than 9 figures, and does not end in 0. */
static size_t lay_out(char *out, uint64_t digits, int decimals)
{
    char all[20];
    int n = (int)print_digits(all + sizeof all, digits);
    const char *first = all + sizeof all - n;
    int exponent = n - 1 - decimals;

    if (decimals <= 0) {
        memcpy(out, first, (size_t)n);
        memset(out + n, '0', (size_t)-decimals);
        return (size_t)(n - decimals);
    }
    if (exponent >= 0) {
        memcpy(out, first, (size_t)exponent + 1);
        out[exponent + 1] = '.';
        memcpy(out + exponent + 2, first + exponent + 1, (size_t)decimals);
        return (size_t)n + 1;
    }
    if (exponent >= -5) {
        memcpy(out, "0.0000", 6);
        memcpy(out + 1 - exponent, first, (size_t)n);
        return (size_t)(n + 1 - exponent);
    }
    size_t used = 0;
    out[used++] = first[0];
    if (n > 1) {
        out[used++] = '.';
        memcpy(out + used, first + 1, (size_t)n - 1);
        used += (size_t)n - 1;
    }
    out[used++] = 'e';
    out[used++] = '-';
    n = (int)print_digits(all + sizeof all, (uint64_t)-exponent);
    memcpy(out + used, all + sizeof all - n, (size_t)n);
    return used + (size_t)n;
}

/* Rounds to a multiple of `unit` if that stays within half a gap of `exact`.
 * Inline, so that the division is by a constant. */
static inline bool round_off(uint64_t *digits, uint64_t unit, double exact,
                             double half_gap)
{
    uint64_t rounded = (*digits + unit / 2) / unit * unit;

    if (fabs((double)rounded - exact) >= half_gap)
        return false;
    *digits = rounded;
    return true;
}

/* The fewest of 6 to 9 digits that lie nearer to `value` than the middle to
 * the next float does; FLT_MIN <= value < 1e15. All is weighed in units of the
 * ninth digit: there half a gap is 2.9 or more, and the double arithmetic is
 * off by 1e-6 at most, which the margin covers many times. So a reader that
 * goes by way of double gets the same float too. */
static size_t print_shortest(char *out, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    int binary = (int)(bits >> 23) - 127; /* normal, no sign */
    /* 0.30103 = log10 of 2; the shift rounds down. At most one too low. */
    int exponent = binary * 78913 >> 18;
    double exact = (double)value;
    if (exponent < 0 ? exact * power10[-exponent - 1] >= 1
                     : exact >= power10[exponent + 1])
        exponent++;
    int decimals = 8 - exponent;
    double scale = decimals < 0 ? 1 / power10[-decimals] : power10[decimals];
    uint64_t gap_bits = (uint64_t)(1023 + binary - 24) << 52;
    double half_gap; /* 2^(binary - 24), and half of it below a power of 2 */
    memcpy(&half_gap, &gap_bits, sizeof half_gap);
    half_gap *= scale * ((bits & 0x7FFFFF) == 0 ? 0.499 : 0.999);

    double scaled = exact * scale;
    uint64_t digits = (uint64_t)(scaled + 0.5);
    if (!round_off(&digits, 1000, scaled, half_gap) &&
        !round_off(&digits, 100, scaled, half_gap))
        round_off(&digits, 10, scaled, half_gap);
    while (digits % 10 == 0) {
        digits /= 10;
        decimals--;
    }
    return lay_out(out, digits, decimals);
}

void buf_json_float(struct buf *b, float value)
{
    char text[40];
    size_t used = 0;
    float size = fabsf(value);

    assert(isfinite(value));
    if (signbit(value))
        text[used++] = '-';
    if (size < 1e9f && size == (float)(uint32_t)size) {
        char digits[20];
        size_t n = print_digits(digits + sizeof digits, (uint32_t)size);
        memcpy(text + used, digits + sizeof digits - n, n);
        used += n;
    } else if (size >= FLT_MIN && size < 1e15f) {
        used += print_shortest(text + used, size);
    } else {
        int digits = 6;
        do {
            snprintf(text + used, sizeof text - used, "%.*g", digits,
                     (double)size);
        } while (digits++ < 9 && strtof(text + used, NULL) != size);
        used += strlen(text + used);
    }
    buf_add(b, text, used);
}

void buf_json_double(struct buf *b, double value)
{
    char text[32];

    assert(isfinite(value));
    if (value == floor(value) && fabs(value) <= EXACT_INTEGER) {
        snprintf(text, sizeof text, "%.0f", value);
    } else {
        snprintf(text, sizeof text, "%.15g", value);
        if (strtod(text, NULL) != value)
            snprintf(text, sizeof text, "%.17g", value);
    }
    buf_text(b, text);
}

void buf_json_uint(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t n = print_digits(digits + sizeof digits, value);

    buf_add(b, digits + sizeof digits - n, n);
}

/* Writes one character that may not stand in a JSON string as it is. */
static void add_escaped(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        buf_text(b, "\\\"");
        break;
    case '\\':
        buf_text(b, "\\\\");
        break;
    case '\n':
        buf_text(b, "\\n");
        break;
    case '\r':
        buf_text(b, "\\r");
        break;
    case '\t':
        buf_text(b, "\\t");
        break;
    default:
        buf_printf(b, "\\u%04x", c);
    }
}

void buf_json_text_n(struct buf *b, const char *text, size_t length)
{
    size_t plain = 0; /* start of what has not been copied yet */

    buf_char(b, '"');
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)text[i];
        size_t step = utf8_step(text + i, length - i);
        if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
            i += step;
            continue;
        }
        buf_add(b, text + plain, i - plain);
        if (step == 0)
            buf_text(b, "\xEF\xBF\xBD");
        else
            add_escaped(b, c);
        i++;
        plain = i;
    }
    buf_add(b, text + plain, length - plain);
    buf_char(b, '"');
}

void buf_json_text(struct buf *b, const char *text)
{
    buf_json_text_n(b, text, strlen(text));
}
