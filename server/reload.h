/* Reload: the settings as their sources say them now, for a daemon that runs
 * by older ones.
 */
#ifndef SPARSED_SERVER_RELOAD_H
#define SPARSED_SERVER_RELOAD_H

#include "server/config.h"

/* Reads the sources of `first`, which the daemon began with, again; the command
 * line and the environment are as they were, a file may not be. Rows that are
 * not live keep the values of `first`, whose texts they point at. Each that
 * differs from `running` is logged. NULL, and nothing is logged: as
 * config_load, or ERR_NO_MEMORY. */
struct config *reload_config(const struct config *first,
                             const struct config *running, struct err *e);

void reload_free(struct config *c); /* not `first`; or NULL */

#endif
