/* Histogram: how often a value fell into which range, and the sum of all; any
 * thread may add at any time, without a lock.
 *
 * Values are whole numbers of a small unit (nanoseconds, millionths), so that
 * sums are exact. The ranges belong to a const scale that histograms share.
 */
#ifndef SPARSED_BASE_HISTOGRAM_H
#define SPARSED_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_MAX_BOUNDS 20

struct histogram_scale {
    double unit; /* what a value of 1 is, in the unit that is shown */
    size_t n;
    uint64_t bounds[HISTOGRAM_MAX_BOUNDS]; /* ascending; each belongs to the
                                              range below it ("le") */
};

/* Zeroed: empty. */
struct histogram {
    atomic_uint_fast64_t counts[HISTOGRAM_MAX_BOUNDS + 1];
    atomic_uint_fast64_t sum;
};

void histogram_add(struct histogram *h, const struct histogram_scale *scale,
                   uint64_t value);

/* What was added so far; while others add, counts and sum may be of slightly
 * different moments. Cumulative, as Prometheus has it: counts[i] values were
 * at most bounds[i], counts[n] is all. */
struct histogram_view {
    uint64_t counts[HISTOGRAM_MAX_BOUNDS + 1];
    uint64_t sum;
};

void histogram_look(const struct histogram *h,
                    const struct histogram_scale *scale,
                    struct histogram_view *view);

#endif
