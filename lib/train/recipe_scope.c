/* Reading what a phase is about, and whether all phases together are about
 * every layer.
 */
#include "lib/train/recipe_scope.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum err_code recipe_layer_index(const struct json *j, const struct model *m,
                                 const char *where, size_t *layer,
                                 struct err *e)
{
    double index = json_is_number(j) ? json_number(j) : -1;
    if (index < 0 || index >= (double)m->n_layers || index != floor(index))
        return err_set(e, ERR_INVALID,
                       "%s: each element must be the index of a layer, 0 to "
                       "%zu",
                       where, m->n_layers - 1);
    *layer = (size_t)index;
    return ERR_OK;
}

static enum err_code read_layers(struct recipe_phase *p, const struct json *j,
                                 const struct model *m, const char *where,
                                 struct err *e)
{
    const struct loss_weights *w = &p->weights;
    char inside[64];
    if (!j)
        return ERR_OK;
    if (!json_is_array(j))
        return err_set(e, ERR_INVALID,
                       "%s.layers: must be an array of layers' indices", where);
    if (json_count(j) == 0 &&
        (w->reconstruction > 0 || w->structure > 0 || w->predict > 0))
        return err_set(e, ERR_INVALID,
                       "%s.layers: is empty, so weights.reconstruction, "
                       "structure and predict must be 0",
                       where);
    for (size_t i = 0; i < m->n_layers; i++)
        p->weights.silent[i] = true;
    snprintf(inside, sizeof inside, "%s.layers", where);
    for (const struct json *i = json_first(j); i; i = json_next(i)) {
        size_t layer = 0;
        if (recipe_layer_index(i, m, inside, &layer, e))
            return e->code;
        p->weights.silent[layer] = false;
    }
    return ERR_OK;
}

/* ---- what is trained ---- */

static bool begins(const char *name, const char *beginning)
{
    size_t n = strlen(beginning);
    return strncmp(name, beginning, n) == 0 && (!name[n] || name[n] == '.');
}

void recipe_pick_trained(const struct recipe_phase *phase,
                         const struct params *params, bool *trained)
{
    for (size_t i = 0; i < params->n; i++) {
        const struct param *p = &params->list[i];
        bool named = !phase->train[0];
        for (size_t k = 0; phase->train[k]; k++)
            named |= begins(p->name, phase->train[k]);
        trained[i] = named && p->layer < phase->reach;
    }
}

static enum err_code check_name(const struct recipe_phase *p,
                                const struct params *params, const char *where,
                                size_t place, struct err *e)
{
    const char *name = p->train[place];
    size_t found = 0, reached = 0;
    for (size_t i = 0; i < params->n; i++)
        if (begins(params->list[i].name, name)) {
            found++;
            reached += params->list[i].layer < p->reach;
        }
    if (found == 0)
        return err_set(e, ERR_INVALID,
                       "%s.train[%zu]: no parameter's name begins with \"%s\"",
                       where, place, name);
    if (reached == 0)
        return err_set(e, ERR_INVALID,
                       "%s.train[%zu]: nothing that counts in this phase "
                       "depends on \"%s\": it runs layers 0 to %zu only",
                       where, place, name, p->reach - 1);
    return ERR_OK;
}

static enum err_code read_train(struct recipe_phase *p, const struct json *j,
                                const struct params *params, const char *where,
                                struct err *e)
{
    size_t n = json_count(j);
    if (!j)
        return ERR_OK;
    if (!json_is_array(j) || n < 1 || n > RECIPE_MAX_NAMES)
        return err_set(e, ERR_INVALID,
                       "%s.train: must be an array of 1 to %d beginnings of "
                       "parameters' names",
                       where, RECIPE_MAX_NAMES);
    for (size_t i = 0; i < n; i++) {
        const struct json *name = json_at(j, i);
        if (!json_is_text(name))
            return err_set(e, ERR_INVALID, "%s.train[%zu]: must be a text",
                           where, i);
        p->train[i] = json_text(name);
        if (check_name(p, params, where, i, e))
            return e->code;
    }
    return ERR_OK;
}

/* Whether the phase changes something of the layer (the number of layers: the
 * classifier). */
static bool learns(const struct recipe_phase *p, const struct params *params,
                   size_t layer)
{
    bool trained[PARAM_MAX];
    recipe_pick_trained(p, params, trained);
    for (size_t i = 0; i < params->n; i++)
        if (trained[i] && params->list[i].layer == layer &&
            params->list[i].rate != 0.0f)
            return true;
    return false;
}

enum err_code recipe_read_scope(struct recipe_phase *p, const struct json *j,
                                const struct model *m, const char *where,
                                struct err *e)
{
    if (read_layers(p, json_get(j, "layers"), m, where, e))
        return e->code;
    p->reach = loss_model(m, &p->weights).n_layers;
    p->reach += p->reach == m->n_layers;
    if (read_train(p, json_get(j, "train"), &m->params, where, e))
        return e->code;
    for (size_t i = 0; i <= m->n_layers; i++)
        p->weights.fixed[i] = !learns(p, &m->params, i);
    return ERR_OK;
}

/* ---- all phases together ---- */

static enum err_code refuse_missing(const struct model *m, size_t layer,
                                    struct err *e)
{
    char in[SPACE_TEXT], code[SPACE_TEXT];
    if (layer == m->n_layers)
        return err_set(e, ERR_INVALID,
                       "phases: none trains the classifier, and they list the "
                       "layers that they are about");
    const struct layer *l = &m->layers[layer];
    return err_set(e, ERR_INVALID,
                   "phases: none trains layers[%zu] (%s -> %s), and they list "
                   "the layers that they are about",
                   layer, space_text(in, &l->in), space_text(code, &l->code));
}

enum err_code recipe_check_scopes(const struct recipe *r,
                                  const struct json *phases,
                                  const struct model *m, struct err *e)
{
    size_t layers = m->n_layers + m->classifier.present;
    bool listed = false;
    for (size_t k = 0; k < r->n_phases; k++)
        listed |= json_get(json_at(phases, k), "layers") != NULL;
    for (size_t i = 0; listed && i < layers; i++) {
        bool trained = false;
        for (size_t k = 0; k < r->n_phases; k++)
            trained |= !r->phases[k].weights.fixed[i];
        if (!trained)
            return refuse_missing(m, i, e);
    }
    return ERR_OK;
}
