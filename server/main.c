/* sparsed: picks the command. `sparsed --help` lists them, and each says its
 * own settings.
 */
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/math/blas.h"
#include "server/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_serve,   &command_train,  &command_eval,     &command_encode,
    &command_inspect, &command_render, &command_remember, &command_samples,
    &command_health,  &command_token,
};

#define N_COMMANDS (sizeof commands / sizeof *commands)

static void print_help(FILE *out)
{
    fputs("usage: sparsed COMMAND ...\n\n", out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->help);
    fputs("\n  sparsed COMMAND --help   its arguments and settings\n"
          "  sparsed --version        which version this is\n",
          out);
}

static void print_command_help(const struct command *c)
{
    printf("usage: sparsed %s %s\n\n%s\n", c->name, c->usage, c->help);
    if (c->settings != NULL) {
        fputc('\n', stdout);
        settings_print_help(stdout, c->settings);
    }
}

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
            print_command_help(c);
            return COMMAND_DONE;
        }
    }
    if (!c->starts_itself && blas_start(&e) != ERR_OK) {
        char why[sizeof e.msg * 2];
        log_event(LOG_WARN, "blas", "mismatch", "why=%s",
                  log_quote(why, sizeof why, e.msg));
    }
    return c->run(argc, argv);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return COMMAND_USAGE;
    }
    if (wants_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return COMMAND_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("sparsed %s\n", SPARSED_VERSION);
        return COMMAND_DONE;
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i]->name) == 0)
            return run(commands[i], argc - 1, argv + 1);
    }
    fprintf(stderr, "sparsed: there is no command '%s'\n\n", argv[1]);
    print_help(stderr);
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
