/* Errors: text is formatted aside first, so that a caller may pass the old
 * message as an argument, and is cut at a whole UTF-8 character, because it
 * ends up in JSON replies.
 */
#include "lib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
#define X(name, text) #name,
    ERR_CODES(X)
#undef X
};

static const char *const texts[] = {
#define X(name, text) text,
    ERR_CODES(X)
#undef X
};

/* Takes away a UTF-8 character whose end was cut off. */
static void drop_half_character(char *text, size_t length)
{
    size_t start = length;

    while (start > 0 && length - start < 3 &&
           ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (length - (start - 1) < want)
        text[start - 1] = 0;
}

/* Copies text to the error's message, cut to fit. */
static void store_message(struct err *e, const char *text)
{
    size_t length = strlen(text);
    size_t kept = length < sizeof e->msg ? length : sizeof e->msg - 1;

    memcpy(e->msg, text, kept);
    e->msg[kept] = 0;
    if (kept < length)
        drop_half_character(e->msg, kept);
}

enum err_code err_set(struct err *e, enum err_code code, const char *format,
                      ...)
{
    char text[sizeof e->msg + 8];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    e->code = code;
    store_message(e, text);
    return code;
}

enum err_code err_wrap(struct err *e, const char *format, ...)
{
    char text[2 * sizeof e->msg + 8];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof e->msg, format, args);
    va_end(args);
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, ": %s", e->msg);
    store_message(e, text);
    return e->code;
}

static enum err_code code_of_errno(int error_number)
{
    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOENT:
        return ERR_NOT_FOUND;
    default:
        return ERR_IO;
    }
}

enum err_code err_set_errno(struct err *e, int error_number, const char *format,
                            ...)
{
    char text[2 * sizeof e->msg + 8];
    char reason[128] = "";
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof e->msg, format, args);
    va_end(args);
    size_t used = strlen(text);
    /* The GNU strerror_r may answer with static text instead of `reason`. */
    const char *why = strerror_r(error_number, reason, sizeof reason);
    snprintf(text + used, sizeof text - used, ": %s", why);
    e->code = code_of_errno(error_number);
    store_message(e, text);
    return e->code;
}

const char *err_name(enum err_code code)
{
    size_t i = (size_t)code;

    return i < sizeof names / sizeof names[0] ? names[i] : "UNKNOWN";
}

const char *err_text(enum err_code code)
{
    size_t i = (size_t)code;

    return i < sizeof texts / sizeof texts[0] ? texts[i] : "unknown error";
}
