/* Laps of a request, on one thread at a time. */
#include "api/account.h"

#include "api/routes.h"

#include <stdio.h>
#include <string.h>

void account_begin(struct account *a)
{
    *a = (struct account){.begun = clock_now_ns()};
    a->lap = a->begun;
}

void account_skip(struct account *a)
{
    a->lap = clock_now_ns();
}

void account_lap(struct account *a, enum stage stage)
{
    nsec now = clock_now_ns();

    a->stages[stage] += now - a->lap;
    a->lap = now;
}

void account_settle(struct account *a, const struct served *s, bool ok)
{
    if (ok)
        account_lap(a, STAGE_PRINT);
    snprintf(a->model, sizeof a->model, "%s", s->name);
    a->version = s->version;
    struct usage_request r = {
        .route = a->route != NULL ? a->route->pattern : NULL,
        .ok = ok,
        .rows = a->rows,
        .whole = (ok ? a->lap : clock_now_ns()) - a->begun,
    };
    memcpy(r.stages, a->stages, sizeof r.stages);
    usage_add(s->usage, &r);
}

const char *account_stage_word(enum stage stage)
{
    static const char *const words[STAGES] = {"queue", "parse", "compute",
                                              "print"};

    return words[stage];
}

size_t account_print(const struct account *a, char *out, size_t size)
{
    size_t used = 0;

    out[0] = 0;
    for (int i = 0; i < STAGES; i++) {
        if (a->stages[i] == 0)
            continue;
        int n = snprintf(
            out + used, size - used, "%s%s;dur=%.3f", used > 0 ? ", " : "",
            account_stage_word((enum stage)i), (double)a->stages[i] / 1e6);
        if (n < 0 || (size_t)n >= size - used) {
            out[used] = 0;
            break;
        }
        used += (size_t)n;
    }
    return used;
}
