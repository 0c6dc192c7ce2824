/* Copying settings, choosing rows. */
#include "lib/train/keep.h"

#include "lib/base/mem.h"
#include "lib/train/setup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HELD_OUT_PART 5 /* one row in so many */

/* ---- settings ---- */

/* Those of the recipe that suit a parameter which the finished model has. */
static struct json *policies_json(const struct json *policies,
                                  const struct params *params)
{
    struct json *j = json_new_object();
    for (const struct json *p = json_first(policies); p; p = json_next(p))
        if (recipe_policy_suits(json_key(p), params))
            json_set(j, json_key(p), json_copy(p));
    return j;
}

static enum err_code keep_settings(struct model *m, const struct recipe *r,
                                   struct err *e)
{
    const struct json *phases = json_get(r->json, "phases");
    struct json *j = json_new_object();
    json_set(j, "batch", json_new_number((double)r->batch));
    json_set(j, "rates", policies_json(json_get(r->json, "rates"), &m->params));
    json_set(j, "bounds",
             policies_json(json_get(r->json, "bounds"), &m->params));
    json_set(j, "phase", json_copy(json_at(phases, r->n_phases - 1)));
    json_free(m->training);
    m->training = j;
    return json_whole(j) ? ERR_OK : err_set(e, ERR_NO_MEMORY, "training");
}

/* ---- rows ---- */

/* Rows to choose from, and how they are labelled: a label of the model's
 * classes or, as one class more, none. */
struct pool {
    const struct dataset *d;
    size_t classes;
    const uint32_t *index;
    size_t n;
    size_t *there, *left; /* (classes + 1) rows; those that may be taken */
};

static size_t kind_of(const struct pool *p, uint32_t row)
{
    int32_t label = p->d->labels ? p->d->labels[row] : DATASET_NO_LABEL;
    return label >= 0 && (size_t)label < p->classes ? (size_t)label
                                                    : p->classes;
}

/* Shares n rows out, at most as many as there are. */
static size_t share(struct pool *p, size_t n)
{
    size_t labelled = 0;
    memset(p->there, 0, (p->classes + 1) * sizeof *p->there);
    for (size_t i = 0; i < p->n; i++)
        p->there[kind_of(p, p->index[i])]++;
    for (size_t c = 0; c < p->classes; c++)
        labelled += p->there[c];
    n = n < p->n ? n : p->n;
    labelled = n < labelled ? n : labelled;
    rows_share_out(p->left, p->there, p->classes, labelled);
    p->left[p->classes] = n - labelled;
    return n;
}

static uint8_t byte_of(float x, float low, float high)
{
    float scaled = roundf((x - low) / (high - low) * 255.0f);
    return (uint8_t)(scaled < 0 ? 0 : scaled > 255 ? 255 : scaled);
}

static void copy_row(uint8_t *out, const struct model *m,
                     const struct dataset *d, uint32_t row)
{
    size_t size = d->row_size;
    if (d->bytes) {
        memcpy(out, d->bytes + row * size, size);
        return;
    }
    for (size_t i = 0; i < size; i++)
        out[i] = byte_of(d->floats[row * size + i], m->low, m->high);
}

/* The rows that p shares out become those of m from `at` on. */
static void take(struct model *m, size_t at, const struct pool *p,
                 uint8_t held_out)
{
    struct rehearsal *r = &m->rehearsal;
    for (size_t i = 0; i < p->n; i++) {
        size_t kind = kind_of(p, p->index[i]);
        if (p->left[kind] == 0)
            continue;
        p->left[kind]--;
        copy_row(r->inputs + at * r->size, m, p->d, p->index[i]);
        r->labels[at] = kind < p->classes ? (int32_t)kind : DATASET_NO_LABEL;
        r->held_out[at] = held_out;
        at++;
    }
}

static size_t rows_wanted(const struct model *m, const struct recipe *r)
{
    size_t room = r->rehearsal_bytes / model_inputs(m);
    return r->rehearsal_rows < room ? r->rehearsal_rows : room;
}

/* counts (4 * (classes + 1)) is scratch. */
static enum err_code choose(struct model *m, const struct dataset *d,
                            const struct rows *rows, size_t n, size_t *counts,
                            struct err *e)
{
    size_t classes = m->classifier.classes, kinds = classes + 1;
    struct pool seen = {.d = d,
                        .classes = classes,
                        .index = rows->training,
                        .n = rows->n_training,
                        .there = counts,
                        .left = counts + kinds};
    struct pool held_out = seen;
    held_out.index = rows->validation;
    held_out.n = rows->n_validation;
    held_out.there = counts + 2 * kinds;
    held_out.left = counts + 3 * kinds;
    size_t n_held_out = share(&held_out, n / HELD_OUT_PART);
    size_t n_seen = share(&seen, n - n_held_out);
    if (rehearsal_init(&m->rehearsal, n_seen + n_held_out, d->row_size, e))
        return e->code;
    take(m, 0, &seen, 0);
    take(m, n_seen, &held_out, 1);
    return ERR_OK;
}

static enum err_code keep_rows(struct model *m, const struct recipe *r,
                               const struct dataset *d, const struct rows *rows,
                               struct err *e)
{
    size_t n = rows_wanted(m, r);
    rehearsal_fini(&m->rehearsal);
    if (n == 0)
        return ERR_OK;
    size_t *counts = mem_array(4 * (m->classifier.classes + 1), sizeof *counts);
    if (!counts)
        return err_set(e, ERR_NO_MEMORY, "rehearsal");
    enum err_code code = choose(m, d, rows, n, counts, e);
    mem_free(counts);
    return code;
}

enum err_code keep_add(struct model *m, const struct recipe *r,
                       const struct dataset *d, const struct rows *rows,
                       struct err *e)
{
    return keep_settings(m, r, e) ? e->code : keep_rows(m, r, d, rows, e);
}

/* ---- later ---- */

static bool names(const struct json *lineage, const char *key, uint64_t hash)
{
    const struct json *j = json_get(lineage, key);
    return json_is_text(j) && strtoull(json_text(j), NULL, 16) == hash;
}

static enum err_code check_lineage(const struct model *m,
                                   const struct recipe *r,
                                   const struct dataset *d, size_t *seed,
                                   struct err *e)
{
    *seed = SIZE_MAX;
    if (json_get_size(m->lineage, "lineage", "seed", 0, RECIPE_MAX_SEED, seed,
                      e))
        return e->code;
    if (json_get(m->lineage, "parent") || *seed == SIZE_MAX)
        return err_set(e, ERR_CONFLICT,
                       "the model's lineage does not say that it was trained "
                       "from a recipe");
    if (!names(m->lineage, "recipe", r->hash))
        return err_set(e, ERR_CONFLICT,
                       "the model's lineage names another recipe: give the one "
                       "that it was trained with, to the byte");
    if (!names(m->lineage, "data", d->hash))
        return err_set(e, ERR_CONFLICT,
                       "the model's lineage names other data: give those that "
                       "it was trained on");
    return ERR_OK;
}

enum err_code keep_add_later(struct model *m, const struct recipe *r,
                             const struct dataset *d, struct err *e)
{
    struct dataset seen = *d; /* with the labels that may be seen */
    struct rows rows;
    size_t seed;
    if (check_lineage(m, r, d, &seed, e) ||
        rows_init(&rows, r, d, NULL, seed, e))
        return e->code;
    if (rows.labels)
        seen.labels = rows.labels;
    enum err_code code = setup_check(m, r, &seen, &rows, e);
    if (!code)
        code = keep_add(m, r, &seen, &rows, e);
    rows_fini(&rows);
    return code;
}
