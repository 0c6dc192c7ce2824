/* Learner: the one thread that runs fine-tune jobs in the background, at the
 * lowest priority, and puts better versions into service.
 *
 * Jobs live in the store; the learner runs one at a time, the oldest first. It
 * makes DATA/models/NAME/VERSION/model.safetensors, and only when that file is
 * whole and on disk does one transaction record version, service and the job's
 * end. A process that dies leaves its job running in the store: the next one
 * goes on from DATA/jobs/ID.checkpoint.
 *
 * Memory, beside that of the versions loaded (at most keep_versions and the one
 * in service, of each model): while a job runs LEARNER_MAX_DATA_BYTES at most
 * for its samples, once more for the operator's rows and once more for his test
 * rows, as far as he names some; tune_bytes of the parent; and the child twice,
 * as trained and as read back. A job over more samples takes of each label as
 * many as it has, up to one number for all.
 */
#ifndef SPARSED_ENGINE_LEARNER_H
#define SPARSED_ENGINE_LEARNER_H

#include "lib/base/clock.h"
#include "lib/engine/registry.h"
#include "lib/store/jobs.h"
#include "lib/store/store.h"

#define LEARNER_MAX_SAMPLES 60000
#define LEARNER_MAX_DATA_BYTES ((size_t)256 << 20) /* as floats */

struct learner;

struct learner_settings {
    struct store *store;
    struct registry *registry;
    const char *data_dir;
    size_t threads;        /* that train */
    size_t keep_versions;  /* tuned ones of a model, beside that in service */
    uint64_t after;        /* new samples that start a job; 0: none do */
    usec every;            /* a job starts so often if there are new samples;
                              0: none does */
    const char *rehearsal; /* "NAME=PATH,...", or NULL: data sets */
    const char *test_data; /* likewise */
};

/* Loads the tuned versions that the store knows, puts what it says into
 * service, removes what its jobs have left behind (nothing that it does not
 * know: with the wrong store nothing is lost), and starts the thread. Models
 * of the registry must be loaded. Versions that cannot be loaded become
 * failures of the registry. `settings` and what it names are borrowed. NULL:
 * ERR_INVALID (a list's form), ERR_BUSY (another process has the data folder),
 * ERR_NO_MEMORY, ERR_IO, and what the store gives. */
struct learner *learner_new(const struct learner_settings *settings,
                            struct err *e);
/* From any thread: these three of the settings from now on; versions over
 * keep_versions go when the next one has come. */
void learner_set(struct learner *l, size_t keep_versions, uint64_t after,
                 usec every);
/* Stops the job under way within a batch, which leaves it to the next process,
 * and ends the thread. NULL is fine. */
void learner_free(struct learner *l);

/* Loads a model, or what has changed of it, while others use it: its folder's
 * versions and its tuned ones; in service is what the store says, or the
 * highest of the folder. Slow; from any thread but the store's. Errors leave
 * all as it is, with a text that begins "failed to load 'NAME'" (tuned_reload).
 *
 * What is unloaded (registry_unload) is gone for clients only: the store keeps
 * samples, versions and which serves. A job under way goes on, and its version
 * serves after the next load; one that is claimed while its model is not loaded
 * fails. */
enum err_code learner_load_model(struct learner *l, const char *name,
                                 struct err *e) ERR_CHECKED;

/* ---- jobs ---- */

/* What a job is asked to do. */
enum learner_promote {
    LEARNER_PROMOTE_IF_BETTER,
    LEARNER_PROMOTE_ALWAYS,
    LEARNER_PROMOTE_NEVER
};

struct learner_options {
    size_t epochs;        /* 0: the standard */
    double learning_rate; /* 0: the standard */
    enum learner_promote promote;
    uint64_t seed; /* below 2^53; 0: the job's number */
};

/* As a job's options and back. NULL: out of memory; ERR_CORRUPT. */
struct json *learner_options_json(const struct learner_options *o);
enum err_code learner_options_read(struct learner_options *o, const char *text,
                                   struct err *e) ERR_CHECKED;
const char *learner_promote_name(enum learner_promote p); /* "if_better" ... */

/* The store has a new job, or new samples, or a job to be cancelled: to be told
 * after the commit. From any thread. */
void learner_wake(struct learner *l);

/* What is known of the job under way, beyond the store: epochs done so far. */
struct learner_epoch {
    size_t epoch;    /* from 1 */
    double loss;     /* mean of the epoch's rows */
    double held_out; /* what is watched on held-out rows; NAN: nothing is */
    bool best;
};

struct learner_progress {
    int64_t job;
    char model[JOBS_MAX_MODEL + 1];
    size_t epoch, epochs;   /* under way, from 1; at most */
    size_t row, rows;       /* of the epoch */
    double loss;            /* so far in the epoch */
    bool held_out_is_error; /* share of rows in the wrong class; else a loss */
    double seconds;         /* since it was begun in this process */
    double seconds_left;    /* an estimate; NAN: none yet */
    size_t n_epochs;        /* whole ones, in this process */
};

/* How many jobs have come to this end in this process. From any thread. */
uint64_t learner_ended(const struct learner *l, enum job_state state);

/* Job 0 is whichever is under way.
 * False if the job is not under way (any more). While it is, its new version is
 * not in service, whatever the store says already: so ask here after reading
 * it. Epochs from..from+max-1 of the n_epochs go to `epochs`, *n gets how many.
 * The job that ended last is told likewise, with false, so that nobody misses
 * its last epochs. */
bool learner_look(struct learner *l, int64_t job, struct learner_progress *p,
                  size_t from, struct learner_epoch *epochs, size_t max,
                  size_t *n);

#endif
