/* Hostile bytes for parsers: every prefix of a good file, and every byte of it
 * replaced, each against a guard page. What the parser answers is its own
 * affair; reading one byte too many ends the test.
 */
#ifndef SPARSED_TESTS_HOSTILE_H
#define SPARSED_TESTS_HOSTILE_H

#include "lib/base/err.h"

#include <stddef.h>

/* Parses, and frees what it made; says whether the bytes were accepted. */
typedef enum err_code hostile_parser(const void *bytes, size_t length,
                                     struct err *e);

/* Every prefix shorter than the file must be refused, with a message. */
void hostile_prefixes(const void *bytes, size_t length, hostile_parser *parse);

/* Every byte replaced by several others: must be accepted or refused, with a
 * message. Returns how many were refused. */
size_t hostile_mutations(const void *bytes, size_t length,
                         hostile_parser *parse);

/* Makes every allocation of `run` fail in turn, until it gets through: each
 * time before that, it must answer ERR_NO_MEMORY. */
void hostile_memory(enum err_code (*run)(void *arg, struct err *e), void *arg);

#endif
