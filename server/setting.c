/* Settings: reading text into members by their types.
 */
#include "server/setting.h"

#include "lib/base/clock.h"
#include "lib/base/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} units[] = {
    {"", 1},
    {"KiB", (size_t)1 << 10},
    {"MiB", (size_t)1 << 20},
    {"GiB", (size_t)1 << 30},
};

const struct setting *setting_find(const struct setting *table,
                                   const char *name, size_t length)
{
    for (const struct setting *s = table; s->name != NULL; s++) {
        if (strlen(s->name) == length && memcmp(s->name, name, length) == 0)
            return s;
    }
    return NULL;
}

/* A number, of bytes with an optional unit. */
static bool read_number(const char *text, enum setting_type type,
                        double *number)
{
    size_t used = json_scan_number(text, strlen(text), number);

    if (used == 0)
        return false;
    bool whole = type == SETTING_COUNT || type == SETTING_BYTES;
    if (whole && *number != floor(*number))
        return false;
    if (type != SETTING_BYTES)
        return text[used] == 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + used, units[i].name) == 0) {
            *number *= (double)units[i].bytes;
            return true;
        }
    }
    return false;
}

static enum err_code read_range(const struct setting *s, void *member,
                                const char *text, const char *source,
                                struct err *e)
{
    double number;

    if (!read_number(text, s->type, &number) || number < s->min ||
        number > s->max) {
        const char *kind = s->type == SETTING_BYTES     ? "bytes, as 64MiB,"
                           : s->type == SETTING_SECONDS ? "seconds"
                                                        : "a number";
        return err_set(e, ERR_INVALID,
                       "%s: '%.40s' is not %s from %.12g to %.12g", source,
                       text, kind, s->min, s->max);
    }
    if (s->type == SETTING_SECONDS)
        *(usec *)member = (usec)(number * 1e6);
    else if (s->type == SETTING_NUMBER)
        *(double *)member = number;
    else
        *(size_t *)member = (size_t)number;
    return ERR_OK;
}

static enum err_code read_flag(bool *member, const char *text,
                               const char *source, struct err *e)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    bool no = strcmp(text, "false") == 0 || strcmp(text, "0") == 0;

    if (!yes && !no)
        return err_set(e, ERR_INVALID, "%s: '%.40s' is not true or false",
                       source, text);
    *member = yes;
    return ERR_OK;
}

static enum err_code read_choice(const struct setting *s, int *member,
                                 const char *text, const char *source,
                                 struct err *e)
{
    char list[128] = "";
    size_t used = 0;

    for (int i = 0; s->choices[i] != NULL; i++) {
        if (strcmp(text, s->choices[i]) == 0) {
            *member = i;
            return ERR_OK;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     i > 0 ? ", " : "", s->choices[i]);
    }
    return err_set(e, ERR_INVALID, "%s: '%.40s' is none of: %s", source, text,
                   list);
}

enum err_code setting_read(const struct setting *s, void *into,
                           const char *text, const char *source, struct err *e)
{
    void *member = (char *)into + s->offset;

    switch (s->type) {
    case SETTING_TEXT:
        *(const char **)member = text;
        return ERR_OK;
    case SETTING_FLAG:
        return read_flag(member, text, source, e);
    case SETTING_COUNT:
    case SETTING_BYTES:
    case SETTING_SECONDS:
    case SETTING_NUMBER:
        return read_range(s, member, text, source, e);
    case SETTING_CHOICE:
        return read_choice(s, member, text, source, e);
    }
    return err_set(e, ERR_INTERNAL, "%s: a setting without a type", source);
}

static size_t size_of(enum setting_type type)
{
    switch (type) {
    case SETTING_TEXT:
        return sizeof(const char *);
    case SETTING_FLAG:
        return sizeof(bool);
    case SETTING_COUNT:
    case SETTING_BYTES:
        return sizeof(size_t);
    case SETTING_SECONDS:
        return sizeof(usec);
    case SETTING_NUMBER:
        return sizeof(double);
    case SETTING_CHOICE:
        return sizeof(int);
    }
    return 0;
}

void setting_copy(const struct setting *s, void *to, const void *from)
{
    memcpy((char *)to + s->offset, (const char *)from + s->offset,
           size_of(s->type));
}

void settings_standard(const struct setting *table, void *into)
{
    for (const struct setting *s = table; s->name != NULL; s++) {
        struct err e;
        if (s->standard != NULL &&
            setting_read(s, into, s->standard, s->name, &e) != ERR_OK)
            fprintf(stderr, "default of %s\n", e.msg);
    }
}
