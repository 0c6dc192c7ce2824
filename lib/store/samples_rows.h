/* What the files of samples share: a row's draw and checksum, giving up, and
 * filters.
 */
#ifndef SPARSED_STORE_SAMPLES_ROWS_H
#define SPARSED_STORE_SAMPLES_ROWS_H

#include "lib/store/samples.h"
#include "lib/store/tallies.h"

/* The most numbers of a row that are believed when a row is read. */
#define SAMPLES_MAX_ROW ((size_t)1 << 24)

/* A sample's draw: where it stands in line; the last go first. */
int64_t samples_draw_of(uint64_t seed, int64_t id);

/* Of all that a reader is given; SQLite keeps none of its own. */
int64_t samples_checksum(const struct sample *s);

/* Gives samples up until the model has at most max_samples, at most `most` of
 * them. Tallies are in the database but for *m, which the caller saves. */
enum err_code samples_evict(struct database *db, struct model_tally *m,
                            uint64_t max_samples, uint64_t most, struct err *e)
    ERR_CHECKED;

/* A filter, as a query's first parameters. */
enum samples_by {
    SAMPLES_BY_MODEL, /* $1 model */
    SAMPLES_BY_LABEL, /* $1 label */
    SAMPLES_BY_BATCH, /* $1 batch, $2 model, $3 label or 0 */
    SAMPLES_BYS
};

struct samples_wanted {
    enum samples_by by;
    bool none;                   /* nothing can fit */
    const char *name;            /* the label's, borrowed from the filter */
    int64_t model, label, batch; /* numbers; 0: any */
};

/* `m` may be of no model. */
enum err_code samples_resolve(struct database *db, const struct model_tally *m,
                              const struct samples_filter *f,
                              struct samples_wanted *w, struct err *e)
    ERR_CHECKED;

struct query;
void samples_put_wanted(struct query *q, const struct samples_wanted *w);

/* How queries say it; the + 0 keeps to the index of batches. */
#define SAMPLES_WHERE_MODEL " WHERE model = $1"
#define SAMPLES_WHERE_LABEL " WHERE label = $1"
#define SAMPLES_WHERE_BATCH                                                    \
    " WHERE batch = $1 AND model + 0 = $2 AND ($3 = 0 OR label + 0 = $3)"

/* What samples_take reads; `checksum` is checked. */
#define SAMPLES_COLUMNS                                                        \
    "SELECT id, batch, created_ms, held_out, checksum, x,"                     \
    " (SELECT name FROM labels WHERE labels.id = samples.label)"               \
    " FROM samples"

/* Room for a sample that is read. */
struct samples_row {
    struct sample s; /* points into what follows */
    char label[SAMPLES_MAX_LABEL_BYTES + 1];
    size_t size; /* numbers that it must have */
    float *x;
};

enum err_code samples_row_init(struct samples_row *r,
                               const struct model_tally *m, struct err *e)
    ERR_CHECKED;
void samples_row_fini(struct samples_row *r);

/* Takes the query's row over; what is wrong with it sticks to the query. */
bool samples_take(struct samples_row *r, struct query *q);

#endif
