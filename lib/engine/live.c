/* From what the trainer tells after each batch to what is shown. */
#include "lib/engine/live.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define USEC_PER_SECOND 1e6

void live_init(struct live *l)
{
    lock_init(&l->lock);
    l->running = false;
}

void live_fini(struct live *l)
{
    lock_fini(&l->lock);
}

void live_begin(struct live *l, int64_t job, const char *model, size_t epochs)
{
    lock_take(&l->lock);
    l->running = true;
    l->now = (struct learner_progress){.job = job,
                                       .epoch = 1,
                                       .epochs = epochs,
                                       .loss = NAN,
                                       .seconds_left = NAN};
    snprintf(l->now.model, sizeof l->now.model, "%s", model);
    lock_drop(&l->lock);
}

static double mean_loss(const struct train_progress *p)
{
    return p->loss.rows > 0 ? p->loss.total / (double)p->loss.rows
                            : (double)NAN;
}

static double held_out(const struct train_progress *p)
{
    if (p->validation.rows == 0)
        return NAN;
    return p->measure == RECIPE_ERROR ? p->validation.error
                                      : p->validation.loss;
}

void live_update(struct live *l, const struct train_progress *p)
{
    double seconds = (double)p->elapsed / USEC_PER_SECOND;

    lock_take(&l->lock);
    l->now.epoch = p->epoch;
    l->now.epochs = p->epochs;
    l->now.row = p->row;
    l->now.rows = p->rows;
    l->now.loss = mean_loss(p);
    l->now.held_out_is_error = p->measure == RECIPE_ERROR;
    l->now.seconds = seconds;
    l->now.seconds_left =
        p->rows_done > 0 ? seconds * (double)p->rows_left / (double)p->rows_done
                         : (double)NAN;
    if (p->epoch_done && l->now.n_epochs < TUNE_MAX_EPOCHS)
        l->epochs[l->now.n_epochs++] =
            (struct learner_epoch){.epoch = p->epoch,
                                   .loss = l->now.loss,
                                   .held_out = held_out(p),
                                   .best = p->best};
    lock_drop(&l->lock);
}

void live_end(struct live *l)
{
    lock_take(&l->lock);
    l->running = false;
    lock_drop(&l->lock);
}

bool live_look(struct live *l, int64_t job, struct learner_progress *p,
               size_t from, struct learner_epoch *epochs, size_t max, size_t *n)
{
    lock_take(&l->lock);
    bool known = l->now.job == job || job == 0;
    bool found = known && l->running;
    *n = 0;
    if (known) {
        *p = l->now;
        size_t left = from < l->now.n_epochs ? l->now.n_epochs - from : 0;
        *n = left < max ? left : max;
        if (*n > 0)
            memcpy(epochs, l->epochs + from, *n * sizeof *epochs);
    }
    lock_drop(&l->lock);
    return found;
}
