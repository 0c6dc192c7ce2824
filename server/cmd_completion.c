/* sparsed completion: a script for a shell. */
#include "server/completion.h"

#include <string.h>

static int run(int argc, char **argv)
{
    if (argc == 2) {
        for (size_t i = 0; completion_shells[i] != NULL; i++) {
            if (strcmp(argv[1], completion_shells[i]) == 0) {
                completion_print(stdout, i, commands);
                return COMMAND_DONE;
            }
        }
    }
    return command_refuse(&command_completion, "say bash, zsh or fish");
}

const struct command command_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .help = "prints a script that completes commands and settings in a shell",
    .notes = "In bash: source <(sparsed completion bash)",
    .run = run,
    .starts_itself = true,
    .words = completion_shells,
};
