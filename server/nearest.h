/* Nearest: which known name somebody may have meant.
 */
#ifndef SPARSED_SERVER_NEAREST_H
#define SPARSED_SERVER_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *best; /* of those tried, or NULL: none is near */
    size_t edits;     /* what `best` differs by */
    const char *name;
    size_t length;
};

/* name (length bytes, borrowed) is what was meant to be some other name. */
void nearest_begin(struct nearest *n, const char *name, size_t length);

void nearest_try(struct nearest *n, const char *candidate);

#endif
