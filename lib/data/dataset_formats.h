/* The formats that a data set may come in, one row of a table each. To add a
 * format, write its module and add its row; nothing else asks what it is.
 */
#ifndef SPARSED_DATA_DATASET_FORMATS_H
#define SPARSED_DATA_DATASET_FORMATS_H

#include "lib/base/err.h"
#include "lib/data/dataset.h"

#include <stdbool.h>

struct dataset_format {
    const char *name; /* what the path is, for messages */
    bool cuts;        /* patches out of what is larger than a row */
    bool (*matches)(const char *path);
    /* Fills rows, and labels and classes if there are any, of a zeroed data
     * set; `want` has its limits set. The caller frees *d after an error too.
     * Errors name the file. */
    enum err_code (*load)(struct dataset *d, const char *path,
                          const struct dataset_want *want, struct err *e);
};

/* The first format that matches, or NULL. */
const struct dataset_format *dataset_format_find(const char *path);

/* All the names, separated by commas, into out; returns out. */
char *dataset_format_names(char *out, size_t size);

#endif
