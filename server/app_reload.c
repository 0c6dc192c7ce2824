/* App: taking new settings while requests run. A part that has live settings,
 * or files that may change, has a row in the table below.
 */
#include "api/cors.h"
#include "lib/base/log.h"
#include "server/app_parts.h"
#include "server/notify.h"
#include "server/reload.h"

#include <sys/resource.h>

/* Descriptors beside connections: files, pollers, lingering connections. */
#define OTHER_DESCRIPTORS 256

static size_t limit_connections(size_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    rlim_t need = (rlim_t)wanted + OTHER_DESCRIPTORS;
    if (limit.rlim_cur < need) {
        limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= need)
        return wanted;
    size_t possible = limit.rlim_cur > 2 * OTHER_DESCRIPTORS
                          ? (size_t)limit.rlim_cur - OTHER_DESCRIPTORS
                          : (size_t)limit.rlim_cur / 2;
    log_event(LOG_WARN, "server", "few-descriptors",
              "open_files=%zu max_connections=%zu", (size_t)limit.rlim_cur,
              possible);
    return possible > 0 ? possible : 1;
}

struct lanes_limits app_lanes_limits(const struct config *c)
{
    return (struct lanes_limits){
        .max_connections = limit_connections(c->max_connections),
        .max_body = c->max_body,
        .max_held = c->max_held,
        .timeout = c->timeout,
        .request_timeout = c->request_timeout,
        .deadline = c->deadline,
        .compress = c->compress,
        .log_requests = c->log_requests,
    };
}

/* ---- the parts ---- */

static enum err_code reload_log(struct app *app, const struct config *c,
                                struct err *e)
{
    (void)app;
    (void)e;
    log_set((enum log_level)c->log_level, (enum log_format)c->log_format);
    return ERR_OK;
}

static enum err_code reload_lanes(struct app *app, const struct config *c,
                                  struct err *e)
{
    struct lanes_limits limits = app_lanes_limits(c);

    (void)e;
    lanes_set(app->lanes, &limits);
    executor_set_queue(app->executor, c->queue * 1000);
    return ERR_OK;
}

static enum err_code reload_api(struct app *app, const struct config *c,
                                struct err *e)
{
    app->api.watch_every = c->watch_every;
    if (cors_set(app->api.cors, c->cors_origins, e) != ERR_OK)
        return err_wrap(e, "cors-origins");
    return ERR_OK;
}

static enum err_code reload_learning(struct app *app, const struct config *c,
                                     struct err *e)
{
    (void)e;
    app->learning.max_samples = c->max_samples;
    app->learning.max_labels = c->max_labels;
    if (app->store != NULL)
        store_set_max_waiting_bytes(app->store, c->max_held);
    if (app->learner != NULL)
        learner_set(app->learner, c->keep_versions, c->fine_tune_after,
                    c->fine_tune_every);
    return ERR_OK;
}

/* Each copies what it keeps of *c. One that fails goes on by what it has. */
static const struct {
    const char *name;
    enum err_code (*reload)(struct app *app, const struct config *c,
                            struct err *e);
} parts[] = {
    {"log", reload_log},         {"lanes", reload_lanes},
    {"api", reload_api},         {"learning", reload_learning},
    {"guard", app_reload_guard}, {"tls", app_reload_tls},
};

/* ---- all of them ---- */

static void log_failure(const char *part, const struct err *e)
{
    char quoted[2 * sizeof e->msg];

    log_event(LOG_ERROR, "server", "not-reloaded", "part=%s why=%s", part,
              log_quote(quoted, sizeof quoted, e->msg));
}

static void take(struct app *app, struct config *fresh)
{
    size_t failed = 0;
    struct err e;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].reload(app, fresh, &e) != ERR_OK) {
            log_failure(parts[i].name, &e);
            failed++;
        }
    }
    app->config = fresh;
    reload_free(app->reloaded);
    app->reloaded = fresh;
    if (failed == 0)
        log_event(LOG_INFO, "server", "reloaded", NULL);
}

void app_reload(struct app *app)
{
    struct err e;

    notify_reloading();
    struct config *fresh = reload_config(app->first, app->config, &e);
    if (fresh != NULL)
        take(app, fresh);
    else
        log_failure("settings", &e);
    notify_ready();
}
