/* KServe's first protocol: instances in, predictions out.
 *
 * A prediction is what `classify` says of an input, or what `encode` does where
 * there are no classes; the reply is theirs with the member's name changed, so
 * it names the version too.
 */
#include "api/handlers.h"
#include "api/infer.h"
#include "api/reply.h"
#include "api/routes.h"
#include "api/tensor_json.h"

static enum err_code read_instances(struct call *call, const struct model *m,
                                    struct tensor *rows, struct err *e)
{
    /* The second is what clients of TensorFlow Serving send. */
    static const char *const names[] = {"instances", "signature_name", NULL};
    const struct api_request *request = call->request;
    struct tensor_member member = {
        .name = names[0], .read = tensor_read_rows, .out = rows};

    *rows = tensor_of_inputs(m, request->memory);
    rows->name = names[0];
    rows->member = "input";
    struct json *rest = tensor_json_read(request->body, request->body_length,
                                         &member, 1, request->memory, e);
    if (rest == NULL)
        return e->code;
    enum err_code code =
        options_read_json(&call->options, call->route->options, rest, names, e);
    json_free(rest);
    if (code == ERR_OK && !member.seen)
        return err_set(e, ERR_SHAPE,
                       "instances: missing, want an array of inputs");
    return code;
}

static enum err_code predict(struct run *r, struct err *e)
{
    const struct model *m = r->model;

    r->layer = m->n_layers - 1;
    r->outputs = m->classifier.present ? OUTPUT_CLASSES : OUTPUT_CODE;
    r->member = "predictions";
    if (read_instances(r->call, m, &r->rows, e) != ERR_OK)
        return e->code;
    account_lap(&r->call->response->account, STAGE_PARSE);
    return reply_write(r, e);
}

enum err_code predict_handle(struct call *call, struct err *e)
{
    return infer_with_model(call, predict, e);
}
