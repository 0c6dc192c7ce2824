/* Splitting and shuffling rows. */
#include "lib/train/rows.h"

#include "lib/base/mem.h"
#include "lib/base/rng.h"

#include <string.h>

enum err_code rows_init(struct rows *r, const struct recipe *recipe,
                        const struct dataset *d, uint64_t seed, struct err *e)
{
    struct rng rng = rng_make(seed, "validation", 0);
    *r = (struct rows){.n_validation = recipe->validation_rows};
    if (r->n_validation >= d->n)
        return err_set(e, ERR_SHAPE,
                       "the data's %zu rows are too few: the recipe wants %zu "
                       "for validation alone",
                       d->n, r->n_validation);
    r->n_training = d->n - r->n_validation;
    r->n_batches = (r->n_training + recipe->batch - 1) / recipe->batch;
    r->all = mem_array(d->n, sizeof *r->all);
    r->order = mem_array(r->n_training, sizeof *r->order);
    if (!r->all || !r->order) {
        rows_fini(r);
        return err_set(e, ERR_NO_MEMORY, "%zu rows", d->n);
    }
    for (size_t i = 0; i < d->n; i++)
        r->all[i] = (uint32_t)i;
    rng_shuffle(&rng, r->all, d->n);
    r->validation = r->all;
    r->training = r->all + r->n_validation;
    return ERR_OK;
}

void rows_fini(struct rows *r)
{
    mem_free(r->all);
    mem_free(r->order);
    r->all = r->order = NULL;
}

void rows_order(struct rows *r, uint64_t seed, size_t phase, size_t epoch)
{
    struct rng rng = rng_make(seed, "order", (uint64_t)phase << 32 | epoch);
    memcpy(r->order, r->training, r->n_training * sizeof *r->order);
    rng_shuffle(&rng, r->order, r->n_training);
}

const uint32_t *rows_batch(const struct rows *r, size_t batch, size_t *n)
{
    size_t from = r->n_training * batch / r->n_batches;
    *n = r->n_training * (batch + 1) / r->n_batches - from;
    return r->order + from;
}
