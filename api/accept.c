/* Content negotiation over a handful of media types. Quality values count in
 * thousandths; the most specific range of the header decides for an offer.
 */
#include "api/accept.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    enum media media;
    const char *name;
} types[] = {
    {MEDIA_JSON, "application/json"},
    {MEDIA_NPY, "application/x-npy"},
    {MEDIA_PNG, "image/png"},
    {MEDIA_JPEG, "image/jpeg"},
    {MEDIA_NDJSON, "application/x-ndjson"},
    {MEDIA_NPZ, "application/x-npz"},
    {MEDIA_EVENTS, "text/event-stream"},
    {MEDIA_ANY, "*/*"},
};

#define N_TYPES (sizeof types / sizeof types[0])

static bool same(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && strncasecmp(name, text, length) == 0;
}

unsigned media_parse(const char *content_type)
{
    size_t length = strcspn(content_type, "; \t");

    for (size_t i = 0; i < N_TYPES; i++) {
        if (same(types[i].name, content_type, length))
            return types[i].media;
    }
    return 0;
}

const char *media_name(enum media media)
{
    for (size_t i = 0; i < N_TYPES; i++) {
        if (types[i].media == media)
            return types[i].name;
    }
    return "application/octet-stream";
}

const char *media_list(char *out, size_t size, unsigned set)
{
    size_t used = 0;

    out[0] = 0;
    for (size_t i = 0; i < N_TYPES; i++) {
        if ((set & types[i].media) != 0 && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s",
                                     used > 0 ? ", " : "", types[i].name);
    }
    return out;
}

/* How closely a range names a type: 3 by name, 2 type, 1 any, 0 not. */
static int closeness(const char *range, size_t length, const char *name)
{
    size_t slash = strcspn(name, "/");

    if (same("*/*", range, length))
        return 1;
    if (length == slash + 2 && range[length - 1] == '*' &&
        strncasecmp(range, name, slash + 1) == 0)
        return 2;
    return same(name, range, length) ? 3 : 0;
}

int media_quality(const char *at, const char *end)
{
    int value = 1000;

    while (at < end) {
        at += strspn(at, "; \t");
        if (end - at >= 3 && (*at == 'q' || *at == 'Q') && at[1] == '=') {
            int unit = 1000;
            value = 0;
            for (at += 2; at < end && unit > 0; at++) {
                if (*at == '.')
                    continue;
                if (*at < '0' || *at > '9')
                    break;
                value += (*at - '0') * unit;
                unit /= 10;
            }
        }
        while (at < end && *at != ';')
            at++;
    }
    return value < 1000 ? value : 1000;
}

int media_weight(const char *accept, const char *name)
{
    int best = 0, weight = 0;

    while (*accept != 0) {
        accept += strspn(accept, ", \t");
        const char *end = accept + strcspn(accept, ",");
        size_t length = strcspn(accept, ",; \t");
        int close = closeness(accept, length, name);
        if (close > best) {
            best = close;
            weight = media_quality(accept + length, end);
        }
        accept = end;
    }
    return weight;
}

unsigned media_choose(const char *accept, unsigned offers)
{
    unsigned chosen = 0;
    int best = 0;

    for (size_t i = 0; i < N_TYPES; i++) {
        if ((offers & types[i].media) == 0)
            continue;
        bool any = accept == NULL || accept[strspn(accept, " \t")] == 0;
        int weight = any ? 1000 : media_weight(accept, types[i].name);
        if (weight > best) {
            best = weight;
            chosen = types[i].media;
        }
    }
    return chosen;
}
