/* Log: the line is put together on the stack and leaves by one write(2), so
 * that logging neither allocates nor waits for a lock.
 *
 * The JSON form is made from the same key=value text: quoted values are JSON
 * strings already (log_quote sees to that), numbers and true, false, null stay
 * as they are, all else becomes a string.
 */
#include "lib/base/log.h"

#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAIRS_BYTES 2048
#define LINE_BYTES 4096 /* PIPE_BUF: a pipe takes it in one piece */

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static _Atomic enum log_level wanted = LOG_INFO;
static _Atomic enum log_format wanted_format = LOG_TEXT;

void log_set(enum log_level level, enum log_format format)
{
    wanted = level;
    wanted_format = format;
}

bool log_enabled(enum log_level level)
{
    return level <= wanted;
}

/* The escaped form of the character at text into out (at least 8 bytes);
 * returns how many bytes of text it stands for. */
static size_t escape(char *out, const char *text, size_t length)
{
    unsigned char c = (unsigned char)text[0];

    /* Nearly every character, and one line is logged for each request. */
    if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') {
        out[0] = (char)c;
        out[1] = 0;
        return 1;
    }
    size_t step = utf8_step(text, length);
    if (step == 0) {
        snprintf(out, 8, "\\ufffd");
        return 1;
    }
    if (c == '"' || c == '\\')
        snprintf(out, 8, "\\%c", c);
    else if (c == '\n')
        snprintf(out, 8, "\\n");
    else if (c < 0x20 || c == 0x7F)
        snprintf(out, 8, "\\u%04x", c);
    else
        snprintf(out, 8, "%.*s", (int)step, text);
    return step;
}

/* `length` bytes of text as a JSON string, cut to fit. */
static size_t quote(char *out, size_t size, const char *text, size_t length)
{
    size_t used = 0;

    if (size < 3) {
        if (size > 0)
            out[0] = 0;
        return 0;
    }
    out[used++] = '"';
    for (size_t i = 0; i < length;) {
        char piece[8];
        size_t step = escape(piece, text + i, length - i);
        size_t room = strlen(piece);
        if (used + room + 2 > size)
            break;
        memcpy(out + used, piece, room);
        used += room;
        i += step;
    }
    out[used++] = '"';
    out[used] = 0;
    return used;
}

const char *log_quote(char *out, unsigned long size, const char *text)
{
    quote(out, size, text, strlen(text));
    return out;
}

/* Length of the value at text: up to a space that is not within quotes. */
static size_t value_length(const char *text)
{
    size_t i = 0;

    if (text[0] != '"')
        return strcspn(text, " ");
    for (i = 1; text[i] != 0 && text[i] != '"'; i++) {
        if (text[i] == '\\' && text[i + 1] != 0)
            i++;
    }
    return text[i] == '"' ? i + 1 : i;
}

/* ,"key":value for each pair into out; returns the bytes written. A pair that
 * does not fit is left out. */
static size_t json_pairs(char *out, size_t size, const char *pairs)
{
    size_t used = 0;

    out[0] = 0;
    for (const char *at = pairs; *at != 0;) {
        struct err unused;
        char key[64];
        char value[PAIRS_BYTES + 8];
        size_t key_length = strcspn(at, "= ");
        quote(key, sizeof key, at, key_length);
        at += key_length;
        if (*at == '=')
            at++;
        size_t length = value_length(at);
        if (json_check(at, length, &unused) == ERR_OK && *at != '{' &&
            *at != '[')
            snprintf(value, sizeof value, "%.*s", (int)length, at);
        else
            quote(value, sizeof value, at, length);
        at += length;
        at += strspn(at, " ");
        int n = snprintf(out + used, size - used, ",%s:%s", key, value);
        if (n < 0 || (size_t)n >= size - used) {
            out[used] = 0;
            break;
        }
        used += (size_t)n;
    }
    return used;
}

/* Control characters would break "one event, one line". */
static void replace_controls(char *text)
{
    for (char *c = text; *c != 0; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    }
}

static void write_line(const char *line, size_t length)
{
    while (write(STDERR_FILENO, line, length) < 0 && errno == EINTR)
        continue;
}

void log_event(enum log_level level, const char *component, const char *event,
               const char *pairs, ...)
{
    char text[PAIRS_BYTES] = "";
    char line[LINE_BYTES];
    char time[32];
    int n;

    if (!log_enabled(level))
        return;
    if (pairs != NULL) {
        va_list args;
        va_start(args, pairs);
        vsnprintf(text, sizeof text, pairs, args);
        va_end(args);
        replace_controls(text);
    }
    clock_print_wall(time, sizeof time, clock_wall());
    if (wanted_format == LOG_TEXT) {
        n = snprintf(line, sizeof line, "%s %s %s %s%s%s\n", time,
                     level_names[level], component, event,
                     text[0] != 0 ? " " : "", text);
    } else {
        char members[LINE_BYTES - 256]; /* the rest: time, level, names */
        json_pairs(members, sizeof members, text);
        n = snprintf(line, sizeof line,
                     "{\"time\":\"%s\",\"level\":\"%s\",\"component\":\"%s\","
                     "\"event\":\"%s\"%s}\n",
                     time, level_names[level], component, event, members);
    }
    if (n > 0 && (size_t)n < sizeof line)
        write_line(line, (size_t)n);
}
