/* Inference: encode, pool, reconstruct, classify, infer, and the way back,
 * decode. The route's row says which outputs it stands for; here is settled
 * what this model can give of them, and the version is held while it works.
 */
#include "api/infer.h"

#include "api/accept.h"
#include "api/body.h"
#include "api/handlers.h"
#include "api/keep.h"
#include "api/learning.h"
#include "api/reply.h"
#include "api/routes.h"

/* ERR_CONFLICT that names what the model lacks. */
static enum err_code refuse_missing(const struct run *r, unsigned missing,
                                    struct err *e)
{
    const char *what = (missing & OUTPUT_CLASSES) != 0
                           ? "no classifier, so it cannot give classes"
                           : "no decoder, so it cannot give reconstructions";

    return err_set(e, ERR_CONFLICT, "model %s has %s", r->served->name, what);
}

/* Options that shape a JSON reply mean nothing in an array or a picture. */
static enum err_code check_options(const struct call *call, struct err *e)
{
    const struct options *o = &call->options;
    const char *lost =
        o->explain                                                   ? "explain"
        : (o->given & OPTION_TOP) != 0                               ? "top"
        : (o->given & OPTION_FORMAT) != 0 && o->format != CODE_DENSE ? "format"
                                                                     : NULL;

    if (call->reply == MEDIA_JSON || lost == NULL)
        return ERR_OK;
    return err_set(e, ERR_SHAPE,
                   "%s: %s has no room for what it asks for: leave it out, or "
                   "accept application/json",
                   lost, media_name(call->reply));
}

static enum err_code settle_outputs(struct run *r, struct err *e)
{
    const struct options *o = &r->call->options;
    const struct model *m = r->model;

    if (check_options(r->call, e) != ERR_OK ||
        body_layer(o, m, &r->layer, e) != ERR_OK)
        return e->code;
    unsigned able = run_able(m, r->layer);
    r->outputs = r->call->route->outputs;
    if (r->outputs == 0)
        r->outputs =
            o->outputs != 0 ? o->outputs : able & ~(unsigned)OUTPUT_TRACE;
    if ((r->outputs & ~able) != 0)
        return refuse_missing(r, r->outputs & ~able, e);
    if ((r->outputs & OUTPUT_CODE) != 0 && preprocess_scales(&m->preprocess))
        r->outputs |= OUTPUT_SCALES;
    if ((r->outputs & OUTPUT_RECONSTRUCTION) != 0)
        r->outputs |= OUTPUT_ERROR;
    if (!o->explain)
        return ERR_OK;
    r->outputs |= OUTPUT_EXPLANATION;
    bool judges = m->classifier.present && r->layer + 1 == m->n_layers;
    if (m->layers[r->layer].dec.kind == NULL && !judges)
        return err_set(e, ERR_CONFLICT,
                       "explain: layer %zu of model %s has neither a decoder "
                       "nor the classifier",
                       r->layer, r->served->name);
    return ERR_OK;
}

static void print_kept(const struct keep *k)
{
    keep_print_ids(k);
    buf_text(&k->pending.call.response->body, "}\n");
}

static enum err_code check_keep(const struct run *r, struct err *e)
{
    if (learning_need(r->call, e) == NULL)
        return err_wrap(e, "keep");
    if (r->known != NULL)
        return err_set(e, ERR_SHAPE,
                       "keep: inputs with missing numbers are no samples: "
                       "leave out keep or mask");
    return ERR_OK;
}

/* The inputs as they were read, before preprocessing, become samples. */
static enum err_code keep(struct run *r, struct err *e)
{
    struct keep *k = keep_new(r->call, &r->rows, NULL, print_kept, e);

    return k == NULL ? e->code : keep_send(k, r->call, e);
}

static enum err_code infer(struct run *r, struct err *e)
{
    struct call *call = r->call;
    unsigned fixed = call->route->outputs;

    /* What no body can change is said before the body is read. */
    unsigned missing = fixed & ~run_able(r->model, r->model->n_layers - 1);
    if ((missing & OUTPUT_CLASSES) != 0 ||
        (missing != 0 && r->model->n_layers == 1))
        return refuse_missing(r, missing, e);
    if (body_read_inputs(call, r->model, &r->rows, &r->known, e) != ERR_OK ||
        settle_outputs(r, e) != ERR_OK)
        return e->code;
    if (r->known != NULL && model_check_restores(r->model, e) != ERR_OK)
        return err_wrap(e, "mask: model %s cannot take one", r->served->name);
    if (call->options.keep && check_keep(r, e) != ERR_OK)
        return e->code;
    account_lap(&call->response->account, STAGE_PARSE);
    return reply_write(r, e);
}

static enum err_code decode(struct run *r, struct err *e)
{
    const struct model *m = r->model;

    if (m->n_layers == 1 && !run_can_decode(m, 0))
        return refuse_missing(r, OUTPUT_RECONSTRUCTION, e);
    if (body_read_codes(r->call, m, &r->rows, &r->scales, e) != ERR_OK ||
        body_layer(&r->call->options, m, &r->layer, e) != ERR_OK)
        return e->code;
    r->decode = true;
    r->outputs = OUTPUT_RECONSTRUCTION;
    account_lap(&r->call->response->account, STAGE_PARSE);
    return reply_write(r, e);
}

enum err_code infer_with_model(struct call *call,
                               enum err_code (*work)(struct run *r,
                                                     struct err *e),
                               struct err *e)
{
    struct run r = {.call = call};

    r.served =
        registry_acquire(call->api->registry, call->model, call->version, e);
    if (r.served == NULL)
        return e->code;
    r.model = r.served->model;
    enum err_code code = work(&r, e);
    account_settle(&call->response->account, r.served,
                   code == ERR_OK && !buf_failed(&call->response->body));
    if (code == ERR_OK && call->options.keep)
        code = keep(&r, e);
    registry_release(call->api->registry, r.served);
    return code;
}

enum err_code infer_handle(struct call *call, struct err *e)
{
    return infer_with_model(call, infer, e);
}

enum err_code decode_handle(struct call *call, struct err *e)
{
    return infer_with_model(call, decode, e);
}
