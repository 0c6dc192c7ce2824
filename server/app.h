/* App: owns every part of the daemon that lives long; starts them in order and
 * stops them in reverse.
 */
#ifndef SPARSED_SERVER_APP_H
#define SPARSED_SERVER_APP_H

#include "server/config.h"

struct app;

/* Listens, answers from then on (503 to what needs models), loads the models,
 * opens the store; without a store it serves and does not learn. `config` must
 * outlive it. NULL: what listening, loading or starting gave. */
struct app *app_start(const struct config *config, struct err *e);

/* "http://127.0.0.1:8080" */
const char *app_url(const struct app *app);

/* Reads the settings again, and the files that they name, and goes on by those
 * that may change while requests run; logs which did, and which need a restart.
 * Settings with an error change nothing. One thread at a time. */
void app_reload(struct app *app);

enum app_end {
    APP_ANSWERED, /* all that was received in full */
    APP_LOST,     /* stop_timeout has passed: replies were cut */
    APP_STUCK     /* the same, and some work cannot be ended: the process has
                     to */
};

/* readyz fails from here on; after `drain` accepting stops; returns when all is
 * answered, or stop_timeout has passed. */
enum app_end app_drain(struct app *app);

void app_free(struct app *app); /* after app_drain, not APP_STUCK; or NULL */

#endif
