/* Samples from files and into files: what `sparsed samples` moves.
 */
#ifndef SPARSED_SERVER_SAMPLES_FILES_H
#define SPARSED_SERVER_SAMPLES_FILES_H

#include "lib/data/dataset.h"
#include "lib/model/model.h"
#include "lib/store/samples.h"
#include "lib/store/store.h"

/* Adds all rows of d, in batches that are durable each; *done counts them, up
 * to the error. Labels get the data's names, else the model's, where the number
 * is one of its classes, else numerals. */
enum err_code samples_import(struct store *s, const char *name,
                             const struct model *m, const struct dataset *d,
                             bool unlabelled,
                             const struct samples_limits *limits, size_t *done,
                             struct err *e) ERR_CHECKED;

/* Writes x (rows, numbers) and y, texts, "" where there is no label, which
 * import takes back; without rows ERR_NOT_FOUND. */
enum err_code samples_export_npz(struct database *db, const char *name,
                                 const char *path, size_t *done, struct err *e)
    ERR_CHECKED;

/* Writes path/LABEL/ID.png in the shape and range of m. *left counts those
 * without a label, which have no folder. ERR_SHAPE: m takes no pictures, or a
 * label cannot be a folder's name. */
enum err_code samples_export_folder(struct database *db, const char *name,
                                    const struct model *m, const char *path,
                                    size_t *done, size_t *left, struct err *e)
    ERR_CHECKED;

#endif
