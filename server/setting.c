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

void settings_standard(const struct setting *table, void *into)
{
    for (const struct setting *s = table; s->name != NULL; s++) {
        struct err e;
        if (s->standard != NULL &&
            setting_read(s, into, s->standard, s->name, &e) != ERR_OK)
            fprintf(stderr, "default of %s\n", e.msg);
    }
}

/* Reads the flag argv[*i], with its value if that is the next argument. */
static enum err_code read_argument(const struct setting *table, void *into,
                                   char **argv, int *i, struct err *e)
{
    const char *name = argv[*i] + 2;
    size_t length = strcspn(name, "=");
    const struct setting *s = setting_find(table, name, length);
    const char *value = "true";
    char source[64];

    snprintf(source, sizeof source, "--%.*s", (int)(length > 50 ? 50 : length),
             name);
    if (s == NULL)
        return err_set(e, ERR_INVALID, "there is no %s", source);
    if (name[length] == '=') {
        value = name + length + 1;
    } else if (s->type != SETTING_FLAG) {
        if (argv[*i + 1] == NULL)
            return err_set(e, ERR_INVALID, "%s needs a value: %s", source,
                           s->value);
        value = argv[++*i];
    }
    return setting_read(s, into, value, source, e);
}

enum err_code settings_read_flags(const struct setting *table, void *into,
                                  int argc, char **argv,
                                  const char *const *what,
                                  const char **operands, size_t n,
                                  struct err *e)
{
    size_t got = 0;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            if (read_argument(table, into, argv, &i, e) != ERR_OK)
                return e->code;
        } else if (got < n) {
            operands[got++] = argv[i];
        } else {
            return err_set(e, ERR_INVALID, "one argument too many: '%.60s'",
                           argv[i]);
        }
    }
    if (got < n)
        return err_set(e, ERR_INVALID, "%s is missing", what[got]);
    return ERR_OK;
}

void settings_print_help(FILE *out, const struct setting *table)
{
    for (const struct setting *s = table; s->name != NULL; s++) {
        char flag[64];
        if (s->section != NULL)
            fprintf(out, "%s%s:\n", s == table ? "" : "\n", s->section);
        snprintf(flag, sizeof flag, "--%s%s%s", s->name,
                 s->value != NULL ? " " : "", s->value != NULL ? s->value : "");
        fprintf(out, "  %-28s %s", flag, s->help);
        if (s->type == SETTING_CHOICE) {
            for (int i = 0; s->choices[i] != NULL; i++)
                fprintf(out, "%s%s", i > 0 ? ", " : ": ", s->choices[i]);
        }
        if (s->standard != NULL && s->type != SETTING_FLAG)
            fprintf(out, " (%s)", s->standard);
        fputc('\n', out);
    }
}
