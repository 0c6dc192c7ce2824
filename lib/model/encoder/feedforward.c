/* feedforward: one look at the input, z = gain * f(E x - b).
 *
 * With group sparsity on z and a linear decoder this is the sparse
 * auto-encoder of LeCun's lecture (NYU Deep Learning 2020, 9-1, figure 3).
 */
#include "lib/model/encoder/units.h"

static enum err_code configure(struct layer *l, const struct json *encoder,
                               const char *where, struct params *params,
                               struct err *e)
{
    l->encoder.steps = 1;
    return units_configure(l, encoder, where, params, e);
}

/* E starts as the decoder's adjoint: the unit that draws a stroke sees it. */
static void start(struct layer *l, struct rng *rng)
{
    units_start(l);
    if (l->dec.kind)
        l->enc.kind->start_adjoint(&l->enc, &l->dec, 1.0f);
    else
        l->enc.kind->start(&l->enc, rng, NULL, 0, 0);
}

static void forward(const struct layer *l, struct tape *tape, const float *x,
                    size_t B, size_t steps, struct arena *scratch)
{
    (void)steps;
    tape->steps = 1;
    l->enc.kind->apply(&l->enc, tape->z, NULL, x, B, scratch);
    units_forward(l, tape->z, tape->h, tape->z, B, scratch);
}

static void backward(const struct layer *l, float *grads,
                     const struct tape *tape, float *dz, float *dx,
                     const float *x, size_t B, struct arena *scratch)
{
    units_backward(l, grads, dz, dz, tape->z, tape->h, B, scratch);
    if (grads)
        l->enc.kind->gradient(&l->enc, grads + l->enc.weight->offset, dz, x, B,
                              scratch);
    if (dx)
        l->enc.kind->adjoint(&l->enc, dx, dz, B, scratch);
}

static int emit(const struct layer *l, struct graph *g, int x)
{
    return units_emit(l, g, l->enc.kind->emit(&l->enc, g, x));
}

static size_t scratch_bytes(const struct layer *l, size_t B, size_t steps)
{
    (void)steps;
    return l->enc.kind->scratch_bytes(&l->enc, B) + units_scratch_bytes(l);
}

const struct encoder_kind encoder_feedforward = {
    .name = "feedforward",
    .help = "one step: z = f(E x - b)",
    .settings = (const char *const[]){"nonlinearity", "gain", NULL},
    .configure = configure,
    .start = start,
    .forward = forward,
    .backward = backward,
    .emit = emit,
    .scratch_bytes = scratch_bytes,
};
