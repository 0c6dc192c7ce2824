/* Completion: scripts that let a shell complete commands, settings and values,
 * made from the tables.
 */
#ifndef SPARSED_SERVER_COMPLETION_H
#define SPARSED_SERVER_COMPLETION_H

#include "server/command.h"

#include <stdio.h>

/* The shells that there is a script for; ends with NULL. */
extern const char *const completion_shells[];

/* `shell` is an index of completion_shells; `all` ends with NULL. */
void completion_print(FILE *out, size_t shell,
                      const struct command *const *all);

#endif
