/* Starts: fine-tunes that nobody asks for. What a model's last job has seen is
 * known by how many samples had come until then, so deleting, and jobs that
 * failed, start nothing anew. */
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/engine/learner_parts.h"
#include "lib/engine/repository.h"
#include "lib/store/samples.h"

#include <inttypes.h>
#include <stdio.h>

#define USEC_PER_MS 1000
#define MAX_OPTIONS_BYTES 1000

/* ---- what there is ---- */

struct models {
    char names[REPOSITORY_MAX_MODELS][JOBS_MAX_MODEL + 1];
    size_t n;
};

static bool add_model(void *arg, const char *model)
{
    struct models *m = arg;

    snprintf(m->names[m->n++], sizeof *m->names, "%s", model);
    return m->n < REPOSITORY_MAX_MODELS;
}

static enum err_code read_models(struct learner *l, struct models *m,
                                 struct err *e)
{
    struct database *db = store_begin_read(l->settings.store, e);

    m->n = 0;
    if (db == NULL)
        return e->code;
    enum err_code code = samples_models(db, add_model, m, e);
    store_end_read(l->settings.store, db);
    return code;
}

/* Samples that ever came, and the last job's members without its texts; zeros
 * if there was none. */
static enum err_code read_model(struct learner *l, const char *name,
                                uint64_t *accepted, struct job *last,
                                struct err *e)
{
    struct samples_counts counts = {0};
    struct job job = {0};
    struct database *db = store_begin_read(l->settings.store, e);

    *accepted = 0;
    *last = job;
    if (db == NULL)
        return e->code;
    enum err_code code = samples_count(db, name, &counts, e);
    if (code == ERR_OK)
        code = jobs_last(db, name, &job, e);
    store_end_read(l->settings.store, db);
    *accepted = counts.accepted;
    *last = job;
    last->options = last->before = last->after = last->reason = NULL;
    job_fini(&job);
    samples_counts_fini(&counts);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static bool is_served(const struct learner *l, const char *name)
{
    struct err unused;
    const struct served *s =
        registry_acquire(l->settings.registry, name, 0, &unused);

    registry_release(l->settings.registry, s);
    return s != NULL;
}

/* ---- what is due ---- */

/* Why a job is to start now, or NULL; lowers *next to when the clock asks. */
static const char *cause_of(const struct learner *l,
                            const struct learner_settings *s, uint64_t accepted,
                            const struct job *last, usec *next)
{
    uint64_t fresh = accepted > last->accepted ? accepted - last->accepted : 0;
    usec begun =
        last->id > 0 ? last->created_ms * USEC_PER_MS : l->started_wall;
    usec left = begun + s->every - clock_wall();

    if (last->id > 0 && !job_state_ended(last->state))
        return NULL;
    if (s->after > 0 && fresh >= s->after)
        return "samples";
    if (s->every == 0 || fresh == 0)
        return NULL;
    /* More than the whole time left: the clock was set back. */
    if (left <= 0 || left > s->every)
        return "clock";
    if (*next == 0 || left < *next)
        *next = left;
    return NULL;
}

struct start {
    struct store_work work; /* first: found by it */
    struct job job;
    int64_t id;
};

static enum err_code run_start(struct store_work *w, struct database *db,
                               struct err *e)
{
    struct start *s = (struct start *)w;

    return jobs_add(db, &s->job, &s->id, e);
}

static enum err_code start_job(struct learner *l, const char *name,
                               const char *cause, struct err *e)
{
    struct learner_options options = {.promote = LEARNER_PROMOTE_IF_BETTER};
    struct start s = {.work = {.run = run_start}};
    struct buf text;

    snprintf(s.job.model, sizeof s.job.model, "%s", name);
    snprintf(s.job.trigger, sizeof s.job.trigger, "%s", cause);
    s.job.created_ms = clock_wall() / USEC_PER_MS;
    buf_init(&text, MAX_OPTIONS_BYTES);
    struct json *json = learner_options_json(&options);
    json_print(&text, json);
    json_free(json);
    s.job.options = text.data;
    enum err_code code = buf_failed(&text)
                             ? err_set(e, ERR_NO_MEMORY, "no memory for a job")
                             : store_write(l->settings.store, &s.work, e);
    buf_fini(&text);
    if (code == ERR_OK)
        log_event(LOG_INFO, "learner", "job-added",
                  "job=%" PRId64 " model=%s trigger=%s", s.id, name, cause);
    return code == ERR_CONFLICT ? ERR_OK : code; /* a client was quicker */
}

enum err_code starts_look(struct learner *l, usec *next, struct err *e)
{
    const struct learner_settings s = learner_settings(l);
    struct models models;

    *next = 0;
    if (s.after == 0 && s.every == 0)
        return ERR_OK;
    if (read_models(l, &models, e) != ERR_OK)
        return e->code;
    for (size_t i = 0; i < models.n; i++) {
        const char *name = models.names[i];
        uint64_t accepted;
        struct job last;
        if (!is_served(l, name))
            continue;
        if (read_model(l, name, &accepted, &last, e) != ERR_OK)
            return e->code;
        const char *cause = cause_of(l, &s, accepted, &last, next);
        if (cause != NULL && start_job(l, name, cause, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}
