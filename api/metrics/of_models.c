/* What each served version has been asked for. One that never was has no
 * histograms, so that many models cost little. */
#include "api/metrics/scrape.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static uint64_t requests_of(const struct usage *u)
{
    return atomic_load(&u->succeeded.count) + atomic_load(&u->failed.count);
}

void metric_model_info(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s))
        scrape_count(s, v->labels, 1);
}

void metric_in_service(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s))
        scrape_count(s, v->labels, v->in_service);
}

void metric_inferences(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s))
        scrape_count(s, v->labels, requests_of(v->served->usage));
}

void metric_inference_failures(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s))
        scrape_count(s, v->labels,
                     atomic_load(&v->served->usage->failed.count));
}

void metric_rows(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s))
        scrape_count(s, v->labels, atomic_load(&v->served->usage->rows));
}

void metric_batch_rows(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s)) {
        struct usage *u = v->served->usage;
        if (atomic_load(&u->succeeded.count) > 0)
            scrape_histogram(s, v->labels, &u->batch_rows, &usage_rows);
    }
}

void metric_stage_seconds(struct scrape *s)
{
    for (SCRAPE_VERSIONS(v, s)) {
        for (int i = 0; i < STAGES; i++) {
            const struct scrape_label labels[] = {
                v->labels[0],
                v->labels[1],
                {"stage", account_stage_word((enum stage)i)},
                {NULL, NULL}};
            scrape_units(s, labels,
                         atomic_load(&v->served->usage->stages[i].ns), 1e-9);
        }
    }
}

/* The histogram at `offset` of every route that a version was asked by. */
static void print_routes(struct scrape *s, size_t offset)
{
    for (SCRAPE_VERSIONS(v, s)) {
        for (size_t i = 0; i < USAGE_ROUTES; i++) {
            const struct usage_route *r = &v->served->usage->routes[i];
            const char *route = r->route;
            if (route == NULL)
                break;
            const struct scrape_label labels[] = {
                v->labels[0], v->labels[1], {"route", route}, {NULL, NULL}};
            scrape_histogram(
                s, labels, (const struct histogram *)((const char *)r + offset),
                &usage_seconds);
        }
    }
}

void metric_inference_seconds(struct scrape *s)
{
    print_routes(s, offsetof(struct usage_route, seconds));
}

void metric_queue_seconds(struct scrape *s)
{
    print_routes(s, offsetof(struct usage_route, queue));
}

void metric_compute_seconds(struct scrape *s)
{
    print_routes(s, offsetof(struct usage_route, compute));
}

static bool count_failure(void *arg, const char *name, uint64_t version,
                          const char *why)
{
    size_t *n = arg;

    (void)name;
    (void)version;
    (void)why;
    ++*n;
    return true;
}

void metric_load_failures(struct scrape *s)
{
    struct registry *registry = s->api->registry;
    size_t n = 0;

    if (registry != NULL)
        registry_each_failure(registry, count_failure, &n);
    scrape_count(s, NULL, n);
}
