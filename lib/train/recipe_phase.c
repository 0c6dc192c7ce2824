/* Reading a recipe's phases. */
#include "lib/train/recipe_phase.h"

#include "lib/train/recipe_scope.h"

#include <stdio.h>
#include <string.h>

#define MAX_EPOCHS 100000
#define MAX_PER_LABEL 1000000
#define MAX_SHIFT 1000 /* pixels */

enum err_code recipe_get_object(const struct json *j, const char *where,
                                const char *key, const struct json **out,
                                struct err *e)
{
    *out = json_get(j, key);
    if (*out && !json_is_object(*out))
        return err_set(e, ERR_INVALID, "%s%s%s: must be an object", where,
                       where[0] ? "." : "", key);
    return ERR_OK;
}

/* Index of the member's text in `names`, which ends with NULL; *out stays if
 * the member is absent. */
static enum err_code read_choice(const struct json *j, const char *where,
                                 const char *key, const char *const *names,
                                 int *out, struct err *e)
{
    char list[96] = "";
    const char *text = NULL;
    if (json_get_text(j, where, key, &text, e))
        return e->code;
    if (!text)
        return ERR_OK;
    for (int i = 0; names[i]; i++) {
        size_t at = strlen(list);
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return ERR_OK;
        }
        snprintf(list + at, sizeof list - at, "%s\"%s\"", i ? ", " : "",
                 names[i]);
    }
    return err_set(e, ERR_INVALID, "%s.%s: must be one of %s, not \"%s\"",
                   where, key, list, text);
}

static enum err_code get_float(const struct json *j, const char *where,
                               const char *key, double max, float *out,
                               struct err *e)
{
    double value = (double)*out;
    if (json_get_number(j, where, key, 0, max, &value, e))
        return e->code;
    *out = (float)value;
    return ERR_OK;
}

/* The gradient that the term steps along must come down to the input. */
static enum err_code check_adversarial(const struct loss_weights *w,
                                       const struct model *m, const char *where,
                                       struct err *e)
{
    if (w->adversarial <= 0)
        return ERR_OK;
    if (w->adversarial_radius <= 0)
        return err_set(e, ERR_INVALID,
                       "%s.adversarial_radius: must be over 0 where "
                       "adversarial is",
                       where);
    for (size_t i = 0; i < m->n_layers; i++)
        if (!m->layers[i].encoder.kind->backward)
            return err_set(e, ERR_INVALID,
                           "%s.adversarial: must be 0: no gradient passes "
                           "through the encoder of layers[%zu] to the input",
                           where, i);
    return ERR_OK;
}

static enum err_code read_weights(struct recipe_phase *p,
                                  const struct recipe *r, const struct json *j,
                                  const struct model *m, const char *where,
                                  struct err *e)
{
    static const char *const known[] = {"reconstruction",
                                        "structure",
                                        "classification",
                                        "adversarial",
                                        "adversarial_radius",
                                        "predict",
                                        NULL};
    struct loss_weights *w = &p->weights;
    if (json_only(j, where, known, e) ||
        get_float(j, where, "reconstruction", 1e6, &w->reconstruction, e) ||
        get_float(j, where, "structure", 1e6, &w->structure, e) ||
        get_float(j, where, "classification", 1e6, &w->classification, e) ||
        get_float(j, where, "adversarial", 1e6, &w->adversarial, e) ||
        get_float(j, where, "predict", 1e6, &w->predict, e) ||
        get_float(j, where, "adversarial_radius", 1e6, &w->adversarial_radius,
                  e))
        return e->code;
    bool classes = w->classification > 0 || w->adversarial > 0;
    if (w->reconstruction <= 0 && w->structure <= 0 && w->predict <= 0 &&
        !classes)
        return err_set(e, ERR_INVALID, "%s: at least one must be over 0",
                       where);
    if (classes && !r->classifies)
        return err_set(e, ERR_INVALID,
                       "%s: classification and adversarial must be 0 for a "
                       "model without a classifier",
                       where);
    if (check_adversarial(w, m, where, e))
        return e->code;
    p->measure = classes ? RECIPE_ERROR : RECIPE_LOSS;
    return ERR_OK;
}

/* How the codes to be predicted are found, for every layer that learns to. */
static enum err_code read_target(struct recipe_phase *p, const struct json *j,
                                 const struct model *m, const char *where,
                                 struct err *e)
{
    size_t learners = 0;
    if (p->weights.predict <= 0 && j)
        return err_set(e, ERR_INVALID, "%s: needs weights.predict over 0",
                       where);
    if (p->weights.predict <= 0)
        return ERR_OK;
    if (!j)
        return err_set(e, ERR_INVALID, "%s: missing", where);
    if (json_only(j, where, solver_settings, e))
        return e->code;
    for (size_t i = 0; i < m->n_layers; i++) {
        const struct layer *l = &m->layers[i];
        if (!l->dec.kind || !l->encoder.kind->backward || p->weights.silent[i])
            continue;
        enum solver_method before = p->weights.target.method;
        if (solver_configure(&p->weights.target, j, where, l->op,
                             l->structure.kind, e))
            return e->code;
        if (learners++ > 0 && p->weights.target.method != before)
            return err_set(e, ERR_INVALID,
                           "%s.method: missing: layers[%zu] has another "
                           "standard one than the layers below",
                           where, i);
    }
    if (learners == 0)
        return err_set(e, ERR_INVALID,
                       "%s: no layer has a decoder and an encoder that learns "
                       "to predict",
                       where);
    return ERR_OK;
}

static enum err_code read_optimiser(struct optimiser_settings *s,
                                    const struct json *j, const char *where,
                                    struct err *e)
{
    static const char *const kinds[] = {"sgd", "adam", NULL};
    static const char *const sgd[] = {"kind", "rate",          "momentum",
                                      "clip", "project_every", NULL};
    static const char *const adam[] = {"kind",          "rate",    "beta1",
                                       "beta2",         "epsilon", "clip",
                                       "project_every", NULL};
    int kind = OPTIMISER_ADAM;
    *s = (struct optimiser_settings){
        .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .project_every = 1};
    if (read_choice(j, where, "kind", kinds, &kind, e) ||
        json_only(j, where, kind == OPTIMISER_SGD ? sgd : adam, e) ||
        json_get_number(j, where, "rate", 1e-12, 1e3, &s->rate, e) ||
        json_get_number(j, where, "momentum", 0, 0.9999, &s->momentum, e) ||
        json_get_number(j, where, "beta1", 0, 0.9999, &s->beta1, e) ||
        json_get_number(j, where, "beta2", 0, 0.999999, &s->beta2, e) ||
        json_get_number(j, where, "epsilon", 1e-12, 1, &s->epsilon, e) ||
        json_get_number(j, where, "clip", 0, 1e9, &s->clip, e) ||
        json_get_size(j, where, "project_every", 1, 1000000, &s->project_every,
                      e))
        return e->code;
    s->kind = kind == OPTIMISER_SGD ? OPTIMISER_SGD : OPTIMISER_ADAM;
    if (s->rate <= 0)
        return err_set(e, ERR_INVALID, "%s.rate: missing", where);
    return ERR_OK;
}

static enum err_code read_schedule(struct recipe_phase *p, const struct json *j,
                                   const char *where, struct err *e)
{
    static const char *const kinds[] = {"constant", "cosine", "inverse", NULL};
    static const char *const plain[] = {"kind", "warmup", NULL};
    static const char *const inverse[] = {"kind", "warmup", "decay", NULL};
    int kind = SCHEDULE_CONSTANT;
    if (read_choice(j, where, "kind", kinds, &kind, e) ||
        json_only(j, where, kind == SCHEDULE_INVERSE ? inverse : plain, e) ||
        json_get_number(j, where, "warmup", 0, (double)p->epochs,
                        &p->warmup_epochs, e) ||
        json_get_number(j, where, "decay", 0, 1e3, &p->decay, e))
        return e->code;
    p->schedule = kind == SCHEDULE_COSINE    ? SCHEDULE_COSINE
                  : kind == SCHEDULE_INVERSE ? SCHEDULE_INVERSE
                                             : SCHEDULE_CONSTANT;
    return ERR_OK;
}

/* What early stopping may ask for depends on what there is to measure. */
static enum err_code read_stopping(struct recipe_phase *p,
                                   const struct recipe *r, const struct json *j,
                                   const struct model *m, const char *where,
                                   struct err *e)
{
    static const char *const measures[] = {"loss", "error", NULL};
    int measure = p->measure == RECIPE_ERROR;
    if (json_get_size(j, where, "patience", 0, MAX_EPOCHS, &p->patience, e) ||
        read_choice(j, where, "measure", measures, &measure, e))
        return e->code;
    p->measure = measure == 1 ? RECIPE_ERROR : RECIPE_LOSS;
    if (p->patience > 0 && r->validation_rows == 0)
        return err_set(e, ERR_INVALID,
                       "%s.patience: must be 0 where \"validation\" is 0",
                       where);
    if (p->measure == RECIPE_ERROR && !r->classifies)
        return err_set(e, ERR_INVALID,
                       "%s.measure: \"error\" needs a model with a classifier",
                       where);
    if (p->measure == RECIPE_ERROR && p->reach <= m->n_layers)
        return err_set(
            e, ERR_INVALID,
            "%s.measure: \"error\" needs the top layer, layers[%zu], "
            "which this phase does not run",
            where, m->n_layers - 1);
    return ERR_OK;
}

static enum err_code read_distortion(struct recipe_phase *p,
                                     const struct json *j,
                                     const struct model *m, const char *where,
                                     struct err *e)
{
    static const char *const known[] = {"shift", "rotate", "scale", "shear",
                                        NULL};
    struct distortion *d = &p->distortion;
    if (!j)
        return ERR_OK;
    if (json_only(j, where, known, e) ||
        json_get_number(j, where, "shift", 0, MAX_SHIFT, &d->shift, e) ||
        json_get_number(j, where, "rotate", 0, 180, &d->rotate, e) ||
        json_get_number(j, where, "scale", 0, 1, &d->scale, e) ||
        json_get_number(j, where, "shear", 0, 1, &d->shear, e))
        return e->code;
    if (distort_any(d) && !distort_suits(m, 1))
        return err_set(e, ERR_INVALID, "%s: needs inputs that are pictures",
                       where);
    return ERR_OK;
}

static enum err_code read_rows(struct recipe_phase *p, const struct json *j,
                               const char *where, struct err *e)
{
    static const char *const choices[] = {"all", "labelled", "balanced", NULL};
    int rows = 0;
    p->per_label = 100;
    if (read_choice(j, where, "rows", choices, &rows, e) ||
        json_get_size(j, where, "per_label", 1, MAX_PER_LABEL, &p->per_label,
                      e))
        return e->code;
    p->rows = rows == 2 ? ROWS_BALANCED : rows == 1 ? ROWS_LABELLED : ROWS_ALL;
    if (json_get(j, "per_label") && p->rows != ROWS_BALANCED)
        return err_set(e, ERR_INVALID,
                       "%s.per_label: needs \"rows\": "
                       "\"balanced\"",
                       where);
    return ERR_OK;
}

static enum err_code read_phase(struct recipe_phase *p, const struct recipe *r,
                                const struct json *j, const struct model *m,
                                const char *where, struct err *e)
{
    static const char *const known[] = {
        "name",   "epochs",   "rows",    "per_label", "distort",
        "layers", "weights",  "target",  "optimiser", "schedule",
        "train",  "patience", "measure", NULL};
    const struct json *weights = NULL, *target = NULL, *optimiser = NULL,
                      *schedule = NULL, *distort = NULL;
    char inside[64];
    if (!json_is_object(j))
        return err_set(e, ERR_INVALID, "%s: must be an object", where);
    p->name = "training";
    if (json_only(j, where, known, e) ||
        json_get_text(j, where, "name", &p->name, e) ||
        json_get_size(j, where, "epochs", 1, MAX_EPOCHS, &p->epochs, e) ||
        read_rows(p, j, where, e) ||
        recipe_get_object(j, where, "weights", &weights, e) ||
        recipe_get_object(j, where, "target", &target, e) ||
        recipe_get_object(j, where, "optimiser", &optimiser, e) ||
        recipe_get_object(j, where, "schedule", &schedule, e) ||
        recipe_get_object(j, where, "distort", &distort, e))
        return e->code;
    if (p->epochs == 0 || !weights || !optimiser)
        return err_set(e, ERR_INVALID, "%s.%s: missing", where,
                       p->epochs == 0 ? "epochs"
                       : !weights     ? "weights"
                                      : "optimiser");
    snprintf(inside, sizeof inside, "%s.weights", where);
    if (read_weights(p, r, weights, m, inside, e) ||
        recipe_read_scope(p, j, m, where, e))
        return e->code;
    snprintf(inside, sizeof inside, "%s.target", where);
    if (read_target(p, target, m, inside, e))
        return e->code;
    snprintf(inside, sizeof inside, "%s.distort", where);
    if (read_distortion(p, distort, m, inside, e))
        return e->code;
    snprintf(inside, sizeof inside, "%s.optimiser", where);
    if (read_optimiser(&p->optimiser, optimiser, inside, e))
        return e->code;
    snprintf(inside, sizeof inside, "%s.schedule", where);
    if (schedule && read_schedule(p, schedule, inside, e))
        return e->code;
    return read_stopping(p, r, j, m, where, e);
}

enum err_code recipe_read_phases(struct recipe *r, const struct json *j,
                                 const struct model *m, struct err *e)
{
    size_t n = json_count(j);
    if (!json_is_array(j) || n < 1 || n > RECIPE_MAX_PHASES)
        return err_set(e, ERR_INVALID,
                       "phases: must be an array of 1 to %d phases",
                       RECIPE_MAX_PHASES);
    for (r->n_phases = 0; r->n_phases < n; r->n_phases++) {
        char where[32];
        snprintf(where, sizeof where, "phases[%zu]", r->n_phases);
        if (read_phase(&r->phases[r->n_phases], r, json_at(j, r->n_phases), m,
                       where, e))
            return e->code;
    }
    return r->tuning ? ERR_OK : recipe_check_scopes(r, j, m, e);
}
