/* npy: one array with a header that is a Python dict literal; read with every
 * size checked, object arrays (pickle) refused, trailing bytes refused.
 *
 * The view also serves the other formats that hold one array of numbers: IDX
 * fills the same struct (lib/data/idx.h).
 */
#ifndef SPARSED_DATA_NPY_H
#define SPARSED_DATA_NPY_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NPY_MAX_RANK 8

enum npy_kind {
    NPY_FLOAT,
    NPY_SIGNED,
    NPY_UNSIGNED,
    NPY_BOOL,
    NPY_BFLOAT, /* the upper half of a float; in other formats alone */
    NPY_TEXT,   /* UTF-32, padded with zeros; from npy_parse_any alone */
    NPY_BYTES   /* UTF-8, likewise */
};

/* A checked header over the caller's bytes (a view). */
struct npy {
    enum npy_kind kind;
    size_t item_bytes; /* 1, 2, 4 or 8; float 2, 4, 8; texts as they are */
    bool big_endian;
    bool fortran_order;
    size_t rank;
    size_t shape[NPY_MAX_RANK];
    size_t count;
    const unsigned char *data; /* not aligned */
};

/* ERR_INVALID with what was wrong; nothing is allocated. */
enum err_code npy_parse(struct npy *out, const void *bytes, size_t length,
                        struct err *e) ERR_CHECKED;
/* Arrays of texts too ("<U5", "|S5"), which npy_text reads and nothing else. */
enum err_code npy_parse_any(struct npy *out, const void *bytes, size_t length,
                            struct err *e) ERR_CHECKED;

/* Sets a->count from rank and shape, and checks that the elements fill
 * exactly `data_bytes`. ERR_INVALID, also if the product overflows. */
enum err_code npy_set_count(struct npy *a, size_t data_bytes, struct err *e)
    ERR_CHECKED;

/* True for unsigned bytes, which npy_to_bytes copies in row-major order into
 * out (count). */
bool npy_is_bytes(const struct npy *a);
void npy_to_bytes(const struct npy *a, uint8_t *out);

/* All elements as floats in row-major order into out (count). Integers and
 * floats as they are: no scaling. */
void npy_to_floats(const struct npy *a, float *out);

/* All elements as int64 (floats are refused). */
enum err_code npy_to_int64(const struct npy *a, long long *out, struct err *e)
    ERR_CHECKED;

bool npy_is_text(const struct npy *a);
/* Element i of a row of texts (rank 0 or 1) as UTF-8, with a zero after it,
 * into out; its bytes go to *length. ERR_TOO_LARGE if it has `size` bytes or
 * more, ERR_INVALID if it holds what is no character. */
enum err_code npy_text(const struct npy *a, size_t i, char *out, size_t size,
                       size_t *length, struct err *e) ERR_CHECKED;

/* Appends a whole npy file, version 1.0, little endian, row-major: "<f4" from
 * floats, "<i8" from int64, "<U" from a row of n texts of valid UTF-8. rank at
 * most NPY_MAX_RANK. */
void npy_print_floats(struct buf *b, const size_t *shape, size_t rank,
                      const float *data);
void npy_print_int64(struct buf *b, const size_t *shape, size_t rank,
                     const long long *data);

void npy_print_texts(struct buf *b, const char *const *texts, size_t n);

/* Appends what stands before elements of the type `descr`. */
void npy_print_header(struct buf *b, const char *descr, const size_t *shape,
                      size_t rank);

/* Appends what stands before the floats of such a file, for arrays that are
 * written piece by piece. */
void npy_print_floats_header(struct buf *b, const size_t *shape, size_t rank);

#endif
