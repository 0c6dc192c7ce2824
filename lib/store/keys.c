/* Keys: one row each, numbered in the order of coming, so that the oldest of
 * too many are known without counting.
 */
#include "lib/store/keys.h"

#include "lib/base/mem.h"
#include "lib/store/counters.h"
#include "lib/store/database.h"

#include <string.h>

/* Each that comes takes up to so many with it that are too old. */
#define FORGET_AT_ONCE 100

static int64_t body_of(const struct key *k)
{
    int64_t body;

    memcpy(&body, &k->body, sizeof body);
    return body;
}

enum err_code keys_find(struct database *db, const struct key *k,
                        struct key_answer *a, struct err *e)
{
    struct query q;
    bool other = false;

    *a = (struct key_answer){0};
    query_begin(&q, db,
                "SELECT body, status, reply FROM keys"
                " WHERE scope = $1 AND word = $2 AND created_ms >= $3");
    query_put_text(&q, k->scope);
    query_put_text(&q, k->key);
    query_put_int(&q, k->wall_ms - KEYS_LIVE_MS);
    if (query_next(&q)) {
        other = query_int(&q, 0) != body_of(k);
        int64_t status = query_int(&q, 1);
        const char *reply = query_text(&q, 2);
        if (status < 100 || status > 599)
            query_refuse(&q, "an answer without a status");
        if (!query_failed(&q) && !other) {
            a->status = (int)status;
            a->reply = mem_text(reply);
        }
    }
    if (query_end(&q, e) != ERR_OK)
        return e->code;
    if (other)
        return err_set(e, ERR_SHAPE,
                       "the Idempotency-Key '%.60s' was used with another "
                       "body; take a new key for a new request",
                       k->key);
    if (a->status != 0 && a->reply == NULL) {
        key_answer_fini(a);
        return err_set(e, ERR_NO_MEMORY, "no memory for an answer");
    }
    return ERR_OK;
}

static enum err_code forget(struct database *db, int64_t wall_ms,
                            int64_t last_id, struct err *e)
{
    struct query q;

    query_begin(&q, db,
                "DELETE FROM keys WHERE id IN (SELECT id FROM keys"
                " WHERE created_ms < $1 ORDER BY created_ms LIMIT $2)");
    query_put_int(&q, wall_ms - KEYS_LIVE_MS);
    query_put_int(&q, FORGET_AT_ONCE);
    if (query_run(&q, e) != ERR_OK)
        return e->code;
    query_begin(&q, db, "DELETE FROM keys WHERE id <= $1");
    query_put_int(&q, last_id - KEYS_MAX);
    return query_run(&q, e);
}

enum err_code keys_add(struct database *db, const struct key *k, int status,
                       const char *reply, struct err *e)
{
    struct query q;
    int64_t id;

    if (counters_take(db, "key", 1, &id, e) != ERR_OK)
        return e->code;
    query_begin(&q, db,
                "INSERT INTO keys"
                " (id, scope, word, body, status, reply, created_ms)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7)"
                " ON CONFLICT (scope, word) DO UPDATE SET id = excluded.id,"
                " body = excluded.body, status = excluded.status,"
                " reply = excluded.reply, created_ms = excluded.created_ms");
    query_put_int(&q, id);
    query_put_text(&q, k->scope);
    query_put_text(&q, k->key);
    query_put_int(&q, body_of(k));
    query_put_int(&q, status);
    query_put_text(&q, reply);
    query_put_int(&q, k->wall_ms);
    if (query_run(&q, e) != ERR_OK)
        return e->code;
    return forget(db, k->wall_ms, id, e);
}

void key_answer_fini(struct key_answer *a)
{
    mem_free(a->reply);
    *a = (struct key_answer){0};
}
