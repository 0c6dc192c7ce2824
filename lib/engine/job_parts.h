/* One run of a job, from its claim to its end, and the files that do its
 * parts. All but tune_run is done on the learner's thread.
 */
#ifndef SPARSED_ENGINE_JOB_PARTS_H
#define SPARSED_ENGINE_JOB_PARTS_H

#include "lib/engine/job_rows.h"
#include "lib/engine/learner_parts.h"
#include "lib/engine/repository.h"
#include "lib/train/tune.h"

#include <stdatomic.h>

struct job_run {
    struct learner *l;
    struct job job; /* as it is recorded; its texts are borrowed */
    struct learner_options options;
    const struct served *parent;
    char checkpoint[REPOSITORY_MAX_PATH];
    struct job_rows rows;
    struct dataset *rehearsal, *test; /* the operator's, or NULL */
    struct tune_result result;
    usec next_look;   /* at the store, whether a client has cancelled it */
    bool claimed;     /* it is recorded as running */
    bool cancelled;   /* a client wants its end */
    atomic_bool halt; /* for the thread that trains */
};

/* Whether to go on: false when the process ends, or the job is cancelled
 * (r->cancelled). Quick: asks the store only when woken. */
bool job_may_go_on(void *run);

/* ---- job_tune.c ---- */

/* Fills r->result; from the checkpoint if there is one that suits. An error
 * while job_may_go_on says false is no failure. */
enum err_code job_tune(struct job_run *r, struct err *e) ERR_CHECKED;

/* ---- job_end.c ---- */

/* Saves the child, and reads it back into the registry: what will serve is
 * what is on disk. */
enum err_code job_save(struct job_run *r, struct err *e) ERR_CHECKED;

/* Records the end, of which r->job has the state (and the reason, but where the
 * gate has it), in one transaction with the version; if it is promoted it
 * serves then. While the store fails it waits and tries again. Cancelling that
 * came in time wins: then r->job.state says so. ERR_BUSY: the process ends, and
 * nothing is recorded. */
enum err_code job_end(struct job_run *r, struct err *e) ERR_CHECKED;

#endif
