/* Label: the text that says what a sample is, or none; how clients write one.
 *
 * 1 to SAMPLES_MAX_LABEL_BYTES bytes of UTF-8 without control characters, or
 * null. Numbers and the like are refused rather than turned into text, as 7,
 * 7.0 and "07" would be three spellings of one label.
 */
#ifndef SPARSED_API_LABEL_H
#define SPARSED_API_LABEL_H

#include "api/scan.h"
#include "lib/base/arena.h"
#include "lib/store/samples.h"

struct label {
    bool given;
    char text[SAMPLES_MAX_LABEL_BYTES + 1];
};

/* ERR_SHAPE with what is wrong. */
enum err_code label_set(struct label *l, const char *text, size_t length,
                        struct err *e) ERR_CHECKED;

/* ---- readers for tensor_json_read ---- */

/* out: struct label. A text or null. */
enum err_code label_read(void *out, struct scan *s, struct err *e) ERR_CHECKED;

struct label_list {
    struct arena *memory;
    size_t n;
    struct label *items; /* (n) */
};

/* out: struct label_list. An array of them, at most API_MAX_ROWS. */
enum err_code label_read_list(void *out, struct scan *s, struct err *e)
    ERR_CHECKED;

#endif
