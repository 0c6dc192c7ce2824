/* Bodies: a request's body, whatever its type, as rows of numbers, and the
 * options that came with it.
 */
#ifndef SPARSED_API_BODY_H
#define SPARSED_API_BODY_H

#include "api/call.h"
#include "api/tensor.h"

/* Fills *rows with the inputs, *known with a mask of their shape, or NULL if
 * none was sent, and call->options. */
enum err_code body_read_inputs(struct call *call, const struct model *m,
                               struct tensor *rows, const float **known,
                               struct err *e) ERR_CHECKED;

/* Fills *rows with codes of the layer that the options name (the top one),
 * *scales with as many numbers, or NULL if none were sent. */
enum err_code body_read_codes(struct call *call, const struct model *m,
                              struct tensor *rows, const float **scales,
                              struct err *e) ERR_CHECKED;

/* The layer that the options name. ERR_SHAPE if the model has no such. */
enum err_code body_layer(const struct options *o, const struct model *m,
                         size_t *layer, struct err *e) ERR_CHECKED;

#endif
