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
    float L; /* of the final weights; 0 while they may change */
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

static void fini(struct layer *l)
{
    mem_free(l->encoder.own);
    l->encoder.own = NULL;
}

static enum err_code prepare(struct layer *l, struct err *e)
{
    struct iterative *own = l->encoder.own;
    struct arena memory;
    arena_init(&memory, SIZE_MAX);
    enum err_code code = ERR_OK;
    if (arena_reserve(&memory, solver_scratch_bytes(&own->solver, l, 1)))
        own->L = solver_step_bound(&own->solver, l, &memory);
    else
        code = err_set(e, ERR_NO_MEMORY, "layer %zu: its step", l->index);
    arena_fini(&memory);
    return code;
}

static void unprepare(struct layer *l)
{
    struct iterative *own = l->encoder.own;
    if (own)
        own->L = 0;
}

static void forward(const struct layer *l, struct tape *tape, const float *x,
                    size_t B, size_t steps, struct arena *scratch)
{
    const struct iterative *own = l->encoder.own;
    struct solver solver = own->solver;
    solver.steps = steps;
    solver_run(&solver, l, own->L, tape, x, B, scratch);
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
