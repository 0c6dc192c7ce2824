/* UTF-8: the ranges of RFC 3629, section 4. The second byte alone decides on
 * overlong forms, surrogates and values that are too large.
 */
#include "lib/base/utf8.h"

#include <stdbool.h>

static bool follows(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

static size_t step_of_3(const unsigned char *s)
{
    unsigned char low = s[0] == 0xE0 ? 0xA0 : 0x80;
    unsigned char high = s[0] == 0xED ? 0x9F : 0xBF; /* no surrogates */

    return s[1] >= low && s[1] <= high && follows(s[2]) ? 3 : 0;
}

static size_t step_of_4(const unsigned char *s)
{
    unsigned char low = s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xF4 ? 0x8F : 0xBF; /* up to U+10FFFF */

    return s[1] >= low && s[1] <= high && follows(s[2]) && follows(s[3]) ? 4
                                                                         : 0;
}

size_t utf8_step(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;

    if (length == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2)
        return 0;
    if (s[0] < 0xE0)
        return length >= 2 && follows(s[1]) ? 2 : 0;
    if (s[0] < 0xF0)
        return length >= 3 ? step_of_3(s) : 0;
    if (s[0] < 0xF5)
        return length >= 4 ? step_of_4(s) : 0;
    return 0;
}
