/* Laps of a request, on one thread at a time. */
#include "api/account.h"

#include "api/routes.h"

#include <string.h>

#define STAGE_BYTES 40 /* a word and a time */

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
    size_t length = strnlen(s->name, sizeof a->model - 1);
    memcpy(a->model, s->name, length);
    a->model[length] = 0;
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

/* "word;dur=0.120"; the length. */
static size_t print_stage(char out[STAGE_BYTES], enum stage stage, nsec ns)
{
    const char *word = account_stage_word(stage);
    size_t used = strlen(word);
    uint64_t us = ((uint64_t)ns + 500) / 1000;
    char digits[20];
    size_t n = 0;

    memcpy(out, word, used);
    memcpy(out + used, ";dur=", 5);
    used += 5;
    /* The last first, and always one before the point. */
    for (; us > 0 || n < 4; us /= 10)
        digits[n++] = (char)('0' + us % 10);
    while (n > 3)
        out[used++] = digits[--n];
    out[used++] = '.';
    while (n > 0)
        out[used++] = digits[--n];
    return used;
}

size_t account_print(const struct account *a, char *out, size_t size)
{
    char text[STAGE_BYTES];
    size_t used = 0;

    out[0] = 0;
    for (int i = 0; i < STAGES; i++) {
        if (a->stages[i] <= 0)
            continue;
        size_t comma = used > 0 ? 2 : 0;
        size_t length = print_stage(text, (enum stage)i, a->stages[i]);
        if (used + comma + length >= size)
            break;
        memcpy(out + used, ", ", comma);
        memcpy(out + used + comma, text, length);
        used += comma + length;
        out[used] = 0;
    }
    return used;
}
