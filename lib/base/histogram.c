/* Histogram: relaxed counters. */
#include "lib/base/histogram.h"

void histogram_add(struct histogram *h, const struct histogram_scale *scale,
                   uint64_t value)
{
    size_t i = 0;

    while (i < scale->n && value > scale->bounds[i])
        i++;
    atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum, value, memory_order_relaxed);
}

void histogram_look(const struct histogram *h,
                    const struct histogram_scale *scale,
                    struct histogram_view *view)
{
    uint64_t all = 0;

    for (size_t i = 0; i <= scale->n; i++) {
        all += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
        view->counts[i] = all;
    }
    view->sum = atomic_load_explicit(&h->sum, memory_order_relaxed);
}
