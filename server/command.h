/* Commands: one file each, exporting one const entry that stands in the
 * hand-written table of main.c.
 *
 * Results go to stdout, talk to stderr.
 */
#ifndef SPARSED_SERVER_COMMAND_H
#define SPARSED_SERVER_COMMAND_H

#include "server/setting.h"

#include <stdbool.h>

/* What a command's run returns, and so what the process exits with. */
enum command_exit { COMMAND_DONE = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

struct command {
    const char *name;
    const char *usage; /* what stands after "sparsed NAME " */
    const char *help;  /* one line */
    /* argv[0] is the command's name; argv[argc] is NULL. */
    int (*run)(int argc, char **argv);
    /* The command calls blas_start itself, or computes nothing; for all
     * others main does it before run. */
    bool starts_itself;
    const struct setting *settings; /* or NULL */
    const char *const *words;       /* its first argument, or NULL; completed */
    const char *notes; /* a paragraph below the settings, or NULL */
};

/* Says on stderr why the arguments are refused; returns COMMAND_USAGE. */
int command_refuse(const struct command *c, const char *why);

/* Says the error on stderr; returns COMMAND_FAILED. */
int command_fail(const struct command *c, const struct err *e);

/* All, in the order that help shows; ends with NULL. */
extern const struct command *const commands[];

extern const struct command command_serve;
extern const struct command command_train;
extern const struct command command_eval;
extern const struct command command_encode;
extern const struct command command_inspect;
extern const struct command command_remember;
extern const struct command command_render;
extern const struct command command_export;
extern const struct command command_samples;
extern const struct command command_health;
extern const struct command command_token;
extern const struct command command_manual;
extern const struct command command_completion;

#endif
