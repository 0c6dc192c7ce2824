/* Blocks of rows through the model. */
#include "api/run.h"

#include "api/watch.h"
#include "lib/model/numbers.h"

/* Between blocks it is looked whether anybody still waits; larger ones are
 * hardly faster. */
#define BLOCK_ROWS 128
#define SLACK_BYTES ((size_t)4096) /* alignment of a handful of blocks */

/* ---- what a model can do ---- */

unsigned run_able(const struct model *m, size_t layer)
{
    return OUTPUT_CODE | OUTPUT_GROUPS | OUTPUT_TRACE |
           (model_draws(m, layer) ? OUTPUT_RECONSTRUCTION : 0u) |
           (m->classifier.present ? OUTPUT_CLASSES : 0u);
}

bool run_can_decode(const struct model *m, size_t layer)
{
    for (size_t i = 0; i < layer; i++) {
        if (m->layers[i].up == UP_POOLED)
            return false;
    }
    return model_draws(m, layer);
}

/* ---- memory ---- */

/* For the block at r->first. */
static struct model_options model_options(const struct run *r)
{
    return (struct model_options){
        .known = r->known != NULL ? r->known + r->first * r->rows.size : NULL,
        .steps = r->call->options.steps,
        .trace = (r->outputs & OUTPUT_TRACE) != 0,
    };
}

static size_t block_bytes(const struct run *r, size_t B)
{
    struct model_options options = model_options(r);

    size_t shares = (r->outputs & OUTPUT_EXPLANATION) != 0
                        ? 2 * layer_units(&r->model->layers[r->layer])
                        : 0;

    return model_pass_bytes(r->model, B, &options) +
           (B * (model_inputs(r->model) + 1) + shares) * sizeof(float) +
           SLACK_BYTES;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

enum err_code run_plan(struct run *r, size_t *block_rows, struct err *e)
{
    const struct model *m = r->model;
    const struct layer *l = &m->layers[r->layer];
    struct arena *memory = r->call->request->memory;
    size_t widest =
        larger(layer_units(l), larger(layer_groups(l), m->classifier.classes));

    if (!pick_init(&r->pick, widest, memory))
        return err_set(e, ERR_NO_MEMORY, "no memory for a row");
    size_t room = memory->max_bytes - memory->used_bytes;
    size_t B = r->rows.B < BLOCK_ROWS ? r->rows.B : BLOCK_ROWS;
    while (B > 1 && block_bytes(r, B) > room)
        B = (B + 1) / 2;
    if (block_bytes(r, B) > room)
        return err_set(e, ERR_TOO_LARGE,
                       "one row needs %zu bytes and the request has %zu left: "
                       "ask for fewer steps or leave out the trace",
                       block_bytes(r, B), room);
    *block_rows = B;
    r->call->response->account.rows = r->rows.B;
    return ERR_OK;
}

/* ---- one block ---- */

static enum err_code check_finite(const struct run *r, const char *what,
                                  const float *x, size_t size, struct err *e)
{
    if (numbers_finite(x, r->B * size))
        return ERR_OK;
    size_t row = 0;
    while (numbers_finite(x + row * size, size))
        row++;
    return err_set(e, ERR_SHAPE,
                   "%s[%zu]: its numbers are so large that the %s is not "
                   "finite",
                   r->rows.name, r->first + row, what);
}

static enum err_code take_reconstruction(struct run *r, struct err *e)
{
    struct arena *memory = r->call->request->memory;

    r->reconstruction =
        arena_take(memory, r->B * model_inputs(r->model), sizeof(float));
    r->relative_error = arena_take(memory, r->B, sizeof(float));
    if (r->reconstruction == NULL || r->relative_error == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu reconstructions",
                       r->B);
    return ERR_OK;
}

static enum err_code decode(struct run *r, struct err *e)
{
    const struct model *m = r->model;
    const float *z = run_inputs(r);
    const float *scales = r->scales != NULL ? r->scales + r->first : NULL;

    if (take_reconstruction(r, e) != ERR_OK ||
        model_decode(m, r->layer, r->reconstruction, z, scales, r->B,
                     r->call->request->memory, e) != ERR_OK)
        return e->code;
    return check_finite(r, "reconstruction", r->reconstruction, model_inputs(m),
                        e);
}

static enum err_code reconstruct(struct run *r, struct err *e)
{
    if (take_reconstruction(r, e) != ERR_OK ||
        model_reconstruct(r->model, &r->pass, r->layer, r->reconstruction,
                          r->relative_error, r->call->request->memory,
                          e) != ERR_OK)
        return e->code;
    return check_finite(r, "reconstruction", r->reconstruction,
                        model_inputs(r->model), e);
}

/* An explanation of the top layer speaks of the class. */
static bool wants_classes(const struct run *r)
{
    return (r->outputs & OUTPUT_CLASSES) != 0 ||
           ((r->outputs & OUTPUT_EXPLANATION) != 0 &&
            r->model->classifier.present && r->layer + 1 == r->model->n_layers);
}

static enum err_code after_encode(struct run *r, struct err *e)
{
    const struct model *m = r->model;
    struct arena *memory = r->call->request->memory;
    const struct layer *l = &m->layers[r->layer];
    struct layer_pass *lp = &r->pass.layers[r->layer];

    if ((r->outputs & OUTPUT_SCALES) != 0 &&
        check_finite(r, "scale", r->pass.scale, 1, e) != ERR_OK)
        return e->code;
    if ((r->outputs & OUTPUT_TRACE) != 0 &&
        !numbers_finite(lp->tape.z, lp->tape.steps * r->B * layer_units(l)))
        return err_set(e, ERR_SHAPE,
                       "trace: a code on the way is not finite: ask for fewer "
                       "steps, or send smaller numbers");
    if ((r->outputs & OUTPUT_GROUPS) != 0 &&
        (model_pool(m, &r->pass, r->layer, memory, e) != ERR_OK ||
         check_finite(r, "pool", lp->v, layer_groups(l), e) != ERR_OK))
        return e->code;
    if (wants_classes(r) && (model_classify(m, &r->pass, memory, e) != ERR_OK ||
                             check_finite(r, "score", r->pass.probabilities,
                                          m->classifier.classes, e) != ERR_OK))
        return e->code;
    if ((r->outputs & OUTPUT_RECONSTRUCTION) != 0)
        return reconstruct(r, e);
    return ERR_OK;
}

static enum err_code encode(struct run *r, struct err *e)
{
    struct model_options options = model_options(r);
    enum err_code code = model_encode(r->model, &r->pass, run_inputs(r), r->B,
                                      &options, r->call->request->memory, e);
    /* The model's own numbers are finite, so the request's are to blame. */
    if (code == ERR_INTERNAL)
        e->code = ERR_SHAPE;
    if (code != ERR_OK || after_encode(r, e) != ERR_OK)
        return e->code;
    watch_block(r);
    return ERR_OK;
}

/* Whether anybody waits for the rows that are still to come. */
static enum err_code check_wanted(const struct run *r, struct err *e)
{
    const struct api_request *request = r->call->request;

    if (r->call->deadline != 0 && clock_now() > r->call->deadline) {
        r->call->response->account.refusal = METERS_DEADLINE;
        return err_set(e, ERR_DEADLINE,
                       "the request's time was over after %zu of %zu rows: "
                       "send fewer, or give it more time",
                       r->first, r->rows.B);
    }
    if (request->wanted != NULL && !request->wanted(request->wanted_arg)) {
        r->call->response->account.refusal = METERS_GONE;
        return err_set(e, ERR_DEADLINE, "the client has gone");
    }
    return ERR_OK;
}

enum err_code run_block(struct run *r, size_t first, size_t B, struct err *e)
{
    struct account *account = &r->call->response->account;

    account_lap(account, STAGE_PRINT); /* of what came before the block */
    r->first = first;
    r->B = B;
    if (check_wanted(r, e) != ERR_OK)
        return e->code;
    enum err_code code = r->decode ? decode(r, e) : encode(r, e);
    account_lap(account, STAGE_COMPUTE);
    return code;
}
