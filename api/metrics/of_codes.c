/* What each version's codes looked like: where these move, its inputs are no
 * longer those that it was trained on. */
#include "api/metrics/scrape.h"

#include <stdio.h>

/* Models of more groups than this have a gauge and a histogram instead of a
 * counter each. */
#define MAX_GROUPS 128

/* One that was never asked has none. */
static void print_shares(struct scrape *s, const struct scrape_version *v,
                         const struct histogram *h,
                         const struct histogram_scale *scale)
{
    if (atomic_load(&v->served->usage->succeeded.count) > 0)
        scrape_histogram(s, v->labels, h, scale);
}

void metric_active(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s))
        print_shares(s, v, &v->served->usage->active, &usage_share);
}

void metric_confidence(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s)) {
        if (v->served->model->classifier.present)
            print_shares(s, v, &v->served->usage->confidence, &usage_share);
    }
}

void metric_error(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s)) {
        const struct model *m = v->served->model;
        if (model_draws(m, m->n_layers - 1))
            print_shares(s, v, &v->served->usage->error, &usage_error);
    }
}

void metric_groups_on(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s))
        print_shares(s, v, &v->served->usage->groups_on, &usage_share);
}

void metric_watched(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s))
        scrape_count(s, v->labels, atomic_load(&v->served->usage->watched));
}

void metric_groups(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s))
        scrape_count(s, v->labels, v->served->usage->n_groups);
}

void metric_group_rows(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s)) {
        const struct usage *u = v->served->usage;
        if (u->n_groups > MAX_GROUPS || atomic_load(&u->watched) == 0)
            continue;
        for (size_t g = 0; g < u->n_groups; g++) {
            char number[24];
            snprintf(number, sizeof number, "%zu", g);
            const struct scrape_label labels[] = {
                v->labels[0], v->labels[1], {"group", number}, {NULL, NULL}};
            scrape_count(s, labels, atomic_load(&u->groups[g]));
        }
    }
}

void metric_groups_unused(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s)) {
        const struct usage *u = v->served->usage;
        size_t unused = 0;
        for (size_t g = 0; g < u->n_groups; g++)
            unused +=
                atomic_load_explicit(&u->groups[g], memory_order_relaxed) == 0;
        if (atomic_load(&u->watched) > 0)
            scrape_count(s, v->labels, unused);
    }
}
