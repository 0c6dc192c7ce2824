/* Numbers: the JSON `data` of a tensor, flat or nested in any way, scanned into
 * floats in one pass.
 *
 * What stands after it in the object, its datatype perhaps, is not known yet;
 * so what a datatype could mind is noted, and judged later.
 */
#ifndef SPARSED_API_OIP_NUMBERS_H
#define SPARSED_API_OIP_NUMBERS_H

#include "api/oip/datatype.h"
#include "api/scan.h"
#include "lib/base/arena.h"

#include <stddef.h>

struct oip_numbers {
    /* Wanted: */
    struct arena *memory;
    size_t max; /* numbers over it are counted, and not kept */
    /* Found: */
    bool present; /* there, and not null */
    float *data;
    size_t n;
    double least, most;    /* of the numbers, and 0 */
    bool fractions, words; /* are there any; words: true, false */
    size_t fraction, word; /* where the first of them is */
};

/* out: struct oip_numbers; a reader for tensor_member. */
enum err_code oip_numbers_read(void *out, struct scan *s, struct err *e)
    ERR_CHECKED;

/* ERR_INVALID if some of them are not of the datatype. */
enum err_code oip_numbers_check(const struct oip_numbers *x,
                                const struct oip_datatype *type, struct err *e)
    ERR_CHECKED;

#endif
