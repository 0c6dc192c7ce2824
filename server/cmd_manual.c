/* sparsed manual: its own page for man. */
#include "server/manual.h"

static int run(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return command_refuse(&command_manual, "one argument too many");
    manual_print_page(stdout, commands, SPARSED_VERSION);
    return COMMAND_DONE;
}

const struct command command_manual = {
    .name = "manual",
    .usage = "> sparsed.1",
    .help = "prints the page that man shows",
    .run = run,
    .starts_itself = true,
};
