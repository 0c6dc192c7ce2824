/* Versions: which there are, which number comes next, which one serves.
 */
#include "lib/store/versions.h"

#include "lib/store/database.h"

static enum err_code find(struct database *db, const char *model,
                          uint64_t version, bool *found, struct err *e)
{
    struct query q;

    query_begin(&q, db,
                "SELECT 1 FROM versions WHERE model = $1 AND version = $2");
    query_put_text(&q, model);
    query_put_int(&q, (int64_t)version);
    *found = query_next(&q);
    return query_end(&q, e);
}

static enum err_code refuse_missing(const char *model, uint64_t version,
                                    struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "model %.64s has no version %llu", model,
                   (unsigned long long)version);
}

enum err_code versions_add(struct database *db, const struct stored_version *v,
                           struct err *e)
{
    struct query q;
    bool found;

    if (find(db, v->model, v->version, &found, e) != ERR_OK)
        return e->code;
    if (found)
        return err_set(e, ERR_CONFLICT,
                       "model %.64s has a version %llu already", v->model,
                       (unsigned long long)v->version);
    query_begin(&q, db,
                "INSERT INTO versions (model, version, parent, job, created_ms)"
                " VALUES ($1, $2, $3, $4, $5)");
    query_put_text(&q, v->model);
    query_put_int(&q, (int64_t)v->version);
    query_put_int(&q, (int64_t)v->parent);
    query_put_int(&q, v->job);
    query_put_int(&q, v->created_ms);
    return query_run(&q, e);
}

enum err_code versions_delete(struct database *db, const char *model,
                              uint64_t version, struct err *e)
{
    struct query q;
    uint64_t serving;
    bool found;

    if (find(db, model, version, &found, e) != ERR_OK ||
        versions_get_service(db, model, &serving, e) != ERR_OK)
        return e->code;
    if (!found)
        return refuse_missing(model, version, e);
    if (serving == version)
        return err_set(e, ERR_CONFLICT,
                       "version %llu of model %.64s is in service; put "
                       "another one into service first",
                       (unsigned long long)version, model);
    query_begin(&q, db,
                "DELETE FROM versions WHERE model = $1 AND version = $2");
    query_put_text(&q, model);
    query_put_int(&q, (int64_t)version);
    return query_run(&q, e);
}

enum err_code versions_each(struct database *db, const char *model,
                            bool (*visit)(void *arg,
                                          const struct stored_version *v),
                            void *arg, struct err *e)
{
#define COLUMNS "SELECT model, version, parent, job, created_ms FROM versions"
    struct query q;
    bool more = true;

    query_begin(&q, db,
                model != NULL ? COLUMNS " WHERE model = $1 ORDER BY version"
                              : COLUMNS " ORDER BY model, version");
#undef COLUMNS
    if (model != NULL)
        query_put_text(&q, model);
    while (more && query_next(&q)) {
        const struct stored_version v = {.model = query_text(&q, 0),
                                         .version = query_count(&q, 1),
                                         .parent = query_count(&q, 2),
                                         .job = query_int(&q, 3),
                                         .created_ms = query_int(&q, 4)};
        more = !query_failed(&q) && visit(arg, &v);
    }
    return query_end(&q, e);
}

enum err_code versions_take_number(struct database *db, const char *model,
                                   uint64_t highest, uint64_t *version,
                                   struct err *e)
{
    struct query q;
    uint64_t last = VERSIONS_FIRST_TUNED - 1;

    query_begin(&q, db, "SELECT last FROM version_numbers WHERE model = $1");
    query_put_text(&q, model);
    if (query_next(&q) && query_count(&q, 0) > last)
        last = query_count(&q, 0);
    if (query_end(&q, e) != ERR_OK)
        return e->code;
    if (highest > last)
        last = highest;
    if (last >= INT64_MAX)
        return err_set(e, ERR_TOO_LARGE, "model %.64s: no number is left",
                       model);
    query_begin(&q, db,
                "INSERT INTO version_numbers (model, last) VALUES ($1, $2)"
                " ON CONFLICT (model) DO UPDATE SET last = excluded.last");
    query_put_text(&q, model);
    query_put_int(&q, (int64_t)last + 1);
    if (query_run(&q, e) != ERR_OK)
        return e->code;
    *version = last + 1;
    return ERR_OK;
}

enum err_code versions_set_service(struct database *db, const char *model,
                                   uint64_t version, int64_t wall_ms,
                                   struct err *e)
{
    struct query q;
    bool found = true;

    if (version >= VERSIONS_FIRST_TUNED &&
        find(db, model, version, &found, e) != ERR_OK)
        return e->code;
    if (!found)
        return refuse_missing(model, version, e);
    query_begin(&q, db,
                "INSERT INTO services (model, version, since_ms)"
                " VALUES ($1, $2, $3) ON CONFLICT (model) DO UPDATE"
                " SET version = excluded.version,"
                " since_ms = excluded.since_ms");
    query_put_text(&q, model);
    query_put_int(&q, (int64_t)version);
    query_put_int(&q, wall_ms);
    return query_run(&q, e);
}

enum err_code versions_get_service(struct database *db, const char *model,
                                   uint64_t *version, struct err *e)
{
    struct query q;

    query_begin(&q, db, "SELECT version FROM services WHERE model = $1");
    query_put_text(&q, model);
    *version = query_next(&q) ? query_count(&q, 0) : 0;
    return query_end(&q, e);
}
