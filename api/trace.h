/* Trace: which larger story a request is part of, as the W3C's Trace Context
 * tells it, for the log.
 */
#ifndef SPARSED_API_TRACE_H
#define SPARSED_API_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#define TRACE_BYTES 33 /* 32 hex digits and a 0 */

/* The trace id of a `traceparent` header: false, and nothing written, if it is
 * none (sections 3.2 and 4.3 of the recommendation). */
bool trace_parse(char id[TRACE_BYTES], const char *text, size_t length);

#endif
