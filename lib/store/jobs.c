/* Jobs: one row each, never deleted.
 */
#include "lib/store/jobs.h"

#include "lib/base/mem.h"
#include "lib/store/counters.h"
#include "lib/store/database.h"

#define COLUMNS                                                                \
    "SELECT id, model, state, cause, options, parent, version, promoted,"      \
    " cancelling, accepted, last_id, created_ms, started_ms, ended_ms,"        \
    " before, after, reason FROM jobs"

static const char *const names[] = {"queued", "running", "succeeded", "failed",
                                    "cancelled"};

#define STATES ((int64_t)(sizeof names / sizeof *names))

const char *job_state_name(enum job_state state)
{
    return names[state];
}

bool job_state_ended(enum job_state state)
{
    return state != JOB_QUEUED && state != JOB_RUNNING;
}

void job_fini(struct job *j)
{
    mem_free(j->options);
    mem_free(j->before);
    mem_free(j->after);
    mem_free(j->reason);
    *j = (struct job){0};
}

/* ---- reading ---- */

static enum job_state read_state(struct query *q, int column)
{
    int64_t state = query_int(q, column);

    if (state >= 0 && state < STATES)
        return (enum job_state)state;
    query_refuse(q, "a job is in no state");
    return JOB_FAILED;
}

/* NULL stays NULL; *failed if memory is out. */
static char *read_text(struct query *q, int column, bool *failed)
{
    const char *text = query_text_or_null(q, column);
    char *copy = text != NULL ? mem_text(text) : NULL;

    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

/* The query's row; texts are the caller's. ERR_NO_MEMORY; what else is wrong
 * sticks to the query. */
static enum err_code read_job(struct query *q, struct job *j, struct err *e)
{
    bool failed = false;

    *j = (struct job){.id = query_int(q, 0),
                      .state = read_state(q, 2),
                      .options = read_text(q, 4, &failed),
                      .parent = query_count(q, 5),
                      .version = query_count(q, 6),
                      .promoted = query_int(q, 7) != 0,
                      .cancelling = query_int(q, 8) != 0,
                      .accepted = query_count(q, 9),
                      .last_id = query_int(q, 10),
                      .created_ms = query_int(q, 11),
                      .started_ms = query_int(q, 12),
                      .ended_ms = query_int(q, 13),
                      .before = read_text(q, 14, &failed),
                      .after = read_text(q, 15, &failed),
                      .reason = read_text(q, 16, &failed)};
    query_copy_text(q, 1, j->model, sizeof j->model);
    query_copy_text(q, 3, j->trigger, sizeof j->trigger);
    if (!failed && j->options == NULL)
        query_refuse(q, "a job has no options");
    return failed ? err_set(e, ERR_NO_MEMORY, "no memory for a job") : ERR_OK;
}

/* Ends the query, whose row becomes *j; without one ERR_NOT_FOUND, unsaid. */
static enum err_code take_one(struct query *q, struct job *j, struct err *e)
{
    bool found = query_next(q);
    enum err_code code = ERR_OK;
    struct err memory;

    *j = (struct job){0};
    if (found)
        code = read_job(q, j, &memory);
    if (query_end(q, e) != ERR_OK || code != ERR_OK) {
        if (code != ERR_OK)
            *e = memory;
        job_fini(j);
        return e->code;
    }
    return found ? ERR_OK : ERR_NOT_FOUND;
}

enum err_code jobs_get(struct database *db, int64_t id, struct job *j,
                       struct err *e)
{
    struct query q;

    query_begin(&q, db, COLUMNS " WHERE id = $1");
    query_put_int(&q, id);
    enum err_code code = take_one(&q, j, e);
    return code == ERR_NOT_FOUND
               ? err_set(e, code, "there is no fine-tune %lld", (long long)id)
               : code;
}

enum err_code jobs_next(struct database *db, struct job *j, struct err *e)
{
    struct query q;

    for (int state = JOB_RUNNING; state >= JOB_QUEUED; state--) {
        query_begin(&q, db, COLUMNS " WHERE state = $1 ORDER BY id LIMIT 1");
        query_put_int(&q, state);
        enum err_code code = take_one(&q, j, e);
        if (code != ERR_NOT_FOUND)
            return code;
    }
    return err_set(e, ERR_NOT_FOUND, "no fine-tune waits");
}

enum err_code jobs_last(struct database *db, const char *model, struct job *j,
                        struct err *e)
{
    struct query q;

    query_begin(&q, db, COLUMNS " WHERE model = $1 ORDER BY id DESC LIMIT 1");
    query_put_text(&q, model);
    enum err_code code = take_one(&q, j, e);
    return code == ERR_NOT_FOUND
               ? err_set(e, code, "model %.64s had no fine-tune", model)
               : code;
}

enum err_code jobs_each(struct database *db, const char *model, int64_t before,
                        size_t limit,
                        bool (*visit)(void *arg, const struct job *j),
                        void *arg, struct err *e)
{
    struct query q;
    struct err memory = {.code = ERR_OK};
    bool more = true;

    if (model != NULL) {
        query_begin(&q, db,
                    COLUMNS " WHERE model = $1 AND id < $2"
                            " ORDER BY id DESC LIMIT $3");
        query_put_text(&q, model);
    } else {
        query_begin(&q, db, COLUMNS " WHERE id < $1 ORDER BY id DESC LIMIT $2");
    }
    query_put_int(&q, before > 0 ? before : INT64_MAX);
    query_put_int(&q, limit < INT64_MAX ? (int64_t)limit : INT64_MAX);
    while (more && query_next(&q)) {
        struct job j;
        more = read_job(&q, &j, &memory) == ERR_OK && !query_failed(&q) &&
               visit(arg, &j);
        job_fini(&j);
    }
    if (query_end(&q, e) != ERR_OK)
        return e->code;
    if (memory.code != ERR_OK)
        *e = memory;
    return memory.code;
}

/* ---- writing ---- */

static enum err_code check_none_open(struct database *db, const char *model,
                                     int64_t *id, struct err *e)
{
    struct query q;
    int64_t state = JOB_QUEUED;

    query_begin(&q, db,
                "SELECT id, state FROM jobs WHERE model = $1"
                " ORDER BY id DESC LIMIT 1");
    query_put_text(&q, model);
    bool found = query_next(&q);
    if (found) {
        *id = query_int(&q, 0);
        state = query_int(&q, 1);
    }
    if (query_end(&q, e) != ERR_OK)
        return e->code;
    if (!found || (state != JOB_QUEUED && state != JOB_RUNNING))
        return ERR_OK;
    return err_set(e, ERR_CONFLICT,
                   "fine-tune %lld of model %.64s is %s; wait for its end or "
                   "cancel it",
                   (long long)*id, model, names[state]);
}

enum err_code jobs_add(struct database *db, const struct job *j, int64_t *id,
                       struct err *e)
{
    struct query q;

    if (check_none_open(db, j->model, id, e) != ERR_OK ||
        counters_take(db, "job", 1, id, e) != ERR_OK)
        return e->code;
    query_begin(&q, db,
                "INSERT INTO jobs (id, model, state, cause, options, accepted,"
                " created_ms, parent, version, promoted, cancelling, last_id,"
                " started_ms, ended_ms)"
                " VALUES ($1, $2, $3, $4, $5, COALESCE((SELECT accepted"
                " FROM models WHERE name = $2), 0), $6, 0, 0, 0, 0, 0, 0, 0)");
    query_put_int(&q, *id);
    query_put_text(&q, j->model);
    query_put_int(&q, JOB_QUEUED);
    query_put_text(&q, j->trigger);
    query_put_text(&q, j->options);
    query_put_int(&q, j->created_ms);
    return query_run(&q, e);
}

enum err_code jobs_update(struct database *db, const struct job *j,
                          struct err *e)
{
    struct query q;

    query_begin(&q, db,
                "UPDATE jobs SET state = $1, parent = $2, version = $3,"
                " promoted = $4, last_id = $5, started_ms = $6, ended_ms = $7,"
                " before = $8, after = $9, reason = $10 WHERE id = $11"
                " RETURNING id");
    query_put_int(&q, j->state);
    query_put_int(&q, (int64_t)j->parent);
    query_put_int(&q, (int64_t)j->version);
    query_put_int(&q, j->promoted);
    query_put_int(&q, j->last_id);
    query_put_int(&q, j->started_ms);
    query_put_int(&q, j->ended_ms);
    query_put_text(&q, j->before);
    query_put_text(&q, j->after);
    query_put_text(&q, j->reason);
    query_put_int(&q, j->id);
    bool found = query_next(&q);
    if (query_end(&q, e) != ERR_OK)
        return e->code;
    return found ? ERR_OK
                 : err_set(e, ERR_NOT_FOUND, "there is no fine-tune %lld",
                           (long long)j->id);
}

/* A queued one has ended by it, a running one ends when the learner sees it. */
enum err_code jobs_cancel(struct database *db, int64_t id, int64_t wall_ms,
                          enum job_state *state, struct err *e)
{
    struct query q;

    query_begin(&q, db, "SELECT state FROM jobs WHERE id = $1");
    query_put_int(&q, id);
    bool found = query_next(&q);
    if (found)
        *state = read_state(&q, 0);
    if (query_end(&q, e) != ERR_OK)
        return e->code;
    if (!found)
        return err_set(e, ERR_NOT_FOUND, "there is no fine-tune %lld",
                       (long long)id);
    if (job_state_ended(*state))
        return err_set(e, ERR_CONFLICT, "fine-tune %lld has ended: %s",
                       (long long)id, names[*state]);
    if (*state == JOB_QUEUED) {
        *state = JOB_CANCELLED;
        query_begin(&q, db,
                    "UPDATE jobs SET cancelling = 1, state = $1,"
                    " ended_ms = $2 WHERE id = $3");
        query_put_int(&q, *state);
        query_put_int(&q, wall_ms);
    } else {
        query_begin(&q, db, "UPDATE jobs SET cancelling = 1 WHERE id = $1");
    }
    query_put_int(&q, id);
    return query_run(&q, e);
}
