/* Counting, so that the rows fit; then drawing them into blocks of that size,
 * all within one reading, so that both see the same samples. */
#include "lib/engine/job_rows.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Rows between two questions whether to go on. */
#define ASK_EVERY 256

struct reading {
    struct job_rows *rows;
    const struct job_rows_want *want;
    size_t room;
    struct err *e;
    enum err_code code;
};

static size_t at_most(uint64_t n, size_t most)
{
    return n < most ? (size_t)n : most;
}

/* Rows that are drawn with this number a label. How many of the unlabelled are
 * held out is not counted: as many as can be. */
static size_t rows_with(const struct samples_counts *c, size_t per_label)
{
    size_t rows = at_most(c->unlabelled, 2 * per_label);

    for (size_t i = 0; i < c->n_labels; i++) {
        const struct samples_label *label = &c->labels[i];
        uint64_t others = label->stored - label->held_out;
        rows +=
            at_most(label->held_out, per_label) + at_most(others, per_label);
    }
    return rows;
}

/* The largest number with which at most `room` rows are drawn; 0: none. */
static size_t fit_per_label(const struct samples_counts *c, size_t room)
{
    size_t low = 0;
    size_t high = room;

    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (rows_with(c, middle) <= room)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err_code prepare(struct reading *g, size_t rows)
{
    struct job_rows *r = g->rows;
    struct dataset *d = &r->data;
    const struct model *m = g->want->model;
    size_t numbers;

    d->row_size = model_inputs(m);
    d->rank = m->input_rank;
    memcpy(d->shape, m->input_shape, sizeof d->shape);
    d->n_classes = r->counts.n_labels;
    d->hash = FILE_HASH_START;
    if (mem_mul(rows, d->row_size, &numbers))
        d->floats = mem_array(numbers, sizeof *d->floats);
    d->labels = mem_array(rows, sizeof *d->labels);
    r->held_out = mem_array(rows, sizeof *r->held_out);
    r->names = mem_array(d->n_classes, sizeof *r->names);
    if (d->floats == NULL || d->labels == NULL || r->held_out == NULL ||
        r->names == NULL)
        return err_set(g->e, ERR_NO_MEMORY, "no memory for %zu samples", rows);
    for (size_t i = 0; i < d->n_classes; i++)
        r->names[i] = r->counts.labels[i].name;
    qsort(r->names, d->n_classes, sizeof *r->names, compare_names);
    g->room = rows;
    return ERR_OK;
}

static enum err_code check_sample(const struct reading *g,
                                  const struct sample *s)
{
    size_t size = g->rows->data.row_size;

    if (g->rows->data.n == g->room)
        return err_set(g->e, ERR_CORRUPT,
                       "the store has more samples than it counts");
    if (s->size != size)
        return err_set(g->e, ERR_SHAPE,
                       "samples have %zu numbers, the model takes %zu", s->size,
                       size);
    return ERR_OK;
}

static enum err_code find_label(const struct reading *g, const char *name,
                                int32_t *label)
{
    const struct job_rows *r = g->rows;

    *label = DATASET_NO_LABEL;
    if (name == NULL)
        return ERR_OK;
    const char **found = bsearch(&name, r->names, r->data.n_classes,
                                 sizeof *r->names, compare_names);
    if (found == NULL)
        return err_set(g->e, ERR_CORRUPT,
                       "the store does not count its label %.200s", name);
    *label = (int32_t)(found - r->names);
    return ERR_OK;
}

static bool take_sample(void *arg, const struct sample *s)
{
    struct reading *g = arg;
    struct job_rows *r = g->rows;
    struct dataset *d = &r->data;
    int32_t label;

    g->code = check_sample(g, s);
    if (g->code == ERR_OK)
        g->code = find_label(g, s->label, &label);
    if (g->code == ERR_OK && d->n % ASK_EVERY == 0 &&
        !g->want->go_on(g->want->arg))
        g->code = err_set(g->e, ERR_CONFLICT, "stopped");
    if (g->code != ERR_OK)
        return false;
    memcpy(d->floats + d->n * d->row_size, s->x, d->row_size * sizeof *s->x);
    d->labels[d->n] = label;
    r->held_out[d->n] = s->held_out;
    d->hash = file_hash(d->hash, &s->id, sizeof s->id);
    d->hash = file_hash(d->hash, &label, sizeof label);
    d->n++;
    return true;
}

static enum err_code read_rows(struct reading *g, struct database *db)
{
    struct samples_counts *counts = &g->rows->counts;
    const struct job_rows_want *want = g->want;
    size_t bytes = model_inputs(want->model) * sizeof(float);
    size_t room = at_most(want->max_bytes / bytes, want->max_rows);

    if (samples_count(db, want->name, counts, g->e) != ERR_OK)
        return g->e->code;
    size_t per_label = fit_per_label(counts, room);
    size_t rows = rows_with(counts, per_label);
    if (per_label == 0 && counts->stored > 0)
        return err_set(g->e, ERR_TOO_LARGE,
                       "%zu labels: not even one sample of each fits in %zu "
                       "rows; delete some",
                       counts->n_labels, room);
    if (prepare(g, rows) != ERR_OK)
        return g->e->code;
    if (rows > 0 && samples_draw(db, want->name, want->last_id, per_label,
                                 take_sample, g, g->e) != ERR_OK)
        return g->e->code;
    return g->code;
}

enum err_code job_rows_read(struct job_rows *r, struct store *store,
                            const struct job_rows_want *want, struct err *e)
{
    struct reading g = {.rows = r, .want = want, .e = e, .code = ERR_OK};

    *r = (struct job_rows){0};
    struct database *db = store_begin_read(store, e);
    if (db == NULL)
        return e->code;
    enum err_code code = read_rows(&g, db);
    store_end_read(store, db);
    if (code != ERR_OK)
        job_rows_fini(r);
    return code;
}

void job_rows_fini(struct job_rows *r)
{
    mem_free(r->data.floats);
    mem_free(r->data.labels);
    mem_free(r->held_out);
    mem_free(r->names);
    samples_counts_fini(&r->counts);
    *r = (struct job_rows){0};
}
