/* Load: what a command's MODEL argument means.
 */
#ifndef SPARSED_SERVER_LOAD_H
#define SPARSED_SERVER_LOAD_H

#include "lib/model/model.h"

/* The model of a file, a version folder or a model folder; the path of its
 * file into out. NULL: ERR_NOT_FOUND, ERR_CORRUPT, ERR_NO_MEMORY. */
struct model *load_model(const char *argument, char *out, size_t size,
                         struct err *e);

/* ERR_INVALID unless the model has that layer; SIZE_MAX becomes the top one. */
enum err_code load_layer(const struct model *m, size_t *layer, struct err *e)
    ERR_CHECKED;

#endif
