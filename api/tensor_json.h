/* JSON bodies with big arrays: the arrays named as tensors are scanned straight
 * into floats in one pass over the text, and never become nodes.
 *
 * The text around them, with each array replaced by 0, is short; it is parsed
 * and checked as JSON the usual way. Since an array scanned here is valid JSON
 * by itself, and the rest is valid with a number in its place, the whole is
 * valid. Only when something is wrong is the whole text checked once more, to
 * say the first thing that is: malformed JSON (ERR_INVALID) goes before a
 * wrong shape (ERR_SHAPE).
 */
#ifndef SPARSED_API_TENSOR_JSON_H
#define SPARSED_API_TENSOR_JSON_H

#include "api/scan.h"
#include "api/tensor.h"
#include "lib/base/json.h"

/* All members but the tensors, as text. */
#define TENSOR_JSON_MAX_REST ((size_t)64 << 10)

/* One member of the body that is scanned. `read` starts at the first byte of
 * the value and leaves the scan after it. */
struct tensor_member {
    const char *name;
    enum err_code (*read)(void *out, struct scan *s, struct err *e);
    void *out;
    bool seen; /* filled in */
};

/* Reads the object in text; every member in `members` (n) is scanned. The
 * object is returned with 0 in their place, freed by json_free; NULL on
 * error. */
struct json *tensor_json_read(const char *text, size_t length,
                              struct tensor_member *members, size_t n,
                              struct arena *memory, struct err *e);

/* One such object at the place, within another; leaves the scan after it. For
 * readers of members: what is malformed in it is left to tensor_json_read. */
struct json *tensor_json_object(struct scan *s, struct tensor_member *members,
                                size_t n, struct arena *memory, struct err *e);

/* After a failure: malformed JSON anywhere in the text takes the place of what
 * e says. Returns e's code. */
enum err_code tensor_json_blame(const char *text, size_t length, struct err *e);

/* ---- readers for members ---- */

/* out: struct tensor. [[...], ...], rows flat or nested. */
enum err_code tensor_read_rows(void *out, struct scan *s, struct err *e)
    ERR_CHECKED;

/* out: struct tensor. Rows flat, or {"indices": [...], "values": [...]}. */
enum err_code tensor_read_codes(void *out, struct scan *s, struct err *e)
    ERR_CHECKED;

/* out: struct tensor with room taken (tensor_take). One row, flat or nested, as
 * row B, which is then counted; the caller sees to it that there is room. */
enum err_code tensor_read_row(void *out, struct scan *s, struct err *e)
    ERR_CHECKED;

/* out: struct tensor of size 1. [number, ...], one a row. */
enum err_code tensor_read_vector(void *out, struct scan *s, struct err *e)
    ERR_CHECKED;

/* out: struct json_span. Takes any value unread, for a reader that must know
 * the rest of the object first; that one must then use up the whole span. */
enum err_code tensor_read_later(void *out, struct scan *s, struct err *e)
    ERR_CHECKED;

#endif
