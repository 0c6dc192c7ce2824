/* The end of a job: files first, then one transaction, then service. The
 * registry is told on the store's own thread, in the order of commits, so that
 * what serves is always what the store says. */
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/engine/job_parts.h"
#include "lib/model/model_file.h"
#include "lib/store/versions.h"

#include <inttypes.h>
#include <stdio.h>

#define USEC_PER_MS 1000
#define MAX_FIGURES_BYTES ((size_t)1 << 20)
#define FIRST_PAUSE ((usec)1000000)
#define LAST_PAUSE ((usec)30000000)

/* ---- the file ---- */

static void describe(const struct job_run *r, struct model *m)
{
    struct json *samples = json_new_object();
    char hash[20];

    if (m->lineage == NULL)
        m->lineage = json_new_object();
    if (m->metrics == NULL)
        m->metrics = json_new_object();
    snprintf(hash, sizeof hash, "%016" PRIx64, r->rows.data.hash);
    json_set(samples, "rows", json_new_number((double)r->rows.data.n));
    json_set(samples, "last_id", json_new_number((double)r->job.last_id));
    json_set(samples, "hash", json_new_text(hash));
    json_set(m->lineage, "parent", json_new_number((double)r->job.parent));
    json_set(m->lineage, "job", json_new_number((double)r->job.id));
    json_set(m->lineage, "samples", samples);
    json_set(m->metrics, "before", json_copy(r->result.before));
    json_set(m->metrics, "after", json_copy(r->result.after));
}

enum err_code job_save(struct job_run *r, struct err *e)
{
    char path[REPOSITORY_MAX_PATH];
    const char *name = r->job.model;
    struct model *m = r->result.model;

    describe(r, m);
    if (tuned_make_path(&r->l->tuned, path, sizeof path, name, r->job.version,
                        e) != ERR_OK ||
        model_save(m, path, e) != ERR_OK)
        return e->code;
    return registry_add_file(r->l->settings.registry, name, r->job.version,
                             path, e);
}

/* ---- the record ---- */

struct end {
    struct store_work work; /* first: found by it */
    struct job_run *run;
    struct job job; /* as it becomes */
    char reason[512];
    struct err err;
    bool done; /* guarded by the learner's lock */
};

/* Whether another version than the parent serves now. A recorded one that could
 * not be loaded does not. */
static bool has_moved(const struct job_run *r, uint64_t service)
{
    struct registry *registry = r->l->settings.registry;
    struct err unused;

    if (service == 0 || service == r->job.parent)
        return false;
    const struct served *s =
        registry_acquire(registry, r->job.model, service, &unused);
    registry_release(registry, s);
    return s != NULL;
}

/* Whether the version goes into service; if not, why, into end->reason. */
static enum err_code settle(struct end *end, struct database *db, struct err *e)
{
    const struct job_run *r = end->run;
    enum learner_promote promote = r->options.promote;
    uint64_t service;

    if (versions_get_service(db, end->job.model, &service, e) != ERR_OK)
        return e->code;
    bool moved = has_moved(r, service);
    end->job.promoted =
        promote == LEARNER_PROMOTE_ALWAYS ||
        (promote == LEARNER_PROMOTE_IF_BETTER && r->result.better && !moved);
    if (promote == LEARNER_PROMOTE_NEVER)
        snprintf(end->reason, sizeof end->reason, "promote is \"%s\"; %s",
                 learner_promote_name(promote), r->result.reason);
    else if (r->result.better)
        snprintf(end->reason, sizeof end->reason,
                 "version %" PRIu64 " went into service meanwhile, and was not "
                 "compared; %s",
                 service, r->result.reason);
    else
        snprintf(end->reason, sizeof end->reason, "%s", r->result.reason);
    end->job.reason = end->job.promoted ? NULL : end->reason;
    return ERR_OK;
}

static enum err_code record_version(struct end *end, struct database *db,
                                    struct err *e)
{
    const struct job *j = &end->job;
    struct stored_version v = {.model = j->model,
                               .version = j->version,
                               .parent = j->parent,
                               .job = j->id,
                               .created_ms = j->ended_ms};
    enum err_code code = settle(end, db, e);

    if (code == ERR_OK)
        code = versions_add(db, &v, e);
    if (code == ERR_OK && j->promoted)
        code = versions_set_service(db, j->model, j->version, j->ended_ms, e);
    return code;
}

static enum err_code run_end(struct store_work *w, struct database *db,
                             struct err *e)
{
    struct end *end = (struct end *)w;
    struct job now = {0};
    enum err_code code = jobs_get(db, end->run->job.id, &now, e);
    bool ended = job_state_ended(now.state);
    bool cancelled = now.cancelling;

    job_fini(&now);
    if (code != ERR_OK)
        return code;
    if (ended)
        return err_set(e, ERR_CONFLICT, "the job has ended already");
    end->job = end->run->job;
    if (cancelled && end->job.state == JOB_SUCCEEDED) {
        end->job.state = JOB_CANCELLED;
        end->job.before = end->job.after = NULL;
    }
    if (end->job.state == JOB_SUCCEEDED)
        code = record_version(end, db, e);
    return code == ERR_OK ? jobs_update(db, &end->job, e) : code;
}

static void end_is_durable(struct store_work *w, const struct err *e)
{
    struct end *end = (struct end *)w;
    struct learner *l = end->run->l;
    struct err why = {.code = ERR_OK};

    /* It is there, for this thread alone removes versions; unless the model has
     * been unloaded, then it serves after the next load. */
    if (e->code == ERR_OK && end->job.promoted &&
        registry_activate(l->settings.registry, end->job.model,
                          end->job.version, &why) != ERR_OK)
        log_event(LOG_WARN, "learner", "not-in-service",
                  "model=%s version=%" PRIu64, end->job.model,
                  end->job.version);
    lock_take(&l->lock);
    end->err = *e;
    end->done = true;
    cond_broadcast(&l->change);
    lock_drop(&l->lock);
}

static enum err_code write_end(struct end *end, struct err *e)
{
    struct learner *l = end->run->l;

    end->done = false;
    if (store_submit(l->settings.store, &end->work, e) != ERR_OK)
        return e->code;
    lock_take(&l->lock);
    while (!end->done)
        cond_wait(&l->change, &l->lock);
    lock_drop(&l->lock);
    *e = end->err;
    return e->code;
}

/* Errors that trying again does not mend. */
static bool is_final(enum err_code code)
{
    return code == ERR_CONFLICT || code == ERR_NOT_FOUND;
}

static enum err_code write_or_wait(struct end *end, struct err *e)
{
    usec pause = FIRST_PAUSE;

    while (write_end(end, e) != ERR_OK && !is_final(e->code)) {
        char quoted[2 * sizeof e->msg];
        log_event(LOG_WARN, "learner", "job-waits",
                  "job=%" PRId64 " for=store why=%s", end->run->job.id,
                  log_quote(quoted, sizeof quoted, e->msg));
        if (!learner_pause(end->run->l, pause))
            return err_set(e, ERR_BUSY, "the process ends");
        pause = 2 * pause < LAST_PAUSE ? 2 * pause : LAST_PAUSE;
    }
    return e->code;
}

/* NULL where there are none, or no memory for them. */
static char *print_figures(const struct json *figures)
{
    struct buf b;
    size_t length;

    if (figures == NULL)
        return NULL;
    buf_init(&b, MAX_FIGURES_BYTES);
    json_print(&b, figures);
    return buf_take(&b, &length);
}

enum err_code job_end(struct job_run *r, struct err *e)
{
    struct end end = {.work = {.run = run_end, .done = end_is_durable},
                      .run = r};
    char *before = print_figures(r->result.before);
    char *after = print_figures(r->result.after);

    r->job.ended_ms = clock_wall() / USEC_PER_MS;
    r->job.before = r->job.state == JOB_SUCCEEDED ? before : NULL;
    r->job.after = r->job.state == JOB_SUCCEEDED ? after : NULL;
    enum err_code code = write_or_wait(&end, e);
    if (code == ERR_OK) {
        r->job.state = end.job.state;
        r->job.promoted = end.job.promoted;
    }
    r->job.before = r->job.after = NULL;
    mem_free(before);
    mem_free(after);
    return code;
}
