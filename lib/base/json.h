/* JSON: strict reading (RFC 8259) and typed access over cJSON.
 *
 * cJSON by itself is lenient (text after the value, bad UTF-8, 01, 1e999), so
 * json_check walks the text first and refuses what the standard refuses:
 * besides, nesting over JSON_MAX_DEPTH, duplicate keys within one object of
 * up to 64 members (keys compared as written), and numbers that no finite
 * double holds. It allocates nothing. Big tensors never become nodes:
 * json_next_member finds their span and the caller scans it.
 *
 * Getters name the member in their errors ("phases[1].epochs: ...") by the
 * path that the object carries in `struct json_ref`.
 */
#ifndef SPARSED_BASE_JSON_H
#define SPARSED_BASE_JSON_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 32

struct json; /* a parsed value and all below it */

/* A part of some JSON text; not zero-terminated, not owned. */
struct json_span {
    const char *text;
    size_t length;
};

/* ---- text, without building nodes ---- */

/* ERR_INVALID with the byte offset unless the text is exactly one JSON value
 * (white space around it allowed). */
enum err_code json_check(const char *text, size_t length, struct err *e)
    ERR_CHECKED;

/* Both take text that json_check has accepted, and walk the members of an
 * object in order: *cursor starts at 0; false at the end, or at once if the
 * text is no object. Keys come raw: without quotes, escapes not decoded. */
bool json_next_member(struct json_span object, size_t *cursor,
                      struct json_span *key, struct json_span *value);

/* Likewise the elements of an array. */
bool json_next_element(struct json_span array, size_t *cursor,
                       struct json_span *value);

/* Reads the number that starts at text: exact, as strtod in the C locale
 * (whatever the locale is), infinite if it is too large. Reads nothing beyond
 * `length`; give the length of all that follows, not of the number: eight
 * bytes at a time are faster. Returns the bytes used; 0 if there is no
 * number. */
size_t json_scan_number(const char *text, size_t length, double *value);

/* Reads up to `n` numbers of an array, each with the comma behind it, as what
 * json_scan_number gives, rounded to float. Stops at a number, or at something
 * else, that is written in a less usual way, which may be right all the same,
 * and near the end of the text. Returns how many; *used: bytes. */
size_t json_scan_floats(const char *text, size_t length, float *out, size_t n,
                        size_t *used);

/* ---- nodes ---- */

/* json_check, then a tree; NULL on error. The caller frees with json_free.
 * Text with the escape \u0000 is refused, as a C string cannot hold it. A tree
 * takes up to 50 times the memory of its text: bound the length first. */
struct json *json_parse(const char *text, size_t length, struct err *e);

/* Reads a whole file of at most max_bytes; errors are wrapped with path. */
struct json *json_parse_file(const char *path, size_t max_bytes, struct err *e);
void json_free(struct json *j);
struct json *json_copy(const struct json *j); /* NULL: out of memory */

/* Exact-case member of an object; NULL if absent, null, or j is no object. */
const struct json *json_get(const struct json *j, const char *key);

/* Element i of an array, and the number of elements (0 if no array). Walk
 * with json_first and json_next (members of objects too). */
size_t json_count(const struct json *j);
const struct json *json_at(const struct json *j, size_t i);
const struct json *json_first(const struct json *j);
const struct json *json_next(const struct json *j);
const char *json_key(const struct json *j); /* name of a member, or NULL */

bool json_is_object(const struct json *j);
bool json_is_array(const struct json *j);
bool json_is_text(const struct json *j);
bool json_is_number(const struct json *j);
bool json_is_bool(const struct json *j);
bool json_is_null(const struct json *j);

/* Value of a node of that kind, which the caller has checked. */
const char *json_text(const struct json *j);
double json_number(const struct json *j);
bool json_bool(const struct json *j);

/* ---- members with a type and limits ----
 * `where` is the path of the object for messages ("phases[1]", "" at the top).
 * An absent or null member leaves *out as it is (the default); a member of
 * the wrong type or out of the limits is ERR_INVALID. */
enum err_code json_get_number(const struct json *j, const char *where,
                              const char *key, double min, double max,
                              double *out, struct err *e) ERR_CHECKED;
enum err_code json_get_size(const struct json *j, const char *where,
                            const char *key, size_t min, size_t max,
                            size_t *out, struct err *e) ERR_CHECKED;
enum err_code json_get_bool(const struct json *j, const char *where,
                            const char *key, bool *out, struct err *e)
    ERR_CHECKED;
/* *out is owned by the tree. */
enum err_code json_get_text(const struct json *j, const char *where,
                            const char *key, const char **out, struct err *e)
    ERR_CHECKED;

/* ERR_INVALID that names the member unless every member of the object is in
 * the list `known`, which ends with NULL. */
enum err_code json_only(const struct json *j, const char *where,
                        const char *const *known, struct err *e) ERR_CHECKED;

/* ---- building and printing ---- */

/* Constructors return NULL when memory is out. The setters take ownership of
 * `value` even then; they accept NULL for both, and remember in the object or
 * array that something is missing: json_print then fails its buffer. So one
 * builds freely and checks once, with buf_failed. Setting a key again replaces
 * its value. */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_number(double value);
struct json *json_new_text(const char *text);
struct json *json_new_bool(bool value);
struct json *json_new_null(void);
void json_set(struct json *object, const char *key, struct json *value);
/* Takes a member away, if it is there. */
void json_remove(struct json *object, const char *key);
void json_add(struct json *array, struct json *value);

/* Compact text appended to b. Numbers: integers up to 2^53 as such, others so
 * that they read back as the same double. Members in the order they were set.
 * Fails the buffer for NULL, a number that is not finite, and nesting over
 * JSON_MAX_DEPTH. */
void json_print(struct buf *b, const struct json *j);

/* Whether memory has kept nothing back while the value was built. */
bool json_whole(const struct json *j);

#endif
