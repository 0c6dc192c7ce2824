/* sparsed token: a new token, told once, and its line for the token file.
 */
#include "server/command.h"
#include "server/pace.h"
#include "server/tls.h"
#include "server/token_file.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct arguments {
    const char *scopes, *tokens;
    double rate;
    size_t daily;
};

static const struct setting table[] = {
    {.name = "scopes",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, scopes),
     .value = "LIST",
     .standard = "infer",
     .help = "what it may do, some of infer,learn,admin; admin is all"},
    {.name = "tokens",
     .type = SETTING_TEXT,
     .offset = offsetof(struct arguments, tokens),
     .value = "FILE",
     .help = "the token file that gets its line, made if missing; without it "
             "the line is told on stderr"},
    {.name = "rate",
     .type = SETTING_NUMBER,
     .offset = offsetof(struct arguments, rate),
     .max = TOKEN_MAX_RATE,
     .standard = "0",
     .value = "N",
     .help = "requests a second that it may make; 0: no limit"},
    {.name = "daily",
     .type = SETTING_COUNT,
     .offset = offsetof(struct arguments, daily),
     .max = QUOTA_MAX,
     .standard = "0",
     .value = "N",
     .help = "requests a day (UTC) that it may make; 0: no limit"},
    {0},
};

static enum err_code describe(struct token *t, const char *name,
                              const struct arguments *args, struct err *e)
{
    if (token_check_name(name, e) != ERR_OK ||
        scopes_parse(args->scopes, strlen(args->scopes), &t->scopes, e) !=
            ERR_OK)
        return e->code;
    snprintf(t->name, sizeof t->name, "%s", name);
    t->rate = args->rate;
    t->daily = args->daily;
    return ERR_OK;
}

/* The token is told when its line is on disk. */
static int tell(const struct arguments *args, struct token *t)
{
    char text[TOKEN_BYTES], line[TOKEN_LINE_BYTES];
    struct err e;

    token_make(text);
    tls_hash(t->hash, text, strlen(text));
    if (args->tokens != NULL) {
        if (token_file_add(args->tokens, t, &e) != ERR_OK)
            return command_fail(&command_token, &e);
        fprintf(stderr, "added to %s; a running daemon reads it at SIGHUP\n",
                args->tokens);
    } else {
        fprintf(stderr, "the line for the token file:\n%s\n",
                token_print(t, line, sizeof line));
    }
    puts(text);
    return COMMAND_DONE;
}

static int run(int argc, char **argv)
{
    static const char *const what[] = {"NAME"};
    struct arguments args = {.tokens = NULL};
    struct token t = {.scopes = 0};
    const char *name;
    struct err e;

    settings_standard(table, &args);
    if (settings_read_flags(table, &args, argc, argv, what, &name, 1, &e) !=
            ERR_OK ||
        describe(&t, name, &args, &e) != ERR_OK)
        return command_refuse(&command_token, e.msg);
    return tell(&args, &t);
}

const struct command command_token = {
    .name = "token",
    .usage = "NAME [--scopes LIST] [--tokens FILE] [--rate N] [--daily N]",
    .help = "makes a token, prints it once, and adds its line to a token file",
    .run = run,
    .starts_itself = true,
    .settings = table,
};
