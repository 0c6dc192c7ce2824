/* Token file: text, one token a line,
 *
 *     NAME SCOPES SHA256HEX [rate=N] [daily=N]
 *
 * with '#' for comments. Only the SHA-256 of a token stands there: who reads
 * the file can use none of them. A token is 32 random bytes in letters, so no
 * slow hash is needed: there is nothing to guess.
 */
#ifndef SPARSED_SERVER_TOKEN_FILE_H
#define SPARSED_SERVER_TOKEN_FILE_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TOKEN_BYTES 48 /* of a token's text: "sps_", 43 characters, 0 */
#define TOKEN_NAME_BYTES 65
#define TOKEN_HASH_BYTES 32
#define TOKEN_MAX_BYTES 512 /* of what may be a token at all */
#define TOKEN_FILE_MAX 1000 /* tokens of a file */
#define TOKEN_MAX_RATE 1e6

struct token {
    char name[TOKEN_NAME_BYTES];
    unsigned scopes; /* enum scope */
    unsigned char hash[TOKEN_HASH_BYTES];
    double rate;    /* requests a second; 0: no limit */
    uint64_t daily; /* requests of a day; 0: no limit */
};

/* "infer,learn": at least one of them, `admin` for all. ERR_INVALID. */
enum err_code scopes_parse(const char *text, size_t length, unsigned *scopes,
                           struct err *e) ERR_CHECKED;
/* The same list, "admin" for all; static room of the caller's. */
#define SCOPES_BYTES 32
const char *scopes_print(unsigned scopes, char *out, size_t size);

/* 1 to 64 letters, digits, '.', '_', '-'. */
enum err_code token_check_name(const char *name, struct err *e) ERR_CHECKED;

/* Reads at most TOKEN_FILE_MAX tokens into an array that the caller frees with
 * mem_free. NULL: as file_read, or ERR_INVALID with the line's number, also
 * for a name or a hash that is there twice. */
struct token *token_file_read(const char *path, size_t *n, struct err *e);

/* The text of a new token. */
void token_make(char out[TOKEN_BYTES]);

/* The line of a token, without its end. */
#define TOKEN_LINE_BYTES 256
const char *token_print(const struct token *t, char *out, size_t size);

/* Adds the line to the file, durably; makes a file that is not there, for its
 * owner's eyes. ERR_CONFLICT: there is such a name; else as
 * token_file_read. */
enum err_code token_file_add(const char *path, const struct token *t,
                             struct err *e) ERR_CHECKED;

/* A file of one token in plain text, which has all scopes: made if it is not
 * there, durably, for its owner's eyes. ERR_INVALID if it is empty or no
 * token, else ERR_IO and the like. */
enum err_code token_file_first(const char *path, struct token *t, struct err *e)
    ERR_CHECKED;

#endif
