/* Strict JSON text (RFC 8259), read in one pass without allocation: the
 * checker, and walkers for text that it has accepted.
 *
 * Descent is recursive but never deeper than JSON_MAX_DEPTH. Every read is
 * preceded by a comparison with the end, so that the text needs no closing
 * zero.
 */
#include "lib/base/json.h"

#include "lib/base/digits.h"
#include "lib/base/utf8.h"

#include <string.h>

#define MAX_KEYS 64 /* of one object, kept to find duplicates */

struct scan {
    const char *start;
    const char *at;
    const char *end;
    struct err *e;
    unsigned depth;
};

static bool check_value(struct scan *s);

static size_t line_of(const struct scan *s)
{
    size_t line = 1;

    for (const char *c = s->start; c < s->at; c++)
        line += *c == '\n';
    return line;
}

/* Always false, so that checks can return it. */
static bool refuse(struct scan *s, const char *what)
{
    err_set(s->e, ERR_INVALID, "JSON: %s at byte %zu (line %zu)", what,
            (size_t)(s->at - s->start), line_of(s));
    return false;
}

static bool at_end(const struct scan *s)
{
    return s->at == s->end;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct scan *s)
{
    /* One comparison in compact text: what is white space is below '!'. */
    while (
        s->at < s->end && (unsigned char)*s->at <= ' ' &&
        (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

/* Four hexadecimal digits; -1 if they are not there. */
static long hex4(const struct scan *s, const char *at)
{
    long value = 0;

    if (s->end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = is_digit(c)            ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* After \u: one character, which may take two escapes. */
static bool check_unicode_escape(struct scan *s)
{
    long first = hex4(s, s->at);

    if (first < 0)
        return refuse(s, "\\u without four hexadecimal digits");
    if (first >= 0xDC00 && first <= 0xDFFF)
        return refuse(s, "lone low surrogate");
    s->at += 4;
    if (first < 0xD800 || first > 0xDBFF)
        return true;
    long second = s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u'
                      ? hex4(s, s->at + 2)
                      : -1;
    if (second < 0xDC00 || second > 0xDFFF)
        return refuse(s, "lone high surrogate");
    s->at += 6;
    return true;
}

/* After the backslash. */
static bool check_escape(struct scan *s)
{
    if (at_end(s))
        return refuse(s, "text ends within a string");
    char c = *s->at;
    if (c == 'u') {
        s->at++;
        return check_unicode_escape(s);
    }
    if (c == 0 || strchr("\"\\/bfnrt", c) == NULL)
        return refuse(s, "unknown escape");
    s->at++;
    return true;
}

/* At the opening quote; leaves s->at after the closing one. */
static bool check_string(struct scan *s)
{
    s->at++;
    while (!at_end(s)) {
        unsigned char c = (unsigned char)*s->at;
        if (c == '"') {
            s->at++;
            return true;
        }
        if (c == '\\') {
            s->at++;
            if (!check_escape(s))
                return false;
        } else if (c < 0x20) {
            return refuse(s, "control character in a string");
        } else if (c < 0x80) {
            s->at++;
        } else {
            size_t step = utf8_step(s->at, (size_t)(s->end - s->at));
            if (step == 0)
                return refuse(s, "invalid UTF-8");
            s->at += step;
        }
    }
    return refuse(s, "text ends within a string");
}

static bool check_digits(struct scan *s)
{
    if (at_end(s))
        return refuse(s, "text ends within a number");
    if (!is_digit(*s->at))
        return refuse(s, "digit expected");
    s->at = digits_skip(s->at, s->end);
    return true;
}

/* Only a number with an exponent, or hundreds of digits, can be too large. */
static bool check_finite(struct scan *s, const char *start, bool exponent)
{
    double value;

    if (!exponent && s->at - start < 300)
        return true;
    json_scan_number(start, (size_t)(s->at - start), &value);
    if (value - value == 0)
        return true;
    size_t length = (size_t)(s->at - start);
    s->at = start;
    err_set(s->e, ERR_INVALID,
            "JSON: %.*s%s is not a finite number, at byte %zu (line %zu)",
            length < 24 ? (int)length : 24, start, length < 24 ? "" : "...",
            (size_t)(s->at - s->start), line_of(s));
    return false;
}

static bool check_number(struct scan *s)
{
    const char *start = s->at;
    bool exponent = false;

    if (*s->at == '-')
        s->at++;
    if (s->end - s->at >= 2 && s->at[0] == '0' && is_digit(s->at[1]))
        return refuse(s, "number with a leading zero");
    if (!check_digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!check_digits(s))
            return false;
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        exponent = true;
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        if (!check_digits(s))
            return false;
    }
    return check_finite(s, start, exponent);
}

static bool check_word(struct scan *s, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
        return refuse(s, "value expected");
    s->at += length;
    return true;
}

static bool enter(struct scan *s)
{
    if (s->depth == JSON_MAX_DEPTH) {
        err_set(s->e, ERR_INVALID,
                "JSON: nesting over %d levels at byte %zu (line %zu)",
                JSON_MAX_DEPTH, (size_t)(s->at - s->start), line_of(s));
        return false;
    }
    s->depth++;
    s->at++;
    skip_space(s);
    return true;
}

static bool leave(struct scan *s)
{
    s->depth--;
    s->at++;
    return true;
}

static bool check_array(struct scan *s)
{
    if (!enter(s))
        return false;
    if (!at_end(s) && *s->at == ']')
        return leave(s);
    for (;;) {
        if (!check_value(s))
            return false;
        skip_space(s);
        if (at_end(s))
            return refuse(s, "text ends within an array");
        if (*s->at == ']')
            return leave(s);
        if (*s->at != ',')
            return refuse(s, "',' or ']' expected");
        s->at++;
        skip_space(s);
    }
}

static bool same(struct json_span a, struct json_span b)
{
    return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

/* One key and the colon; refuses a key that is among the first MAX_KEYS. */
static bool check_key(struct scan *s, struct json_span *keys, size_t *count)
{
    struct json_span key = {s->at, 0};

    if (at_end(s))
        return refuse(s, "text ends within an object");
    if (*s->at != '"')
        return refuse(s, "key in quotes expected");
    if (!check_string(s))
        return false;
    key.length = (size_t)(s->at - key.text);
    for (size_t i = 0; i < *count; i++) {
        if (same(keys[i], key)) {
            s->at = key.text;
            return refuse(s, "duplicate key");
        }
    }
    if (*count < MAX_KEYS)
        keys[(*count)++] = key;
    skip_space(s);
    if (at_end(s))
        return refuse(s, "text ends within an object");
    if (*s->at != ':')
        return refuse(s, "':' expected");
    s->at++;
    skip_space(s);
    return true;
}

static bool check_object(struct scan *s)
{
    struct json_span keys[MAX_KEYS];
    size_t count = 0;

    if (!enter(s))
        return false;
    if (!at_end(s) && *s->at == '}')
        return leave(s);
    for (;;) {
        if (!check_key(s, keys, &count) || !check_value(s))
            return false;
        skip_space(s);
        if (at_end(s))
            return refuse(s, "text ends within an object");
        if (*s->at == '}')
            return leave(s);
        if (*s->at != ',')
            return refuse(s, "',' or '}' expected");
        s->at++;
        skip_space(s);
    }
}

/* At the first byte of a value, white space skipped. */
static bool check_value(struct scan *s)
{
    if (at_end(s))
        return refuse(s, "text ends where a value is expected");
    switch (*s->at) {
    case '{':
        return check_object(s);
    case '[':
        return check_array(s);
    case '"':
        return check_string(s);
    case 't':
        return check_word(s, "true");
    case 'f':
        return check_word(s, "false");
    case 'n':
        return check_word(s, "null");
    default:
        if (*s->at == '-' || is_digit(*s->at))
            return check_number(s);
        return refuse(s, "value expected");
    }
}

enum err_code json_check(const char *text, size_t length, struct err *e)
{
    struct scan s = {text, text, text + length, e, 0};

    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        refuse(&s, "byte order mark");
        return ERR_INVALID;
    }
    skip_space(&s);
    if (at_end(&s)) {
        refuse(&s, "empty text");
        return ERR_INVALID;
    }
    if (!check_value(&s))
        return ERR_INVALID;
    skip_space(&s);
    if (!at_end(&s)) {
        refuse(&s, "text after the value");
        return ERR_INVALID;
    }
    return ERR_OK;
}
