/* Samples, reading: filters, rows that are checked as they come, draws.
 */
#include "lib/base/mem.h"
#include "lib/store/database.h"
#include "lib/store/samples_rows.h"

#include <string.h>

/* ---- filters ---- */

enum err_code samples_resolve(struct database *db, const struct model_tally *m,
                              const struct samples_filter *f,
                              struct samples_wanted *w, struct err *e)
{
    struct label_tally l;
    bool labelled = f->label != NULL || f->unlabelled;

    *w = (struct samples_wanted){.by = f->batch != 0 ? SAMPLES_BY_BATCH
                                       : labelled    ? SAMPLES_BY_LABEL
                                                     : SAMPLES_BY_MODEL,
                                 .name = f->label != NULL ? f->label : "",
                                 .model = m->id,
                                 .batch = f->batch,
                                 .none = m->id == 0 ||
                                         (f->label != NULL && f->unlabelled)};
    if (w->none || !labelled)
        return ERR_OK;
    if (tallies_find_label(db, m, w->name, &l, e) != ERR_OK)
        return e->code;
    w->label = l.id;
    w->none = l.id == 0;
    return ERR_OK;
}

void samples_put_wanted(struct query *q, const struct samples_wanted *w)
{
    switch (w->by) {
    case SAMPLES_BY_MODEL:
    case SAMPLES_BYS:
        query_put_int(q, w->model);
        break;
    case SAMPLES_BY_LABEL:
        query_put_int(q, w->label);
        break;
    case SAMPLES_BY_BATCH:
        query_put_int(q, w->batch);
        query_put_int(q, w->model);
        query_put_int(q, w->label);
        break;
    }
}

/* ---- rows ---- */

enum err_code samples_row_init(struct samples_row *r,
                               const struct model_tally *m, struct err *e)
{
    *r = (struct samples_row){.size = m->row_size};
    if (m->row_size > SAMPLES_MAX_ROW)
        return err_set(e, ERR_CORRUPT,
                       "the store is damaged: rows of %zu numbers",
                       m->row_size);
    r->x = mem_array(m->row_size, sizeof *r->x);
    return r->x != NULL ? ERR_OK
                        : err_set(e, ERR_NO_MEMORY, "no memory for a sample");
}

void samples_row_fini(struct samples_row *r)
{
    mem_free(r->x);
    r->x = NULL;
}

bool samples_take(struct samples_row *r, struct query *q)
{
    size_t bytes = 0;

    r->s = (struct sample){.id = query_int(q, 0),
                           .batch = query_int(q, 1),
                           .wall_ms = query_int(q, 2),
                           .held_out = query_int(q, 3) != 0,
                           .size = r->size,
                           .x = r->x};
    int64_t checksum = query_int(q, 4);
    const void *x = query_bytes(q, 5, &bytes);
    query_copy_text(q, 6, r->label, sizeof r->label);
    if (query_failed(q))
        return false;
    if (bytes != r->size * sizeof *r->x) {
        query_refuse(q, "a sample has not the size of the others");
        return false;
    }
    memcpy(r->x, x, bytes);
    r->s.label = r->label[0] != 0 ? r->label : NULL;
    if (samples_checksum(&r->s) != checksum)
        query_refuse(q, "a sample is not what was stored");
    return !query_failed(q);
}

/* ---- visits ---- */

struct visitor {
    bool (*visit)(void *arg, const struct sample *s);
    void *arg;
    bool stopped;
};

static enum err_code visit_rows(struct query *q, struct samples_row *row,
                                struct visitor *v, struct err *e)
{
    while (!v->stopped && query_next(q) && samples_take(row, q))
        v->stopped = !v->visit(v->arg, &row->s);
    return query_end(q, e);
}

enum err_code samples_each(struct database *db, const char *model,
                           const struct samples_filter *f, int64_t after,
                           size_t limit,
                           bool (*visit)(void *arg, const struct sample *s),
                           void *arg, struct err *e)
{
    static const char *const sql[SAMPLES_BYS] = {
        SAMPLES_COLUMNS SAMPLES_WHERE_MODEL " AND id > $2 ORDER BY id LIMIT $3",
        SAMPLES_COLUMNS SAMPLES_WHERE_LABEL " AND id > $2 ORDER BY id LIMIT $3",
        SAMPLES_COLUMNS SAMPLES_WHERE_BATCH " AND id > $4 ORDER BY id LIMIT $5",
    };
    struct visitor v = {.visit = visit, .arg = arg};
    struct samples_wanted w;
    struct samples_row row;
    struct model_tally m;
    struct query q;

    if (tallies_find_model(db, model, &m, e) != ERR_OK ||
        samples_resolve(db, &m, f, &w, e) != ERR_OK)
        return e->code;
    if (w.none)
        return ERR_OK;
    if (samples_row_init(&row, &m, e) != ERR_OK)
        return e->code;
    query_begin(&q, db, sql[w.by]);
    samples_put_wanted(&q, &w);
    query_put_int(&q, after);
    query_put_int(&q, limit < INT64_MAX ? (int64_t)limit : INT64_MAX);
    enum err_code code = visit_rows(&q, &row, &v, e);
    samples_row_fini(&row);
    return code;
}

/* ---- draws ---- */

/* Of one label, either the held-out ones or the others. */
static enum err_code draw_label(struct database *db, int64_t label,
                                bool held_out, int64_t last_id,
                                size_t per_label, struct samples_row *row,
                                struct visitor *v, struct err *e)
{
    struct query q;

    query_begin(&q, db,
                SAMPLES_COLUMNS " WHERE label = $1 AND held_out = $2"
                                " AND id + 0 <= $3 ORDER BY draw LIMIT $4");
    query_put_int(&q, label);
    query_put_int(&q, held_out);
    query_put_int(&q, last_id);
    query_put_int(&q, per_label < INT64_MAX ? (int64_t)per_label : INT64_MAX);
    return visit_rows(&q, row, v, e);
}

static enum err_code draw_labels(struct database *db,
                                 const struct model_tally *m, int64_t last_id,
                                 size_t per_label, struct samples_row *row,
                                 struct visitor *v, struct err *e)
{
    struct query q;
    struct err inner = {.code = ERR_OK};

    query_begin(&q, db, "SELECT id FROM labels WHERE model = $1 ORDER BY name");
    query_put_int(&q, m->id);
    while (inner.code == ERR_OK && !v->stopped && query_next(&q)) {
        int64_t label = query_int(&q, 0);
        if (draw_label(db, label, false, last_id, per_label, row, v, &inner) ==
            ERR_OK)
            (void)!draw_label(db, label, true, last_id, per_label, row, v,
                              &inner);
    }
    if (query_end(&q, e) != ERR_OK)
        return e->code;
    if (inner.code != ERR_OK)
        *e = inner;
    return inner.code;
}

enum err_code samples_draw(struct database *db, const char *model,
                           int64_t last_id, size_t per_label,
                           bool (*visit)(void *arg, const struct sample *s),
                           void *arg, struct err *e)
{
    struct visitor v = {.visit = visit, .arg = arg};
    struct samples_row row;
    struct model_tally m;

    if (tallies_find_model(db, model, &m, e) != ERR_OK)
        return e->code;
    if (m.id == 0)
        return ERR_OK;
    if (samples_row_init(&row, &m, e) != ERR_OK)
        return e->code;
    enum err_code code = draw_labels(db, &m, last_id, per_label, &row, &v, e);
    samples_row_fini(&row);
    return code;
}

/* ---- counts ---- */

/* Room for one more label; they come one by one. */
static bool grow(struct samples_counts *c, size_t *room)
{
    if (c->n_labels < *room)
        return true;
    size_t larger = *room == 0 ? 16 : *room * 2;
    struct samples_label *labels = mem_array(larger, sizeof *labels);
    if (labels == NULL)
        return false;
    if (c->n_labels > 0)
        memcpy(labels, c->labels, c->n_labels * sizeof *labels);
    mem_free(c->labels);
    c->labels = labels;
    *room = larger;
    return true;
}

static enum err_code count_labels(struct database *db,
                                  const struct model_tally *m,
                                  struct samples_counts *c, struct err *e)
{
    struct query q;
    size_t room = 0;

    query_begin(&q, db,
                "SELECT name, total, stored, held_out FROM labels"
                " WHERE model = $1 ORDER BY name");
    query_put_int(&q, m->id);
    while (query_next(&q)) {
        struct samples_label l = {.stored = query_count(&q, 2),
                                  .held_out = query_count(&q, 3)};
        query_copy_text(&q, 0, l.name, sizeof l.name);
        uint64_t total = query_count(&q, 1);
        if (total < l.stored)
            query_refuse(&q, "more samples of a label than ever came");
        c->total += total;
        c->stored += l.stored;
        if (l.name[0] == 0) {
            c->unlabelled = l.stored;
            continue;
        }
        if (!grow(c, &room)) {
            (void)!query_end(&q, e);
            return err_set(e, ERR_NO_MEMORY, "no memory for the labels");
        }
        c->labels[c->n_labels++] = l;
    }
    c->evicted = c->total - c->stored;
    return query_end(&q, e);
}

enum err_code samples_count(struct database *db, const char *model,
                            struct samples_counts *c, struct err *e)
{
    struct model_tally m;

    *c = (struct samples_counts){0};
    if (tallies_find_model(db, model, &m, e) != ERR_OK)
        return e->code;
    if (m.id == 0)
        return ERR_OK;
    c->accepted = m.accepted;
    c->last_id = m.last_id;
    if (count_labels(db, &m, c, e) != ERR_OK)
        samples_counts_fini(c);
    else
        return ERR_OK;
    return e->code;
}

void samples_counts_fini(struct samples_counts *c)
{
    mem_free(c->labels);
    *c = (struct samples_counts){0};
}

enum err_code samples_models(struct database *db,
                             bool (*visit)(void *arg, const char *model),
                             void *arg, struct err *e)
{
    struct query q;
    bool more = true;

    query_begin(&q, db,
                "SELECT name FROM models WHERE stored > 0 ORDER BY name");
    while (more && query_next(&q)) {
        const char *name = query_text(&q, 0);
        more = name != NULL && visit(arg, name);
    }
    return query_end(&q, e);
}

enum err_code samples_totals(struct database *db,
                             bool (*visit)(void *arg, const char *model,
                                           uint64_t stored, uint64_t accepted),
                             void *arg, struct err *e)
{
    struct query q;
    bool more = true;

    query_begin(&q, db,
                "SELECT name, stored, accepted FROM models ORDER BY name");
    while (more && query_next(&q)) {
        const char *name = query_text(&q, 0);
        uint64_t stored = query_count(&q, 1);
        uint64_t accepted = query_count(&q, 2);
        more = name != NULL && visit(arg, name, stored, accepted);
    }
    return query_end(&q, e);
}
