/* sparsed serve: the daemon, from its settings to its last reply.
 */
#include "lib/base/log.h"
#include "server/app.h"
#include "server/command.h"
#include "server/config.h"
#include "server/notify.h"
#include "server/signals.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int serve(const struct config *config)
{
    struct err e;

    if (signals_start(&e) != ERR_OK)
        return command_fail(&command_serve, &e);
    struct app *app = app_start(config, &e);
    if (app == NULL)
        return e.code == ERR_INVALID ? command_refuse(&command_serve, e.msg)
                                     : command_fail(&command_serve, &e);
    printf("listening on %s\n", app_url(app));
    fflush(stdout);
    notify_ready();
    int number = signals_wait();
    for (; number == SIGHUP; number = signals_wait())
        app_reload(app);
    log_event(LOG_INFO, "server", "signal", "number=%d", number);
    enum app_end end = app_drain(app);
    if (end == APP_STUCK)
        _exit(COMMAND_FAILED); /* threads still work: no orderly end */
    app_free(app);
    return end == APP_ANSWERED ? COMMAND_DONE : COMMAND_FAILED;
}

static int run(int argc, char **argv)
{
    struct config config = {.file = NULL};
    struct err e;
    int result;

    if (config_load(&config, argc, argv, environ, &e) != ERR_OK) {
        result = e.code == ERR_INVALID ? command_refuse(&command_serve, e.msg)
                                       : command_fail(&command_serve, &e);
    } else if (config.print_config) {
        settings_print_json(stdout, config_settings, &config);
        result = COMMAND_DONE;
    } else {
        log_set((enum log_level)config.log_level,
                (enum log_format)config.log_format);
        result = serve(&config);
    }
    config_fini(&config);
    return result;
}

const struct command command_serve = {
    .name = "serve",
    .usage = "[--listen ADDR:PORT] [--models DIR] [SETTINGS]",
    .help = "the daemon: answers over HTTP with the models of a folder",
    .run = run,
    .starts_itself = true,
    .settings = config_settings,
    .notes = "Each is an environment variable too (--max-body: "
             "SPARSED_MAX_BODY) and a member of the JSON file of --config "
             "(\"max-body\"). A flag wins over a variable, a variable over the "
             "file. SIGHUP reads them again: what is live changes while the "
             "daemon runs.",
};
