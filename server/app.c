/* App: listener, executor, lanes, models, in this order.
 *
 * The port is taken and served before the models are loaded: a port in use is
 * told at once, and probes are told that models are being loaded. Until then
 * api.registry is NULL and the executor gets nothing.
 */
#include "server/app.h"

#include "api/api.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/engine/executor.h"
#include "lib/engine/registry.h"
#include "lib/math/blas.h"
#include "server/lanes.h"
#include "server/listener.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

/* Descriptors beside connections: files, pollers, lingering connections. */
#define OTHER_DESCRIPTORS 256
#define DRAIN_LOOK ((usec)10000)
/* After the cut: for the executor to end what it works on. */
#define CUT_TIME ((usec)2000000)

struct app {
    const struct config *config;
    struct listener *listener;
    struct registry *registry;
    struct executor *executor;
    struct lanes *lanes;
    struct api api;
    struct err missing; /* why there is no models folder */
    atomic_bool draining;
};

static bool is_draining(void *arg)
{
    struct app *app = arg;

    return atomic_load(&app->draining);
}

static void start_blas(void)
{
    struct err e;
    char text[2 * sizeof e.msg];

    if (blas_start(&e) != ERR_OK)
        log_event(LOG_WARN, "blas", "mismatch", "why=%s",
                  log_quote(text, sizeof text, e.msg));
    log_event(LOG_INFO, "server", "start", "version=%s blas=%s",
              SPARSED_VERSION, log_quote(text, sizeof text, blas_name()));
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

/* How many connections the process may have, having asked for more
 * descriptors if need be. */
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

/* Makes the threads that answer. */
static enum err_code start_lanes(struct app *app, struct err *e)
{
    const struct config *c = app->config;

    app->executor = executor_new(c->workers, c->queue);
    if (app->executor == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the executor");
    app->api.draining = is_draining;
    app->api.draining_arg = app;
    app->api.allow_missing_models = c->allow_missing_models;
    struct lanes_settings s = {
        .api = &app->api,
        .executor = app->executor,
        .listener = app->listener,
        .threads = c->threads,
        .max_connections = limit_connections(c->max_connections),
        .max_body = c->max_body,
        .max_held = c->max_held,
        .timeout = c->timeout,
        .request_timeout = c->request_timeout,
        .deadline = c->deadline,
    };
    app->lanes = lanes_new(&s, e);
    return app->lanes != NULL ? ERR_OK : e->code;
}

static enum err_code start(struct app *app, struct err *e)
{
    const struct config *c = app->config;
    char models[512], data[512];

    start_blas();
    log_event(LOG_DEBUG, "server", "folders", "models=%s data=%s",
              log_quote(models, sizeof models, c->models),
              log_quote(data, sizeof data, c->data_dir));
    app->listener = listener_open(c->listen, e);
    if (app->listener == NULL || start_lanes(app, e) != ERR_OK)
        return e->code;
    app->registry = registry_new();
    if (app->registry == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for the models");
    lanes_accept(app->lanes);
    if (load_models(app, e) != ERR_OK)
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
    registry_free(app->registry);
    listener_free(app->listener);
    mem_free(app);
}
