/* What the learner's files share. One thread of its own runs all of them; a job
 * trains on another, of the lowest priority, which takes no lock of others but
 * that of `live` and the one here.
 */
#ifndef SPARSED_ENGINE_LEARNER_PARTS_H
#define SPARSED_ENGINE_LEARNER_PARTS_H

#include "lib/base/file.h"
#include "lib/engine/learner.h"
#include "lib/engine/live.h"
#include "lib/engine/named_paths.h"
#include "lib/engine/tuned.h"

/* How often the store is asked, whatever comes in. */
#define LEARNER_LOOK_EVERY ((usec)250000)

struct learner {
    struct learner_settings settings; /* see learner_settings */
    struct tuned tuned;
    struct named_paths rehearsal, test_data;
    struct file_lock *folder; /* DATA/lock */
    struct live live;
    atomic_uint_fast64_t ended[JOB_CANCELLED + 1]; /* jobs, by state */
    usec started_wall;
    pthread_t thread;
    struct lock lock;
    struct cond change; /* of what follows, guarded by lock */
    bool stop;          /* the process ends */
    bool woken;         /* the store may have news */
};

bool learner_stopping(struct learner *l);
/* As they are now: those of learner_set are guarded by lock. */
struct learner_settings learner_settings(struct learner *l);
/* Sleeps so long, or until the process ends: then false. */
bool learner_pause(struct learner *l, usec duration);

/* ---- starts.c ---- */

/* Adds jobs where new samples or the clock ask for them. *next: after how long
 * the clock may ask again, 0: never. */
enum err_code starts_look(struct learner *l, usec *next, struct err *e)
    ERR_CHECKED;

/* ---- job_run.c ---- */

/* Runs the job (queued, or left running) to its end, or until the process ends.
 * An error is the store's: the job is as it was, to be run again. */
enum err_code job_run(struct learner *l, const struct job *job, struct err *e)
    ERR_CHECKED;

#endif
