/* Samples, deleting: rows first, then the tallies, for a label's row must stand
 * while a sample has it. With a whole label, or everything, what was given up
 * is forgotten too.
 */
#include "lib/base/mem.h"
#include "lib/store/database.h"
#include "lib/store/samples_rows.h"

/* How much of a batch has which label. */
struct share {
    char name[SAMPLES_MAX_LABEL_BYTES + 1];
    uint64_t n, held;
};

struct shares {
    struct share *items; /* (room) */
    size_t n, room;
};

static enum err_code delete_rows(struct database *db,
                                 const struct samples_wanted *w, struct err *e)
{
    static const char *const sql[SAMPLES_BYS] = {
        "DELETE FROM samples" SAMPLES_WHERE_MODEL,
        "DELETE FROM samples" SAMPLES_WHERE_LABEL,
        "DELETE FROM samples" SAMPLES_WHERE_BATCH,
    };
    struct query q;

    query_begin(&q, db, sql[w->by]);
    samples_put_wanted(&q, w);
    return query_run(&q, e);
}

static enum err_code delete_all(struct database *db, struct model_tally *m,
                                const struct samples_wanted *w,
                                uint64_t *deleted, struct err *e)
{
    struct query q;

    if (delete_rows(db, w, e) != ERR_OK)
        return e->code;
    *deleted = m->stored;
    m->stored = 0;
    m->labels = 0;
    query_begin(&q, db, "DELETE FROM labels WHERE model = $1");
    query_put_int(&q, m->id);
    return query_run(&q, e);
}

static enum err_code delete_label(struct database *db, struct model_tally *m,
                                  const struct samples_wanted *w,
                                  uint64_t *deleted, struct err *e)
{
    struct label_tally l;

    if (tallies_find_label(db, m, w->name, &l, e) != ERR_OK ||
        delete_rows(db, w, e) != ERR_OK)
        return e->code;
    *deleted = l.stored;
    tallies_lose(m, &l, l.stored, l.held_out);
    l.total = 0;
    return tallies_save_label(db, m, &l, e);
}

static enum err_code count_shares(struct database *db,
                                  const struct samples_wanted *w,
                                  struct shares *shares, struct err *e)
{
    struct query q;

    query_begin(
        &q, db,
        "SELECT (SELECT name FROM labels WHERE labels.id = samples.label),"
        " count(*), CAST(sum(held_out) AS BIGINT)"
        " FROM samples" SAMPLES_WHERE_BATCH " GROUP BY label");
    samples_put_wanted(&q, w);
    while (query_next(&q)) {
        if (shares->n == shares->room) {
            query_refuse(&q, "more labels than were counted");
            break;
        }
        struct share *s = &shares->items[shares->n++];
        query_copy_text(&q, 0, s->name, sizeof s->name);
        s->n = query_count(&q, 1);
        s->held = query_count(&q, 2);
    }
    return query_end(&q, e);
}

static enum err_code take_shares(struct database *db, struct model_tally *m,
                                 const struct shares *shares, uint64_t *deleted,
                                 struct err *e)
{
    struct label_tally l;

    for (size_t i = 0; i < shares->n; i++) {
        const struct share *s = &shares->items[i];
        if (tallies_find_label(db, m, s->name, &l, e) != ERR_OK)
            return e->code;
        tallies_lose(m, &l, s->n, s->held);
        if (tallies_save_label(db, m, &l, e) != ERR_OK)
            return e->code;
        *deleted += s->n;
    }
    return ERR_OK;
}

static enum err_code delete_batch(struct database *db, struct model_tally *m,
                                  const struct samples_wanted *w,
                                  uint64_t *deleted, struct err *e)
{
    struct shares shares = {.room = m->labels + 1}; /* and those without */

    shares.items = mem_array(shares.room, sizeof *shares.items);
    if (shares.items == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu labels",
                       shares.room);
    enum err_code code = count_shares(db, w, &shares, e);
    if (code == ERR_OK)
        code = delete_rows(db, w, e);
    if (code == ERR_OK)
        code = take_shares(db, m, &shares, deleted, e);
    mem_free(shares.items);
    return code;
}

enum err_code samples_delete(struct database *db, const char *model,
                             const struct samples_filter *f, uint64_t *deleted,
                             struct err *e)
{
    static enum err_code (*const ways[SAMPLES_BYS])(
        struct database *, struct model_tally *, const struct samples_wanted *,
        uint64_t *, struct err *) = {delete_all, delete_label, delete_batch};
    struct samples_wanted w;
    struct model_tally m;

    *deleted = 0;
    if (tallies_find_model(db, model, &m, e) != ERR_OK ||
        samples_resolve(db, &m, f, &w, e) != ERR_OK)
        return e->code;
    if (w.none)
        return ERR_OK;
    if (ways[w.by](db, &m, &w, deleted, e) != ERR_OK)
        return e->code;
    return tallies_save_model(db, &m, e);
}
