/* ONNX files: a graph of standard operators, told value by value, written
 * whole.
 *
 * What is told twice is one value: a constant of the same name and content, a
 * node of the same operator, inputs and attributes. What no output needs is
 * left out. So whoever tells a graph need not keep book.
 *
 * Of version 7 of the format with operator set 13 (ONNX 1.8, the end of 2020),
 * which every runtime of today reads. protobuf-c writes it, and only
 * onnx_write.c knows that.
 */
#ifndef SPARSED_DATA_ONNX_H
#define SPARSED_DATA_ONNX_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define ONNX_MAX_RANK 4
#define ONNX_MAX_INPUTS 4
#define ONNX_MAX_ATTRIBUTES 6
/* protobuf's own limit of a message. */
#define ONNX_MAX_BYTES ((size_t)INT32_MAX)

enum onnx_type { ONNX_FLOAT, ONNX_INT64 };

struct onnx;
struct onnx_value; /* of one graph, and lives as long */

struct onnx_attribute {
    const char *name; /* static text */
    size_t n;         /* of a list; 0: a single number */
    int64_t numbers[4];
};

/* An operator on values; those that are not used are zeroed. */
struct onnx_node {
    const char *type; /* static text: "Gemm" */
    struct onnx_value *inputs[ONNX_MAX_INPUTS];
    struct onnx_attribute attributes[ONNX_MAX_ATTRIBUTES];
};

/* NULL: memory is out. */
struct onnx *onnx_new(void);
void onnx_free(struct onnx *o); /* NULL is fine */

/* Each gives the new value, or NULL: memory is out, or an input of the node is
 * NULL. Then onnx_write fails, so nobody need look on his way. */

/* Numbers (B, shape), B being any number of rows. */
struct onnx_value *onnx_input(struct onnx *o, const char *name, size_t rank,
                              const size_t *shape);
/* `data` (product of dims) lives as long as the graph. */
struct onnx_value *onnx_constant(struct onnx *o, const char *name,
                                 enum onnx_type type, const void *data,
                                 size_t rank, const size_t *dims);
struct onnx_value *onnx_apply(struct onnx *o, const struct onnx_node *node);

/* The value is given out under this name, as numbers (B, shape). */
void onnx_output(struct onnx *o, struct onnx_value *value, const char *name,
                 size_t rank, const size_t *shape);

/* Facts about the model; the texts live as long as the graph. */
void onnx_meta(struct onnx *o, const char *key, const char *value);

/* Atomic and durable. `name` of the graph, `about` it for a reader; the same
 * graph gives the same bytes. ERR_TOO_LARGE over ONNX_MAX_BYTES,
 * ERR_NO_MEMORY, ERR_IO. */
enum err_code onnx_write(struct onnx *o, const char *path, const char *name,
                         const char *about, struct err *e) ERR_CHECKED;

#endif
