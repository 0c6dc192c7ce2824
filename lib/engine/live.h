/* Live: how far the job under way is, written by the thread that trains and
 * looked at by any. Held under a lock of its own for a copy, no longer.
 */
#ifndef SPARSED_ENGINE_LIVE_H
#define SPARSED_ENGINE_LIVE_H

#include "lib/base/lock.h"
#include "lib/engine/learner.h"
#include "lib/train/trainer.h"
#include "lib/train/tune.h"

struct live {
    struct lock lock;
    bool running; /* all below guarded by lock */
    struct learner_progress now;
    struct learner_epoch epochs[TUNE_MAX_EPOCHS];
};

void live_init(struct live *l);
void live_fini(struct live *l);

/* A job of at most that many epochs begins, or begins again. */
void live_begin(struct live *l, int64_t job, const char *model, size_t epochs);
void live_update(struct live *l, const struct train_progress *p);
void live_end(struct live *l); /* none under way: nothing */

/* As learner_look. */
bool live_look(struct live *l, int64_t job, struct learner_progress *p,
               size_t from, struct learner_epoch *epochs, size_t max,
               size_t *n);

#endif
