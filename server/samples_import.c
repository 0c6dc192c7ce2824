/* Samples from a data set, batch by batch.
 */
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "server/samples_files.h"

#include <stdint.h>
#include <stdio.h>

#define BATCH_ROWS 1024
#define BATCH_BYTES ((size_t)64 << 20)
#define NUMERAL_BYTES 16

struct importing {
    struct store_work work; /* first */
    const struct samples_limits *limits;
    struct samples_batch batch;
    int64_t *ids; /* (BATCH_ROWS) */

    const struct model *m;
    const struct dataset *d;
    bool unlabelled;
    uint32_t *index;                 /* (BATCH_ROWS) */
    float *x;                        /* (BATCH_ROWS, row_size) */
    const char **labels;             /* (BATCH_ROWS) */
    char (*numerals)[NUMERAL_BYTES]; /* (BATCH_ROWS) */
};

static enum err_code run_batch(struct store_work *w, struct database *db,
                               struct err *e)
{
    struct importing *i = (struct importing *)w;
    int64_t number;

    return samples_add(db, &i->batch, i->limits, &number, i->ids, e);
}

static const char *name_of(const struct importing *i, int32_t label,
                           char *numeral)
{
    if (label < 0)
        return NULL;
    if (i->d->classes != NULL)
        return i->d->classes[label];
    if (i->m->classifier.present && (size_t)label < i->m->classifier.classes)
        return i->m->classes[label];
    snprintf(numeral, NUMERAL_BYTES, "%d", (int)label);
    return numeral;
}

static void fill_batch(struct importing *i, size_t row, size_t n)
{
    const struct dataset *d = i->d;

    for (size_t k = 0; k < n; k++) {
        i->index[k] = (uint32_t)(row + k);
        if (!i->unlabelled && d->labels != NULL)
            i->labels[k] = name_of(i, d->labels[row + k], i->numerals[k]);
    }
    dataset_rows(d, i->index, n, i->m->low, i->m->high, i->x);
    i->batch.n = n;
    i->batch.wall_ms = clock_wall() / 1000;
}

static enum err_code add_all(struct importing *i, struct store *s,
                             size_t batch_rows, size_t *done, struct err *e)
{
    while (*done < i->d->n) {
        size_t left = i->d->n - *done;
        size_t n = left < batch_rows ? left : batch_rows;
        fill_batch(i, *done, n);
        if (store_write(s, &i->work, e) != ERR_OK)
            return err_wrap(e, "rows %zu to %zu", *done, *done + n - 1);
        *done += n;
    }
    return ERR_OK;
}

enum err_code samples_import(struct store *s, const char *name,
                             const struct model *m, const struct dataset *d,
                             bool unlabelled,
                             const struct samples_limits *limits, size_t *done,
                             struct err *e)
{
    size_t row_bytes = d->row_size * sizeof(float);
    size_t rows = row_bytes < BATCH_BYTES / BATCH_ROWS ? BATCH_ROWS
                  : row_bytes < BATCH_BYTES            ? BATCH_BYTES / row_bytes
                                                       : 1;
    struct importing i = {.work = {.run = run_batch},
                          .limits = limits,
                          .m = m,
                          .d = d,
                          .unlabelled = unlabelled,
                          .ids = mem_array(rows, sizeof *i.ids),
                          .index = mem_array(rows, sizeof *i.index),
                          .x = mem_array(rows, row_bytes),
                          .labels = mem_array(rows, sizeof *i.labels),
                          .numerals = mem_array(rows, sizeof *i.numerals)};
    enum err_code code = ERR_OK;

    *done = 0;
    i.batch = (struct samples_batch){
        .model = name, .size = d->row_size, .x = i.x, .labels = i.labels};
    if (i.ids == NULL || i.index == NULL || i.x == NULL || i.labels == NULL ||
        i.numerals == NULL)
        code = err_set(e, ERR_NO_MEMORY, "no memory for %zu rows", rows);
    else
        code = add_all(&i, s, rows, done, e);
    mem_free(i.ids);
    mem_free(i.index);
    mem_free(i.x);
    mem_free(i.labels);
    mem_free(i.numerals);
    return code;
}
