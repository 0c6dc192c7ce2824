/* The header of a safetensors file: everything that is checked before a
 * tensor's bytes are touched. Only lib/data/safetensors.c needs it, and tests.
 */
#ifndef SPARSED_DATA_SAFETENSORS_HEADER_H
#define SPARSED_DATA_SAFETENSORS_HEADER_H

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/json.h"
#include "lib/data/safetensors.h"

#include <stddef.h>

struct st_entry {
    struct st_tensor tensor; /* data points into the file, not yet aligned */
    size_t begin, end;       /* in the buffer after the header */
};

struct st_header {
    struct st_entry *entries; /* (n), sorted by name */
    size_t n;
    struct json *meta;  /* object of texts, or NULL */
    struct arena names; /* the tensors' */
};

/* Bytes of one element, and the name in the file. */
size_t st_type_bytes(enum st_type type);
const char *st_type_name(enum st_type type);

/* Reads and checks the header of the whole file file[0..length). ERR_CORRUPT
 * or ERR_NO_MEMORY. The caller empties *h with st_header_fini, after an error
 * too. */
enum err_code st_header_read(struct st_header *h, const unsigned char *file,
                             size_t length, struct err *e) ERR_CHECKED;
void st_header_fini(struct st_header *h);

#endif
