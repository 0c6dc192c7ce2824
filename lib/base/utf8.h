/* UTF-8: one strict decoder step, shared by all that reads or prints text.
 */
#ifndef SPARSED_BASE_UTF8_H
#define SPARSED_BASE_UTF8_H

#include <stddef.h>

/* Bytes (1 to 4) of the character that starts at text, of which `length`
 * bytes may be read; 0 if they are no character: a cut or overlong form, a
 * surrogate, or a value over U+10FFFF (RFC 3629). */
size_t utf8_step(const char *text, size_t length);

#endif
