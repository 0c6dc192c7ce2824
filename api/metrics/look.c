/* What a scrape is written from. */
#include "api/meters.h"
#include "api/metrics/scrape.h"
#include "lib/store/samples.h"
#include "lib/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- versions ---- */

/* Collected first and acquired later: the registry's visitors run under its
 * lock. */
struct found {
    struct arena *memory;
    const char *name;
    size_t n;
    struct one {
        struct one *next;
        const char *name;
        uint64_t version;
        bool in_service;
    } * first, **last;
};

static struct one *add_one(struct found *f, const char *name)
{
    struct one *one = arena_zeroed(f->memory, 1, sizeof *one);

    if (one == NULL)
        return NULL;
    one->name = name;
    *f->last = one;
    f->last = &one->next;
    f->n++;
    return one;
}

static bool add_name(void *arg, const char *name, uint64_t in_service)
{
    struct found *f = arg;
    const char *copy = arena_text(f->memory, name, strlen(name));

    (void)in_service;
    return copy != NULL && add_one(f, copy) != NULL;
}

static bool add_version(void *arg, uint64_t version, bool in_service)
{
    struct found *f = arg;
    struct one *one = add_one(f, f->name);

    if (one == NULL)
        return false;
    one->version = version;
    one->in_service = in_service;
    return true;
}

static struct found find_versions(struct registry *registry,
                                  struct arena *memory)
{
    struct found names = {.memory = memory}, versions = {.memory = memory};

    names.last = &names.first;
    versions.last = &versions.first;
    registry_each_model(registry, add_name, &names);
    for (const struct one *one = names.first; one != NULL; one = one->next) {
        versions.name = one->name;
        registry_each_version(registry, one->name, add_version, &versions);
    }
    return versions;
}

static void acquire_versions(struct scrape *s, struct registry *registry)
{
    struct found found = find_versions(registry, s->memory);
    struct err unused;

    s->versions = arena_zeroed(s->memory, found.n, sizeof *s->versions);
    if (s->versions == NULL)
        return;
    for (const struct one *one = found.first; one != NULL; one = one->next) {
        struct scrape_version *v = &s->versions[s->n_versions];
        v->served =
            registry_acquire(registry, one->name, one->version, &unused);
        if (v->served == NULL)
            continue; /* removed meanwhile */
        s->n_versions++;
        v->in_service = one->in_service;
        snprintf(v->number, sizeof v->number, "%" PRIu64, one->version);
        v->labels[0] = (struct scrape_label){"model", v->served->name};
        v->labels[1] = (struct scrape_label){"version", v->number};
    }
}

/* ---- learning ---- */

static void look_at_tune(struct scrape *s, struct learner *learner)
{
    size_t n;

    s->tunes = learner_look(learner, 0, &s->tune, 0, NULL, 0, &n);
    if (s->tunes && s->tune.n_epochs > 0)
        (void)!learner_look(learner, s->tune.job, &s->tune,
                            s->tune.n_epochs - 1, &s->epoch, 1, &n);
}

static bool add_samples(void *arg, const char *model, uint64_t stored,
                        uint64_t accepted)
{
    struct scrape *s = arg;
    struct scrape_samples *one = arena_zeroed(s->memory, 1, sizeof *one);

    if (one == NULL)
        return false;
    one->model = arena_text(s->memory, model, strlen(model));
    if (one->model == NULL)
        return false;
    one->stored = stored;
    one->accepted = accepted;
    one->next = s->samples;
    s->samples = one;
    return true;
}

static void look_at_samples(struct scrape *s, struct store *store)
{
    struct database *db = store_try_read(store);
    struct err unused;

    if (db == NULL)
        return;
    if (samples_totals(db, add_samples, s, &unused) != ERR_OK)
        s->samples = NULL; /* readyz tells of trouble */
    store_end_read(store, db);
}

/* ---- all ---- */

void scrape_begin(struct scrape *s)
{
    static const struct meters none;
    struct registry *registry = s->api->registry; /* before what it publishes */

    s->meters = s->api->meters != NULL ? s->api->meters : &none;
    process_look(&s->process);
    if (registry == NULL)
        return;
    acquire_versions(s, registry);
    const struct learning *learning = s->api->learning;
    if (learning == NULL)
        return;
    if (learning->learner != NULL)
        look_at_tune(s, learning->learner);
    look_at_samples(s, learning->store);
}

void scrape_end(struct scrape *s)
{
    for (size_t i = 0; i < s->n_versions; i++)
        registry_release(s->api->registry, s->versions[i].served);
}
