/* The operator and the structure write the smaller settings; the parameters
 * follow from the table, whose axes say what each dimension counts.
 */
#include "lib/model/prune.h"

#include "lib/base/mem.h"

#include <string.h>

/* What goes, of which layer. */
struct cut {
    const struct model *m;
    const struct layer *layer;
    bool *keep;   /* (units) */
    bool *groups; /* (groups) */
    size_t kept;  /* units */
};

static size_t count(const bool *keep, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        kept += keep[i];
    return kept;
}

static void cut_fini(struct cut *c)
{
    mem_free(c->keep);
    mem_free(c->groups);
}

static enum err_code cut_init(struct cut *c, const struct model *m,
                              size_t layer, const bool *keep, struct err *e)
{
    const struct layer *l = &m->layers[layer];
    size_t n = layer_units(l);
    *c = (struct cut){.m = m,
                      .layer = l,
                      .keep = mem_array(n, sizeof *c->keep),
                      .groups = mem_array(layer_groups(l), sizeof *c->groups)};
    if (!c->keep || !c->groups)
        return err_set(e, ERR_NO_MEMORY, "layers[%zu]: %zu units", layer, n);
    memcpy(c->keep, keep, n * sizeof *keep);
    if (l->structure.kind->close)
        l->structure.kind->close(&l->structure, c->keep);
    c->kept = count(c->keep, n);
    if (c->kept == 0)
        return err_set(e, ERR_CONFLICT, "layers[%zu]: no unit would be left",
                       layer);
    return ERR_OK;
}

/* ---- settings ---- */

/* The layer's JSON j, to be changed. */
static enum err_code cut_layer(struct cut *c, struct json *j, struct err *e)
{
    const struct operator_kind *op = c->layer->op;
    const struct structure *s = &c->layer->structure;
    if (!op->resize)
        return err_set(e, ERR_CONFLICT,
                       "layers[%zu]: operator \"%s\" cannot lose units",
                       c->layer->index, op->name);
    if (!s->kind->prune)
        return err_set(e, ERR_CONFLICT,
                       "layers[%zu]: structure \"%s\" cannot lose units",
                       c->layer->index, s->kind->name);
    struct json *structure = json_copy(json_get(j, "structure"));
    if (!structure)
        return err_set(e, ERR_NO_MEMORY, "config");
    if (op->resize(j, c->kept, e) ||
        s->kind->prune(s, structure, c->keep, c->groups, e)) {
        json_free(structure);
        return err_wrap(e, "layers[%zu]", c->layer->index);
    }
    json_set(j, "structure", structure);
    return ERR_OK;
}

/* The smaller model's config; fills c->groups. */
static struct json *cut_config(struct cut *c, struct err *e)
{
    struct json *config = json_copy(c->m->config);
    struct json *layers = json_new_array();
    enum err_code code =
        config && layers ? ERR_OK : err_set(e, ERR_NO_MEMORY, "config");
    for (size_t i = 0; !code && i < c->m->n_layers; i++) {
        struct json *j = json_copy(json_at(json_get(config, "layers"), i));
        if (j && i == c->layer->index)
            code = cut_layer(c, j, e);
        json_add(layers, j);
    }
    if (code) {
        json_free(layers);
        json_free(config);
        return NULL;
    }
    json_set(config, "layers", layers);
    if (!json_whole(config)) {
        err_set(e, ERR_NO_MEMORY, "config");
        json_free(config);
        return NULL;
    }
    return config;
}

/* ---- parameters ---- */

/* Which indices of a dimension stay: index i as keep[i % n], since a unit may
 * have several numbers (heads), one block after another. keep NULL: all. */
struct mask {
    const bool *keep;
    size_t n;
};

static struct mask mask_of(const struct cut *c, const struct param *p,
                           size_t axis)
{
    const struct layer *l = c->layer;
    size_t above = l->index + 1;
    bool top = above == c->m->n_layers;
    bool own = p->layer == l->index || (top && p->layer == above);
    struct mask units = {c->keep, layer_units(l)};
    struct mask groups = {c->groups, layer_groups(l)};
    enum param_axis kind = p->axes[axis];
    if (kind == AXIS_CODE && own)
        return units;
    if (kind == AXIS_GROUP && own)
        return groups;
    if (kind == AXIS_INPUT && p->layer == above)
        return l->up == UP_POOLED ? groups : units;
    return (struct mask){0};
}

static bool stays(struct mask mask, size_t i)
{
    return !mask.keep || mask.keep[i % mask.n];
}

static bool shape_follows(const struct param *to, const struct param *from,
                          const struct mask *masks)
{
    for (size_t axis = 0; axis < from->rank; axis++) {
        size_t kept = 0;
        for (size_t i = 0; i < from->dims[axis]; i++)
            kept += stays(masks[axis], i);
        if (kept != to->dims[axis])
            return false;
    }
    return to->rank == from->rank;
}

/* Copies the numbers of p whose index stays along every axis. */
static void gather(float *out, const struct param *p, const struct mask *masks)
{
    for (size_t at = 0; at < p->count; at++) {
        size_t rest = at;
        bool kept = true;
        for (size_t axis = p->rank; axis-- > 0; rest /= p->dims[axis])
            kept &= stays(masks[axis], rest % p->dims[axis]);
        if (kept)
            *out++ = p->value[at];
    }
}

static enum err_code gather_params(const struct cut *c, struct model *to,
                                   struct err *e)
{
    const struct params *from = &c->m->params;
    if (params_allocate(&to->params, e))
        return e->code;
    for (size_t i = 0; i < from->n; i++) {
        const struct param *p = &from->list[i];
        struct param *q = params_find(&to->params, p->name);
        struct mask masks[PARAM_MAX_RANK];
        for (size_t axis = 0; axis < p->rank; axis++)
            masks[axis] = mask_of(c, p, axis);
        if (!q || !shape_follows(q, p, masks))
            return err_set(e, ERR_INTERNAL,
                           "%s: its axes do not say what pruning leaves",
                           p->name);
        gather(q->value, p, masks);
    }
    return ERR_OK;
}

/* ---- both ---- */

static struct model *cut_model(struct cut *c, struct err *e)
{
    struct json *config = cut_config(c, e);
    if (!config)
        return NULL;
    struct model *m = model_new(config, (const char *const *)c->m->classes,
                                c->m->classifier.classes, e);
    json_free(config);
    if (!m)
        return NULL;
    if (gather_params(c, m, e) || model_copy_facts(m, c->m, e)) {
        model_free(m);
        return NULL;
    }
    return m;
}

struct model *model_prune(const struct model *m, size_t layer, const bool *keep,
                          struct err *e)
{
    struct cut c;
    struct model *pruned = NULL;
    if (!cut_init(&c, m, layer, keep, e))
        pruned = cut_model(&c, e);
    cut_fini(&c);
    return pruned;
}

/* Keeping all is a cut too, and shows what the settings allow. */
static enum err_code check_layer(const struct model *m, size_t layer,
                                 struct err *e)
{
    size_t n = layer_units(&m->layers[layer]);
    struct cut c = {0};
    enum err_code code = ERR_OK;
    bool *all = mem_array(n, sizeof *all);
    if (!all)
        return err_set(e, ERR_NO_MEMORY, "layers[%zu]: %zu units", layer, n);
    memset(all, true, n * sizeof *all);
    code = cut_init(&c, m, layer, all, e);
    struct json *config = code ? NULL : cut_config(&c, e);
    if (!config)
        code = e->code;
    json_free(config);
    cut_fini(&c);
    mem_free(all);
    return code;
}

enum err_code model_check_prunable(const struct model *m, struct err *e)
{
    for (size_t i = 0; i < m->n_layers; i++)
        if (check_layer(m, i, e))
            return e->code;
    return ERR_OK;
}
