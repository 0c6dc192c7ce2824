/* Counting, cutting, and what it cost. */
#include "lib/train/pruning.h"

#include "lib/base/mem.h"
#include "lib/model/prune.h"
#include "lib/train/measure.h"

static size_t units_of(const struct model *m)
{
    size_t units = 0;
    for (size_t i = 0; i < m->n_layers; i++)
        units += layer_units(&m->layers[i]);
    return units;
}

/* Cuts one layer, whose units are on in on (units) rows of n. */
static enum err_code cut_layer(struct model **m, size_t layer, const size_t *on,
                               size_t n, double below, struct err *e)
{
    size_t units = layer_units(&(*m)->layers[layer]), kept = 0;
    bool *keep = mem_array(units, sizeof *keep);
    struct model *pruned = NULL;
    if (!keep)
        return err_set(e, ERR_NO_MEMORY, "%zu units", units);
    for (size_t i = 0; i < units; i++) {
        keep[i] = (double)on[i] >= below * (double)n;
        kept += keep[i];
    }
    if (kept == 0)
        err_set(e, ERR_CONFLICT,
                "layers[%zu]: no unit is on in a share of %.9g of the rows: "
                "lower prune.below",
                layer, below);
    else
        pruned = model_prune(*m, layer, keep, e);
    mem_free(keep);
    if (!pruned)
        return e->code;
    model_free(*m);
    *m = pruned;
    return ERR_OK;
}

/* The smaller model into *out; m stays. */
static enum err_code cut(struct model **out, const struct model *m,
                         const size_t *on, size_t n, double below,
                         struct err *e)
{
    struct model *pruned = model_copy(m, e);
    if (!pruned)
        return e->code;
    for (size_t i = 0; i < m->n_layers; i++) {
        if (cut_layer(&pruned, i, on, n, below, e)) {
            model_free(pruned);
            return e->code;
        }
        on += layer_units(&m->layers[i]);
    }
    *out = pruned;
    return ERR_OK;
}

static enum err_code mean_loss(const struct model *m, const struct recipe *r,
                               const struct dataset *d, const struct rows *rows,
                               struct team *team, double *loss, struct err *e)
{
    const struct loss_weights *w = &r->phases[r->n_phases - 1].weights;
    if (rows->n_validation > 0)
        return measure_loss(m, w, d, rows->validation, rows->n_validation, 0,
                            team, loss, e);
    return measure_loss(m, w, d, rows->training, rows->n_training, 0, team,
                        loss, e);
}

/* What one measures before and after. */
struct outcome {
    size_t units;
    double loss;
};

static struct json *figures_json(double below, size_t rows,
                                 struct outcome before, struct outcome after)
{
    struct json *j = json_new_object();
    json_set(j, "below", json_new_number(below));
    json_set(j, "rows", json_new_number((double)rows));
    json_set(j, "units_before", json_new_number((double)before.units));
    json_set(j, "units", json_new_number((double)after.units));
    json_set(j, "loss_before", json_new_number(before.loss));
    json_set(j, "loss", json_new_number(after.loss));
    return j;
}

enum err_code pruning_run(struct model **m, const struct recipe *r,
                          const struct dataset *d, const struct rows *rows,
                          struct team *team, struct json **figures,
                          struct err *e)
{
    struct outcome before = {.units = units_of(*m)}, after = {0};
    size_t n = rows->n_training;
    size_t *on = mem_array(before.units, sizeof *on);
    struct model *pruned = NULL;
    enum err_code code =
        on ? ERR_OK : err_set(e, ERR_NO_MEMORY, "%zu units", before.units);
    if (!code)
        code = measure_units(*m, d, rows->training, n, team, on, e);
    if (!code)
        code = cut(&pruned, *m, on, n, r->prune_below, e);
    if (!code)
        code = mean_loss(*m, r, d, rows, team, &before.loss, e);
    if (!code)
        code = mean_loss(pruned, r, d, rows, team, &after.loss, e);
    mem_free(on);
    if (code) {
        model_free(pruned);
        return code;
    }
    after.units = units_of(pruned);
    *figures = figures_json(r->prune_below, n, before, after);
    model_free(*m);
    *m = pruned;
    return *figures ? ERR_OK : err_set(e, ERR_NO_MEMORY, "figures");
}
