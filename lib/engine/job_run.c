/* A job's way: its parent is pinned, it is claimed, its rows are read, it
 * trains, its version is saved, its end is recorded. What goes wrong on the way
 * is the job's failure; what the store does not take is not, and is returned.
 */
#include "lib/base/log.h"
#include "lib/engine/job_files.h"
#include "lib/engine/job_parts.h"
#include "lib/store/versions.h"

#include <inttypes.h>
#include <stdio.h>

#define USEC_PER_MS 1000

/* ---- whether to go on ---- */

static bool is_cancelled(struct job_run *r)
{
    struct job now = {0};
    struct err e;
    struct database *db = store_begin_read(r->l->settings.store, &e);

    if (db == NULL)
        return false;
    bool cancelled = jobs_get(db, r->job.id, &now, &e) == ERR_OK &&
                     (now.cancelling || job_state_ended(now.state));
    store_end_read(r->l->settings.store, db);
    job_fini(&now);
    return cancelled;
}

bool job_may_go_on(void *run)
{
    struct job_run *r = run;
    struct learner *l = r->l;
    usec now = clock_now();

    lock_take(&l->lock);
    bool stop = l->stop;
    bool look = l->woken && now >= r->next_look;
    if (look)
        l->woken = false;
    lock_drop(&l->lock);
    if (look && !r->cancelled) {
        r->next_look = now + LEARNER_LOOK_EVERY;
        r->cancelled = is_cancelled(r);
    }
    return !stop && !r->cancelled;
}

/* ---- claiming ---- */

struct claim {
    struct store_work work; /* first: found by it */
    struct job_run *run;
    uint64_t highest;
    struct job job; /* without texts */
};

static enum err_code number_job(const struct claim *c, struct database *db,
                                struct job *j, struct err *e)
{
    struct samples_counts counts = {0};

    if (samples_count(db, j->model, &counts, e) != ERR_OK)
        return e->code;
    j->last_id = counts.last_id;
    samples_counts_fini(&counts);
    j->state = JOB_RUNNING;
    j->parent = c->run->parent->version;
    j->started_ms = clock_wall() / USEC_PER_MS;
    if (versions_take_number(db, j->model, c->highest, &j->version, e) !=
        ERR_OK)
        return e->code;
    return jobs_update(db, j, e);
}

/* One that was left running has its numbers already. */
static enum err_code run_claim(struct store_work *w, struct database *db,
                               struct err *e)
{
    struct claim *c = (struct claim *)w;
    struct job now = {0};
    enum err_code code = jobs_get(db, c->run->job.id, &now, e);

    if (code == ERR_OK && job_state_ended(now.state))
        code = err_set(e, ERR_CONFLICT, "the job has ended already");
    if (code == ERR_OK && now.version == 0)
        code = number_job(c, db, &now, e);
    c->job = now;
    job_fini(&now);
    c->job.options = c->job.before = c->job.after = c->job.reason = NULL;
    return code;
}

static enum err_code claim(struct job_run *r, struct err *e)
{
    struct claim c = {.work = {.run = run_claim},
                      .run = r,
                      .highest = tuned_highest(&r->l->tuned, r->job.model)};

    if (store_write(r->l->settings.store, &c.work, e) != ERR_OK)
        return e->code;
    r->job = c.job;
    r->claimed = true;
    r->cancelled = c.job.cancelling;
    log_event(LOG_INFO, "learner", "job-begins",
              "job=%" PRId64 " model=%s parent=%" PRIu64 " version=%" PRIu64
              " trigger=%s",
              r->job.id, r->job.model, r->job.parent, r->job.version,
              r->job.trigger);
    return ERR_OK;
}

/* What a job needs before it is claimed. */
static enum err_code prepare(struct job_run *r, const char *options,
                             struct err *e)
{
    const struct job *j = &r->job;
    const char *data_dir = r->l->settings.data_dir;

    if (learner_options_read(&r->options, options, e) != ERR_OK ||
        job_files_checkpoint(r->checkpoint, sizeof r->checkpoint, data_dir,
                             j->id, e) != ERR_OK)
        return e->code;
    r->parent =
        registry_acquire(r->l->settings.registry, j->model, j->parent, e);
    return r->parent != NULL ? ERR_OK : e->code;
}

/* ---- working ---- */

static enum err_code count_attempt(struct job_run *r, struct err *e)
{
    size_t attempt;

    if (job_files_begin(r->l->settings.data_dir, r->job.id, &attempt, e) !=
        ERR_OK)
        return e->code;
    if (attempt > JOB_FILES_MAX_ATTEMPTS)
        return err_set(e, ERR_INTERNAL,
                       "the process ended %d times while this job ran, and it "
                       "got no further",
                       JOB_FILES_MAX_ATTEMPTS);
    if (attempt > 1)
        log_event(LOG_WARN, "learner", "job-again",
                  "job=%" PRId64 " attempt=%zu", r->job.id, attempt);
    return ERR_OK;
}

/* The operator's rows, or NULL if he names none. */
static enum err_code load_data(const struct job_run *r,
                               const struct named_paths *paths,
                               enum dataset_split split, struct dataset **d,
                               struct err *e)
{
    const struct model *m = r->parent->model;
    const char *path = named_paths_find(paths, r->job.model);
    struct dataset_want want = {.split = split,
                                .rank = m->input_rank,
                                .max_rows = LEARNER_MAX_DATA_BYTES /
                                            (model_inputs(m) * sizeof(float))};

    if (path == NULL)
        return ERR_OK;
    for (size_t i = 0; i < m->input_rank; i++)
        want.shape[i] = m->input_shape[i];
    *d = dataset_load(path, &want, e);
    return *d != NULL ? ERR_OK : e->code;
}

static enum err_code work(struct job_run *r, struct err *e)
{
    struct learner *l = r->l;
    struct job_rows_want want = {.name = r->job.model,
                                 .model = r->parent->model,
                                 .last_id = r->job.last_id,
                                 .max_rows = LEARNER_MAX_SAMPLES,
                                 .max_bytes = LEARNER_MAX_DATA_BYTES,
                                 .go_on = job_may_go_on,
                                 .arg = r};

    if (count_attempt(r, e) != ERR_OK ||
        job_rows_read(&r->rows, l->settings.store, &want, e) != ERR_OK)
        return e->code;
    if (load_data(r, &l->rehearsal, DATASET_TRAIN, &r->rehearsal, e) != ERR_OK)
        return err_wrap(e, "rehearsal");
    if (load_data(r, &l->test_data, DATASET_TEST, &r->test, e) != ERR_OK)
        return err_wrap(e, "test data");
    log_event(LOG_INFO, "learner", "job-rows",
              "job=%" PRId64 " samples=%zu rehearsal=%zu test=%zu", r->job.id,
              r->rows.data.n, r->rehearsal != NULL ? r->rehearsal->n : 0,
              r->test != NULL ? r->test->n : 0);
    if (job_tune(r, e) != ERR_OK)
        return e->code;
    if (!job_may_go_on(r))
        return err_set(e, ERR_CONFLICT, "stopped");
    return job_save(r, e);
}

/* ---- ending ---- */

/* Takes back what was made of a version that will not be. */
static void discard(struct job_run *r)
{
    struct err unused;

    if (!r->claimed)
        return;
    if (registry_remove(r->l->settings.registry, r->job.model, r->job.version,
                        &unused) == ERR_CONFLICT)
        return;
    tuned_remove_files(&r->l->tuned, r->job.model, r->job.version);
}

static void tidy(struct job_run *r)
{
    struct learner *l = r->l;
    struct err e;

    if (r->job.state != JOB_SUCCEEDED)
        discard(r);
    job_files_remove(l->settings.data_dir, r->job.id);
    if (r->job.state == JOB_SUCCEEDED &&
        tuned_prune(&l->tuned, r->job.model, learner_settings(l).keep_versions,
                    &e) != ERR_OK) {
        char quoted[2 * sizeof e.msg];
        log_event(LOG_WARN, "learner", "not-pruned", "model=%s why=%s",
                  r->job.model, log_quote(quoted, sizeof quoted, e.msg));
    }
}

/* `failure` NULL: its version is saved. */
static enum err_code finish(struct job_run *r, const struct err *failure,
                            struct err *e)
{
    struct learner *l = r->l;
    char reason[sizeof failure->msg] = "";
    char quoted[2 * sizeof reason];

    if (failure != NULL)
        snprintf(reason, sizeof reason, "%s", failure->msg);
    r->job.state = failure == NULL ? JOB_SUCCEEDED
                   : r->cancelled  ? JOB_CANCELLED
                                   : JOB_FAILED;
    r->job.reason = r->job.state == JOB_FAILED ? reason : NULL;
    enum err_code code = job_end(r, e);
    r->job.reason = NULL;
    if (code != ERR_OK) {
        discard(r);
        job_files_pause(l->settings.data_dir, r->job.id);
        return code == ERR_BUSY ? ERR_OK : code;
    }
    tidy(r);
    atomic_fetch_add(&l->ended[r->job.state], 1);
    log_event(LOG_INFO, "learner", "job-ends",
              "job=%" PRId64 " model=%s state=%s version=%" PRIu64
              " promoted=%s why=%s",
              r->job.id, r->job.model, job_state_name(r->job.state),
              r->job.version, r->job.promoted ? "true" : "false",
              log_quote(quoted, sizeof quoted,
                        failure != NULL ? reason : r->result.reason));
    live_end(&l->live);
    return ERR_OK;
}

static void fini(struct job_run *r)
{
    live_end(&r->l->live);
    tune_result_fini(&r->result);
    dataset_free(r->rehearsal);
    dataset_free(r->test);
    job_rows_fini(&r->rows);
    registry_release(r->l->settings.registry, r->parent);
}

enum err_code job_run(struct learner *l, const struct job *job, struct err *e)
{
    struct job_run r = {.l = l, .job = *job};
    struct err why;
    enum err_code code = prepare(&r, job->options, &why);

    r.job.options = r.job.before = r.job.after = r.job.reason = NULL;
    if (code == ERR_OK) {
        enum err_code claimed = claim(&r, e);
        if (claimed != ERR_OK) {
            fini(&r);
            return claimed == ERR_CONFLICT ? ERR_OK : claimed;
        }
        live_begin(&l->live, r.job.id, r.job.model,
                   r.options.epochs > 0 ? r.options.epochs : TUNE_EPOCHS);
        code = r.cancelled ? err_set(&why, ERR_CONFLICT, "cancelled")
                           : work(&r, &why);
    }
    enum err_code ended = ERR_OK;
    if (code != ERR_OK && !r.cancelled && learner_stopping(l)) {
        job_files_pause(l->settings.data_dir, r.job.id);
        log_event(LOG_INFO, "learner", "job-left", "job=%" PRId64, r.job.id);
    } else {
        ended = finish(&r, code != ERR_OK ? &why : NULL, e);
    }
    fini(&r);
    return ended;
}
