/* Media types: which one a body is, and which one the client would like
 * (RFC 9110, sections 8.3 and 12.5.1).
 */
#ifndef SPARSED_API_ACCEPT_H
#define SPARSED_API_ACCEPT_H

#include "api/call.h"

/* The one bit of a Content-Type, parameters ignored; 0: none of ours. */
unsigned media_parse(const char *content_type);

/* "application/json"; static text. */
const char *media_name(enum media media);

/* The types of a set of bits, separated by ", ", into out; returns out. */
const char *media_list(char *out, size_t size, unsigned set);

/* The best of `offers` (bits) for an Accept header, the first in the order of
 * the bits where it has no preference; 0: nothing fits. NULL: anything. */
unsigned media_choose(const char *accept, unsigned offers);

/* What an Accept header gives to one type, in thousandths; 0: not wanted. */
int media_weight(const char *accept, const char *name);

/* The weight among the parameters ("; q=0.8") of one part of an Accept or
 * Accept-Encoding header, in thousandths; 1000 if none is told. */
int media_quality(const char *at, const char *end);

#endif
