/* ZIP archives laid by hand, so that every field can lie.
 */
#ifndef SPARSED_TESTS_ZIP_H
#define SPARSED_TESTS_ZIP_H

#include "lib/base/buf.h"

enum { ZIP_STORED = 0, ZIP_DEFLATED = 8 };

/* One member to lay. */
struct zip_member {
    const char *name;
    const void *data;
    size_t length;
    unsigned method;
    unsigned flags;
    size_t claimed; /* inflated size for the directory; 0: the true one */
};

/* Into b, which is initialised. Deflated members hold one stored block, which
 * needs no compressor. */
void zip_lay(struct buf *b, const struct zip_member *members, size_t n);

#endif
