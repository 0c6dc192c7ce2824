/* Model files: the only bridge between a model and safetensors.
 *
 * Tensors are the rows of the parameter table by their names, the groups of the
 * layers that have some, and the rows to rehearse, if any are kept
 * (rehearsal.h); `__metadata__` holds format, config, classes, metrics,
 * lineage, training. A file is believed only after its config made a model
 * whose every tensor has the declared shape and finite numbers, and the groups
 * that the file shows.
 */
#ifndef SPARSED_MODEL_MODEL_FILE_H
#define SPARSED_MODEL_MODEL_FILE_H

#include "lib/model/model.h"

#include <stdint.h>

#define MODEL_FILE_NAME "model.safetensors"

/* NULL on error: ERR_NOT_FOUND, ERR_CORRUPT, ERR_NO_MEMORY, with the path. */
struct model *model_load(const char *path, struct err *e);

/* Atomic and durable; the same model gives the same bytes. */
enum err_code model_save(const struct model *m, const char *path, struct err *e)
    ERR_CHECKED;

/* The number that a version folder is named by: plain digits, at most 18, the
 * first not 0. 0: it is no version's name. */
uint64_t model_version_number(const char *name);

/* Finds the file that a MODEL argument means: the file itself, a version
 * folder, or a model folder (its highest version with a file). */
enum err_code model_find_file(char *out, size_t size, const char *argument,
                              struct err *e) ERR_CHECKED;

#endif
