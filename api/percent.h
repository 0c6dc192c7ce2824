/* Percent-decoding of one piece of a target: a path segment, a query's name
 * or value.
 */
#ifndef SPARSED_API_PERCENT_H
#define SPARSED_API_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the decoded text and a zero into out. False if it does not fit, an
 * escape is not two hexadecimal digits, or a byte is zero. */
bool percent_decode(char *out, size_t size, const char *text, size_t length);

#endif
