/* Samples, giving up: the label with the most stored loses the one with the
 * largest draw. Each of the two is the end of an index.
 */
#include "lib/base/file.h"
#include "lib/base/rng.h"
#include "lib/store/database.h"
#include "lib/store/samples_rows.h"

#include <string.h>

int64_t samples_draw_of(uint64_t seed, int64_t id)
{
    struct rng r = rng_make(seed, "draw", (uint64_t)id);

    return (int64_t)(rng_u64(&r) >> 1);
}

int64_t samples_checksum(const struct sample *s)
{
    const int64_t numbers[] = {s->id, s->batch, s->wall_ms, s->held_out};
    uint64_t hash = file_hash(FILE_HASH_START, numbers, sizeof numbers);
    const char *label = s->label != NULL ? s->label : "";
    int64_t out;

    hash = file_hash(hash, label, strlen(label) + 1);
    hash = file_hash(hash, s->x, s->size * sizeof *s->x);
    memcpy(&out, &hash, sizeof out);
    return out;
}

struct victim {
    int64_t id, draw;
    bool held_out;
};

/* The name of the largest label into `name`. */
static enum err_code find_largest(struct database *db,
                                  const struct model_tally *m,
                                  char name[SAMPLES_MAX_LABEL_BYTES + 1],
                                  struct err *e)
{
    struct query q;

    query_begin(&q, db,
                "SELECT name FROM labels WHERE model = $1"
                " ORDER BY stored DESC, id DESC LIMIT 1");
    query_put_int(&q, m->id);
    if (query_next(&q))
        query_copy_text(&q, 0, name, SAMPLES_MAX_LABEL_BYTES + 1);
    else
        query_refuse(&q, "samples without a label's tally");
    return query_end(&q, e);
}

static enum err_code find_victim(struct database *db,
                                 const struct label_tally *l, struct victim *v,
                                 struct err *e)
{
    struct query q;

    query_begin(&q, db,
                "SELECT id, draw, held_out FROM samples WHERE label = $1"
                " ORDER BY draw DESC LIMIT 1");
    query_put_int(&q, l->id);
    if (query_next(&q)) {
        v->id = query_int(&q, 0);
        v->draw = query_int(&q, 1);
        v->held_out = query_int(&q, 2) != 0;
    } else {
        query_refuse(&q, "a label's tally without samples");
    }
    return query_end(&q, e);
}

static enum err_code give_one_up(struct database *db, struct model_tally *m,
                                 struct err *e)
{
    char name[SAMPLES_MAX_LABEL_BYTES + 1];
    struct label_tally l;
    struct victim v = {0};
    struct query q;

    if (find_largest(db, m, name, e) != ERR_OK ||
        tallies_find_label(db, m, name, &l, e) != ERR_OK ||
        find_victim(db, &l, &v, e) != ERR_OK)
        return e->code;
    query_begin(&q, db, "DELETE FROM samples WHERE id = $1");
    query_put_int(&q, v.id);
    if (query_run(&q, e) != ERR_OK)
        return e->code;
    tallies_give_up(m, &l, v.held_out, v.draw);
    return tallies_save_label(db, m, &l, e);
}

enum err_code samples_evict(struct database *db, struct model_tally *m,
                            uint64_t max_samples, uint64_t most, struct err *e)
{
    for (; m->stored > max_samples && most > 0; most--) {
        if (give_one_up(db, m, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}
