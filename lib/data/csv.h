/* CSV: a table of numbers, separated by commas, one row a line.
 *
 * A first line with anything that is no number is a heading; if a column
 * is headed "label", it is the label of each row, an integer. Fields may
 * stand in double quotes; empty lines are skipped.
 */
#ifndef SPARSED_DATA_CSV_H
#define SPARSED_DATA_CSV_H

#include "lib/base/err.h"

#include <stddef.h>

struct csv {
    size_t rows;
    size_t columns;    /* without the label */
    float *values;     /* (rows, columns), owned, all finite */
    long long *labels; /* (rows), owned; NULL without a label column; an
                          empty field is -1 */
};

/* Fills *out, which the caller empties with csv_fini. Memory is bounded by the
 * text's length and max_rows. Errors name line and column: ERR_INVALID,
 * ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err_code csv_parse(struct csv *out, const char *text, size_t length,
                        size_t max_rows, struct err *e) ERR_CHECKED;
void csv_fini(struct csv *c);

#endif
