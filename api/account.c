/* Laps of a request, on one thread at a time. */
#include "api/account.h"

#include <stdio.h>

static const char *const names[STAGES] = {"queue", "parse", "compute", "print"};

void account_begin(struct account *a)
{
    *a = (struct account){.begun = clock_now_ns()};
    a->lap = a->begun;
}

void account_lap(struct account *a, enum stage stage)
{
    nsec now = clock_now_ns();

    a->stages[stage] += now - a->lap;
    a->lap = now;
}

size_t account_print(const struct account *a, char *out, size_t size)
{
    size_t used = 0;

    out[0] = 0;
    for (int i = 0; i < STAGES; i++) {
        if (a->stages[i] == 0)
            continue;
        int n = snprintf(out + used, size - used, "%s%s;dur=%.3f",
                         used > 0 ? ", " : "", names[i],
                         (double)a->stages[i] / 1e6);
        if (n < 0 || (size_t)n >= size - used) {
            out[used] = 0;
            break;
        }
        used += (size_t)n;
    }
    return used;
}
