/* Bodies of inference requests. */
#include "api/body.h"

#include "api/routes.h"
#include "api/tensor_json.h"

enum err_code body_layer(const struct options *o, const struct model *m,
                         size_t *layer, struct err *e)
{
    *layer = o->layer == OPTIONS_TOP_LAYER ? m->n_layers - 1 : o->layer;
    if (*layer < m->n_layers)
        return ERR_OK;
    return err_set(e, ERR_SHAPE,
                   "layer: the model has layers 0 to %zu, got %zu",
                   m->n_layers - 1, *layer);
}

/* ---- inputs ---- */

static enum err_code check_inputs(const struct tensor_member *members,
                                  const struct tensor *rows,
                                  const struct tensor *mask, struct err *e)
{
    if (!members[0].seen)
        return err_set(e, ERR_SHAPE,
                       "inputs: missing, want an array of inputs");
    if (members[1].seen && mask->B != rows->B)
        return err_set(e, ERR_SHAPE,
                       "mask: want one row an input, %zu, got %zu", rows->B,
                       mask->B);
    return ERR_OK;
}

static enum err_code inputs_from_json(struct call *call, const struct model *m,
                                      struct tensor *rows, const float **known,
                                      struct err *e)
{
    static const char *const names[] = {"inputs", "mask", NULL};
    const struct api_request *request = call->request;
    struct tensor mask = tensor_of_mask(m, request->memory);
    struct tensor_member members[2] = {
        {.name = names[0], .read = tensor_read_rows, .out = rows},
        {.name = names[1], .read = tensor_read_rows, .out = &mask},
    };
    struct json *rest = tensor_json_read(request->body, request->body_length,
                                         members, 2, request->memory, e);

    if (rest == NULL)
        return e->code;
    enum err_code code =
        options_read_json(&call->options, call->route->options, rest, names, e);
    json_free(rest);
    if (code == ERR_OK)
        code = check_inputs(members, rows, &mask, e);
    *known = mask.data;
    return code;
}

enum err_code body_read_inputs(struct call *call, const struct model *m,
                               struct tensor *rows, const float **known,
                               struct err *e)
{
    const struct api_request *request = call->request;

    *known = NULL;
    *rows = tensor_of_inputs(m, request->memory);
    switch (call->body) {
    case MEDIA_JSON:
        return inputs_from_json(call, m, rows, known, e);
    case MEDIA_NPY:
        return tensor_read_npy(rows, request->body, request->body_length, e);
    case MEDIA_PNG:
    case MEDIA_JPEG:
        return tensor_read_image(rows, request->body, request->body_length, e);
    case MEDIA_NDJSON:
    case MEDIA_NPZ:
    case MEDIA_EVENTS:
    case MEDIA_NOTHING:
    case MEDIA_ANY:
        break;
    }
    return err_set(e, ERR_INTERNAL, "a body of no type");
}

/* ---- codes ---- */

/* Reads one array that was left for later; it must use up its whole text. */
static enum err_code read_span(struct json_span span, struct tensor *rows,
                               enum err_code (*read)(void *, struct scan *,
                                                     struct err *),
                               struct err *e)
{
    struct scan s = {span.text, span.text + span.length};

    if (read(rows, &s, e) != ERR_OK)
        return e->code;
    scan_space(&s);
    if (s.at != s.end)
        return err_set(e, ERR_INVALID, "JSON: text after %s", rows->name);
    return ERR_OK;
}

/* Codes and scales from their spans, once the layer is known. */
static enum err_code read_spans(struct call *call, const struct model *m,
                                const struct tensor_member *members,
                                struct tensor *rows, const float **scales,
                                struct err *e)
{
    const struct json_span *codes = members[0].out, *factors = members[1].out;
    struct tensor column = {
        .name = "scales", .size = 1, .memory = call->request->memory};
    size_t layer;

    if (body_layer(&call->options, m, &layer, e) != ERR_OK)
        return e->code;
    if (!members[0].seen)
        return err_set(e, ERR_SHAPE, "codes: missing, want an array of codes");
    *rows = tensor_of_codes(m, layer, call->request->memory);
    if (read_span(*codes, rows, tensor_read_codes, e) != ERR_OK)
        return e->code;
    if (!members[1].seen)
        return ERR_OK;
    if (!preprocess_scales(&m->preprocess))
        return err_set(e, ERR_SHAPE,
                       "scales: this model does not scale its inputs, leave "
                       "them out");
    if (read_span(*factors, &column, tensor_read_vector, e) != ERR_OK)
        return e->code;
    if (column.B != rows->B)
        return err_set(e, ERR_SHAPE, "scales: want one a code, %zu, got %zu",
                       rows->B, column.B);
    *scales = column.data;
    return ERR_OK;
}

static enum err_code codes_from_json(struct call *call, const struct model *m,
                                     struct tensor *rows, const float **scales,
                                     struct err *e)
{
    static const char *const names[] = {"codes", "scales", NULL};
    const struct api_request *request = call->request;
    struct json_span spans[2];
    struct tensor_member members[2] = {
        {.name = names[0], .read = tensor_read_later, .out = &spans[0]},
        {.name = names[1], .read = tensor_read_later, .out = &spans[1]},
    };
    struct json *rest = tensor_json_read(request->body, request->body_length,
                                         members, 2, request->memory, e);

    if (rest == NULL)
        return e->code;
    enum err_code code =
        options_read_json(&call->options, call->route->options, rest, names, e);
    json_free(rest);
    if (code == ERR_OK)
        code = read_spans(call, m, members, rows, scales, e);
    return code == ERR_OK
               ? code
               : tensor_json_blame(request->body, request->body_length, e);
}

enum err_code body_read_codes(struct call *call, const struct model *m,
                              struct tensor *rows, const float **scales,
                              struct err *e)
{
    const struct api_request *request = call->request;
    size_t layer;

    *scales = NULL;
    if (call->body == MEDIA_JSON)
        return codes_from_json(call, m, rows, scales, e);
    if (body_layer(&call->options, m, &layer, e) != ERR_OK)
        return e->code;
    *rows = tensor_of_codes(m, layer, request->memory);
    return tensor_read_npy(rows, request->body, request->body_length, e);
}
