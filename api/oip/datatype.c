/* The table of datatypes. Ends of 64 bits are rounded to doubles. */
#include "api/oip/datatype.h"

#include <string.h>

static const struct oip_datatype types[] = {
    {"BOOL", NPY_BOOL, 1, true, 0, 1},
    {"UINT8", NPY_UNSIGNED, 1, true, 0, 255},
    {"UINT16", NPY_UNSIGNED, 2, true, 0, 65535},
    {"UINT32", NPY_UNSIGNED, 4, true, 0, 4294967295.0},
    {"UINT64", NPY_UNSIGNED, 8, true, 0, 0x1p64},
    {"INT8", NPY_SIGNED, 1, true, -128, 127},
    {"INT16", NPY_SIGNED, 2, true, -32768, 32767},
    {"INT32", NPY_SIGNED, 4, true, -0x1p31, 2147483647.0},
    {"INT64", NPY_SIGNED, 8, true, -0x1p63, 0x1p63},
    {"FP16", NPY_FLOAT, 2, false, 0, 0},
    {"BF16", NPY_BFLOAT, 2, false, 0, 0},
    {"FP32", NPY_FLOAT, 4, false, 0, 0},
    {"FP64", NPY_FLOAT, 8, false, 0, 0},
};

#define N_TYPES (sizeof types / sizeof types[0])

const struct oip_datatype *oip_datatype_find(const char *name, struct err *e)
{
    for (size_t i = 0; i < N_TYPES; i++) {
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    }
    err_set(e, ERR_INVALID,
            "datatype %.40s is not taken: send BOOL, INT8 to INT64, UINT8 to "
            "UINT64, FP16, BF16, FP32 or FP64",
            name);
    return NULL;
}

bool oip_datatype_in_json(const struct oip_datatype *type)
{
    return type->whole || type->bytes > 2;
}
