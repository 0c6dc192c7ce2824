/* Patches from a folder of photographs: loose PNG or JPEG files, no class
 * folders.
 *
 * A photograph is halved first, by averaging areas: a camera's finest scale is
 * sharpening and interpolated colours. Patches are then cut at random places,
 * as many from each photograph as its share of all pixels. Every fifth
 * photograph in the order of the names' bytes is for testing, so that no patch
 * of the two splits shows the same thing.
 *
 * What is cut depends on the files, the wanted shape and the seed alone.
 */
#ifndef SPARSED_DATA_PHOTOGRAPHS_H
#define SPARSED_DATA_PHOTOGRAPHS_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PHOTOGRAPHS_MAX_FILES 10000

struct photographs_want {
    size_t height, width; /* of a patch */
    size_t channels;      /* 1 grey or 3 RGB */
    size_t count;         /* patches */
    uint64_t seed;
    bool test; /* the photographs for testing, else the others */
};

/* Whether the path is a folder with loose pictures and no folders. */
bool photographs_match(const char *path);

/* Cuts want->count patches into out (count, channels, height, width), which
 * the caller has made. One photograph is in memory at a time. Errors name the
 * file: ERR_NOT_FOUND (no photograph of that split), ERR_INVALID, ERR_SHAPE
 * (smaller than a patch), ERR_TOO_LARGE, ERR_IO, ERR_NO_MEMORY. */
enum err_code photographs_cut(uint8_t *out, const char *path,
                              const struct photographs_want *want,
                              struct err *e) ERR_CHECKED;

#endif
