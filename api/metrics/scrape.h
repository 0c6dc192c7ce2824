/* Scrape: one reply to /metrics being written, and what it is written from,
 * looked at once so that all its families are of one moment.
 *
 * Text as in Prometheus's exposition format 0.0.4, or OpenMetrics 1.0, which
 * differ in a family's head and in the last line.
 */
#ifndef SPARSED_API_METRICS_SCRAPE_H
#define SPARSED_API_METRICS_SCRAPE_H

#include "api/api.h"
#include "api/metrics/family.h"
#include "lib/base/process.h"
#include "lib/engine/learner.h"

/* A set ends with one without a name. */
struct scrape_label {
    const char *name;
    const char *value; /* any UTF-8 */
};

struct scrape {
    struct api *api;
    const struct meters *meters;
    struct buf *out;
    struct arena *memory;
    bool open_metrics;
    const struct metric_family *family; /* being written */

    /* By name and number, held until scrape_end. */
    struct scrape_version {
        const struct served *served;
        bool in_service;
        char number[24];
        struct scrape_label labels[3]; /* model, version */
    } * versions;
    size_t n_versions;

    bool tunes; /* a fine-tune is under way: */
    struct learner_progress tune;
    struct learner_epoch epoch; /* its last whole one; epoch 0: none yet */

    struct scrape_samples {
        struct scrape_samples *next;
        const char *model;
        uint64_t stored, accepted;
    } * samples;

    struct process_view process;
};

/* Looks at everything; without memory, at less. Waits for nothing but the
 * registry's lock. */
void scrape_begin(struct scrape *s);
void scrape_end(struct scrape *s);

/* All families. */
void scrape_print(struct scrape *s);

/* ---- one sample of the family; labels may be NULL ---- */

void scrape_count(struct scrape *s, const struct scrape_label *labels,
                  uint64_t n);
/* NAN, too. */
void scrape_number(struct scrape *s, const struct scrape_label *labels,
                   double value);
/* n of a unit that is a power of ten, up to 1: all its digits. */
void scrape_units(struct scrape *s, const struct scrape_label *labels,
                  uint64_t n, double unit);
/* Buckets, sum and count. */
void scrape_histogram(struct scrape *s, const struct scrape_label *labels,
                      const struct histogram *h,
                      const struct histogram_scale *scale);

/* for (SCRAPE_VERSIONS(v, s)): all of them. */
#define SCRAPE_VERSIONS(v, s)                                                  \
    const struct scrape_version *v = (s)->versions;                            \
    v < (s)->versions + (s)->n_versions;                                       \
    v++

#endif
