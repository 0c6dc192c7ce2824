/* Tallies: see the header. Rows are read, changed in memory and written back
 * within one transaction.
 */
#include "lib/store/tallies.h"

#include "lib/base/utf8.h"
#include "lib/store/counters.h"
#include "lib/store/database.h"
#include "lib/store/samples.h"

#include <string.h>

/* A count that a damaged file has made too small stays a count. */
static void lower(uint64_t *count, uint64_t by)
{
    *count -= *count < by ? *count : by;
}

enum err_code tallies_find_model(struct database *db, const char *model,
                                 struct model_tally *m, struct err *e)
{
    struct query q;

    *m = (struct model_tally){0};
    query_begin(&q, db,
                "SELECT id, row_size, stored, labels, accepted, last_id"
                " FROM models WHERE name = $1");
    query_put_text(&q, model);
    if (query_next(&q)) {
        m->id = query_int(&q, 0);
        m->row_size = query_count(&q, 1);
        m->stored = query_count(&q, 2);
        m->labels = query_count(&q, 3);
        m->accepted = query_count(&q, 4);
        m->last_id = query_int(&q, 5);
    }
    return query_end(&q, e);
}

enum err_code tallies_open_model(struct database *db, const char *model,
                                 struct model_tally *m, struct err *e)
{
    struct query q;

    if (tallies_find_model(db, model, m, e) != ERR_OK)
        return e->code;
    if (m->id != 0)
        return ERR_OK;
    if (counters_take(db, "model", 1, &m->id, e) != ERR_OK)
        return e->code;
    query_begin(&q, db,
                "INSERT INTO models"
                " (id, name, row_size, stored, labels, accepted, last_id)"
                " VALUES ($1, $2, 0, 0, 0, 0, 0)");
    query_put_int(&q, m->id);
    query_put_text(&q, model);
    return query_run(&q, e);
}

enum err_code tallies_save_model(struct database *db,
                                 const struct model_tally *m, struct err *e)
{
    struct query q;

    query_begin(&q, db,
                "UPDATE models SET row_size = $1, stored = $2, labels = $3,"
                " accepted = $4, last_id = $5 WHERE id = $6");
    query_put_int(&q, (int64_t)m->row_size);
    query_put_int(&q, (int64_t)m->stored);
    query_put_int(&q, (int64_t)m->labels);
    query_put_int(&q, (int64_t)m->accepted);
    query_put_int(&q, m->last_id);
    query_put_int(&q, m->id);
    return query_run(&q, e);
}

enum err_code tallies_find_label(struct database *db,
                                 const struct model_tally *m, const char *name,
                                 struct label_tally *l, struct err *e)
{
    struct query q;

    *l = (struct label_tally){.name = name, .threshold = INT64_MAX};
    query_begin(&q, db,
                "SELECT id, total, stored, held_out, arrivals, held_arrivals,"
                " threshold FROM labels WHERE model = $1 AND name = $2");
    query_put_int(&q, m->id);
    query_put_text(&q, name);
    if (query_next(&q)) {
        l->id = query_int(&q, 0);
        l->total = query_count(&q, 1);
        l->stored = query_count(&q, 2);
        l->held_out = query_count(&q, 3);
        l->arrivals = query_count(&q, 4);
        l->held_arrivals = query_count(&q, 5);
        l->threshold = query_int(&q, 6);
    }
    return query_end(&q, e);
}

static enum err_code check_name(const char *name, struct err *e)
{
    size_t length = strlen(name);
    size_t step = 1;

    if (length > SAMPLES_MAX_LABEL_BYTES)
        return err_set(e, ERR_SHAPE, "label '%.40s...': %zu bytes, at most %d",
                       name, length, SAMPLES_MAX_LABEL_BYTES);
    for (size_t i = 0; i < length && step > 0; i += step)
        step = utf8_step(name + i, length - i);
    return step > 0 ? ERR_OK
                    : err_set(e, ERR_SHAPE, "a label is no valid UTF-8");
}

enum err_code tallies_open_label(struct database *db, struct model_tally *m,
                                 const char *name, size_t max_labels,
                                 struct label_tally *l, struct err *e)
{
    struct query q;

    if (check_name(name, e) != ERR_OK ||
        tallies_find_label(db, m, name, l, e) != ERR_OK)
        return e->code;
    if (l->id != 0)
        return ERR_OK;
    if (name[0] != 0 && m->labels >= max_labels)
        return err_set(e, ERR_TOO_LARGE,
                       "label '%.60s' would be one more than the %zu that a "
                       "model may have (--max-labels); it has %llu",
                       name, max_labels, (unsigned long long)m->labels);
    if (counters_take(db, "label", 1, &l->id, e) != ERR_OK)
        return e->code;
    m->labels += name[0] != 0;
    query_begin(&q, db,
                "INSERT INTO labels (id, model, name, total, stored, held_out,"
                " arrivals, held_arrivals, threshold)"
                " VALUES ($1, $2, $3, 0, 0, 0, 0, 0, $4)");
    query_put_int(&q, l->id);
    query_put_int(&q, m->id);
    query_put_text(&q, name);
    query_put_int(&q, l->threshold);
    return query_run(&q, e);
}

static enum err_code remove_label(struct database *db, struct model_tally *m,
                                  const struct label_tally *l, struct err *e)
{
    struct query q;

    lower(&m->labels, l->name[0] != 0);
    query_begin(&q, db, "DELETE FROM labels WHERE id = $1");
    query_put_int(&q, l->id);
    return query_run(&q, e);
}

enum err_code tallies_save_label(struct database *db, struct model_tally *m,
                                 const struct label_tally *l, struct err *e)
{
    struct query q;

    if (l->total == 0)
        return remove_label(db, m, l, e);
    query_begin(&q, db,
                "UPDATE labels SET total = $1, stored = $2, held_out = $3,"
                " arrivals = $4, held_arrivals = $5, threshold = $6"
                " WHERE id = $7");
    query_put_int(&q, (int64_t)l->total);
    query_put_int(&q, (int64_t)l->stored);
    query_put_int(&q, (int64_t)l->held_out);
    query_put_int(&q, (int64_t)l->arrivals);
    query_put_int(&q, (int64_t)l->held_arrivals);
    query_put_int(&q, l->threshold);
    query_put_int(&q, l->id);
    return query_run(&q, e);
}

bool tallies_arrive(struct label_tally *l, bool held, bool may_hold)
{
    l->arrivals++;
    if (may_hold && l->held_arrivals < l->arrivals / SAMPLES_HELD_OUT_EVERY)
        held = true;
    l->held_arrivals += held;
    return held;
}

void tallies_keep(struct model_tally *m, struct label_tally *l, bool held)
{
    m->stored++;
    l->total++;
    l->stored++;
    l->held_out += held;
}

void tallies_lose(struct model_tally *m, struct label_tally *l, uint64_t n,
                  uint64_t held)
{
    lower(&m->stored, n);
    lower(&l->total, n);
    lower(&l->stored, n);
    lower(&l->held_out, held);
}

void tallies_give_up(struct model_tally *m, struct label_tally *l, bool held,
                     int64_t draw)
{
    tallies_lose(m, l, 1, held);
    l->total++;
    if (draw < l->threshold)
        l->threshold = draw;
}
