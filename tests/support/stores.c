#include "tests/support/stores.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/store/counters.h"
#include "lib/store/schema.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define WHEN 1700000000000

const char *stores_url(const char *folder, const char *name)
{
    static char urls[4][4200];
    static size_t turn;
    char *url = urls[turn++ % 4];

    snprintf(url, sizeof urls[0], "sqlite:%s/%s", folder, name);
    return url;
}

struct database *stores_new(const char *folder, uint64_t seed)
{
    struct err e = {.code = ERR_OK};
    struct database *db =
        database_open(stores_url(folder, "store.sqlite"), DATABASE_WRITE, &e);
    int64_t last;

    ck_assert_msg(db != NULL, "%s", e.msg);
    ck_assert_msg(schema_update(db, &e) == ERR_OK, "%s", e.msg);
    ck_assert_msg(database_begin(db, &e) == ERR_OK, "%s", e.msg);
    ck_assert_int_eq(counters_take(db, "seed", (int64_t)seed, &last, &e),
                     ERR_OK);
    return db;
}

void stores_commit(struct database *db)
{
    struct err e = {.code = ERR_OK};

    ck_assert_msg(database_commit(db, &e) == ERR_OK, "%s", e.msg);
    ck_assert_msg(database_begin(db, &e) == ERR_OK, "%s", e.msg);
}

void stores_close(struct database *db)
{
    struct err e = {.code = ERR_OK};

    ck_assert_msg(database_commit(db, &e) == ERR_OK, "%s", e.msg);
    database_close(db);
}

void stores_row(float *x, size_t size, uint64_t which)
{
    struct rng r = rng_make(1, "row", which);

    for (size_t i = 0; i < size; i++)
        x[i] = rng_uniform(&r, 0, 1);
}

void stores_add(struct database *db, const char *model, const char *label,
                size_t n, size_t size, uint64_t first,
                const struct samples_limits *limits, int64_t *ids)
{
    float *x = mem_must(n * size, sizeof *x);
    const char **labels = mem_must(n, sizeof *labels);
    int64_t *room = mem_must(n, sizeof *room);
    struct err e = {.code = ERR_OK};
    int64_t batch;

    for (size_t i = 0; i < n; i++) {
        stores_row(x + i * size, size, first + i);
        labels[i] = label;
    }
    const struct samples_batch b = {.model = model,
                                    .n = n,
                                    .size = size,
                                    .x = x,
                                    .labels = labels,
                                    .wall_ms = WHEN};
    ck_assert_msg(samples_add(db, &b, limits, &batch, ids != NULL ? ids : room,
                              &e) == ERR_OK,
                  "%s", e.msg);
    mem_free(x);
    mem_free(labels);
    mem_free(room);
}

bool stores_see(void *arg, const struct sample *s)
{
    struct stores_seen *seen = arg;
    struct stores_sample *row = &seen->samples[seen->n];

    ck_assert_uint_lt(seen->n, STORES_SEEN);
    row->id = s->id;
    row->batch = s->batch;
    row->held_out = s->held_out;
    row->first = s->x[0];
    snprintf(row->label, sizeof row->label, "%s",
             s->label != NULL ? s->label : "");
    seen->n++;
    return seen->n != seen->stop_after;
}

struct stores_seen *stores_each(struct database *db, const char *model,
                                const struct samples_filter *f, int64_t after,
                                size_t limit)
{
    static struct stores_seen seen;
    struct err e = {.code = ERR_OK};

    seen.n = seen.stop_after = 0;
    ck_assert_msg(samples_each(db, model, f, after, limit, stores_see, &seen,
                               &e) == ERR_OK,
                  "%s", e.msg);
    return &seen;
}

struct samples_counts stores_count(struct database *db, const char *model)
{
    struct samples_counts c;
    struct err e = {.code = ERR_OK};

    ck_assert_msg(samples_count(db, model, &c, &e) == ERR_OK, "%s", e.msg);
    return c;
}

/* Of one label. */
static void count_rows(const struct stores_seen *seen, const char *label,
                       uint64_t *n, uint64_t *held)
{
    *n = *held = 0;
    for (size_t i = 0; i < seen->n; i++) {
        if (strcmp(seen->samples[i].label, label) == 0) {
            *n += 1;
            *held += seen->samples[i].held_out;
        }
    }
}

void stores_check_counts(struct database *db, const char *model)
{
    const struct samples_filter any = {0};
    const struct stores_seen *rows =
        stores_each(db, model, &any, 0, STORES_SEEN);
    struct samples_counts c = stores_count(db, model);
    uint64_t n, held;

    ck_assert_uint_eq(c.stored, rows->n);
    ck_assert_uint_eq(c.total, c.stored + c.evicted);
    for (size_t i = 0; i < c.n_labels; i++) {
        count_rows(rows, c.labels[i].name, &n, &held);
        ck_assert_uint_eq(c.labels[i].stored, n);
        ck_assert_uint_eq(c.labels[i].held_out, held);
    }
    count_rows(rows, "", &n, &held);
    ck_assert_uint_eq(c.unlabelled, n);
    samples_counts_fini(&c);
}

struct store *stores_open(const char *url)
{
    const struct store_settings settings = {
        .url = url, .max_waiting = 4096, .max_waiting_bytes = 256 << 20};
    struct err e = {.code = ERR_OK};
    struct store *s = store_open(&settings, &e);

    ck_assert_msg(s != NULL, "%s", e.msg);
    return s;
}
