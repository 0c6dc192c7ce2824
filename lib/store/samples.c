/* Samples, writing: batches come in, labels come later.
 */
#include "lib/store/samples.h"

#include "lib/base/mem.h"
#include "lib/store/counters.h"
#include "lib/store/database.h"
#include "lib/store/samples_rows.h"

#include <assert.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "rows are stored as they are in memory");

/* With --max-samples lowered, so many more than came are given up at once. */
#define MORE_AT_ONCE 1024

struct adding {
    struct database *db;
    const struct samples_batch *b;
    const struct samples_limits *limits;
    struct model_tally m;
    struct label_tally *labels; /* (n_labels) of this batch, room for n */
    size_t n_labels, last;      /* the one found last */
    uint64_t seed;
    int64_t batch, first; /* numbers */
};

/* The label of that name, counted in memory until the batch is through. */
static struct label_tally *find_label(struct adding *a, const char *name,
                                      struct err *e)
{
    if (name == NULL)
        name = "";
    if (a->last < a->n_labels && strcmp(a->labels[a->last].name, name) == 0)
        return &a->labels[a->last];
    for (a->last = 0; a->last < a->n_labels; a->last++) {
        if (strcmp(a->labels[a->last].name, name) == 0)
            return &a->labels[a->last];
    }
    struct label_tally *l = &a->labels[a->n_labels];
    if (tallies_open_label(a->db, &a->m, name, a->limits->max_labels, l, e) !=
        ERR_OK)
        return NULL;
    a->n_labels++;
    return l;
}

static enum err_code insert(struct adding *a, const struct sample *s,
                            const struct label_tally *l, int64_t draw,
                            struct err *e)
{
    struct query q;

    query_begin(&q, a->db,
                "INSERT INTO samples (id, model, label, batch, created_ms,"
                " held_out, draw, checksum, x)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    query_put_int(&q, s->id);
    query_put_int(&q, a->m.id);
    query_put_int(&q, l->id);
    query_put_int(&q, s->batch);
    query_put_int(&q, s->wall_ms);
    query_put_int(&q, s->held_out);
    query_put_int(&q, draw);
    query_put_int(&q, samples_checksum(s));
    query_put_bytes(&q, s->x, s->size * sizeof *s->x);
    return query_run(&q, e);
}

/* Where there is no room, one that would go at once does not come at all. */
static enum err_code add_row(struct adding *a, size_t i, struct err *e)
{
    const struct samples_batch *b = a->b;
    struct sample s = {.id = a->first + (int64_t)i,
                       .batch = a->batch,
                       .wall_ms = b->wall_ms,
                       .label = b->labels != NULL ? b->labels[i] : NULL,
                       .size = b->size,
                       .x = b->x + i * b->size};
    struct label_tally *l = find_label(a, s.label, e);

    if (l == NULL)
        return e->code;
    int64_t draw = samples_draw_of(a->seed, s.id);
    s.held_out = tallies_arrive(l, false, true);
    bool full = a->m.stored >= a->limits->max_samples;
    tallies_keep(&a->m, l, s.held_out);
    if (!full || draw < l->threshold)
        return insert(a, &s, l, draw, e);
    tallies_give_up(&a->m, l, s.held_out, draw);
    return ERR_OK;
}

static enum err_code open_batch(struct adding *a, struct err *e)
{
    const struct samples_batch *b = a->b;
    int64_t last;

    if (tallies_open_model(a->db, b->model, &a->m, e) != ERR_OK)
        return e->code;
    if (a->m.stored > 0 && a->m.row_size != b->size)
        return err_set(e, ERR_SHAPE,
                       "samples of %zu numbers: those stored of model %.64s "
                       "have %zu; delete them first",
                       b->size, b->model, a->m.row_size);
    if (counters_take(a->db, "batch", 1, &a->batch, e) != ERR_OK ||
        counters_take(a->db, "sample", (int64_t)b->n, &last, e) != ERR_OK ||
        counters_seed(a->db, &a->seed, e) != ERR_OK)
        return e->code;
    a->first = last - (int64_t)b->n + 1;
    a->m.row_size = b->size;
    a->m.accepted += b->n;
    a->m.last_id = last;
    return ERR_OK;
}

static enum err_code add_rows(struct adding *a, struct err *e)
{
    for (size_t i = 0; i < a->b->n; i++) {
        if (add_row(a, i, e) != ERR_OK)
            return e->code;
    }
    for (size_t i = 0; i < a->n_labels; i++) {
        if (tallies_save_label(a->db, &a->m, &a->labels[i], e) != ERR_OK)
            return e->code;
    }
    if (samples_evict(a->db, &a->m, a->limits->max_samples,
                      a->b->n + MORE_AT_ONCE, e) != ERR_OK)
        return e->code;
    return tallies_save_model(a->db, &a->m, e);
}

enum err_code samples_add(struct database *db, const struct samples_batch *b,
                          const struct samples_limits *limits, int64_t *batch,
                          int64_t *ids, struct err *e)
{
    struct adding a = {.db = db, .b = b, .limits = limits};

    assert(b->n > 0 && b->size > 0 && b->size <= SAMPLES_MAX_ROW);
    if (open_batch(&a, e) != ERR_OK)
        return e->code;
    a.labels = mem_array(b->n, sizeof *a.labels);
    if (a.labels == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu labels", b->n);
    enum err_code code = add_rows(&a, e);
    mem_free(a.labels);
    if (code != ERR_OK)
        return code;
    *batch = a.batch;
    for (size_t i = 0; i < b->n; i++)
        ids[i] = a.first + (int64_t)i;
    return ERR_OK;
}
