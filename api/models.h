/* What is said of a model.
 */
#ifndef SPARSED_API_MODELS_H
#define SPARSED_API_MODELS_H

#include "api/call.h"

/* The tag of what GET /v1/models/{model} says of the path's model now.
 * ERR_NOT_FOUND if it is not served. */
enum err_code models_tag(const struct call *call, uint64_t *tag, struct err *e)
    ERR_CHECKED;

#endif
