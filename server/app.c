/* App: listener, executor, lanes, models, store, learner, in this order.
 *
 * The port is taken and served before the models are loaded: a port in use is
 * told at once, and probes are told that models are being loaded. Until all is
 * there api.registry is NULL and the executor gets nothing. The store outlives
 * the lanes, since their requests wait for it.
 */
#include "server/app.h"

#include "api/cors.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/model/numbers.h"
#include "server/app_parts.h"
#include "server/listener.h"
#include "server/notify.h"
#include "server/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Writes that may wait for the disk at once. */
#define WAITING_WRITES 4096
#define DRAIN_LOOK ((usec)10000)
/* After the cut: for the executor to end what it works on. */
#define CUT_TIME ((usec)2000000)

static bool is_draining(void *arg)
{
    struct app *app = arg;

    return atomic_load(&app->draining);
}

static void start_math(void)
{
    struct err e;
    char text[2 * sizeof e.msg];

    if (numbers_start(&e) != ERR_OK)
        log_event(LOG_WARN, "math", "start", "why=%s",
                  log_quote(text, sizeof text, e.msg));
    log_event(LOG_INFO, "server", "start", "version=%s simd=%s blas=%s",
              SPARSED_VERSION, numbers_instructions(),
              log_quote(text, sizeof text, numbers_library()));
}

static enum err_code load_models(struct app *app, struct err *e)
{
    const char *folder = app->config->models;
    enum err_code code = registry_load(app->registry, folder, e);

    if (code != ERR_NOT_FOUND)
        return code;
    if (!app->config->allow_missing_models)
        return err_set(e, code,
                       "there is no folder of models at '%.100s': give one "
                       "with --models DIR, or start without any with "
                       "--allow-missing-models",
                       folder);
    app->missing = *e;
    app->api.missing_models = app->missing.msg;
    char text[2 * sizeof e->msg];
    log_event(LOG_WARN, "server", "no-models", "why=%s",
              log_quote(text, sizeof text, e->msg));
    return ERR_OK;
}

/* Makes the threads that answer. */
static enum err_code start_lanes(struct app *app, struct err *e)
{
    const struct config *c = app->config;

    app->executor = executor_new(&(struct executor_settings){
        .threads = c->workers,
        .queue = c->queue * 1000,
        .costs = &app->costs,
        .waiting = &app->meters.waiting,
        .waiting_ns = &app->meters.waiting_cost_ns,
    });
    if (app->executor == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the executor");
    app->meters.started_wall = clock_wall();
    app->api.meters = &app->meters;
    app->api.watch_every = c->watch_every;
    app->api.cors = cors_new(e);
    if (app->api.cors == NULL)
        return e->code;
    if (cors_set(app->api.cors, c->cors_origins, e) != ERR_OK)
        return err_wrap(e, "--cors-origins");
    app->api.draining = is_draining;
    app->api.draining_arg = app;
    app->api.allow_missing_models = c->allow_missing_models;
    struct lanes_settings s = {
        .api = &app->api,
        .executor = app->executor,
        .listener = app->listener,
        .guard = app->guard,
        .tls = app->tls,
        .threads = c->threads,
        .limits = app_lanes_limits(c),
    };
    app->lanes = lanes_new(&s, e);
    return app->lanes != NULL ? ERR_OK : e->code;
}

/* ---- learning ---- */

static enum err_code open_store(struct app *app, struct err *e)
{
    const struct config *c = app->config;
    struct store_settings s = {
        .url = app->store_url,
        .max_waiting = WAITING_WRITES,
        .max_waiting_bytes = c->max_held,
    };

    if (config_make_data_dir(c, e) != ERR_OK ||
        config_store_url(c, app->store_url, sizeof app->store_url, e) != ERR_OK)
        return e->code;
    app->store = store_open(&s, e);
    return app->store != NULL ? ERR_OK : err_wrap(e, "--store");
}

static enum err_code start_learner(struct app *app, struct err *e)
{
    const struct config *c = app->config;

    app->tuning = (struct learner_settings){
        .store = app->store,
        .registry = app->registry,
        .data_dir = c->data_dir,
        .threads = c->fine_tune_threads,
        .keep_versions = c->keep_versions,
        .after = c->fine_tune_after,
        .every = c->fine_tune_every,
        .rehearsal = c->rehearsal,
        .test_data = c->test_data,
    };
    app->learner = learner_new(&app->tuning, e);
    return app->learner != NULL ? ERR_OK : e->code;
}

/* A setting that makes no sense is an error. Trouble with the disk is none:
 * the models are served, and readyz tells. */
static enum err_code start_learning(struct app *app, struct err *e)
{
    if (open_store(app, e) == ERR_OK && start_learner(app, e) == ERR_OK) {
        app->learning = (struct learning){
            .store = app->store,
            .learner = app->learner,
            .max_samples = app->config->max_samples,
            .max_labels = app->config->max_labels,
        };
        app->api.learning = &app->learning;
        return ERR_OK;
    }
    if (e->code == ERR_INVALID)
        return e->code;
    char text[2 * sizeof e->msg];
    log_event(LOG_ERROR, "server", "no-learning", "why=%s",
              log_quote(text, sizeof text, e->msg));
    store_close(app->store);
    app->store = NULL;
    app->idle = *e;
    app->api.no_learning = app->idle.msg;
    return ERR_OK;
}

/* ---- start and stop ---- */

/* libzip asks for local times on many threads. Without TZ glibc reads the zone
 * anew each time, and frees the old one; with it, now and never again. */
static void set_zone(void)
{
    setenv("TZ", ":/etc/localtime", 0);
    tzset();
}

static enum err_code start(struct app *app, struct err *e)
{
    const struct config *c = app->config;
    char models[512], data[512];

    set_zone();
    start_math();
    log_event(LOG_DEBUG, "server", "folders", "models=%s data=%s",
              log_quote(models, sizeof models, c->models),
              log_quote(data, sizeof data, c->data_dir));
    if (app_start_tls(app, e) != ERR_OK)
        return e->code;
    app->listener =
        listener_open(c->listen, app->tls != NULL ? "https" : "http", e);
    if (app->listener == NULL || app_start_guard(app, e) != ERR_OK ||
        start_lanes(app, e) != ERR_OK)
        return e->code;
    app->registry = registry_new();
    if (app->registry == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the models");
    lanes_accept(app->lanes);
    if (load_models(app, e) != ERR_OK || start_learning(app, e) != ERR_OK)
        return e->code;
    app->api.registry = app->registry;
    return ERR_OK;
}

struct app *app_start(const struct config *config, struct err *e)
{
    struct app *app = mem_array(1, sizeof *app);

    if (app == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory to start");
        return NULL;
    }
    app->first = config;
    app->config = config;
    if (start(app, e) == ERR_OK)
        return app;
    app_free(app);
    return NULL;
}

const char *app_url(const struct app *app)
{
    return listener_url(app->listener);
}

/* Whether all connections are gone before the deadline. */
static bool wait_for_end(struct app *app, usec deadline)
{
    while (lanes_connections(app->lanes) > 0) {
        if (clock_now() >= deadline)
            return false;
        clock_sleep(DRAIN_LOOK);
    }
    return true;
}

enum app_end app_drain(struct app *app)
{
    usec start = clock_now();

    atomic_store(&app->draining, true);
    notify_stopping();
    log_event(LOG_INFO, "server", "draining", "connections=%zu",
              lanes_connections(app->lanes));
    clock_sleep(app->config->drain);
    lanes_drain(app->lanes);
    bool done = wait_for_end(app, clock_now() + app->config->stop_timeout);
    if (!done) {
        log_event(LOG_WARN, "server", "cutting", "connections=%zu",
                  lanes_connections(app->lanes));
        lanes_cut(app->lanes);
        done = wait_for_end(app, clock_now() + CUT_TIME);
    }
    size_t lost = lanes_lost(app->lanes) + lanes_connections(app->lanes);
    if (lost > 0)
        log_event(LOG_ERROR, "server", "lost", "requests=%zu", lost);
    log_event(LOG_INFO, "server", "stopped", "ms=%lld connections=%zu",
              (long long)(clock_now() - start) / 1000,
              lanes_connections(app->lanes));
    return !done ? APP_STUCK : lost > 0 ? APP_LOST : APP_ANSWERED;
}

void app_free(struct app *app)
{
    if (app == NULL)
        return;
    if (app->listener != NULL)
        listener_stop(app->listener);
    executor_free(app->executor);
    lanes_free(app->lanes);
    learner_free(app->learner);
    store_close(app->store);
    registry_free(app->registry);
    listener_free(app->listener);
    guard_close(app->guard);
    tls_free(app->tls);
    reload_free(app->reloaded);
    cors_free(app->api.cors);
    mem_free(app);
}
