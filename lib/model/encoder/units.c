/* z = gain * f(a, b) and its adjoint. */
#include "lib/model/encoder/units.h"

#include <stdio.h>

/* Rolfe & LeCun's code starts every bias here: on, but barely. */
static const float start_bias = 1e-5f;

static struct param *declare_vector(struct layer *l, const char *what,
                                    struct params *params, struct err *e)
{
    char name[64];
    snprintf(name, sizeof name, "layers.%zu.encoder.%s", l->index, what);
    return params_add(params, name, 1, (size_t[]){layer_units(l)},
                      (enum param_axis[]){AXIS_CODE}, e);
}

enum err_code units_configure(struct layer *l, const struct json *encoder,
                              const char *where, struct params *params,
                              struct err *e)
{
    const char *name = nonlinearities[0]->name;
    bool gain = false;
    if (json_get_text(encoder, where, "nonlinearity", &name, e) ||
        json_get_bool(encoder, where, "gain", &gain, e))
        return e->code;
    l->encoder.f = nonlinearity_find(name);
    if (!l->encoder.f)
        return err_set(e, ERR_INVALID, "%s.nonlinearity: there is no \"%s\"",
                       where, name);
    l->encoder.bias = declare_vector(l, "bias", params, e);
    if (!l->encoder.bias)
        return e->code;
    if (gain && !(l->encoder.gain = declare_vector(l, "gain", params, e)))
        return e->code;
    return ERR_OK;
}

void units_start(struct layer *l)
{
    for (size_t i = 0; i < layer_units(l); i++) {
        l->encoder.bias->value[i] = start_bias;
        if (l->encoder.gain)
            l->encoder.gain->value[i] = 1.0f;
    }
}

void units_forward(const struct layer *l, float *z, float *h, const float *a,
                   size_t B)
{
    size_t n = layer_units(l);
    const struct encoder *enc = &l->encoder;
    float *out = enc->gain ? h : z;
    enc->f->apply(out, a, enc->bias->value, B, n);
    if (!enc->gain)
        return;
    for (size_t b = 0; b < B; b++)
        for (size_t i = 0; i < n; i++)
            z[b * n + i] = enc->gain->value[i] * h[b * n + i];
}

void units_backward(const struct layer *l, float *grads, float *da, float *dz,
                    const float *z, const float *h, size_t B, float *sink)
{
    size_t n = layer_units(l);
    const struct encoder *enc = &l->encoder;
    float *db = grads ? grads + enc->bias->offset : sink;
    if (!enc->gain) {
        enc->f->backward(da, db, dz, z, B, n);
        return;
    }
    float *dg = grads ? grads + enc->gain->offset : sink;
    for (size_t b = 0; b < B; b++)
        for (size_t i = 0; i < n; i++) {
            dg[i] += dz[b * n + i] * h[b * n + i];
            dz[b * n + i] *= enc->gain->value[i];
        }
    enc->f->backward(da, db, dz, h, B, n);
}

int units_emit(const struct layer *l, struct graph *g, int a)
{
    const struct encoder *enc = &l->encoder;
    int z = enc->f->emit(g, a, param_emit(enc->bias, g));
    if (!enc->gain)
        return z;
    return g->apply(g, GRAPH_MULTIPLY, z, param_emit(enc->gain, g));
}
