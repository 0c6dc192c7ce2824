/* Samples, labels that come later: a sample moves from one label's tally to
 * another's.
 */
#include "lib/store/database.h"
#include "lib/store/samples_rows.h"

#include <string.h>

static enum err_code read_row(struct database *db, const struct model_tally *m,
                              int64_t id, struct samples_row *r, bool *found,
                              struct err *e)
{
    struct query q;

    query_begin(&q, db, SAMPLES_COLUMNS " WHERE id = $1 AND model + 0 = $2");
    query_put_int(&q, id);
    query_put_int(&q, m->id);
    *found = query_next(&q) && samples_take(r, &q);
    return query_end(&q, e);
}

static enum err_code write_row(struct database *db, const struct sample *s,
                               int64_t label, struct err *e)
{
    struct query q;

    query_begin(&q, db,
                "UPDATE samples SET label = $1, held_out = $2, checksum = $3"
                " WHERE id = $4");
    query_put_int(&q, label);
    query_put_int(&q, s->held_out);
    query_put_int(&q, samples_checksum(s));
    query_put_int(&q, s->id);
    return query_run(&q, e);
}

/* One that had no label may be held out from now on: no training has seen what
 * it is. One that had another keeps its place. */
static enum err_code move(struct database *db, struct model_tally *m,
                          struct samples_row *r, const char *to,
                          size_t max_labels, struct err *e)
{
    struct label_tally from, into;
    bool held = r->s.held_out;

    if (tallies_find_label(db, m, r->label, &from, e) != ERR_OK)
        return e->code;
    /* A label with this one sample makes room for another. */
    size_t spare = from.name[0] != 0 && from.total == 1;
    if (tallies_open_label(db, m, to, max_labels + spare, &into, e) != ERR_OK)
        return e->code;
    tallies_lose(m, &from, 1, held);
    held = tallies_arrive(&into, held, from.name[0] == 0);
    tallies_keep(m, &into, held);
    struct sample s = r->s;
    s.label = to;
    s.held_out = held;
    if (tallies_save_label(db, m, &into, e) != ERR_OK ||
        write_row(db, &s, into.id, e) != ERR_OK ||
        tallies_save_label(db, m, &from, e) != ERR_OK)
        return e->code;
    return tallies_save_model(db, m, e);
}

enum err_code samples_set_label(struct database *db, const char *model,
                                int64_t id, const char *label,
                                const struct samples_limits *limits,
                                struct err *e)
{
    const char *to = label != NULL ? label : "";
    struct samples_row row;
    struct model_tally m;
    bool found;

    if (tallies_find_model(db, model, &m, e) != ERR_OK ||
        samples_row_init(&row, &m, e) != ERR_OK)
        return e->code;
    enum err_code code = read_row(db, &m, id, &row, &found, e);
    if (code == ERR_OK && !found)
        code = err_set(e, ERR_NOT_FOUND,
                       "model %.64s has no sample %lld: it was never there, "
                       "was deleted, or was given up for want of room",
                       model, (long long)id);
    if (code == ERR_OK && strcmp(row.label, to) != 0)
        code = move(db, &m, &row, to, limits->max_labels, e);
    samples_row_fini(&row);
    return code;
}
