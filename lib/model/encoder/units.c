/* z = gain * f(a, b) and its adjoint. */
#include "lib/model/encoder/units.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"

#include <stdio.h>

/* Rolfe & LeCun's code starts every bias here: on, but barely. */
static const float start_bias = 1e-5f;

/* The code's space, or its cell, with all heads. */
static struct space with_heads(const struct layer *l, struct space s)
{
    s.channels *= l->structure.kind->heads;
    return s;
}

static struct param *declare_vector(struct layer *l, const char *what,
                                    struct params *params, struct err *e)
{
    char name[64];
    struct space cell = with_heads(l, l->shape.cell);
    enum param_axis axis =
        space_size(&cell) == layer_units(l) ? AXIS_CODE : AXIS_FIXED;
    snprintf(name, sizeof name, "layers.%zu.encoder.%s", l->index, what);
    return params_add(params, name, 1, (size_t[]){space_size(&cell)}, &axis, e);
}

static enum err_code read_gain(struct layer *l, const struct json *encoder,
                               const char *where, bool *gain, struct err *e)
{
    double start = 1;
    if (json_is_number(json_get(encoder, "gain"))) {
        *gain = true;
        if (json_get_number(encoder, where, "gain", 1e-6, 1e6, &start, e))
            return e->code;
    } else if (json_get_bool(encoder, where, "gain", gain, e)) {
        return e->code;
    }
    l->encoder.start_gain = (float)start;
    return ERR_OK;
}

enum err_code units_configure(struct layer *l, const struct json *encoder,
                              const char *where, struct params *params,
                              struct err *e)
{
    const char *name = nonlinearities[0]->name;
    bool gain = false;
    if (json_get_text(encoder, where, "nonlinearity", &name, e) ||
        read_gain(l, encoder, where, &gain, e))
        return e->code;
    l->encoder.f = nonlinearity_find(name);
    if (!l->encoder.f)
        return err_set(e, ERR_INVALID, "%s.nonlinearity: there is no \"%s\"",
                       where, name);
    if (l->structure.kind->heads > 1 && !l->encoder.f->onto)
        return err_set(e, ERR_INVALID,
                       "%s.nonlinearity: \"%s\" cannot give every number, "
                       "which structure \"%s\" needs",
                       where, name, l->structure.kind->name);
    l->encoder.bias = declare_vector(l, "bias", params, e);
    if (!l->encoder.bias)
        return e->code;
    if (gain && !(l->encoder.gain = declare_vector(l, "gain", params, e)))
        return e->code;
    return ERR_OK;
}

/* f at no input shows it: one whose b is a threshold gives 0. */
enum err_code units_check_start(const struct layer *l, const char *where,
                                struct err *e)
{
    float start = l->structure.start, nothing = 0, given = start;
    float bias = -start;
    if (l->encoder.f)
        l->encoder.f->apply(&given, &nothing, &bias, 1, 1);
    if (given != start)
        return err_set(e, ERR_INVALID,
                       "%s.structure.start: nonlinearity \"%s\" cannot start "
                       "there",
                       where, l->encoder.f->name);
    return ERR_OK;
}

void units_start(struct layer *l)
{
    size_t first = l->encoder.bias->count / l->structure.kind->heads;
    float later = start_bias - l->structure.start / l->encoder.start_gain;
    for (size_t i = 0; i < l->encoder.bias->count; i++) {
        l->encoder.bias->value[i] = i < first ? start_bias : later;
        if (l->encoder.gain)
            l->encoder.gain->value[i] = l->encoder.start_gain;
    }
}

/* The parameter's number for every unit: its own values where no unit shares
 * them, else from scratch. */
static const float *for_units(const struct layer *l, const struct param *p,
                              struct arena *scratch)
{
    if (space_same(&l->shape.cell, &l->code))
        return p->value;
    struct space cell = with_heads(l, l->shape.cell),
                 all = with_heads(l, l->code);
    float *values = arena_take(scratch, space_size(&all), sizeof *values);
    space_repeat(values, p->value, &cell, &all);
    return values;
}

void units_forward(const struct layer *l, float *z, float *h, const float *a,
                   size_t B, struct arena *scratch)
{
    size_t n = layer_outputs(l);
    const struct encoder *enc = &l->encoder;
    struct arena_mark mark = arena_mark(scratch);
    enc->f->apply(h ? h : z, a, for_units(l, enc->bias, scratch), B, n);
    const float *gain = enc->gain ? for_units(l, enc->gain, scratch) : NULL;
    for (size_t b = 0; gain && b < B; b++) {
        if (h)
            vec_multiply(z + b * n, h + b * n, gain, n);
        else
            vec_multiply_by(z + b * n, gain, n);
    }
    arena_rewind(scratch, mark);
}

/* Where the units' gradients on p are added up: its place in grads where no
 * unit shares it, else scratch, which fold adds to it. */
static float *gradient_of(const struct layer *l, const struct param *p,
                          float *grads, struct arena *scratch)
{
    if (grads && space_same(&l->shape.cell, &l->code))
        return grads + p->offset;
    return arena_zeroed(scratch, layer_outputs(l), sizeof(float));
}

static void fold(const struct layer *l, const struct param *p, float *grads,
                 const float *sums)
{
    struct space cell = with_heads(l, l->shape.cell),
                 all = with_heads(l, l->code);
    if (grads && sums != grads + p->offset)
        space_fold(grads + p->offset, sums, &cell, &all);
}

void units_backward(const struct layer *l, float *grads, float *da, float *dz,
                    const float *z, const float *h, size_t B,
                    struct arena *scratch)
{
    size_t n = layer_outputs(l);
    const struct encoder *enc = &l->encoder;
    struct arena_mark mark = arena_mark(scratch);
    float *db = gradient_of(l, enc->bias, grads, scratch);
    if (enc->gain) {
        const float *gain = for_units(l, enc->gain, scratch);
        float *dg = gradient_of(l, enc->gain, grads, scratch);
        for (size_t b = 0; b < B; b++) {
            vec_add_products(dg, dz + b * n, h + b * n, n);
            vec_multiply_by(dz + b * n, gain, n);
        }
        fold(l, enc->gain, grads, dg);
    }
    enc->f->backward(da, db, dz, enc->gain ? h : z, B, n);
    fold(l, enc->bias, grads, db);
    arena_rewind(scratch, mark);
}

size_t units_scratch_bytes(const struct layer *l)
{
    return 3 * (layer_outputs(l) * sizeof(float) + MEM_ALIGN);
}

/* The parameter as a row of all units. */
static int emit_for_units(const struct layer *l, const struct param *p,
                          struct graph *g)
{
    struct space cell = with_heads(l, l->shape.cell),
                 all = with_heads(l, l->code);
    if (space_same(&l->shape.cell, &l->code))
        return param_emit(p, g);
    size_t n = space_size(&all);
    float *values = arena_take(g->memory, n, sizeof *values);
    if (!values)
        return GRAPH_NONE;
    space_repeat(values, p->value, &cell, &all);
    return g->constant(g, p->name, values, 1, &n);
}

int units_emit(const struct layer *l, struct graph *g, int a)
{
    const struct encoder *enc = &l->encoder;
    int z = enc->f->emit(g, a, emit_for_units(l, enc->bias, g));
    if (!enc->gain)
        return z;
    return g->apply(g, GRAPH_MULTIPLY, z, emit_for_units(l, enc->gain, g));
}
