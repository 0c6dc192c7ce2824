/* A model as an ONNX file: the same function for other runtimes, from raw input
 * on, to code, groups, reconstruction and probabilities.
 *
 * The only bridge between a model and ONNX. It listens to what model_emit
 * tells, so it knows no value of any axis.
 */
#ifndef SPARSED_MODEL_MODEL_ONNX_H
#define SPARSED_MODEL_MODEL_ONNX_H

#include "lib/model/model.h"

#include <stdint.h>

/* What can be given out, and the names of these in the file. */
enum model_output {
    MODEL_CODE,
    MODEL_GROUPS,
    MODEL_RECONSTRUCTION,
    MODEL_PROBABILITIES,
    MODEL_OUTPUTS
};
extern const char *const model_output_names[MODEL_OUTPUTS];

struct model_onnx_options {
    const char *name; /* of the model, for the reader */
    uint64_t version; /* 0: none is known */
    /* A bit 1 << MODEL_x for each wanted output; 0: all that the model has. */
    unsigned outputs;
};

/* Writes the file whole or not at all. `input` is (B, input shape) of raw
 * numbers, the reconstruction has the same shape, others are (B,n).
 * ERR_CONFLICT if a layer is no fixed list of standard operations, or the model
 * has not what is wanted; ERR_TOO_LARGE over 2 GiB; ERR_NO_MEMORY, ERR_IO. */
enum err_code model_save_onnx(const struct model *m, const char *path,
                              const struct model_onnx_options *options,
                              struct err *e) ERR_CHECKED;

#endif
