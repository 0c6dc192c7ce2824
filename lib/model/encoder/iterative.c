/* iterative: no net; the code is what minimises the layer's energy through its
 * decoder (lib/model/solver.h): sparse coding (Olshausen & Field; ISTA, FISTA,
 * coordinate descent).
 *
 * Training alternates: codes for a batch with the weights held, then a step on
 * the weights with the codes held. So nothing goes backwards through here.
 */
#include "lib/base/mem.h"
#include "lib/model/solver.h"

struct iterative {
    struct solver solver;
    struct solver_weights weights; /* the final ones; zero while they change */
};

static enum err_code configure(struct layer *l, const struct json *encoder,
                               const char *where, struct params *params,
                               struct err *e)
{
    (void)params;
    struct iterative *own = l->encoder.own = mem_array(1, sizeof *own);
    if (!own)
        return err_set(e, ERR_NO_MEMORY, "%s", where);
    if (solver_configure(&own->solver, encoder, where, l->op, l->structure.kind,
                         e))
        return e->code;
    l->encoder.steps = own->solver.steps;
    return ERR_OK;
}

static void unprepare(struct layer *l)
{
    struct iterative *own = l->encoder.own;
    if (own)
        solver_unprepare(&own->weights);
}

static void fini(struct layer *l)
{
    unprepare(l);
    mem_free(l->encoder.own);
    l->encoder.own = NULL;
}

static enum err_code prepare(struct layer *l, struct err *e)
{
    struct iterative *own = l->encoder.own;
    unprepare(l);
    return solver_prepare(&own->weights, &own->solver, l, e);
}

static void forward(const struct layer *l, struct tape *tape, const float *x,
                    size_t B, size_t steps, struct arena *scratch)
{
    const struct iterative *own = l->encoder.own;
    struct solver solver = own->solver;
    solver.steps = steps;
    solver_run(&solver, l, &own->weights, tape, x, B, scratch);
}

static size_t scratch_bytes(const struct layer *l, size_t B, size_t steps)
{
    const struct iterative *own = l->encoder.own;
    (void)steps;
    return solver_scratch_bytes(&own->solver, l, B);
}

const struct encoder_kind encoder_iterative = {
    .name = "iterative",
    .help = "minimises the energy: ISTA, FISTA or coordinate descent",
    .settings = solver_settings,
    .decodes = true,
    .configure = configure,
    .fini = fini,
    .prepare = prepare,
    .unprepare = unprepare,
    .forward = forward,
    .scratch_bytes = scratch_bytes,
};
