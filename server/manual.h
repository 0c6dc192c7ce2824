/* Manual: what the tables of commands and settings say, for people: `--help`,
 * and the page that `man sparsed` shows.
 */
#ifndef SPARSED_SERVER_MANUAL_H
#define SPARSED_SERVER_MANUAL_H

#include "server/command.h"

#include <stdio.h>

/* `all` ends with NULL. */

/* sparsed --help */
void manual_print_commands(FILE *out, const struct command *const *all);

/* sparsed COMMAND --help, within 80 columns. */
void manual_print_command(FILE *out, const struct command *c);

/* sparsed.1, in the macros of man(7); the same bytes each time. */
void manual_print_page(FILE *out, const struct command *const *all,
                       const char *version);

#endif
