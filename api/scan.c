/* Reading steps. Numbers are read as doubles, exactly, and then rounded to
 * floats; texts that print 9 digits come back as the float they were.
 */
#include "api/scan.h"

#include <math.h>
#include <string.h>

/* Halfway from the largest float to what would follow: rounds to infinity. */
#define FLOAT_OVERFLOW 0x1.ffffffp127

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

enum err_code scan_refuse(const struct scan *s, const char *what, struct err *e)
{
    if (s->at < s->end && strchr("{[\"tfn-0123456789", *s->at) != NULL &&
        *s->at != 0)
        return err_set(e, ERR_SHAPE, "want %s", what);
    return err_set(e, ERR_INVALID, "JSON: malformed where %s is expected",
                   what);
}

/* The strict number at the place; 0 bytes if there is none. */
static size_t number(const struct scan *s, double *value)
{
    size_t length = (size_t)(s->end - s->at);
    size_t sign = length > 0 && *s->at == '-';

    if (length > sign + 1 && s->at[sign] == '0' && is_digit(s->at[sign + 1]))
        return 0; /* a leading zero */
    return json_scan_number(s->at, length, value);
}

enum err_code scan_number(struct scan *s, double *value, struct err *e)
{
    size_t used = number(s, value);

    if (used == 0)
        return scan_refuse(s, "a number", e);
    if (fabs(*value) >= FLOAT_OVERFLOW)
        return err_set(e, ERR_SHAPE, "%.*s is not finite as a 32-bit float",
                       used > 40 ? 40 : (int)used, s->at);
    s->at += used;
    return ERR_OK;
}

enum err_code scan_float(struct scan *s, float *value, struct err *e)
{
    double wide;

    /* Most numbers of most pictures. */
    if (s->end - s->at >= 2 && s->at[0] == '0' &&
        (s->at[1] == ',' || s->at[1] == ']')) {
        *value = 0.0f;
        s->at++;
        return ERR_OK;
    }
    if (scan_number(s, &wide, e) != ERR_OK)
        return e->code;
    *value = (float)wide;
    return ERR_OK;
}

static bool take_word(struct scan *s, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
        return false;
    s->at += length;
    return true;
}

enum err_code scan_flag(struct scan *s, float *value, struct err *e)
{
    static const char want[] = "0, 1, false or true";
    double wide;

    *value = take_word(s, "true") ? 1.0f : 0.0f;
    if (*value == 1.0f || take_word(s, "false"))
        return ERR_OK;
    size_t used = number(s, &wide);
    if (used == 0)
        return scan_refuse(s, want, e);
    if (wide != 0 && wide != 1)
        return err_set(e, ERR_SHAPE, "want %s, got %.*s", want,
                       used > 40 ? 40 : (int)used, s->at);
    *value = (float)wide;
    s->at += used;
    return ERR_OK;
}

enum err_code scan_size(struct scan *s, size_t max, size_t *value,
                        struct err *e)
{
    double wide;
    size_t used = number(s, &wide);

    if (used == 0)
        return scan_refuse(s, "a whole number", e);
    if (!(wide >= 0 && wide <= (double)max) || wide != floor(wide))
        return err_set(e, ERR_SHAPE,
                       "want a whole number from 0 to %zu, got "
                       "%.*s",
                       max, used > 40 ? 40 : (int)used, s->at);
    *value = (size_t)wide;
    s->at += used;
    return ERR_OK;
}

bool scan_text(struct scan *s, struct json_span *text)
{
    if (!scan_sees(s, '"'))
        return false;
    const char *c = s->at + 1;
    while (c < s->end && *c != '"')
        c += *c == '\\' && s->end - c > 1 ? 2 : 1;
    if (c >= s->end)
        return false;
    *text = (struct json_span){s->at + 1, (size_t)(c - s->at - 1)};
    s->at = c + 1;
    return true;
}

void scan_skip(struct scan *s)
{
    struct json_span text;
    size_t depth = 0;

    while (s->at < s->end) {
        char c = *s->at;
        if (c == '"') {
            if (!scan_text(s, &text))
                s->at = s->end;
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            return;
        if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        s->at++;
    }
}
