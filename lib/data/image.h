/* PNG and JPEG, through libpng's simplified interface and TurboJPEG.
 *
 * The size is read and checked before pixels are allocated, so a picture of
 * 60000 x 60000 costs nothing but its refusal.
 */
#ifndef SPARSED_DATA_IMAGE_H
#define SPARSED_DATA_IMAGE_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAX_PIXELS ((size_t)16 << 20)
#define IMAGE_MAX_SIDE 16384

struct image {
    size_t height, width;
    size_t channels; /* 1 grey or 3 RGB, interleaved */
    uint8_t *pixels; /* (height, width, channels), owned */
};

/* Sizes, and channels as they are in the file (1 or 3), without decoding:
 * pixels are NULL. Errors as image_decode. */
enum err_code image_probe(struct image *out, const void *bytes, size_t length,
                          struct err *e) ERR_CHECKED;

/* Decodes to `channels` (1 or 3); the format is recognised by its first
 * bytes, transparency is laid on black, colour becomes grey as 0.299 R +
 * 0.587 G + 0.114 B, as in JPEG. ERR_INVALID: neither PNG nor JPEG, or
 * damaged; ERR_TOO_LARGE with both numbers over the limits. Fills *out, which
 * the caller empties with image_fini. */
enum err_code image_decode(struct image *out, const void *bytes, size_t length,
                           size_t channels, struct err *e) ERR_CHECKED;
void image_fini(struct image *image);

/* Area-averaging when it gets smaller, bilinear when larger, each axis by
 * itself. ERR_TOO_LARGE over the limits; sizes are not 0. */
enum err_code image_resize(struct image *out, const struct image *in,
                           size_t height, size_t width, struct err *e)
    ERR_CHECKED;

/* Appends a PNG file. ERR_NO_MEMORY, or ERR_TOO_LARGE over out's maximum. */
enum err_code image_encode_png(struct buf *out, const struct image *image,
                               struct err *e) ERR_CHECKED;

bool image_is_png(const void *bytes, size_t length);
bool image_is_jpeg(const void *bytes, size_t length);

#endif
