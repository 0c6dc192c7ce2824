/* Training on a thread of the lowest priority, which this one watches: a client
 * may cancel, the process may end. */
#include "lib/base/log.h"
#include "lib/engine/job_parts.h"

#include <inttypes.h>

struct tuning {
    struct job_run *run;
    struct tune_data data;
    struct tune_options options;
    struct err err;
    enum err_code code;
    bool done; /* guarded by the learner's lock */
};

static bool show_progress(void *arg, const struct train_progress *p)
{
    struct job_run *r = arg;

    live_update(&r->l->live, p);
    return !atomic_load(&r->halt);
}

static void *tune(void *arg)
{
    struct tuning *t = arg;
    struct job_run *r = t->run;

    thread_lower();
    t->code =
        tune_run(r->parent->model, &t->data, &t->options, &r->result, &t->err);
    lock_take(&r->l->lock);
    t->done = true;
    cond_broadcast(&r->l->change);
    lock_drop(&r->l->lock);
    return NULL;
}

/* Until the thread is done; tells it to halt when it may not go on. */
static void watch(struct tuning *t)
{
    struct job_run *r = t->run;
    struct learner *l = r->l;

    lock_take(&l->lock);
    while (!t->done) {
        if (l->stop) {
            atomic_store(&r->halt, true);
            cond_wait(&l->change, &l->lock);
        } else if (l->woken && clock_now() >= r->next_look) {
            lock_drop(&l->lock);
            atomic_store(&r->halt, !job_may_go_on(r));
            lock_take(&l->lock);
        } else if (l->woken) {
            cond_wait_until(&l->change, &l->lock, r->next_look);
        } else {
            cond_wait(&l->change, &l->lock);
        }
    }
    lock_drop(&l->lock);
}

static enum err_code run_once(struct tuning *t)
{
    struct job_run *r = t->run;
    size_t epochs = r->options.epochs > 0 ? r->options.epochs : TUNE_EPOCHS;

    live_begin(&r->l->live, r->job.id, r->job.model, epochs);
    t->done = false;
    pthread_t thread = thread_start("tune", tune, t);
    watch(t);
    thread_join(thread);
    return t->code;
}

enum err_code job_tune(struct job_run *r, struct err *e)
{
    struct tuning t = {
        .run = r,
        .data = {.samples = &r->rows.data,
                 .held_out = r->rows.held_out,
                 .names = r->rows.names,
                 .rehearsal = r->rehearsal,
                 .test = r->test},
        .options = {.epochs = r->options.epochs,
                    .learning_rate = r->options.learning_rate,
                    .threads = r->l->settings.threads,
                    .seed = r->options.seed > 0 ? r->options.seed
                                                : (uint64_t)r->job.id,
                    .checkpoint = r->checkpoint,
                    .resume = true,
                    .progress = show_progress,
                    .arg = r},
    };
    enum err_code code = run_once(&t);
    bool of_another_run = code == ERR_CONFLICT || code == ERR_CORRUPT;

    if (of_another_run && job_may_go_on(r) && file_is_regular(r->checkpoint)) {
        char quoted[2 * sizeof t.err.msg];
        log_event(LOG_WARN, "learner", "job-anew", "job=%" PRId64 " why=%s",
                  r->job.id, log_quote(quoted, sizeof quoted, t.err.msg));
        code = file_remove(r->checkpoint, &t.err);
        if (code == ERR_OK)
            code = run_once(&t);
    }
    *e = t.err;
    return code;
}
