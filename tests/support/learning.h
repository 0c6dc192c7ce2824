/* Learning: a store, a registry with one small model that guesses, and a
 * learner over them, in a temporary folder; and rows to learn from.
 */
#ifndef SPARSED_TESTS_LEARNING_H
#define SPARSED_TESTS_LEARNING_H

#include "lib/engine/learner.h"
#include "lib/store/samples.h"
#include "lib/store/versions.h"

#define LEARNING_MODEL "blobs" /* version 1, of classes "0", "1", "2" */

struct learning_set {
    char *folder; /* models/, data/, store.sqlite */
    struct store *store;
    struct registry *registry;
    struct learner *learner;
    struct learner_settings settings; /* may be changed before a start */
    char data_dir[256];
};

/* A folder with the model's file; nothing is open. */
void learning_make(struct learning_set *s);
/* Opens and loads all, the learner too; again after learning_close. Failures
 * end the test. */
void learning_open(struct learning_set *s);
/* Store and registry alone. */
void learning_open_store(struct learning_set *s);
void learning_close(struct learning_set *s);
void learning_remove(struct learning_set *s); /* closes first */

/* Posts n rows of the seed; labels as they are, or all of them `label`. */
void learning_post(struct learning_set *s, size_t n, uint64_t seed,
                   const char *label);
/* The same without labels. */
void learning_post_unlabelled(struct learning_set *s, size_t n, uint64_t seed);
/* Deletes all samples of a label. */
void learning_delete(struct learning_set *s, const char *label);

/* Adds a job and wakes the learner; its number. options: JSON. */
int64_t learning_start(struct learning_set *s, const char *options);
/* The job as it is; for job_fini. */
struct job learning_job(struct learning_set *s, int64_t id);
/* The same once it has ended and is not under way. */
struct job learning_wait(struct learning_set *s, int64_t id);
void learning_cancel(struct learning_set *s, int64_t id);
/* Records that the job failed when it had made the file of that version. */
void learning_fail(struct learning_set *s, int64_t id, uint64_t version);

/* Which version serves, and which the store says: 0, no record. */
uint64_t learning_serves(struct learning_set *s);
uint64_t learning_recorded(struct learning_set *s);
/* Puts a version into service, as a client may: into the record alone, or
 * there and into the registry. */
void learning_record(struct learning_set *s, uint64_t version);
void learning_serve(struct learning_set *s, uint64_t version);
/* "1001 1002 ", as the store lists them; static, good until the next call. */
const char *learning_versions(struct learning_set *s);
/* The same as the registry lists them. */
const char *learning_loaded(struct learning_set *s);
/* DATA/models/blobs/VERSION. */
const char *learning_folder(struct learning_set *s, uint64_t version);

#endif
