/* Jobs: fine-tunes and what became of them. What a job's options and figures
 * mean is not known here: they are JSON texts.
 *
 * queued -> running -> succeeded | failed | cancelled; a process that dies
 * leaves its job running, and the next one goes on with it.
 */
#ifndef SPARSED_STORE_JOBS_H
#define SPARSED_STORE_JOBS_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOBS_MAX_MODEL 64
#define JOBS_MAX_TRIGGER 16

struct database;

enum job_state {
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_CANCELLED
};

struct job {
    int64_t id; /* from 1, never given twice */
    char model[JOBS_MAX_MODEL + 1];
    enum job_state state;
    char trigger[JOBS_MAX_TRIGGER + 1]; /* "request", "samples", "clock" */
    char *options;                      /* JSON */
    uint64_t parent;   /* version that it starts from; 0: not known yet */
    uint64_t version;  /* that it makes; 0: not known yet */
    bool promoted;     /* its version was put into service by it */
    bool cancelling;   /* a client asked for its end */
    uint64_t accepted; /* samples_counts.accepted when it was added */
    int64_t last_id;   /* of the samples that it may see; 0: not begun */
    int64_t created_ms, started_ms, ended_ms; /* wall; 0: not yet */
    char *before, *after;                     /* figures, JSON, or NULL */
    char *reason; /* why it failed or was not promoted, or NULL */
};

/* "queued" ...; static text. */
const char *job_state_name(enum job_state state);
bool job_state_ended(enum job_state state);

/* Adds a queued job of j->model, trigger, options, created_ms; it notes how
 * many samples had come. *id gets its number. ERR_CONFLICT, with *id the
 * other's, if one of the model is queued or running. */
enum err_code jobs_add(struct database *db, const struct job *j, int64_t *id,
                       struct err *e) ERR_CHECKED;

/* Writes all members but id, model, trigger, options, accepted, created_ms and
 * cancelling. */
enum err_code jobs_update(struct database *db, const struct job *j,
                          struct err *e) ERR_CHECKED;

/* Marks it as to be cancelled; a queued one is cancelled at once. *state: what
 * it is in now. ERR_NOT_FOUND, ERR_CONFLICT if it has ended. */
enum err_code jobs_cancel(struct database *db, int64_t id, int64_t wall_ms,
                          enum job_state *state, struct err *e) ERR_CHECKED;

/* Texts are the caller's, job_fini. ERR_NOT_FOUND names the id. */
enum err_code jobs_get(struct database *db, int64_t id, struct job *j,
                       struct err *e) ERR_CHECKED;
/* The job that is to run next: one left running, else the oldest queued one.
 * ERR_NOT_FOUND: none. */
enum err_code jobs_next(struct database *db, struct job *j, struct err *e)
    ERR_CHECKED;
/* The last one added of the model, whatever its state. ERR_NOT_FOUND: none. */
enum err_code jobs_last(struct database *db, const char *model, struct job *j,
                        struct err *e) ERR_CHECKED;
void job_fini(struct job *j); /* accepts a zeroed one */

/* The newest first, at most `limit` with id < before (0: all); model NULL:
 * any. What visit is given lives until it returns; false stops. */
enum err_code jobs_each(struct database *db, const char *model, int64_t before,
                        size_t limit,
                        bool (*visit)(void *arg, const struct job *j),
                        void *arg, struct err *e) ERR_CHECKED;

#endif
