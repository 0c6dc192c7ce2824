/* Tallies: the rows that count, one a model and one a label, kept in the same
 * transaction as what they count; so no question needs to look at samples.
 *
 * A label has a row while anything of it is counted. No label is a label
 * without a name, "".
 */
#ifndef SPARSED_STORE_TALLIES_H
#define SPARSED_STORE_TALLIES_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct database;

struct model_tally {
    int64_t id;                        /* 0: there is none */
    size_t row_size;                   /* numbers of each stored sample */
    uint64_t stored, labels, accepted; /* labels: with a name */
    int64_t last_id;
};

struct label_tally {
    int64_t id; /* 0: there is none */
    const char *name;
    uint64_t total; /* stored, or given up */
    uint64_t stored, held_out;
    uint64_t arrivals, held_arrivals; /* ever, and of those held out */
    int64_t threshold;                /* draws from here on were given up */
};

enum err_code tallies_find_model(struct database *db, const char *model,
                                 struct model_tally *m, struct err *e)
    ERR_CHECKED;
/* Finds it, or makes it. */
enum err_code tallies_open_model(struct database *db, const char *model,
                                 struct model_tally *m, struct err *e)
    ERR_CHECKED;
enum err_code tallies_save_model(struct database *db,
                                 const struct model_tally *m, struct err *e)
    ERR_CHECKED;

/* `name` is borrowed. */
enum err_code tallies_find_label(struct database *db,
                                 const struct model_tally *m, const char *name,
                                 struct label_tally *l, struct err *e)
    ERR_CHECKED;
/* Finds it, or makes it: ERR_SHAPE if the name is none, ERR_TOO_LARGE if the
 * model has max_labels already. */
enum err_code tallies_open_label(struct database *db, struct model_tally *m,
                                 const char *name, size_t max_labels,
                                 struct label_tally *l, struct err *e)
    ERR_CHECKED;
/* Saves it; one that counts nothing any more is removed, which needs that no
 * sample has it. */
enum err_code tallies_save_label(struct database *db, struct model_tally *m,
                                 const struct label_tally *l, struct err *e)
    ERR_CHECKED;

/* Counts an arrival at the label; `held` says that it is held out already, and
 * `may_hold` that it may be. Whether it is held out then. */
bool tallies_arrive(struct label_tally *l, bool held, bool may_hold);

/* Count a sample that is stored, n that are no more (held: of those held out),
 * and one that is given up. */
void tallies_keep(struct model_tally *m, struct label_tally *l, bool held);
void tallies_lose(struct model_tally *m, struct label_tally *l, uint64_t n,
                  uint64_t held);
void tallies_give_up(struct model_tally *m, struct label_tally *l, bool held,
                     int64_t draw);

#endif
