/* A folder of class folders with PNG or JPEG pictures: folder/<class>/<file>.
 *
 * Classes and files are taken in the order of their names' bytes, so the same
 * folder gives the same rows everywhere. Hidden names, and files that are
 * not called .png, .jpg or .jpeg, are passed over.
 */
#ifndef SPARSED_DATA_FOLDER_H
#define SPARSED_DATA_FOLDER_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLDER_MAX_CLASSES 65536
#define FOLDER_MAX_FILE_BYTES ((size_t)64 << 20)

/* The pictures' shape, to which they are converted; zeros: that of the first
 * one, which all others must have then. */
struct folder_want {
    size_t height, width;
    size_t channels; /* 1 grey or 3 RGB */
    size_t max_images;
    size_t max_bytes; /* of all pixels */
};

struct folder {
    size_t n, height, width, channels;
    uint8_t *pixels; /* (n, channels, height, width), owned */
    int32_t *labels; /* (n), index into classes, owned */
    char **classes;  /* (n_classes) the class folders' names, owned */
    size_t n_classes;
};

/* Fills *out, which the caller empties with folder_fini. Errors name the file:
 * ERR_NOT_FOUND, ERR_INVALID, ERR_SHAPE, ERR_TOO_LARGE, ERR_IO,
 * ERR_NO_MEMORY. */
enum err_code folder_load(struct folder *out, const char *path,
                          const struct folder_want *want, struct err *e)
    ERR_CHECKED;
void folder_fini(struct folder *f);

/* Whether folder/name is a folder, and whether it is a file called as pictures
 * are. */
bool folder_is_class(const char *folder, const char *name);
bool folder_is_picture(const char *folder, const char *name);

#endif
