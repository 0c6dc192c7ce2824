/* Labels that come later, for samples that were kept without one, or with a
 * wrong one.
 */
#include "api/handlers.h"
#include "api/label.h"
#include "api/learning.h"
#include "api/pending.h"
#include "api/print.h"
#include "api/tensor_json.h"

struct put {
    struct pending pending;
    struct label label;
};

static enum err_code write_label(struct pending *p, struct database *db,
                                 struct err *e)
{
    const struct call *call = &p->call;
    const struct label *l = &((struct put *)p)->label;
    const char *text = l->given ? l->text : NULL;
    const struct samples_limits limits = learning_limits(call);

    enum err_code code = samples_set_label(
        db, call->model, (int64_t)call->sample, text, &limits, e);
    if (code == ERR_TOO_LARGE) /* not the body, what it says */
        e->code = ERR_SHAPE;
    if (code != ERR_OK)
        return e->code;
    struct buf *b = api_response_json(call->response, 200);
    buf_text(b, "{\"model\":");
    buf_json_text(b, call->model);
    buf_printf(b, ",\"id\":%llu,\"label\":", (unsigned long long)call->sample);
    print_text_or_null(b, text);
    buf_text(b, "}\n");
    return ERR_OK;
}

static enum err_code read_body(struct call *call, struct label *label,
                               struct err *e)
{
    static const char *const names[] = {"label", NULL};
    const struct api_request *request = call->request;
    struct tensor_member member = {
        .name = names[0], .read = label_read, .out = label};
    struct json *rest = tensor_json_read(request->body, request->body_length,
                                         &member, 1, request->memory, e);

    if (rest == NULL)
        return e->code;
    enum err_code code = options_read_json(&call->options, 0, rest, names, e);
    json_free(rest);
    if (code == ERR_OK && !member.seen)
        code = err_set(e, ERR_SHAPE, "label: missing, want a text, or null");
    return code;
}

enum err_code labels_put(struct call *call, struct err *e)
{
    if (learning_need(call, e) == NULL ||
        learning_check_model(call, e) != ERR_OK)
        return e->code;
    struct put *put = pending_new(call, sizeof *put, write_label, e);
    if (put == NULL || read_body(call, &put->label, e) != ERR_OK)
        return e->code;
    put->pending.after = pending_wake;
    return pending_send(&put->pending, call, e);
}
