/* What the whole process counts of its requests. */
#include "api/meters.h"
#include "api/metrics/scrape.h"
#include "api/routes.h"

#include <stdio.h>

#define NS 1e-9

/* Every route by its number, and 0 for what none matched: "" to both. */
static void set_labels(struct scrape_label *labels, size_t route)
{
    const struct route *row = route_at(route);

    labels[0] = (struct scrape_label){"method", row ? row->method : ""};
    labels[1] = (struct scrape_label){"route", row ? row->pattern : ""};
}

static const struct meters_route *route_of(const struct scrape *s, size_t i)
{
    return i == 0 || route_at(i) != NULL ? &s->meters->routes[i] : NULL;
}

void metric_requests(struct scrape *s)
{
    const struct meters_route *r;

    for (size_t i = 0; (r = route_of(s, i)) != NULL; i++) {
        struct scrape_label labels[4] = {{NULL, NULL}};
        set_labels(labels, i);
        for (size_t place = 0; place < METERS_STATUSES; place++) {
            uint64_t n = atomic_load(&r->statuses[place]);
            char code[16];
            if (n == 0)
                continue;
            if (meters_status(place) == 0)
                snprintf(code, sizeof code, "other");
            else
                snprintf(code, sizeof code, "%d", meters_status(place));
            labels[2] = (struct scrape_label){"code", code};
            scrape_count(s, labels, n);
        }
    }
}

static bool was_asked(const struct meters_route *r)
{
    for (size_t i = 0; i < METERS_STATUSES; i++) {
        if (atomic_load(&r->statuses[i]) > 0)
            return true;
    }
    return false;
}

void metric_request_seconds(struct scrape *s)
{
    const struct meters_route *r;

    for (size_t i = 0; (r = route_of(s, i)) != NULL; i++) {
        struct scrape_label labels[3] = {{NULL, NULL}};
        if (!was_asked(r))
            continue;
        set_labels(labels, i);
        scrape_histogram(s, labels, &r->seconds, &usage_seconds);
    }
}

void metric_refused(struct scrape *s)
{
    for (int i = METERS_NONE + 1; i < METERS_N_REASONS; i++) {
        const struct scrape_label labels[] = {
            {"reason", meters_reason_word((enum meters_reason)i)},
            {NULL, NULL}};
        scrape_count(s, labels, atomic_load(&s->meters->refused[i]));
    }
}

void metric_in_flight(struct scrape *s)
{
    scrape_count(s, NULL, atomic_load(&s->meters->in_flight));
}

void metric_bytes_in(struct scrape *s)
{
    scrape_count(s, NULL, atomic_load(&s->meters->bytes_in));
}

void metric_bytes_out(struct scrape *s)
{
    scrape_count(s, NULL, atomic_load(&s->meters->bytes_out));
}

void metric_connections(struct scrape *s)
{
    scrape_count(s, NULL, atomic_load(&s->meters->connections));
}

void metric_waiting(struct scrape *s)
{
    scrape_count(s, NULL, atomic_load(&s->meters->waiting));
}

void metric_waiting_cost(struct scrape *s)
{
    scrape_units(s, NULL, atomic_load(&s->meters->waiting_cost_ns), NS);
}
