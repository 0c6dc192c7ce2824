/* Bodies of samples: whatever their type, as rows of numbers and their labels.
 */
#ifndef SPARSED_API_SAMPLES_BODY_H
#define SPARSED_API_SAMPLES_BODY_H

#include "api/call.h"
#include "api/tensor.h"

struct samples_body {
    struct tensor rows;
    const char **labels; /* (rows.B), each may be NULL; NULL: none has one */
};

/* In the request's arena; the model says the shape and range of the inputs,
 * and the classes that whole numbers stand for. Nothing of it is taken if a
 * single row is wrong, and the message names that row. */
enum err_code samples_body_read(struct call *call, const struct model *m,
                                struct samples_body *out, struct err *e)
    ERR_CHECKED;

#endif
