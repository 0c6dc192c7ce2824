/* Learner: starting, the thread that waits for something to do, stopping. */
#include "lib/engine/learner.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/engine/job_files.h"
#include "lib/engine/learner_parts.h"
#include "lib/engine/repository.h"

#include <assert.h>

/* Before the store is asked again after it has failed. */
#define RETRY_AFTER ((usec)5000000)
#define FOREVER ((usec)3600 * 1000000)

bool learner_stopping(struct learner *l)
{
    lock_take(&l->lock);
    bool stop = l->stop;
    lock_drop(&l->lock);
    return stop;
}

bool learner_pause(struct learner *l, usec duration)
{
    usec until = clock_now() + duration;

    lock_take(&l->lock);
    while (!l->stop && clock_now() < until)
        cond_wait_until(&l->change, &l->lock, until);
    bool stop = l->stop;
    lock_drop(&l->lock);
    return !stop;
}

struct learner_settings learner_settings(struct learner *l)
{
    lock_take(&l->lock);
    struct learner_settings s = l->settings;
    lock_drop(&l->lock);
    return s;
}

void learner_set(struct learner *l, size_t keep_versions, uint64_t after,
                 usec every)
{
    lock_take(&l->lock);
    l->settings.keep_versions = keep_versions;
    l->settings.after = after;
    l->settings.every = every;
    lock_drop(&l->lock);
    learner_wake(l); /* a job may be due by the new ones */
}

void learner_wake(struct learner *l)
{
    lock_take(&l->lock);
    l->woken = true;
    cond_broadcast(&l->change);
    lock_drop(&l->lock);
}

uint64_t learner_ended(const struct learner *l, enum job_state state)
{
    return atomic_load_explicit(&l->ended[state], memory_order_relaxed);
}

bool learner_look(struct learner *l, int64_t job, struct learner_progress *p,
                  size_t from, struct learner_epoch *epochs, size_t max,
                  size_t *n)
{
    return live_look(&l->live, job, p, from, epochs, max, n);
}

enum err_code learner_load_model(struct learner *l, const char *name,
                                 struct err *e)
{
    return tuned_reload(&l->tuned, name, e);
}

/* ---- the thread ---- */

static void say(const char *event, const struct err *e)
{
    char quoted[2 * sizeof e->msg];

    log_event(LOG_WARN, "learner", event, "why=%s",
              log_quote(quoted, sizeof quoted, e->msg));
}

static enum err_code run_next(struct learner *l, bool *found, struct err *e)
{
    struct job job = {0};
    struct database *db = store_begin_read(l->settings.store, e);

    if (db == NULL)
        return e->code;
    enum err_code code = jobs_next(db, &job, e);
    store_end_read(l->settings.store, db);
    *found = code == ERR_OK;
    if (code == ERR_OK)
        code = job_run(l, &job, e);
    else if (code == ERR_NOT_FOUND)
        code = ERR_OK;
    job_fini(&job);
    return code;
}

/* All that there is to do now; how long to wait for more. */
static usec work(struct learner *l)
{
    usec next = 0;
    bool found = true;
    struct err e;
    enum err_code code = ERR_OK;

    while (code == ERR_OK && found && !learner_stopping(l)) {
        code = starts_look(l, &next, &e);
        if (code == ERR_OK)
            code = run_next(l, &found, &e);
    }
    if (code == ERR_OK)
        return next > 0 ? next : FOREVER;
    say("store-fails", &e);
    return RETRY_AFTER;
}

static void *run(void *arg)
{
    struct learner *l = arg;

    for (;;) {
        usec until = clock_now() + work(l);
        /* Many posts are one reason to look. */
        if (!learner_pause(l, LEARNER_LOOK_EVERY))
            return NULL;
        lock_take(&l->lock);
        while (!l->stop && !l->woken && clock_now() < until)
            cond_wait_until(&l->change, &l->lock, until);
        l->woken = false;
        lock_drop(&l->lock);
    }
}

/* ---- start and stop ---- */

static bool has_ended(void *arg, int64_t id)
{
    struct learner *l = arg;
    struct job job = {0};
    struct err e;
    struct database *db = store_begin_read(l->settings.store, &e);

    if (db == NULL)
        return false;
    bool ended =
        jobs_get(db, id, &job, &e) == ERR_OK && job_state_ended(job.state);
    store_end_read(l->settings.store, db);
    job_fini(&job);
    return ended;
}

static enum err_code take_folder(struct learner *l, struct err *e)
{
    char path[REPOSITORY_MAX_PATH];

    if (file_make_folders(l->settings.data_dir, e) != ERR_OK ||
        file_join(path, sizeof path, l->settings.data_dir, "lock", e) != ERR_OK)
        return e->code;
    l->folder = file_lock(path, e);
    return l->folder != NULL ? ERR_OK : e->code;
}

static enum err_code start(struct learner *l, struct err *e)
{
    const struct learner_settings *s = &l->settings;

    if (named_paths_init(&l->rehearsal, "rehearsal", s->rehearsal, e) !=
            ERR_OK ||
        named_paths_init(&l->test_data, "test-data", s->test_data, e) !=
            ERR_OK ||
        take_folder(l, e) != ERR_OK || tuned_load(&l->tuned, e) != ERR_OK)
        return e->code;
    tuned_sweep(&l->tuned);
    job_files_sweep(s->data_dir, has_ended, l);
    return ERR_OK;
}

static void unmake(struct learner *l)
{
    file_unlock(l->folder);
    named_paths_fini(&l->rehearsal);
    named_paths_fini(&l->test_data);
    live_fini(&l->live);
    cond_fini(&l->change);
    lock_fini(&l->lock);
    mem_free(l);
}

struct learner *learner_new(const struct learner_settings *settings,
                            struct err *e)
{
    struct learner *l = mem_array(1, sizeof *l);

    assert(settings->threads > 0);
    if (l == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory to learn");
        return NULL;
    }
    l->settings = *settings;
    l->tuned = (struct tuned){.data_dir = settings->data_dir,
                              .store = settings->store,
                              .registry = settings->registry};
    l->started_wall = clock_wall();
    live_init(&l->live);
    lock_init(&l->lock);
    cond_init(&l->change);
    if (start(l, e) != ERR_OK) {
        unmake(l);
        return NULL;
    }
    l->thread = thread_start("learner", run, l);
    return l;
}

void learner_free(struct learner *l)
{
    if (l == NULL)
        return;
    lock_take(&l->lock);
    l->stop = true;
    cond_broadcast(&l->change);
    lock_drop(&l->lock);
    thread_join(l->thread);
    unmake(l);
}
