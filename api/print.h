/* Printing rows of numbers as JSON. All numbers must be finite.
 */
#ifndef SPARSED_API_PRINT_H
#define SPARSED_API_PRINT_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/json.h"

#include <stddef.h>
#include <stdint.h>

/* [x0,x1,...] */
void print_floats(struct buf *b, const float *x, size_t n);

/* The same with 0 for all but the `count` ascending indices. */
void print_picked(struct buf *b, const float *x, size_t n,
                  const uint32_t *index, size_t count);

/* {"indices":[...],"values":[...]} */
void print_sparse(struct buf *b, const float *x, const uint32_t *index,
                  size_t count);

/* [i0,i1,...] */
void print_indices(struct buf *b, const uint32_t *index, size_t count);

/* The number, or null if it is not finite. */
void print_float_or_null(struct buf *b, float value);

/* Why a reply's buffer failed: it is over its maximum (ERR_TOO_LARGE), or,
 * if it was far from that, memory is out. */
enum err_code print_refuse(const struct buf *b, struct err *e);

/* ERR_TOO_LARGE, for what would not fit into it. */
enum err_code print_refuse_length(const struct buf *b, struct err *e);

/* The number, or null for 0. */
void print_uint_or_null(struct buf *b, uint64_t value);

/* The text, or null for NULL. */
void print_text_or_null(struct buf *b, const char *text);

/* The value, or null if there is none. */
void print_json_or_null(struct buf *b, const struct json *j);

#endif
