/* The app's parts, for its own files.
 */
#ifndef SPARSED_SERVER_APP_PARTS_H
#define SPARSED_SERVER_APP_PARTS_H

#include "api/api.h"
#include "api/meters.h"
#include "lib/engine/executor.h"
#include "lib/engine/learner.h"
#include "lib/engine/registry.h"
#include "lib/store/store.h"
#include "server/app.h"
#include "server/guard.h"
#include "server/lanes.h"
#include "server/tls.h"

#include <limits.h>
#include <stdatomic.h>

struct app {
    const struct config *first;  /* what it was started with */
    const struct config *config; /* what it runs by: first, or */
    struct config *reloaded;     /* which lives until the next one */
    struct tls *tls;             /* NULL: plain HTTP */
    struct listener *listener;
    struct guard *guard;
    struct registry *registry;
    struct executor *executor;
    struct lanes *lanes;
    struct store *store;
    char store_url[PATH_MAX + 32];
    struct learner *learner;
    struct learner_settings tuning;
    struct learning learning;
    struct meters meters;
    struct costs costs;
    struct api api;
    struct err missing; /* why there is no models folder */
    struct err idle;    /* why nothing is learned */
    atomic_bool draining;
};

/* What lanes may be given of it: as many connections as there are descriptors
 * for, having asked for more if need be. */
struct lanes_limits app_lanes_limits(const struct config *c);

/* ---- app_security.c ---- */

/* The certificates, if there are any; before the listener. */
enum err_code app_start_tls(struct app *app, struct err *e) ERR_CHECKED;
/* Who may do what; after the listener. */
enum err_code app_start_guard(struct app *app, struct err *e) ERR_CHECKED;
enum err_code app_reload_tls(struct app *app, const struct config *c,
                             struct err *e) ERR_CHECKED;
enum err_code app_reload_guard(struct app *app, const struct config *c,
                               struct err *e) ERR_CHECKED;

#endif
