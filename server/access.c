/* Which requests are logged, and what is said of them. */
#include "server/access.h"

#include "api/routes.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#include <stdio.h>
#include <string.h>

#define WHOLE ((double)(1ull << 32))

void access_set(struct access *a, double share)
{
    atomic_store(&a->share, (uint_fast64_t)(share * WHOLE));
}

/* The hash alone is alike for ids that differ in their last characters; the
 * mixing is splitmix64's. */
static bool is_drawn(struct access *a, const char *id)
{
    uint64_t share = atomic_load_explicit(&a->share, memory_order_relaxed);

    if (share >> 32 != 0)
        return true;
    uint64_t z = file_hash(FILE_HASH_START, id, strlen(id));
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z >> 32 < share;
}

/* Opens a new second's count, and tells what the last one left out. */
static void turn_page(struct access *a)
{
    int_fast64_t now = clock_now() / 1000000;
    int_fast64_t before =
        atomic_load_explicit(&a->second, memory_order_relaxed);

    if (now == before ||
        !atomic_compare_exchange_strong(&a->second, &before, now))
        return;
    size_t n = atomic_exchange(&a->refusals, 0);
    if (n > ACCESS_REFUSALS)
        log_event(LOG_INFO, "http", "not-logged", "refusals=%zu",
                  n - ACCESS_REFUSALS);
}

/* What clients can make as many of as they like. */
static bool is_refusal(const struct access_line *l)
{
    return l->status >= 400 &&
           (l->status < 500 || l->account->refusal != METERS_NONE);
}

static bool is_wanted(struct access *a, const struct access_line *l)
{
    if (l->status < 400)
        return is_drawn(a, l->request->id);
    return !is_refusal(l) ||
           atomic_fetch_add_explicit(&a->refusals, 1, memory_order_relaxed) <
               ACCESS_REFUSALS;
}

/* " route=... model=..." of a request that found its route, or "". */
static const char *print_account(char *out, size_t size,
                                 const struct account *a)
{
    int n = 0;

    out[0] = 0;
    if (a->route != NULL)
        n = snprintf(out, size, " route=%s", a->route->pattern);
    if (a->model[0] != 0)
        snprintf(out + n, size - (size_t)n,
                 " model=%s version=%llu rows=%zu queue_us=%lld "
                 "compute_us=%lld",
                 a->model, (unsigned long long)a->version, a->rows,
                 (long long)a->stages[STAGE_QUEUE] / 1000,
                 (long long)a->stages[STAGE_COMPUTE] / 1000);
    else if (a->refusal != METERS_NONE)
        snprintf(out + n, size - (size_t)n, " reason=%s",
                 meters_reason_word(a->refusal));
    return out;
}

/* " token=... trace=..." of what the headers had, or "". */
static const char *print_sender(char *out, size_t size,
                                const struct api_request *request)
{
    char name[128];
    int n = 0;

    out[0] = 0;
    if (request->token != NULL)
        n = snprintf(out, size, " token=%s",
                     log_quote(name, sizeof name, request->token));
    if (request->trace != NULL)
        snprintf(out + n, size - (size_t)n, " trace=%s", request->trace);
    return out;
}

void access_log(struct access *a, const struct access_line *l)
{
    const struct api_request *request = l->request;
    char path[512], id[2 * API_ID_BYTES], account[320], sender[192];

    if (!log_enabled(LOG_INFO))
        return;
    turn_page(a);
    if (!is_wanted(a, l))
        return;
    log_event(LOG_INFO, "http", "request",
              "id=%s method=%.16s path=%s status=%d us=%lld bytes=%zu%s%s",
              log_quote(id, sizeof id, request->id), l->method,
              log_quote(path, sizeof path, request->target), l->status,
              (long long)(clock_now_ns() - l->account->begun) / 1000, l->bytes,
              print_account(account, sizeof account, l->account),
              print_sender(sender, sizeof sender, request));
}
