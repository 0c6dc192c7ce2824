/* Stores for tests: a database in a temporary folder with one connection that
 * writes, within a transaction, and rows that can be told from each other.
 */
#ifndef SPARSED_TESTS_STORES_H
#define SPARSED_TESTS_STORES_H

#include "lib/store/database.h"
#include "lib/store/samples.h"
#include "lib/store/store.h"

#include <stddef.h>
#include <stdint.h>

/* "sqlite:FOLDER/NAME" in a static buffer of which four are used in turn. */
const char *stores_url(const char *folder, const char *name);

/* A new store's connection, in a transaction; its seed is given. */
struct database *stores_new(const char *folder, uint64_t seed);
/* Commits and goes on; closes, committed. */
void stores_commit(struct database *db);
void stores_close(struct database *db);

/* Row number `which`: its numbers depend on nothing else. */
void stores_row(float *x, size_t size, uint64_t which);

/* Adds n rows stores_row(first), ... of one label (NULL: none); ids may be
 * NULL. Fails the test on an error. */
void stores_add(struct database *db, const char *model, const char *label,
                size_t n, size_t size, uint64_t first,
                const struct samples_limits *limits, int64_t *ids);

/* What a visit has seen. */
#define STORES_SEEN 4096
struct stores_seen {
    size_t n;
    size_t stop_after; /* 0: never */
    struct stores_sample {
        int64_t id, batch;
        bool held_out;
        char label[SAMPLES_MAX_LABEL_BYTES + 1]; /* "": none */
        float first;                             /* number of the row */
    } samples[STORES_SEEN];
};

/* A visit; arg is a struct stores_seen. */
bool stores_see(void *arg, const struct sample *s);

/* Those that fit, in a static struct. */
struct stores_seen *stores_each(struct database *db, const char *model,
                                const struct samples_filter *f, int64_t after,
                                size_t limit);
struct samples_counts stores_count(struct database *db, const char *model);

/* Fails the test unless the model's counts say what its rows say. */
void stores_check_counts(struct database *db, const char *model);

/* A store of its own, with room for what tests submit. */
struct store *stores_open(const char *url);

#endif
