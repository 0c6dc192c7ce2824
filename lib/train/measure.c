/* Measuring a model over a team, chunk by chunk. */
#include "lib/train/measure.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/train/packing.h"

#include <math.h>
#include <string.h>

/* Rows of a chunk, fewer where rows or their codes are big. */
#define CHUNK_ROWS ((size_t)256)
#define CHUNK_NUMBERS ((size_t)4 << 20)

struct chunk {
    size_t labelled, wrong, active, drawn;
    double loss, relative_error, total;
};

/* One thread's own storage. */
struct member {
    struct arena memory;
    float *x;        /* (chunk rows, inputs) */
    uint32_t *row;   /* (chunk rows) numbers of the rows in the data set */
    bool *wrong;     /* (chunk rows) those of the work */
    int32_t *labels; /* (chunk rows) */
    size_t *on;      /* (units) how many rows turned it on */
    struct err err;
};

struct work {
    /* What is done with B rows of a chunk. */
    enum err_code (*run)(const struct work *w, struct member *mb, size_t B,
                         struct chunk *c);
    const struct model *m;
    const struct loss_weights *weights; /* of the loss */
    const struct dataset *d;
    const uint32_t *index;
    size_t n;
    uint64_t noise; /* of the loss; 0: none */
    size_t layer;   /* the lowest whose units are counted */
    size_t units;   /* of all layers from it up */
    size_t rows;    /* of a chunk */
    size_t n_chunks, n_members;
    bool *wrong;       /* (n) rows with a label that are taken for another */
    bool draws;        /* every layer has a decoder */
    struct model view; /* m with packed weights */
    struct packing packing;
    struct chunk *chunks;
    struct member *members;
};

/* ---- one chunk ---- */

static enum err_code take_rows(const struct work *w, struct member *mb,
                               size_t start, size_t B, struct err *e)
{
    size_t classes = w->m->classifier.classes;
    for (size_t i = 0; i < B; i++) {
        uint32_t row = w->index ? w->index[start + i] : (uint32_t)(start + i);
        int32_t label = w->d->labels ? w->d->labels[row] : DATASET_NO_LABEL;
        if (w->m->classifier.present && label >= 0 && (size_t)label >= classes)
            return err_set(e, ERR_SHAPE,
                           "row %u: its label is class %d, the model has %zu "
                           "classes, from 0",
                           row, (int)label, classes);
        mb->row[i] = row;
        mb->labels[i] = label;
    }
    dataset_rows(w->d, mb->row, B, w->m->low, w->m->high, mb->x);
    return ERR_OK;
}

static enum err_code measure_classes(const struct work *w, struct member *mb,
                                     struct pass *p, struct chunk *c)
{
    size_t k = w->m->classifier.classes;
    if (model_classify(w->m, p, &mb->memory, &mb->err))
        return mb->err.code;
    for (size_t b = 0; b < p->B; b++) {
        const float *row = p->probabilities + b * k;
        size_t best = 0;
        if (mb->labels[b] < 0)
            continue;
        for (size_t i = 1; i < k; i++)
            if (row[i] > row[best])
                best = i;
        double right = (double)row[mb->labels[b]];
        c->labelled++;
        mb->wrong[b] = best != (size_t)mb->labels[b];
        c->wrong += mb->wrong[b];
        c->loss -= log(right > 1e-30 ? right : 1e-30);
    }
    return ERR_OK;
}

static enum err_code measure_drawing(const struct work *w, struct member *mb,
                                     struct pass *p, struct chunk *c)
{
    float *relative = arena_take(&mb->memory, p->B, sizeof *relative);
    if (!relative)
        return err_set(&mb->err, ERR_NO_MEMORY, "%zu rows", p->B);
    /* The rows themselves are no longer needed. */
    if (model_reconstruct(w->m, p, w->m->n_layers - 1, mb->x, relative,
                          &mb->memory, &mb->err))
        return mb->err.code;
    for (size_t b = 0; b < p->B; b++)
        if (!isnan(relative[b])) {
            c->relative_error += (double)relative[b];
            c->drawn++;
        }
    return ERR_OK;
}

KERNEL_CLONES
static void count_on(size_t *restrict on, const float *restrict z, size_t n)
{
    for (size_t i = 0; i < n; i++)
        on[i] += z[i] != 0.0f;
}

static enum err_code encode_chunk(const struct work *w, struct member *mb,
                                  size_t B, struct pass *p)
{
    struct model_options options = {0};
    if (model_encode(w->m, p, mb->x, B, &options, &mb->memory, &mb->err))
        return mb->err.code;
    size_t *on = mb->on;
    for (size_t k = w->layer; k < w->m->n_layers; k++) {
        size_t n = layer_units(&w->m->layers[k]);
        const float *z = p->layers[k].z;
        for (size_t b = 0; b < B; b++)
            count_on(on, z + b * n, n);
        on += n;
    }
    return ERR_OK;
}

static enum err_code units_chunk(const struct work *w, struct member *mb,
                                 size_t B, struct chunk *c)
{
    struct pass p;
    (void)c;
    return encode_chunk(w, mb, B, &p);
}

static enum err_code measure_chunk(const struct work *w, struct member *mb,
                                   size_t B, struct chunk *c)
{
    struct pass p;
    if (encode_chunk(w, mb, B, &p))
        return mb->err.code;
    c->active = nonzeros_count(p.layers[w->layer].z, B * w->units);
    if (w->m->classifier.present && measure_classes(w, mb, &p, c))
        return mb->err.code;
    return w->draws ? measure_drawing(w, mb, &p, c) : ERR_OK;
}

static enum err_code loss_chunk(const struct work *w, struct member *mb,
                                size_t B, struct chunk *c)
{
    struct loss_sums sums = {0};
    struct loss_rows rows = {.B = B,
                             .x = mb->x,
                             .labels = mb->labels,
                             .noise = w->noise ? w->noise + mb->row[0] : 0};
    if (loss_run(w->m, w->weights, &rows, 1, NULL, &sums, &mb->memory,
                 &mb->err))
        return mb->err.code;
    c->total = sums.total;
    return ERR_OK;
}

/* ---- all of them ---- */

static void work_member(void *arg, size_t number)
{
    struct work *w = arg;
    struct member *mb = &w->members[number];
    for (size_t i = number; i < w->n_chunks; i += w->n_members) {
        size_t start = i * w->rows;
        size_t B = w->n - start < w->rows ? w->n - start : w->rows;
        struct arena_mark mark = arena_mark(&mb->memory);
        mb->wrong = w->wrong + start;
        if (take_rows(w, mb, start, B, &mb->err) ||
            w->run(w, mb, B, &w->chunks[i]))
            return;
        arena_rewind(&mb->memory, mark);
    }
}

static enum err_code member_init(const struct work *w, struct member *mb,
                                 struct err *e)
{
    struct model_options options = {.learn = w->weights != NULL};
    size_t numbers;
    arena_init(&mb->memory, SIZE_MAX);
    if (!mem_mul(w->rows, model_inputs(w->m), &numbers))
        return err_set(e, ERR_NO_MEMORY, "rows to measure");
    mb->x = mem_array(numbers, sizeof *mb->x);
    mb->row = mem_array(w->rows, sizeof *mb->row);
    mb->labels = mem_array(w->rows, sizeof *mb->labels);
    mb->on = mem_array(w->units, sizeof *mb->on);
    /* At once, so that every chunk uses the same memory again. */
    if (!mb->x || !mb->row || !mb->labels || !mb->on ||
        !arena_reserve(&mb->memory,
                       2 * model_pass_bytes(w->m, w->rows, &options)))
        return err_set(e, ERR_NO_MEMORY, "%zu rows to measure", w->rows);
    return ERR_OK;
}

static void work_fini(struct work *w)
{
    for (size_t i = 0; w->members && i < w->n_members; i++) {
        struct member *mb = &w->members[i];
        arena_fini(&mb->memory);
        mem_free(mb->x);
        mem_free(mb->row);
        mem_free(mb->labels);
        mem_free(mb->on);
    }
    packing_fini(&w->packing);
    mem_free(w->members);
    mem_free(w->chunks);
    mem_free(w->wrong);
}

/* Depends on the model only. */
static size_t chunk_rows(const struct model *m)
{
    size_t numbers = model_inputs(m);
    for (size_t i = 0; i < m->n_layers; i++)
        numbers += layer_outputs(&m->layers[i]);
    size_t rows = CHUNK_NUMBERS / numbers;
    return rows < 1 ? 1 : rows > CHUNK_ROWS ? CHUNK_ROWS : rows;
}

static enum err_code work_run(struct work *w, struct team *team, struct err *e)
{
    size_t inputs = model_inputs(w->m);
    if (w->d->row_size != inputs)
        return err_set(e, ERR_SHAPE,
                       "rows have %zu numbers, the model takes %zu",
                       w->d->row_size, inputs);
    w->rows = chunk_rows(w->m);
    w->n_chunks = (w->n + w->rows - 1) / w->rows;
    w->n_members = team_size(team);
    for (size_t k = w->layer; k < w->m->n_layers; k++)
        w->units += layer_units(&w->m->layers[k]);
    w->draws = model_draws(w->m, w->m->n_layers - 1);
    w->chunks = mem_array(w->n_chunks, sizeof *w->chunks);
    w->members = mem_array(w->n_members, sizeof *w->members);
    w->wrong = mem_array(w->n, sizeof *w->wrong);
    if (!w->chunks || !w->members || !w->wrong)
        return err_set(e, ERR_NO_MEMORY, "measures of %zu rows", w->n);
    if (packing_view(&w->packing, &w->view, w->m, e))
        return e->code;
    w->m = &w->view;
    for (size_t i = 0; i < w->n_members; i++)
        if (member_init(w, &w->members[i], e))
            return e->code;
    team_run(team, work_member, w);
    for (size_t i = 0; i < w->n_members; i++)
        if (w->members[i].err.code) {
            *e = w->members[i].err;
            return e->code;
        }
    return ERR_OK;
}

static size_t rows_on(const struct work *w, size_t unit)
{
    size_t rows = 0;
    for (size_t k = 0; k < w->n_members; k++)
        rows += w->members[k].on[unit];
    return rows;
}

static void add_up(const struct work *w, struct measures *out)
{
    double loss = 0, relative_error = 0;
    size_t active = 0, drawn = 0;
    *out = (struct measures){.rows = w->n, .units = w->units};
    for (size_t i = 0; i < w->n_chunks; i++) {
        const struct chunk *c = &w->chunks[i];
        out->labelled += c->labelled;
        out->wrong += c->wrong;
        active += c->active;
        drawn += c->drawn;
        loss += c->loss;
        relative_error += c->relative_error;
    }
    for (size_t i = 0; i < w->units; i++)
        out->dead += rows_on(w, i) == 0;
    double labelled = (double)out->labelled;
    out->error = labelled > 0 ? (double)out->wrong / labelled : (double)NAN;
    out->loss = labelled > 0 ? loss / labelled : (double)NAN;
    out->relative_error =
        drawn > 0 ? relative_error / (double)drawn : (double)NAN;
    out->active = w->n > 0 ? (double)active / (double)w->n : 0;
}

static void count_labels(const struct work *w, struct label_measures *labels)
{
    for (size_t i = 0; i < w->n; i++) {
        size_t row = w->index ? w->index[i] : i;
        int32_t label = w->d->labels ? w->d->labels[row] : DATASET_NO_LABEL;
        if (label >= 0) {
            labels[label].rows++;
            labels[label].wrong += w->wrong[i];
        }
    }
}

static double mean_error(const struct label_measures *labels, size_t n)
{
    double sum = 0, seen = 0;
    for (size_t i = 0; i < n; i++)
        if (labels[i].rows > 0) {
            sum += (double)labels[i].wrong / (double)labels[i].rows;
            seen++;
        }
    return seen > 0 ? sum / seen : (double)NAN;
}

enum err_code measure_labels(const struct model *m, const struct dataset *d,
                             const uint32_t *index, size_t n, struct team *team,
                             struct measures *out,
                             struct label_measures *labels, struct err *e)
{
    struct work w = {.run = measure_chunk,
                     .m = m,
                     .d = d,
                     .index = index,
                     .n = n,
                     .layer = m->n_layers - 1};
    enum err_code code = work_run(&w, team, e);
    if (!code) {
        size_t classes = m->classifier.present ? m->classifier.classes : 0;
        add_up(&w, out);
        memset(labels, 0, classes * sizeof *labels);
        if (classes > 0)
            count_labels(&w, labels);
        out->label_error = mean_error(labels, classes);
    }
    work_fini(&w);
    return code;
}

enum err_code measure_model(const struct model *m, const struct dataset *d,
                            const uint32_t *index, size_t n, struct team *team,
                            struct measures *out, struct err *e)
{
    size_t classes = m->classifier.present ? m->classifier.classes : 0;
    struct label_measures *labels = mem_array(classes, sizeof *labels);
    enum err_code code = ERR_OK;
    if (labels)
        code = measure_labels(m, d, index, n, team, out, labels, e);
    else
        code = err_set(e, ERR_NO_MEMORY, "measures of %zu classes", classes);
    mem_free(labels);
    return code;
}

enum err_code measure_loss(const struct model *m, const struct loss_weights *w,
                           const struct dataset *d, const uint32_t *index,
                           size_t n, uint64_t noise, struct team *team,
                           double *mean, struct err *e)
{
    struct work work = {.run = loss_chunk,
                        .m = m,
                        .weights = w,
                        .d = d,
                        .index = index,
                        .noise = noise,
                        .n = n};
    enum err_code code = work_run(&work, team, e);
    double total = 0;
    for (size_t i = 0; !code && i < work.n_chunks; i++)
        total += work.chunks[i].total;
    if (!code)
        *mean = n > 0 ? total / (double)n : (double)NAN;
    work_fini(&work);
    return code;
}

enum err_code measure_units(const struct model *m, const struct dataset *d,
                            const uint32_t *index, size_t n, struct team *team,
                            size_t *on, struct err *e)
{
    struct work w = {
        .run = units_chunk, .m = m, .d = d, .index = index, .n = n};
    enum err_code code = work_run(&w, team, e);
    for (size_t i = 0; !code && i < w.units; i++)
        on[i] = rows_on(&w, i);
    work_fini(&w);
    return code;
}

static struct json *number_or_null(double value)
{
    return isfinite(value) ? json_new_number(value) : json_new_null();
}

struct json *measures_json(const struct measures *m)
{
    struct json *j = json_new_object();
    double units = (double)m->units;
    json_set(j, "rows", json_new_number((double)m->rows));
    json_set(j, "error", number_or_null(m->error));
    json_set(j, "loss", number_or_null(m->loss));
    json_set(j, "relative_error", number_or_null(m->relative_error));
    json_set(j, "active_units", json_new_number(m->active));
    json_set(j, "active_share", json_new_number(m->active / units));
    json_set(j, "dead_units", json_new_number((double)m->dead));
    return j;
}
