/* Guard page: bytes that end where readable memory ends, so that reading one
 * byte too many kills the test, with or without a sanitizer.
 */
#ifndef SPARSED_TESTS_GUARD_H
#define SPARSED_TESTS_GUARD_H

#include <stddef.h>

struct guard {
    char *bytes; /* the copy: bytes[length] may not be touched */
    size_t length;
    void *map;
    size_t map_bytes;
};

/* A writable copy of `length` bytes before a page without access. */
struct guard guard_copy(const void *bytes, size_t length);
void guard_free(struct guard *g);

#endif
