/* The members of an inference reply: a table of name, the output that asks for
 * it, and how one row of it is printed.
 */
#ifndef SPARSED_API_REPLY_PARTS_H
#define SPARSED_API_REPLY_PARTS_H

#include "api/run.h"

#define REPLY_PARTS 8

extern const struct reply_part {
    const char *name;
    enum output output;
    /* Appends row `row` of the current block. */
    enum err_code (*print)(struct run *r, size_t row, struct buf *b,
                           struct err *e);
} reply_parts[REPLY_PARTS];

#endif
