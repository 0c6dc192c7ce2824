/* sparsed: picks the command. `sparsed --help` lists them, and each says its
 * own settings.
 */
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/model/numbers.h"
#include "server/command.h"
#include "server/manual.h"
#include "server/nearest.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

const struct command *const commands[] = {
    &command_serve,      &command_train,
    &command_eval,       &command_encode,
    &command_inspect,    &command_render,
    &command_export,     &command_remember,
    &command_samples,    &command_health,
    &command_token,      &command_manual,
    &command_completion, NULL,
};

int command_refuse(const struct command *c, const char *why)
{
    fprintf(stderr,
            "sparsed %s: %s\nusage: sparsed %s %s\n"
            "try: sparsed %s --help\n",
            c->name, why, c->name, c->usage, c->name);
    return COMMAND_USAGE;
}

int command_fail(const struct command *c, const struct err *e)
{
    fprintf(stderr, "sparsed %s: %s\n", c->name, e->msg);
    return COMMAND_FAILED;
}

static bool wants_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct err e;

    for (int i = 1; i < argc; i++) {
        if (wants_help(argv[i])) {
            manual_print_command(stdout, c);
            return COMMAND_DONE;
        }
    }
    if (!c->starts_itself && numbers_start(&e) != ERR_OK) {
        char why[sizeof e.msg * 2];
        log_event(LOG_WARN, "math", "start", "why=%s",
                  log_quote(why, sizeof why, e.msg));
    }
    return c->run(argc, argv);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        manual_print_commands(stderr, commands);
        return COMMAND_USAGE;
    }
    if (wants_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        manual_print_commands(stdout, commands);
        return COMMAND_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("sparsed %s\n", SPARSED_VERSION);
        return COMMAND_DONE;
    }
    struct nearest near;
    nearest_begin(&near, argv[1], strlen(argv[1]));
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(argv[1], commands[i]->name) == 0)
            return run(commands[i], argc - 1, argv + 1);
        nearest_try(&near, commands[i]->name);
    }
    fprintf(stderr, "sparsed: there is no command '%.60s'", argv[1]);
    if (near.best != NULL)
        fprintf(stderr, ": did you mean '%s'?", near.best);
    fputs("\n\n", stderr);
    manual_print_commands(stderr, commands);
    return COMMAND_USAGE;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    int result = dispatch(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return result;
    fprintf(stderr, "sparsed: cannot write to stdout\n");
    return COMMAND_FAILED;
}
