/* Token file: read line by line, strictly: what cannot be understood is no
 * token that somebody misses, but an error with the line's number.
 */
#include "server/token_file.h"

#include "api/api.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "server/pace.h"
#include "server/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MAX_FILE_BYTES ((size_t)1 << 20)
#define BLANKS " \t"

static const struct {
    const char *name;
    unsigned scopes;
} scope_names[] = {
    {"admin", SCOPE_ALL},
    {"infer", SCOPE_INFER},
    {"learn", SCOPE_LEARN},
};

#define N_SCOPE_NAMES (sizeof scope_names / sizeof scope_names[0])

/* ---- the parts of a line ---- */

static unsigned find_scope(const char *text, size_t length)
{
    for (size_t i = 0; i < N_SCOPE_NAMES; i++) {
        if (strlen(scope_names[i].name) == length &&
            memcmp(scope_names[i].name, text, length) == 0)
            return scope_names[i].scopes;
    }
    return 0;
}

enum err_code scopes_parse(const char *text, size_t length, unsigned *scopes,
                           struct err *e)
{
    const char *end = text + length;

    *scopes = 0;
    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        size_t n = (size_t)((comma != NULL ? comma : end) - text);
        unsigned scope = find_scope(text, n);
        if (scope == 0)
            return err_set(e, ERR_INVALID,
                           "scope '%.*s' is none of infer, learn, admin",
                           (int)(n < 20 ? n : 20), text);
        *scopes |= scope;
        if (comma == NULL)
            return ERR_OK;
        text = comma + 1;
    }
}

const char *scopes_print(unsigned scopes, char *out, size_t size)
{
    size_t used = 0;

    out[0] = 0;
    for (size_t i = 0; i < N_SCOPE_NAMES && used < size; i++) {
        unsigned some = scope_names[i].scopes;
        if ((scopes & some) != some)
            continue;
        scopes &= ~some;
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 used > 0 ? "," : "", scope_names[i].name);
    }
    return out;
}

enum err_code token_check_name(const char *name, struct err *e)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strspn(name, allowed);

    if (length == 0 || length >= TOKEN_NAME_BYTES || name[length] != 0)
        return err_set(e, ERR_INVALID,
                       "name '%.40s' is not 1 to %d letters, digits, . _ -",
                       name, TOKEN_NAME_BYTES - 1);
    return ERR_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static enum err_code read_hash(const char *text, struct token *t, struct err *e)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < TOKEN_HASH_BYTES && length == 2 * TOKEN_HASH_BYTES;
         i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            length = 0;
        else
            t->hash[i] = (unsigned char)(high << 4 | low);
    }
    if (length != 2 * TOKEN_HASH_BYTES)
        return err_set(e, ERR_INVALID,
                       "want the token's SHA-256 as 64 hexadecimal digits, "
                       "not the token itself");
    return ERR_OK;
}

static bool read_value(const char *word, const char *name, double *value)
{
    size_t length = strlen(name);

    if (strncmp(word, name, length) != 0 || word[length] != '=')
        return false;
    const char *text = word + length + 1;
    size_t used = json_scan_number(text, strlen(text), value);
    if (used == 0 || text[used] != 0)
        *value = -1;
    return true;
}

static enum err_code read_limit(const char *word, struct token *t,
                                struct err *e)
{
    double value;

    if (read_value(word, "rate", &value)) {
        if (t->rate != 0 || value < 1e-6 || value > TOKEN_MAX_RATE)
            return err_set(e, ERR_INVALID,
                           "rate: want one number from 0.000001 to %.0f",
                           TOKEN_MAX_RATE);
        t->rate = value;
    } else if (read_value(word, "daily", &value)) {
        if (t->daily != 0 || value < 1 || value > QUOTA_MAX ||
            value != (double)(uint64_t)value)
            return err_set(e, ERR_INVALID,
                           "daily: want one whole number from 1 to %u",
                           QUOTA_MAX);
        t->daily = (uint64_t)value;
    } else {
        return err_set(e, ERR_INVALID, "'%.40s' is neither rate=N nor daily=N",
                       word);
    }
    return ERR_OK;
}

/* The next word of *rest, ended by a 0; NULL: there is none. */
static char *take_word(char **rest)
{
    char *word = *rest + strspn(*rest, BLANKS);

    if (*word == 0)
        return NULL;
    *rest = word + strcspn(word, BLANKS);
    if (**rest != 0)
        *(*rest)++ = 0;
    return word;
}

static enum err_code read_line(char *line, struct token *t, struct err *e)
{
    char *name = take_word(&line);
    char *scopes = take_word(&line);
    char *hash = take_word(&line);

    if (hash == NULL)
        return err_set(e, ERR_INVALID, "want NAME SCOPES SHA256HEX");
    if (token_check_name(name, e) != ERR_OK ||
        scopes_parse(scopes, strlen(scopes), &t->scopes, e) != ERR_OK ||
        read_hash(hash, t, e) != ERR_OK)
        return e->code;
    memcpy(t->name, name, strlen(name) + 1);
    for (char *word; (word = take_word(&line)) != NULL;) {
        if (read_limit(word, t, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

/* ---- the file ---- */

static enum err_code check_twins(const struct token *tokens, size_t n,
                                 struct err *e)
{
    const struct token *last = &tokens[n - 1];

    for (const struct token *t = tokens; t < last; t++) {
        if (strcmp(t->name, last->name) == 0)
            return err_set(e, ERR_INVALID, "name '%s' is there twice",
                           last->name);
        if (memcmp(t->hash, last->hash, sizeof t->hash) == 0)
            return err_set(e, ERR_INVALID, "the same token as '%s'", t->name);
    }
    return ERR_OK;
}

static enum err_code read_lines(char *text, struct token *tokens, size_t *n,
                                struct err *e)
{
    size_t number = 0;

    for (char *next; text != NULL; text = next) {
        number++;
        next = strchr(text, '\n');
        if (next != NULL)
            *next++ = 0;
        text[strcspn(text, "#")] = 0;
        if (text[strspn(text, BLANKS)] == 0)
            continue;
        if (*n == TOKEN_FILE_MAX)
            return err_set(e, ERR_INVALID, "over %d tokens", TOKEN_FILE_MAX);
        if (read_line(text, &tokens[(*n)++], e) != ERR_OK ||
            check_twins(tokens, *n, e) != ERR_OK)
            return err_wrap(e, "line %zu", number);
    }
    return ERR_OK;
}

struct token *token_file_read(const char *path, size_t *n, struct err *e)
{
    struct token *tokens = NULL;
    enum err_code code = ERR_INVALID;
    size_t length;
    char *text = file_read(path, MAX_FILE_BYTES, &length, e);

    *n = 0;
    if (text == NULL)
        return NULL;
    tokens = mem_array(TOKEN_FILE_MAX, sizeof *tokens);
    if (tokens == NULL)
        code = err_set(e, ERR_NO_MEMORY, "no memory for tokens");
    else if (strlen(text) != length)
        err_set(e, ERR_INVALID, "%s: not a text", path);
    else if ((code = read_lines(text, tokens, n, e)) != ERR_OK)
        err_wrap(e, "%s", path);
    mem_free(text);
    if (code == ERR_OK)
        return tokens;
    mem_free(tokens);
    return NULL;
}

/* ---- new tokens ---- */

void token_make(char out[TOKEN_BYTES])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[33] = {0}; /* 32, and a 0 to end with whole letters */
    char *to = out;

    tls_random(bytes, 32);
    memcpy(to, "sps_", 4);
    to += 4;
    for (size_t i = 0; i < 33; i += 3) {
        unsigned three = (unsigned)bytes[i] << 16 |
                         (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *to++ = letters[three >> shift & 63];
    }
    out[TOKEN_BYTES - 1] = 0; /* in place of the last letter, which is none */
}

const char *token_print(const struct token *t, char *out, size_t size)
{
    char scopes[SCOPES_BYTES];
    struct buf line;

    buf_init(&line, TOKEN_LINE_BYTES);
    buf_printf(&line, "%s %s ", t->name,
               scopes_print(t->scopes, scopes, sizeof scopes));
    for (size_t i = 0; i < TOKEN_HASH_BYTES; i++)
        buf_printf(&line, "%02x", t->hash[i]);
    if (t->rate > 0)
        buf_printf(&line, " rate=%.9g", t->rate);
    if (t->daily > 0)
        buf_printf(&line, " daily=%llu", (unsigned long long)t->daily);
    snprintf(out, size, "%s", buf_failed(&line) ? "" : line.data);
    buf_fini(&line);
    return out;
}

static enum err_code write_synced(int fd, const char *path, const char *text,
                                  struct err *e)
{
    size_t length = strlen(text);

    if (write(fd, text, length) != (ssize_t)length || fsync(fd) != 0)
        return err_set_errno(e, errno, "cannot write %s", path);
    return file_sync_folder_of(path, e);
}

static enum err_code check_new_name(const char *path, const char *name,
                                    struct err *e)
{
    enum err_code code = ERR_OK;
    size_t n;
    struct token *tokens = token_file_read(path, &n, e);

    if (tokens == NULL)
        return e->code;
    for (size_t i = 0; i < n && code == ERR_OK; i++) {
        if (strcmp(tokens[i].name, name) == 0)
            code = err_set(e, ERR_CONFLICT, "%s: there is a token '%s' already",
                           path, name);
    }
    mem_free(tokens);
    return code;
}

enum err_code token_file_add(const char *path, const struct token *t,
                             struct err *e)
{
    char line[TOKEN_LINE_BYTES];
    char text[TOKEN_LINE_BYTES + 2];
    char last = '\n';
    int fd =
        open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);

    if (fd < 0)
        return err_set_errno(e, errno, "cannot open %s", path);
    /* Of two at once the second sees what the first has written. */
    enum err_code code = flock(fd, LOCK_EX) == 0
                             ? check_new_name(path, t->name, e)
                             : err_set_errno(e, errno, "cannot lock %s", path);
    off_t end = lseek(fd, 0, SEEK_END);
    if (code == ERR_OK && end > 0 && pread(fd, &last, 1, end - 1) != 1)
        code = err_set_errno(e, errno, "cannot read %s", path);
    if (code == ERR_OK) {
        snprintf(text, sizeof text, "%s%s\n", last == '\n' ? "" : "\n",
                 token_print(t, line, sizeof line));
        code = write_synced(fd, path, text, e);
    }
    close(fd);
    return code;
}

/* ---- the first token ---- */

/* A half-written file, after a crash, is no token and so is not believed. */
static enum err_code make_first(const char *path, struct err *e)
{
    char text[TOKEN_BYTES + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return ERR_OK;
    if (fd < 0)
        return err_set_errno(e, errno, "cannot make %s", path);
    token_make(text);
    text[TOKEN_BYTES - 1] = '\n';
    text[TOKEN_BYTES] = 0;
    enum err_code code = write_synced(fd, path, text, e);
    close(fd);
    if (code != ERR_OK)
        unlink(path);
    return code;
}

enum err_code token_file_first(const char *path, struct token *t, struct err *e)
{
    size_t length;

    if (make_first(path, e) != ERR_OK)
        return e->code;
    char *text = file_read(path, TOKEN_MAX_BYTES, &length, e);
    if (text == NULL)
        return e->code;
    size_t n = strcspn(text, "\r\n");
    bool ends = strspn(text + n, "\r\n") + n == length;
    *t = (struct token){.name = "first", .scopes = SCOPE_ALL};
    tls_hash(t->hash, text, n);
    mem_free(text);
    if (n < TOKEN_BYTES - 1 || !ends)
        return err_set(e, ERR_INVALID,
                       "%s: want one token of %d characters or more on one "
                       "line; remove the file to have one made",
                       path, TOKEN_BYTES - 1);
    return ERR_OK;
}
