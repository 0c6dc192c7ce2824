/* What all requests that run a model have in common.
 */
#ifndef SPARSED_API_INFER_H
#define SPARSED_API_INFER_H

#include "api/run.h"

/* Holds the version that the path names while `work` runs, with *r zeroed but
 * for call, served and model. ERR_NOT_FOUND if there is none. */
enum err_code infer_with_model(struct call *call,
                               enum err_code (*work)(struct run *r,
                                                     struct err *e),
                               struct err *e) ERR_CHECKED;

#endif
