/* Tokens: who is who, by what comes in a request's header Authorization.
 *
 * All tokens together are one set that never changes; reading the files again
 * makes another set, whole or not at all, while requests go on. What a token
 * has used of its rate and quota is kept by its name and stays.
 */
#ifndef SPARSED_SERVER_TOKENS_H
#define SPARSED_SERVER_TOKENS_H

#include "lib/base/err.h"
#include "server/pace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tokens;

/* None. NULL: ERR_NO_MEMORY. */
struct tokens *tokens_new(struct err *e);
void tokens_free(struct tokens *t);

/* Reads the token file and the file of the first token, which is made if
 * missing (either may be NULL). On an error the tokens stay as they were. One
 * thread at a time, whatever others find meanwhile. */
enum err_code tokens_load(struct tokens *t, const char *path, const char *first,
                          struct err *e) ERR_CHECKED;

/* What a token has used; lives as long as the tokens. */
struct token_use {
    char *name;
    pace pace;
    quota quota;
    struct token_use *next;
};

struct token_grant {
    unsigned scopes;
    struct pace_rule rate;
    uint64_t daily; /* 0: no limit */
    struct token_use *use;
};

/* Whether the text is a token. Takes as long for any text of the length, right
 * or wrong. From any thread. */
bool tokens_find(struct tokens *t, const char *text, size_t length,
                 struct token_grant *grant);

#endif
