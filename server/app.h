/* App: owns every part of the daemon that lives long; starts them in order and
 * stops them in reverse.
 */
#ifndef SPARSED_SERVER_APP_H
#define SPARSED_SERVER_APP_H

#include "server/config.h"

struct app;

/* Listens, loads the models, starts the threads; nothing is accepted yet.
 * `config` must outlive it. NULL: what listening, loading or starting gave. */
struct app *app_start(const struct config *config, struct err *e);

/* "http://127.0.0.1:8080" */
const char *app_url(const struct app *app);

/* Begins to accept. */
void app_accept(struct app *app);

/* readyz fails from here on; after `drain` accepting stops, and when all is
 * answered this returns true. false: stop_timeout has passed, and some work
 * cannot be ended: the process has to. */
bool app_drain(struct app *app);

void app_free(struct app *app); /* after app_drain was true; NULL is fine */

#endif
