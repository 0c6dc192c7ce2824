/* Rehearsal: a few of the rows that a model was trained on, kept in its file,
 * so that later training can go over them again and old classes are not
 * forgotten (Robins 1995).
 *
 * Inputs are kept as bytes over the model's range. Tensors in the file:
 * `rehearsal.inputs` (n, shape...) U8, `rehearsal.labels` (n) I32, -1 for none,
 * `rehearsal.held_out` (n) U8: 1 for rows that no training has seen.
 */
#ifndef SPARSED_MODEL_REHEARSAL_H
#define SPARSED_MODEL_REHEARSAL_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define REHEARSAL_MAX_ROWS ((size_t)1 << 20)

struct rehearsal {
    size_t n, size;    /* n rows of `size` numbers; 0: none is kept */
    uint8_t *inputs;   /* (n, size) */
    int32_t *labels;   /* (n) class index, or -1 */
    uint8_t *held_out; /* (n) 0 or 1 */
};

/* Zeros for n rows. ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err_code rehearsal_init(struct rehearsal *r, size_t n, size_t size,
                             struct err *e) ERR_CHECKED;
enum err_code rehearsal_copy(struct rehearsal *to, const struct rehearsal *from,
                             struct err *e) ERR_CHECKED;
size_t rehearsal_held_out(const struct rehearsal *r); /* how many rows */
void rehearsal_fini(struct rehearsal *r);             /* accepts a zeroed one */

#endif
