/* Learning rates over a phase. */
#include "lib/train/schedule.h"

#include <math.h>

double schedule_rate(const struct recipe_phase *phase, size_t step,
                     size_t epoch_steps)
{
    double rate = phase->optimiser.rate, at = (double)step;
    double total = (double)phase->epochs * (double)epoch_steps;
    double warmup = floor(phase->warmup_epochs * (double)epoch_steps);
    if (at < warmup)
        return rate * (at + 1) / warmup;
    switch (phase->schedule) {
    case SCHEDULE_CONSTANT:
        break;
    case SCHEDULE_COSINE:
        return rate * 0.5 *
               (1 +
                cos(3.14159265358979323846 * (at - warmup) / (total - warmup)));
    case SCHEDULE_INVERSE:
        return rate / (1 + phase->decay * at);
    }
    return rate;
}
