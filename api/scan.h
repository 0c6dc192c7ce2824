/* Scan: a place in JSON text, and the small steps of reading it. Nothing is
 * read at or after `end`.
 *
 * A step that does not find what it wants leaves the place where it was, and
 * scan_refuse says why: another JSON value is ERR_SHAPE, anything else is
 * malformed, ERR_INVALID.
 */
#ifndef SPARSED_API_SCAN_H
#define SPARSED_API_SCAN_H

#include "lib/base/err.h"
#include "lib/base/json.h"

#include <stdbool.h>
#include <stddef.h>

struct scan {
    const char *at;
    const char *end;
};

static inline void scan_space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' ||
                              *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

/* Steps over white space, then over c if it is next. */
static inline bool scan_char(struct scan *s, char c)
{
    scan_space(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static inline bool scan_sees(const struct scan *s, char c)
{
    return s->at < s->end && *s->at == c;
}

/* A number that is finite as a float too. `e` says why not. */
enum err_code scan_number(struct scan *s, double *value, struct err *e)
    ERR_CHECKED;

/* The same, rounded. */
enum err_code scan_float(struct scan *s, float *value, struct err *e)
    ERR_CHECKED;

/* Up to `n` numbers with the commas behind them, as many as can be read fast;
 * the others are scan_float's. */
static inline size_t scan_floats(struct scan *s, float *out, size_t n)
{
    size_t used;
    size_t got =
        json_scan_floats(s->at, (size_t)(s->end - s->at), out, n, &used);

    s->at += used;
    return got;
}

/* 0, 1, false or true, as 0 or 1. */
enum err_code scan_flag(struct scan *s, float *value, struct err *e)
    ERR_CHECKED;

/* A whole number from 0 to max. */
enum err_code scan_size(struct scan *s, size_t max, size_t *value,
                        struct err *e) ERR_CHECKED;

/* The quoted text at the place, without quotes, escapes left as they are. */
bool scan_text(struct scan *s, struct json_span *text);

/* Steps over one value without checking it; stops before the ',', ']' or '}'
 * that follows. */
void scan_skip(struct scan *s);

/* "want <what>". */
enum err_code scan_refuse(const struct scan *s, const char *what,
                          struct err *e);

#endif
