/* traceparent: VERSION-TRACE-PARENT-FLAGS, in lower-case hex. Versions that do
 * not exist yet may have more after it, behind a dash, but begin the same.
 */
#include "api/trace.h"

#include <string.h>

#define LENGTH ((size_t)55)

/* `n` lower-case hex digits and then a dash, or the end of the first 55. */
static bool is_field(const char *text, size_t at, size_t n)
{
    return strspn(text + at, "0123456789abcdef") >= n &&
           (at + n == LENGTH || text[at + n] == '-');
}

static bool is_zero(const char *text, size_t n)
{
    return strspn(text, "0") >= n;
}

bool trace_parse(char id[TRACE_BYTES], const char *text, size_t length)
{
    if (length < LENGTH || memchr(text, 0, LENGTH) != NULL)
        return false;
    if (!is_field(text, 0, 2) || !is_field(text, 3, 32) ||
        !is_field(text, 36, 16) || !is_field(text, 53, 2))
        return false;
    if (memcmp(text, "ff", 2) == 0 || is_zero(text + 3, 32) ||
        is_zero(text + 36, 16))
        return false;
    if (length > LENGTH && (is_zero(text, 2) || text[LENGTH] != '-'))
        return false;
    memcpy(id, text + 3, TRACE_BYTES - 1);
    id[TRACE_BYTES - 1] = 0;
    return true;
}
