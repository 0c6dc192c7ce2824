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
        return measure_loss(m, w, d, rows->validation, rows->n_validation, team,
                            loss, e);
    return measure_loss(m, w, d, rows->training, rows->n_training, team, loss,
                        e);
}

enum err_code pruning_run(struct model **m, const struct recipe *r,
                          const struct dataset *d, const struct rows *rows,
                          struct team *team, struct json **figures,
                          struct err *e)
{
    size_t before = units_of(*m), n = rows->n_training;
    size_t *on = mem_array(before, sizeof *on);
    struct model *pruned = NULL;
    double loss_before, loss;
    enum err_code code =
        on ? ERR_OK : err_set(e, ERR_NO_MEMORY, "%zu units", before);
    if (!code)
        code = measure_units(*m, d, rows->training, n, team, on, e);
    if (!code)
        code = cut(&pruned, *m, on, n, r->prune_below, e);
    if (!code)
        code = mean_loss(*m, r, d, rows, team, &loss_before, e);
    if (!code)
        code = mean_loss(pruned, r, d, rows, team, &loss, e);
    mem_free(on);
    if (code) {
        model_free(pruned);
        return code;
    }
    struct json *j = *figures = json_new_object();
    json_set(j, "below", json_new_number(r->prune_below));
    json_set(j, "rows", json_new_number((double)n));
    json_set(j, "units_before", json_new_number((double)before));
    json_set(j, "units", json_new_number((double)units_of(pruned)));
    json_set(j, "loss_before", json_new_number(loss_before));
    json_set(j, "loss", json_new_number(loss));
    model_free(*m);
    *m = pruned;
    return ERR_OK;
}
