/* Tokens: a counted set behind one lock, which is held to take or give back
 * the set and no longer.
 */
#include "server/tokens.h"

#include "lib/base/lock.h"
#include "lib/base/mem.h"
#include "server/tls.h"
#include "server/token_file.h"

#include <stdatomic.h>
#include <string.h>

#define HASH_WORDS (TOKEN_HASH_BYTES / sizeof(uint64_t))

struct token_set {
    atomic_size_t users;
    size_t n;
    struct entry {
        uint64_t hash[HASH_WORDS];
        struct token_grant grant;
    } entries[];
};

struct tokens {
    struct lock lock;
    struct token_set *set;  /* guarded by lock */
    struct token_use *uses; /* of all names there ever were; tokens_load's */
};

static struct token_set *new_set(size_t n)
{
    struct token_set *set =
        mem_array(1, sizeof *set + n * sizeof set->entries[0]);

    if (set != NULL)
        atomic_init(&set->users, 1);
    return set;
}

static void release(struct token_set *set)
{
    if (set != NULL && atomic_fetch_sub(&set->users, 1) == 1)
        mem_free(set);
}

static struct token_set *acquire(struct tokens *t)
{
    lock_take(&t->lock);
    struct token_set *set = t->set;
    atomic_fetch_add(&set->users, 1);
    lock_drop(&t->lock);
    return set;
}

struct tokens *tokens_new(struct err *e)
{
    struct tokens *t = mem_array(1, sizeof *t);

    if (t != NULL)
        t->set = new_set(0);
    if (t == NULL || t->set == NULL) {
        mem_free(t);
        err_set(e, ERR_NO_MEMORY, "no memory for tokens");
        return NULL;
    }
    lock_init(&t->lock);
    return t;
}

void tokens_free(struct tokens *t)
{
    if (t == NULL)
        return;
    release(t->set);
    while (t->uses != NULL) {
        struct token_use *use = t->uses;
        t->uses = use->next;
        mem_free(use->name);
        mem_free(use);
    }
    lock_fini(&t->lock);
    mem_free(t);
}

/* ---- loading ---- */

static struct token_use *find_use(struct tokens *t, const char *name)
{
    struct token_use *use = t->uses;

    while (use != NULL && strcmp(use->name, name) != 0)
        use = use->next;
    if (use != NULL)
        return use;
    use = mem_array(1, sizeof *use);
    if (use == NULL || (use->name = mem_text(name)) == NULL) {
        mem_free(use);
        return NULL;
    }
    use->next = t->uses;
    t->uses = use;
    return use;
}

static enum err_code add(struct tokens *t, struct token_set *set,
                         const struct token *token, struct err *e)
{
    struct entry *entry = &set->entries[set->n];

    memcpy(entry->hash, token->hash, sizeof entry->hash);
    entry->grant = (struct token_grant){
        .scopes = token->scopes,
        .rate = pace_rule(token->rate, 0),
        .daily = token->daily,
        .use = find_use(t, token->name),
    };
    if (entry->grant.use == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for tokens");
    set->n++;
    return ERR_OK;
}

static enum err_code make_set(struct tokens *t, const struct token *tokens,
                              size_t n, const struct token *first,
                              struct err *e)
{
    struct token_set *set = new_set(n + 1);
    enum err_code code = ERR_OK;

    if (set == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for tokens");
    for (size_t i = 0; i < n && code == ERR_OK; i++)
        code = add(t, set, &tokens[i], e);
    if (first != NULL && code == ERR_OK)
        code = add(t, set, first, e);
    if (code != ERR_OK) {
        release(set);
        return code;
    }
    lock_take(&t->lock);
    struct token_set *old = t->set;
    t->set = set;
    lock_drop(&t->lock);
    release(old);
    return ERR_OK;
}

enum err_code tokens_load(struct tokens *t, const char *path, const char *first,
                          struct err *e)
{
    struct token plain;
    struct token *tokens = NULL;
    size_t n = 0;

    if (first != NULL && token_file_first(first, &plain, e) != ERR_OK)
        return err_wrap(e, "--first-token");
    if (path != NULL && (tokens = token_file_read(path, &n, e)) == NULL)
        return err_wrap(e, "--tokens");
    enum err_code code =
        make_set(t, tokens, n, first != NULL ? &plain : NULL, e);
    mem_free(tokens);
    return code;
}

/* ---- finding ---- */

/* Without a branch: the time does not tell where they differ. */
static uint64_t difference(const uint64_t a[HASH_WORDS],
                           const uint64_t b[HASH_WORDS])
{
    uint64_t all = 0;

    for (size_t i = 0; i < HASH_WORDS; i++)
        all |= a[i] ^ b[i];
    return all;
}

bool tokens_find(struct tokens *t, const char *text, size_t length,
                 struct token_grant *grant)
{
    unsigned char bytes[TOKEN_HASH_BYTES];
    uint64_t hash[HASH_WORDS];
    struct token_set *set = acquire(t);
    size_t found = set->n;

    tls_hash(bytes, text, length);
    memcpy(hash, bytes, sizeof hash);
    for (size_t i = 0; i < set->n; i++)
        found = difference(hash, set->entries[i].hash) == 0 ? i : found;
    bool known = found < set->n;
    if (known)
        *grant = set->entries[found].grant;
    release(set);
    return known;
}
