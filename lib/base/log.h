/* Log: one event, one line on stderr, `time level component event key=value`.
 *
 * error = someone must act; warn = served but degraded; info = life events;
 * debug = off by default. Never tensors or tokens. Callable from any thread;
 * a line is written by one write(2), so lines never mix.
 */
#ifndef SPARSED_BASE_LOG_H
#define SPARSED_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* From any thread, at any time. */
void log_set(enum log_level level, enum log_format format);

bool log_enabled(enum log_level level);

/* `pairs` is a printf format that gives key=value pairs separated by spaces;
 * values with spaces or quotes are to be given through log_quote. NULL: none.
 * Example: log_event(LOG_INFO, "registry", "loaded", "model=%s ms=%d", n, t) */
void log_event(enum log_level level, const char *component, const char *event,
               const char *pairs, ...) __attribute__((format(printf, 4, 5)));

/* `text` as a quoted value with control characters escaped, cut to fit; writes
 * into and returns `out`. */
const char *log_quote(char *out, unsigned long size, const char *text);

#endif
