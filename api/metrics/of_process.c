/* The process itself, by the names that Prometheus's own libraries use. */
#include "api/meters.h"
#include "api/metrics/scrape.h"
#include "lib/model/numbers.h"

#define MS 1e-3
#define US 1e-6

void metric_build_info(struct scrape *s)
{
    const struct scrape_label labels[] = {{"version", SPARSED_VERSION},
                                          {"blas", numbers_library()},
                                          {NULL, NULL}};

    scrape_count(s, labels, 1);
}

void metric_cpu(struct scrape *s)
{
    if (s->process.known)
        scrape_units(s, NULL, s->process.cpu_ms, MS);
}

void metric_virtual_memory(struct scrape *s)
{
    if (s->process.known)
        scrape_count(s, NULL, s->process.virtual_bytes);
}

void metric_resident_memory(struct scrape *s)
{
    if (s->process.known)
        scrape_count(s, NULL, s->process.resident_bytes);
}

void metric_open_fds(struct scrape *s)
{
    if (s->process.known)
        scrape_count(s, NULL, s->process.open_fds);
}

void metric_max_fds(struct scrape *s)
{
    if (s->process.max_fds > 0)
        scrape_count(s, NULL, s->process.max_fds);
}

void metric_threads(struct scrape *s)
{
    if (s->process.known)
        scrape_count(s, NULL, s->process.threads);
}

void metric_start_time(struct scrape *s)
{
    if (s->meters->started_wall > 0)
        scrape_units(s, NULL, (uint64_t)s->meters->started_wall, US);
}
