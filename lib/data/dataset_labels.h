/* What a format's labels become in a data set of d->n rows.
 */
#ifndef SPARSED_DATA_DATASET_LABELS_H
#define SPARSED_DATA_DATASET_LABELS_H

#include "lib/base/err.h"
#include "lib/data/dataset.h"
#include "lib/data/npy.h"

/* Class numbers (d->n), or -1 for none. ERR_INVALID, ERR_NO_MEMORY. */
enum err_code dataset_set_labels(struct dataset *d, const long long *labels,
                                 struct err *e) ERR_CHECKED;

/* Class numbers, or the classes' names: then the classes are the names in the
 * order of their bytes, and an empty text is no label. */
enum err_code dataset_take_labels(struct dataset *d, const struct npy *y,
                                  struct err *e) ERR_CHECKED;

#endif
