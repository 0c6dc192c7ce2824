/* Datatypes of the Open Inference Protocol: what elements of a tensor are, as
 * JSON and as bytes. All become floats, as they are: bytes too are plain
 * numbers and are never taken for shades of a picture.
 */
#ifndef SPARSED_API_OIP_DATATYPE_H
#define SPARSED_API_OIP_DATATYPE_H

#include "lib/base/err.h"
#include "lib/data/npy.h"

#include <stdbool.h>

struct oip_datatype {
    const char *name; /* "FP32" */
    enum npy_kind kind;
    size_t bytes;
    bool whole;       /* in JSON: whole numbers from low to high */
    double low, high; /* inclusive */
};

/* NULL: ERR_INVALID that names those that there are. */
const struct oip_datatype *oip_datatype_find(const char *name, struct err *e);

/* Whether it may stand in JSON: only the protocol's binary part can carry
 * floats of 16 bits. */
bool oip_datatype_in_json(const struct oip_datatype *type);

#endif
