/* Model files: the only bridge between a model and safetensors.
 *
 * Tensors are the rows of the parameter table by their names; `__metadata__`
 * holds format, config, classes, metrics, lineage. A file is believed only
 * after its config made a model whose every tensor has the declared shape and
 * finite numbers.
 */
#ifndef SPARSED_MODEL_MODEL_FILE_H
#define SPARSED_MODEL_MODEL_FILE_H

#include "lib/model/model.h"

#define MODEL_FILE_NAME "model.safetensors"
#define MODEL_VERSION_DIGITS 18 /* of a version folder's name, at most */

/* NULL on error: ERR_NOT_FOUND, ERR_CORRUPT, ERR_NO_MEMORY, with the path. */
struct model *model_load(const char *path, struct err *e);

/* Atomic and durable; the same model gives the same bytes. */
enum err_code model_save(const struct model *m, const char *path, struct err *e)
    ERR_CHECKED;

/* Finds the file that a MODEL argument means: the file itself, a version
 * folder, or a model folder (its highest version with a file). */
enum err_code model_find_file(char *out, size_t size, const char *argument,
                              struct err *e) ERR_CHECKED;

#endif
