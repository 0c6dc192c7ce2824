/* KServe's first protocol: instances in, predictions out, with the manners of
 * the second.
 *
 * A prediction is what `classify` says of an input, or what `encode` does where
 * there are no classes. The reply has room for nothing else, so its headers say
 * which version has made it.
 */
#include "api/handlers.h"
#include "api/infer.h"
#include "api/reply.h"
#include "api/tensor_json.h"

/* Other members of the body are somebody else's. */
static enum err_code read_instances(struct run *r, struct err *e)
{
    const struct api_request *request = r->call->request;
    struct tensor_member member = {
        .name = "instances", .read = tensor_read_rows, .out = &r->rows};

    r->rows = tensor_of_inputs(r->model, request->memory);
    r->rows.name = member.name;
    r->rows.member = "input";
    struct json *rest = tensor_json_read(request->body, request->body_length,
                                         &member, 1, request->memory, e);
    if (rest == NULL)
        return e->code;
    json_free(rest);
    if (member.seen)
        return ERR_OK;
    return err_set(e, ERR_SHAPE, "instances: missing, want an array of inputs");
}

static enum err_code predict(struct run *r, struct err *e)
{
    const struct model *m = r->model;

    r->layer = m->n_layers - 1;
    r->outputs = m->classifier.present ? OUTPUT_CLASSES : OUTPUT_CODE;
    r->member = "predictions";
    r->call->reply = MEDIA_JSON;
    if (read_instances(r, e) != ERR_OK)
        return e->code;
    account_lap(&r->call->response->account, STAGE_PARSE);
    return reply_write(r, e);
}

enum err_code predict_handle(struct call *call, struct err *e)
{
    return infer_with_model(call, predict, e);
}
