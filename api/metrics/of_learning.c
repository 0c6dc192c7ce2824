/* Fine-tunes and the store. Of a fine-tune there is something to tell while it
 * is under way. */
#include "api/metrics/scrape.h"
#include "lib/store/store.h"

#include <math.h>

static struct learner *learner_of(const struct scrape *s)
{
    const struct learning *l = s->api->learning;

    return s->api->registry != NULL && l != NULL ? l->learner : NULL;
}

static struct store *store_of(const struct scrape *s)
{
    const struct learning *l = s->api->learning;

    return s->api->registry != NULL && l != NULL ? l->store : NULL;
}

void metric_tunes_running(struct scrape *s)
{
    if (learner_of(s) != NULL)
        scrape_count(s, NULL, s->tunes);
}

void metric_tunes(struct scrape *s)
{
    for (int i = JOB_SUCCEEDED; i <= JOB_CANCELLED && learner_of(s) != NULL;
         i++) {
        enum job_state state = (enum job_state)i;
        const struct scrape_label labels[] = {{"state", job_state_name(state)},
                                              {NULL, NULL}};
        scrape_count(s, labels, learner_ended(learner_of(s), state));
    }
}

static void print_of_tune(struct scrape *s, double value)
{
    const struct scrape_label labels[] = {{"model", s->tune.model},
                                          {NULL, NULL}};

    if (s->tunes && !isnan(value))
        scrape_number(s, labels, value);
}

void metric_tune_epoch(struct scrape *s)
{
    print_of_tune(s, (double)s->tune.epoch);
}

void metric_tune_epochs(struct scrape *s)
{
    print_of_tune(s, (double)s->tune.epochs);
}

void metric_tune_progress(struct scrape *s)
{
    const struct learner_progress *p = &s->tune;
    double row = p->rows > 0 ? (double)p->row / (double)p->rows : 0;

    print_of_tune(s, p->epochs > 0 && p->epoch > 0
                         ? ((double)(p->epoch - 1) + row) / (double)p->epochs
                         : 0);
}

void metric_tune_loss(struct scrape *s)
{
    print_of_tune(s, s->tune.loss);
}

void metric_tune_held_out_loss(struct scrape *s)
{
    if (s->epoch.epoch > 0 && !s->tune.held_out_is_error)
        print_of_tune(s, s->epoch.held_out);
}

void metric_tune_held_out_error(struct scrape *s)
{
    if (s->epoch.epoch > 0 && s->tune.held_out_is_error)
        print_of_tune(s, s->epoch.held_out);
}

/* ---- store ---- */

/* 0 too where there should be one and is none. */
void metric_store_up(struct scrape *s)
{
    struct store *store = store_of(s);
    char why[8];

    if (store != NULL || s->api->no_learning != NULL)
        scrape_count(s, NULL,
                     store != NULL && store_is_well(store, why, sizeof why));
}

void metric_store_bytes(struct scrape *s)
{
    if (store_of(s) != NULL)
        scrape_count(s, NULL, store_bytes(store_of(s)));
}

void metric_samples(struct scrape *s)
{
    for (const struct scrape_samples *i = s->samples; i != NULL; i = i->next) {
        const struct scrape_label labels[] = {{"model", i->model},
                                              {NULL, NULL}};
        scrape_count(s, labels, i->stored);
    }
}

void metric_samples_accepted(struct scrape *s)
{
    for (const struct scrape_samples *i = s->samples; i != NULL; i = i->next) {
        const struct scrape_label labels[] = {{"model", i->model},
                                              {NULL, NULL}};
        scrape_count(s, labels, i->accepted);
    }
}
