/* One code unit: the atom that it draws in the input, and how it votes for
 * classes.
 */
#include "api/body.h"
#include "api/etag.h"
#include "api/handlers.h"
#include "api/print.h"
#include "api/run.h"
#include "lib/model/atoms.h"
#include "lib/model/numbers.h"

#include <math.h>

/* The atom (inputs), NULL in *atom if the model cannot draw it. */
static enum err_code draw(const struct call *call, const struct model *m,
                          size_t layer, float **atom, struct err *e)
{
    struct arena *memory = call->request->memory;
    size_t inputs = model_inputs(m);

    *atom = NULL;
    if (!model_draws(m, layer))
        return ERR_OK;
    float *x = arena_take(memory, inputs, sizeof *x);
    if (x == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for an atom");
    if (atoms_draw_unit(m, layer, call->unit, x, memory, e) != ERR_OK)
        return e->code;
    *atom = numbers_finite(x, inputs) ? x : NULL;
    return ERR_OK;
}

static void print_atom(struct buf *b, const float *atom, size_t inputs)
{
    if (atom == NULL) {
        buf_text(b, ",\"atom\":null,\"norm\":null");
        return;
    }
    buf_text(b, ",\"atom\":");
    print_floats(b, atom, inputs);
    buf_text(b, ",\"norm\":");
    print_float_or_null(b, (float)numbers_norm(atom, inputs));
}

static void print_votes(struct buf *b, const struct model *m, size_t layer,
                        size_t unit)
{
    const struct classifier *c = &m->classifier;

    buf_text(b, ",\"votes\":");
    if (!c->present || c->pooled || layer + 1 != m->n_layers) {
        buf_text(b, "null");
        return;
    }
    buf_char(b, '[');
    for (size_t k = 0; k < c->classes; k++) {
        buf_printf(b, "%s{\"class\":", k > 0 ? "," : "");
        buf_json_text(b, m->classes[k]);
        buf_printf(b, ",\"index\":%zu,\"weight\":", k);
        print_float_or_null(b, c->weight->value[k * c->inputs + unit]);
        buf_char(b, '}');
    }
    buf_char(b, ']');
}

static enum err_code show(struct call *call, const struct served *s,
                          struct err *e)
{
    const struct model *m = s->model;
    size_t layer;
    float *atom;

    if (body_layer(&call->options, m, &layer, e) != ERR_OK)
        return e->code;
    size_t n = layer_units(&m->layers[layer]);
    if (call->unit >= n)
        return err_set(e, ERR_NOT_FOUND,
                       "layer %zu of model %s has units 0 to %zu", layer,
                       s->name, n - 1);
    if (draw(call, m, layer, &atom, e) != ERR_OK)
        return e->code;
    struct buf *b = api_response_json(call->response, 200);
    buf_text(b, "{\"model\":");
    buf_json_text(b, s->name);
    buf_printf(b, ",\"version\":%llu,\"layer\":%zu,\"unit\":%llu",
               (unsigned long long)s->version, layer,
               (unsigned long long)call->unit);
    print_atom(b, atom, model_inputs(m));
    print_votes(b, m, layer, call->unit);
    buf_text(b, "}\n");
    return ERR_OK;
}

enum err_code units_show(struct call *call, struct err *e)
{
    const struct served *s =
        registry_acquire(call->api->registry, call->model, call->version, e);

    if (s == NULL)
        return e->code;
    enum err_code code = show(call, s, e);
    registry_release(call->api->registry, s);
    if (code == ERR_OK)
        etag_seal(call);
    return code;
}
