/* What an ONNX graph is between being told (onnx.c) and written
 * (onnx_write.c). */
#ifndef SPARSED_DATA_ONNX_PARTS_H
#define SPARSED_DATA_ONNX_PARTS_H

#include "lib/base/arena.h"
#include "lib/data/onnx.h"

#include <stdbool.h>

enum onnx_kind { ONNX_GIVEN, ONNX_CONSTANT, ONNX_RESULT };

struct onnx_value {
    struct onnx_value *before; /* the one that was told before this */
    enum onnx_kind kind;
    const char *name; /* of a result: NULL until it is given out or written */
    bool needed;      /* by an output; worked out when written */
    size_t rank;      /* of what is given, without the rows, or constant */
    size_t dims[ONNX_MAX_RANK];
    /* of a constant */
    const char *asked; /* the name that was asked for */
    enum onnx_type type;
    const void *data;
    size_t bytes;
    /* of a result */
    struct onnx_node node;
    /* The newest result whose first input this is, and of a result the next
     * older one that has the same first input. */
    struct onnx_value *reader, *other_reader;
};

struct onnx_given_out {
    struct onnx_given_out *before;
    struct onnx_value *value;
    size_t rank;
    size_t shape[ONNX_MAX_RANK];
};

struct onnx_fact {
    struct onnx_fact *before;
    const char *key, *value;
};

struct onnx {
    struct arena memory;
    struct onnx_value *values; /* newest first, as the other lists */
    struct onnx_given_out *outputs;
    struct onnx_fact *facts;
    bool failed; /* memory was out */
};

#endif
