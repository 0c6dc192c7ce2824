/* Tensor: what a body's numbers become, rows (B, size) of floats in the
 * request's arena, and the ways to read them: JSON text, npy, a picture.
 *
 * Every reader gets a struct tensor that says what is wanted and fills in what
 * there was. Shapes that do not suit are ERR_SHAPE, bytes that are no such
 * format ERR_INVALID, too much of them ERR_TOO_LARGE; messages name the row.
 */
#ifndef SPARSED_API_TENSOR_H
#define SPARSED_API_TENSOR_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/data/npy.h"
#include "lib/model/model.h"

#include <stdbool.h>
#include <stddef.h>

struct tensor {
    /* Wanted: */
    const char *name; /* "inputs", for messages */
    size_t size;      /* numbers of a row */
    size_t rank;      /* its nested shape; rank 1: flat only */
    size_t shape[3];
    bool scale_bytes; /* 8-bit numbers: 0..255 becomes low..high */
    float low, high;
    const char *member; /* in JSON: or each row is an object of this member */
    bool flags;         /* in JSON: each number is 0 or 1, or false or true */
    struct arena *memory;
    /* Found: */
    size_t B;
    float *data; /* (B,size) */
};

/* The input of a model; which of its numbers are known; the codes of one of
 * its layers. */
struct tensor tensor_of_inputs(const struct model *m, struct arena *memory);
struct tensor tensor_of_mask(const struct model *m, struct arena *memory);
struct tensor tensor_of_codes(const struct model *m, size_t layer,
                              struct arena *memory);

/* Room for B rows, not zeroed. ERR_TOO_LARGE over API_MAX_ROWS or over what
 * the arena may hold, with both numbers. */
enum err_code tensor_take(struct tensor *r, size_t B, struct err *e)
    ERR_CHECKED;

/* ERR_SHAPE for B = 0 and for numbers that are not finite. */
enum err_code tensor_check(const struct tensor *r, struct err *e) ERR_CHECKED;

/* How many rows an array of this shape has: it is (size), (B,size), the nested
 * shape, or (B, nested shape). Otherwise ERR_SHAPE, with what is wanted. */
enum err_code tensor_count_rows(const struct tensor *r, const size_t *shape,
                                size_t rank, size_t *B, struct err *e)
    ERR_CHECKED;

enum err_code tensor_read_npy(struct tensor *r, const char *bytes,
                              size_t length, struct err *e) ERR_CHECKED;

/* The same of an array whose header has been read. */
enum err_code tensor_read_array(struct tensor *r, const struct npy *a,
                                struct err *e) ERR_CHECKED;

/* One PNG or JPEG as one row: grey or RGB as the shape has channels, resized
 * to its height and width. */
enum err_code tensor_read_image(struct tensor *r, const char *bytes,
                                size_t length, struct err *e) ERR_CHECKED;

#endif
