/* Counters: one row each. In the same transaction as what gets the number, so
 * that what is undone leaves no gap and numbers follow the commits.
 */
#include "lib/store/counters.h"

#include "lib/store/database.h"

#include <errno.h>
#include <sys/random.h>

static enum err_code raise_by(struct database *db, const char *name, int64_t n,
                              int64_t *value, struct err *e)
{
    struct query q;

    query_begin(&q, db,
                "INSERT INTO counters (name, value) VALUES ($1, $2)"
                " ON CONFLICT (name)"
                " DO UPDATE SET value = counters.value + excluded.value"
                " RETURNING value");
    query_put_text(&q, name);
    query_put_int(&q, n);
    *value = query_next(&q) ? query_int(&q, 0) : 0;
    return query_end(&q, e);
}

enum err_code counters_take(struct database *db, const char *name, int64_t n,
                            int64_t *last, struct err *e)
{
    return raise_by(db, name, n, last, e);
}

enum err_code counters_seed(struct database *db, uint64_t *seed, struct err *e)
{
    struct query q;
    int64_t value = 0;

    query_begin(&q, db, "SELECT value FROM counters WHERE name = $1");
    query_put_text(&q, "seed");
    if (query_next(&q))
        value = query_int(&q, 0);
    if (query_end(&q, e) != ERR_OK)
        return e->code;
    if (value == 0) {
        uint64_t fresh;
        if (getrandom(&fresh, sizeof fresh, 0) != (ssize_t)sizeof fresh)
            return err_set_errno(e, errno, "store: no random numbers");
        fresh = fresh >> 1 | 1;
        if (raise_by(db, "seed", (int64_t)fresh, &value, e) != ERR_OK)
            return e->code;
    }
    *seed = (uint64_t)value;
    return ERR_OK;
}
