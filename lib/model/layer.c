/* A layer put together from its three axis values. */
#include "lib/model/layer.h"

#include "lib/model/axes.h"
#include "lib/model/encoder/units.h"

#include <stdio.h>
#include <string.h>

#define MAX_MEMBERS 32

/* What every layer has, and every encoder and structure; the axis value's own
 * settings stand beside it. */
static const char *const layer_members[] = {"operator", "encoder", "structure",
                                            "up",       "decoder", NULL};
static const char *const kind_members[] = {"kind", NULL};

/* The rest of an atom's start is one random row of data (recpool). */
static const float start_lean = 0.25f;
static const float atom_bound = 1.0f;

static enum err_code check_members(const struct json *j, const char *where,
                                   const char *const *always,
                                   const char *const *settings, struct err *e)
{
    const char *known[MAX_MEMBERS + 1] = {NULL};
    size_t n = 0;
    for (size_t i = 0; always[i]; i++)
        known[n++] = always[i];
    for (size_t i = 0; settings[i] && n < MAX_MEMBERS; i++)
        known[n++] = settings[i];
    return json_only(j, where, known, e);
}

/* The member `key` of a layer: its object, whose "kind" names the value. */
static const struct json *kind_object(const struct json *j, const char *where,
                                      const char *key, const char **kind,
                                      struct err *e)
{
    const struct json *object = json_get(j, key);
    *kind = NULL;
    if (!json_is_object(object) || !json_is_text(json_get(object, "kind"))) {
        err_set(e, ERR_INVALID, "%s.%s: must be an object with a \"kind\"",
                where, key);
        return NULL;
    }
    *kind = json_text(json_get(object, "kind"));
    return object;
}

static enum err_code read_up(struct layer *l, const struct json *j,
                             const char *where, struct err *e)
{
    const char *up = "code";
    if (json_get_text(j, where, "up", &up, e))
        return e->code;
    if (strcmp(up, "code") == 0)
        l->up = UP_CODE;
    else if (strcmp(up, "pooled") == 0)
        l->up = UP_POOLED;
    else
        return err_set(e, ERR_INVALID,
                       "%s.up: must be \"code\" or \"pooled\", not \"%s\"",
                       where, up);
    return ERR_OK;
}

static enum err_code configure_shape(struct layer *l, const struct space *in,
                                     const struct json *j, const char *where,
                                     struct err *e)
{
    l->in = *in;
    if (l->op->shape(&l->shape, in, j, where, e))
        return e->code;
    l->code = l->shape.code;
    return ERR_OK;
}

static struct operator make_operator(const struct layer *l,
                                     enum operator_role role, struct space in,
                                     struct space out)
{
    return (struct operator){
        .kind = l->op, .role = role, .in = in, .out = out, .shape = l->shape};
}

static enum err_code configure_encoder(struct layer *l, const struct json *j,
                                       const char *where, struct params *params,
                                       struct err *e)
{
    char name[64];
    struct space heads = l->code;
    heads.channels *= l->structure.kind->heads;
    if (!l->encoder.kind->decodes) {
        l->enc = make_operator(l, OPERATOR_ENCODES, l->in, heads);
        snprintf(name, sizeof name, "layers.%zu.encoder.weight", l->index);
        if (l->op->declare(&l->enc, params, name, e))
            return e->code;
    }
    if (l->encoder.kind->recurrent)
        l->rec = make_operator(l, OPERATOR_RECURS, l->code, l->code);
    const struct json *encoder = json_get(j, "encoder");
    char inside[80];
    snprintf(inside, sizeof inside, "%s.encoder", where);
    if (check_members(encoder, inside, kind_members, l->encoder.kind->settings,
                      e))
        return e->code;
    return l->encoder.kind->configure(l, encoder, inside, params, e);
}

static enum err_code configure_decoder(struct layer *l, struct params *params,
                                       struct err *e)
{
    char name[64];
    l->dec = make_operator(l, OPERATOR_DECODES, l->code, l->in);
    snprintf(name, sizeof name, "layers.%zu.decoder.weight", l->index);
    if (l->dec.kind->declare(&l->dec, params, name, e))
        return e->code;
    l->dec.kind->limit(&l->dec, OPERATOR_COLUMNS, atom_bound);
    return ERR_OK;
}

static enum err_code configure_structure(struct layer *l, const struct json *j,
                                         const char *where,
                                         struct params *params, struct err *e)
{
    char inside[80];
    snprintf(inside, sizeof inside, "%s.structure", where);
    l->structure.layer = l->index;
    l->structure.code = l->code;
    l->structure.cell = l->shape.cell;
    if (!l->structure.kind->shares && !space_same(&l->shape.cell, &l->code))
        return err_set(e, ERR_INVALID,
                       "%s: structure \"%s\" names single units, which share "
                       "their weights with others here",
                       inside, l->structure.kind->name);
    if (check_members(j, inside, kind_members, l->structure.kind->settings, e))
        return e->code;
    return l->structure.kind->configure(&l->structure, j, inside, params, e);
}

static enum err_code find_kinds(struct layer *l, const struct json *j,
                                const char *where, bool decoder,
                                const struct json **structure, struct err *e)
{
    const char *op = NULL, *encoder_name, *structure_name;
    if (json_get_text(j, where, "operator", &op, e))
        return e->code;
    if (!op)
        return err_set(e, ERR_INVALID, "%s.operator: missing", where);
    if (!kind_object(j, where, "encoder", &encoder_name, e))
        return e->code;
    *structure = kind_object(j, where, "structure", &structure_name, e);
    if (!*structure)
        return e->code;
    l->op = operator_find(op, e);
    l->encoder.kind = l->op ? encoder_find(encoder_name, e) : NULL;
    l->structure.kind =
        l->encoder.kind ? structure_find(structure_name, e) : NULL;
    if (!l->structure.kind)
        return err_wrap(e, "%s", where);
    if (l->structure.kind->variant)
        l->structure.kind = l->structure.kind->variant(*structure);
    if (axes_compatible(l->op, l->encoder.kind, l->structure.kind, decoder, e))
        return err_wrap(e, "%s", where);
    return ERR_OK;
}

enum err_code layer_configure(struct layer *l, size_t index,
                              const struct space *in, const struct json *j,
                              struct params *params, struct err *e)
{
    char where[32];
    bool decoder = true;
    const struct json *structure = NULL;
    size_t first_param = params->n;
    snprintf(where, sizeof where, "layers[%zu]", index);
    l->index = index;
    if (json_get_bool(j, where, "decoder", &decoder, e) ||
        find_kinds(l, j, where, decoder, &structure, e) ||
        check_members(j, where, layer_members, l->op->settings, e) ||
        read_up(l, j, where, e) || configure_shape(l, in, j, where, e) ||
        configure_encoder(l, j, where, params, e) ||
        (decoder && configure_decoder(l, params, e)) ||
        configure_structure(l, structure, where, params, e) ||
        units_check_start(l, where, e))
        return e->code;
    for (size_t i = first_param; i < params->n; i++)
        params->list[i].layer = index;
    return ERR_OK;
}

void layer_fini(struct layer *l)
{
    layer_unprepare(l);
    if (l->encoder.kind && l->encoder.kind->fini)
        l->encoder.kind->fini(l);
    if (l->structure.kind && l->structure.kind->fini)
        l->structure.kind->fini(&l->structure);
}

void layer_start(struct layer *l, struct rng *rng, const float *samples,
                 size_t n)
{
    if (l->dec.kind)
        l->dec.kind->start(&l->dec, rng, samples, n, start_lean);
    if (l->encoder.kind->start)
        l->encoder.kind->start(l, rng);
    if (l->structure.kind->start)
        l->structure.kind->start(&l->structure);
}

/* The operators that this layer has, NULL at the end. */
static void each_operator(struct layer *l, struct operator *list[4])
{
    size_t n = 0;
    struct operator *all[] = {&l->enc, &l->rec, &l->dec};
    for (size_t i = 0; i < 3; i++)
        if (all[i]->kind)
            list[n++] = all[i];
    list[n] = NULL;
}

enum err_code layer_prepare(struct layer *l, struct err *e)
{
    struct operator *list[4];
    each_operator(l, list);
    for (size_t i = 0; list[i]; i++)
        if (list[i]->kind->prepare && list[i]->kind->prepare(list[i], e))
            return e->code;
    if (l->encoder.kind->prepare)
        return l->encoder.kind->prepare(l, e);
    return ERR_OK;
}

void layer_unprepare(struct layer *l)
{
    struct operator *list[4];
    if (l->encoder.kind && l->encoder.kind->unprepare)
        l->encoder.kind->unprepare(l);
    each_operator(l, list);
    for (size_t i = 0; list[i]; i++)
        if (list[i]->kind->unprepare)
            list[i]->kind->unprepare(list[i]);
}

enum err_code layer_unpool_alike(const struct layer *l, float *code,
                                 const float *wanted, size_t B,
                                 struct arena *memory, struct err *e)
{
    const struct structure *s = &l->structure;
    size_t n = layer_units(l), groups = layer_groups(l);
    struct arena_mark mark = arena_mark(memory);
    float *ones = arena_take(memory, n, sizeof *ones);
    float *v = arena_take(memory, groups, sizeof *v);
    if (!ones || !v)
        return err_set(e, ERR_NO_MEMORY, "a code of %zu units", n);
    for (size_t i = 0; i < n; i++)
        ones[i] = 1;
    s->kind->pool(s, v, ones, 1);
    for (size_t b = 0; b < B; b++)
        s->kind->unpool(s, code + b * n, wanted + b * groups, ones, v, 1);
    arena_rewind(memory, mark);
    return ERR_OK;
}

const struct space *layer_up_space(const struct layer *l)
{
    return l->up == UP_POOLED ? &l->structure.pooled : &l->code;
}
