/* Errors: one code about the caller's next step, one message about the facts.
 *
 * A function that makes a thing returns it or NULL; one that does a thing
 * returns enum err_code (0 is fine). Both take `struct err *e` last, never
 * NULL. The message is written where the facts are known; callers add context
 * with err_wrap. It says what was wrong, where, and the limit or the remedy.
 */
#ifndef SPARSED_BASE_ERR_H
#define SPARSED_BASE_ERR_H

/* name, text */
#define ERR_CODES(X)                                                           \
    X(OK, "ok")                                                                \
    X(INVALID, "malformed")                                                    \
    X(SHAPE, "well-formed but not what the model takes")                       \
    X(NOT_FOUND, "not found")                                                  \
    X(CONFLICT, "not possible in this state")                                  \
    X(STALE, "changed since it was looked at")                                 \
    X(TOO_LARGE, "too large")                                                  \
    X(BUSY, "busy")                                                            \
    X(DEADLINE, "too late")                                                    \
    X(DENIED, "not allowed")                                                   \
    X(CORRUPT, "damaged file")                                                 \
    X(NO_MEMORY, "out of memory")                                              \
    X(NO_SPACE, "out of disk space")                                           \
    X(IO, "input or output failed")                                            \
    X(INTERNAL, "internal error")

enum err_code {
#define X(name, text) ERR_##name,
    ERR_CODES(X)
#undef X
};

struct err {
    enum err_code code;
    char msg[256];
};

#define ERR_CHECKED __attribute__((warn_unused_result))

/* Sets code and message; returns code, so that `return err_set(...)` works.
 * A message that does not fit is cut at the end. */
enum err_code err_set(struct err *e, enum err_code code, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message that is there; returns its code. */
enum err_code err_wrap(struct err *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As err_set with ": " and the text of `error_number` (an errno) added. The
 * code is ERR_NO_SPACE for ENOSPC and EDQUOT, ERR_NOT_FOUND for ENOENT,
 * otherwise ERR_IO. */
enum err_code err_set_errno(struct err *e, int error_number, const char *format,
                            ...) __attribute__((format(printf, 3, 4)));

/* "INVALID", and "malformed"; static text. */
const char *err_name(enum err_code code);
const char *err_text(enum err_code code);

#endif
