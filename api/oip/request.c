/* Two readers over the text: the tensor's data is scanned into floats, all else
 * is short and becomes nodes.
 */
#include "api/oip/request.h"

#include "api/oip/numbers.h"
#include "api/tensor_json.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ID_BYTES 4096
#define MAX_TIMEOUT 3600e6 /* microseconds; more is none */
#define OPTIONS (OPTION_STEPS | OPTION_TOP_K | OPTION_THRESHOLD | OPTION_LAYER)

static const char tensor_name[] = "input";

/* While a body is being read. */
struct reader {
    struct run *run;
    struct oip_request *request;
    const char *bytes; /* what follows the JSON */
    size_t n_bytes;
    struct oip_numbers data;
    struct json *tensor; /* the object in `inputs`, its data left out */
    struct json_span id;
};

/* ---- the header ---- */

enum err_code oip_header_length(const struct api_request *request,
                                size_t *json_length, struct err *e)
{
    const char *text = request->header_length;
    size_t digits = text != NULL ? strspn(text, "0123456789") : 0;

    *json_length = request->body_length;
    if (text == NULL)
        return ERR_OK;
    if (digits > 0 && digits < 16 && text[digits] == 0)
        *json_length = (size_t)strtoull(text, NULL, 10);
    else
        digits = 0;
    if (digits > 0 && *json_length <= request->body_length)
        return ERR_OK;
    return err_set(e, ERR_INVALID,
                   "Inference-Header-Content-Length: want how many of the "
                   "body's %zu bytes are JSON, got %.40s",
                   request->body_length, text);
}

/* ---- parameters, of the request and of tensors ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The object, or NULL where there is none. */
static enum err_code get_parameters(const struct json *owner, const char *where,
                                    const struct json **out, struct err *e)
{
    const struct json *parameters = json_get(owner, "parameters");

    *out = parameters;
    if (parameters != NULL && !json_is_object(parameters))
        return err_set(e, ERR_INVALID, "%s: parameters: want an object", where);
    for (const struct json *j = json_first(parameters); j != NULL;
         j = json_next(j)) {
        const char *key = json_key(j);
        if (begins(key, "shared_memory_"))
            return err_set(e, ERR_INVALID,
                           "%s: parameters: there is no shared memory with "
                           "clients: send data or binary_data_size",
                           where);
        if (begins(key, "triton_"))
            return err_set(e, ERR_INVALID,
                           "%s: parameters: %.40s: names that begin with "
                           "triton_ are reserved",
                           where, key);
    }
    return ERR_OK;
}

/* ---- the input ---- */

static enum err_code read_inputs(void *out, struct scan *s, struct err *e)
{
    struct reader *r = out;
    struct tensor_member data = {
        .name = "data", .read = oip_numbers_read, .out = &r->data};

    if (!scan_char(s, '[')) {
        scan_refuse(s, "an array of tensors", e);
        return err_wrap(e, "inputs");
    }
    if (scan_char(s, ']'))
        return err_set(e, ERR_SHAPE, "inputs: empty, want the tensor \"%s\"",
                       tensor_name);
    r->tensor =
        tensor_json_object(s, &data, 1, r->run->call->request->memory, e);
    if (r->tensor == NULL)
        return err_wrap(e, "inputs[0]");
    if (scan_char(s, ','))
        return err_set(e, ERR_SHAPE,
                       "inputs: the model takes one tensor, \"%s\", got more",
                       tensor_name);
    return scan_char(s, ']')
               ? ERR_OK
               : err_set(e, ERR_INVALID, "JSON: inputs does not end");
}

/* The shape, and the number of its elements. */
static enum err_code read_shape(const struct json *tensor, struct npy *a,
                                struct err *e)
{
    const struct json *shape = json_get(tensor, "shape");

    if (!json_is_array(shape) || json_count(shape) > NPY_MAX_RANK)
        return err_set(e, ERR_INVALID,
                       "inputs[0].shape: want an array of up to %d sizes",
                       NPY_MAX_RANK);
    a->count = 1;
    for (const struct json *j = json_first(shape); j != NULL;
         j = json_next(j)) {
        double size = json_is_number(j) ? json_number(j) : -1;
        if (!(size >= 0 && size <= 0x1p53) || size != (double)(size_t)size)
            return err_set(e, ERR_INVALID,
                           "inputs[0].shape[%zu]: want a whole number from 0",
                           a->rank);
        a->shape[a->rank] = (size_t)size;
        if (__builtin_mul_overflow(a->count, a->shape[a->rank++], &a->count))
            return err_set(e, ERR_INVALID,
                           "inputs[0].shape: the product of the sizes "
                           "overflows");
    }
    return ERR_OK;
}

static enum err_code take_numbers(struct reader *r,
                                  const struct oip_datatype *type,
                                  const struct npy *a, struct err *e)
{
    struct tensor *rows = &r->run->rows;
    const struct oip_numbers *x = &r->data;
    size_t B;

    if (oip_numbers_check(x, type, e) != ERR_OK ||
        tensor_count_rows(rows, a->shape, a->rank, &B, e) != ERR_OK)
        return e->code;
    if (B > API_MAX_ROWS)
        return err_set(e, ERR_TOO_LARGE,
                       "%s: at most %d rows in one request, got %zu: send them "
                       "in several",
                       tensor_name, API_MAX_ROWS, B);
    if (x->n != a->count)
        return err_set(e, ERR_SHAPE,
                       "%s: the shape says %zu numbers, data has %zu",
                       tensor_name, a->count, x->n);
    rows->B = B;
    rows->data = x->data;
    return tensor_check(rows, e);
}

static enum err_code take_bytes(struct reader *r, struct npy *a, size_t size,
                                struct err *e)
{
    size_t want;

    if (size > r->n_bytes)
        return err_set(e, ERR_INVALID,
                       "%s: binary_data_size is %zu, but %zu bytes follow the "
                       "JSON",
                       tensor_name, size, r->n_bytes);
    if (size < r->n_bytes)
        return err_set(e, ERR_INVALID,
                       "%zu bytes are left over after the last tensor",
                       r->n_bytes - size);
    if (__builtin_mul_overflow(a->count, a->item_bytes, &want) || want != size)
        return err_set(e, ERR_SHAPE,
                       "%s: shape and datatype want %zu elements of %zu bytes, "
                       "binary_data_size is %zu",
                       tensor_name, a->count, a->item_bytes, size);
    a->data = (const unsigned char *)r->bytes;
    return tensor_read_array(&r->run->rows, a, e);
}

/* Its data, in the one form that it has. */
static enum err_code read_data(struct reader *r,
                               const struct oip_datatype *type, struct npy *a,
                               struct err *e)
{
    const struct json *parameters;
    size_t size = 0;

    if (get_parameters(r->tensor, tensor_name, &parameters, e) != ERR_OK ||
        json_get_size(parameters, tensor_name, "binary_data_size", 0, SIZE_MAX,
                      &size, e) != ERR_OK)
        return e->code;
    bool binary = json_get(parameters, "binary_data_size") != NULL;
    if (binary == r->data.present)
        return err_set(e, ERR_INVALID,
                       "%s: want either data or the parameter "
                       "binary_data_size",
                       tensor_name);
    if (binary)
        return take_bytes(r, a, size, e);
    if (r->n_bytes > 0)
        return err_set(e, ERR_INVALID,
                       "%zu bytes follow the JSON, and no tensor is binary",
                       r->n_bytes);
    return take_numbers(r, type, a, e);
}

static enum err_code read_tensor(struct reader *r, struct err *e)
{
    const char *name = NULL, *datatype = NULL;
    struct npy a = {0};

    if (json_get_text(r->tensor, "inputs[0]", "name", &name, e) != ERR_OK ||
        json_get_text(r->tensor, "inputs[0]", "datatype", &datatype, e) !=
            ERR_OK)
        return e->code;
    if (name == NULL || strcmp(name, tensor_name) != 0)
        return err_set(e, ERR_INVALID,
                       "inputs[0].name: the model takes one tensor, \"%s\", "
                       "got \"%.60s\"",
                       tensor_name, name != NULL ? name : "");
    if (datatype == NULL)
        return err_set(e, ERR_INVALID, "inputs[0].datatype: missing");
    const struct oip_datatype *type = oip_datatype_find(datatype, e);
    if (type == NULL || read_shape(r->tensor, &a, e) != ERR_OK)
        return err_wrap(e, "%s", tensor_name);
    a.kind = type->kind;
    a.item_bytes = type->bytes;
    return read_data(r, type, &a, e);
}

/* ---- the outputs ---- */

static enum err_code add_part(struct oip_request *q,
                              const struct oip_output *output, struct err *e)
{
    for (size_t i = 0; i < q->n_parts; i++) {
        if (q->parts[i].output == output)
            return err_set(e, ERR_INVALID, "outputs: %s is asked for twice",
                           output->name);
    }
    q->parts[q->n_parts++].output = output;
    return ERR_OK;
}

static enum err_code read_output(struct oip_request *q, const struct json *j,
                                 const struct model *m, struct err *e)
{
    const char *name = NULL;
    const struct json *parameters;

    if (json_get_text(j, "outputs", "name", &name, e) != ERR_OK)
        return e->code;
    if (name == NULL)
        return err_set(e, ERR_INVALID,
                       "outputs: want objects with a member name");
    const struct oip_output *output = oip_output_find(name, m, e);
    if (output == NULL || add_part(q, output, e) != ERR_OK)
        return e->code;
    struct oip_part *p = &q->parts[q->n_parts - 1];
    if (get_parameters(j, output->name, &parameters, e) != ERR_OK ||
        json_get_bool(parameters, output->name, "binary_data", &p->binary, e) !=
            ERR_OK ||
        json_get_size(parameters, output->name, "classification", 0, SIZE_MAX,
                      &p->classes, e) != ERR_OK)
        return e->code;
    if (p->classes > 0 && (output->row == NULL))
        return err_set(e, ERR_INVALID,
                       "%s: classification: only rows of numbers can be "
                       "classified",
                       output->name);
    return ERR_OK;
}

/* All that the model has but lists. */
static void add_all(struct oip_request *q, const struct model *m, bool binary)
{
    for (size_t i = 0; i < OIP_OUTPUTS; i++) {
        const struct oip_output *o = &oip_outputs[i];
        if (o->width == NULL || !oip_output_given(o, m))
            continue;
        q->parts[q->n_parts++] =
            (struct oip_part){.output = o, .binary = binary};
    }
}

static enum err_code read_outputs(struct oip_request *q,
                                  const struct json *body,
                                  const struct json *parameters,
                                  const struct model *m, struct err *e)
{
    const struct json *outputs = json_get(body, "outputs");
    bool binary = false;

    if (json_get_bool(parameters, "parameters", "binary_data_output", &binary,
                      e) != ERR_OK)
        return e->code;
    if (outputs != NULL && !json_is_array(outputs))
        return err_set(e, ERR_INVALID, "outputs: want an array");
    for (const struct json *j = json_first(outputs); j != NULL;
         j = json_next(j)) {
        if (read_output(q, j, m, e) != ERR_OK)
            return e->code;
    }
    if (q->n_parts == 0)
        add_all(q, m, binary);
    return ERR_OK;
}

/* ---- the body ---- */

/* A text, kept as it is written: it may have what no C string can hold. */
static enum err_code take_id(struct reader *r, struct err *e)
{
    struct json_span id = r->id;

    if (id.length == 0 || id.text[0] == 'n')
        return id.length == 0 ? ERR_OK : json_check(id.text, id.length, e);
    if (json_check(id.text, id.length, e) != ERR_OK)
        return err_wrap(e, "id");
    if (id.text[0] != '"' || id.length > MAX_ID_BYTES)
        return err_set(e, ERR_INVALID, "id: want a text of up to %d bytes",
                       MAX_ID_BYTES);
    if (id.length > 2)
        r->request->id = id;
    return ERR_OK;
}

static enum err_code take_timeout(struct call *call,
                                  const struct json *parameters, struct err *e)
{
    double timeout = 0;

    if (json_get_number(parameters, "parameters", "timeout", 0, 1e300, &timeout,
                        e) != ERR_OK)
        return e->code;
    if (timeout == 0 || timeout > MAX_TIMEOUT)
        return ERR_OK;
    usec until = clock_now() + (usec)timeout;
    if (call->deadline == 0 || until < call->deadline)
        call->deadline = until;
    return ERR_OK;
}

/* All that stands around the tensor. */
static enum err_code read_rest(struct reader *r, const struct json *body,
                               struct err *e)
{
    struct call *call = r->run->call;
    const struct json *parameters;

    if (take_id(r, e) != ERR_OK ||
        get_parameters(body, "request", &parameters, e) != ERR_OK ||
        options_read_some(&call->options, OPTIONS, parameters, e) != ERR_OK ||
        take_timeout(call, parameters, e) != ERR_OK)
        return e->code;
    return read_outputs(r->request, body, parameters, r->run->model, e);
}

static enum err_code read_json(struct reader *r, size_t length, struct err *e)
{
    const struct api_request *request = r->run->call->request;
    struct tensor_member members[2] = {
        {.name = "inputs", .read = read_inputs, .out = r},
        {.name = "id", .read = tensor_read_later, .out = &r->id},
    };
    struct json *body =
        tensor_json_read(request->body, length, members, 2, request->memory, e);

    if (body == NULL)
        return e->code;
    enum err_code code = read_rest(r, body, e);
    json_free(body);
    if (code == ERR_OK && r->tensor == NULL)
        return err_set(e, ERR_SHAPE, "inputs: missing, want the tensor \"%s\"",
                       tensor_name);
    return code == ERR_OK ? read_tensor(r, e) : code;
}

/* Nothing but the rows, as floats. */
static enum err_code read_raw(struct reader *r, struct err *e)
{
    const struct api_request *request = r->run->call->request;
    struct tensor *rows = &r->run->rows;
    size_t row_bytes = rows->size * sizeof(float);
    size_t B = request->body_length / row_bytes;

    if (B == 0 || request->body_length % row_bytes != 0)
        return err_set(e, ERR_SHAPE,
                       "%s: want rows of %zu FP32 numbers, %zu bytes each, got "
                       "%zu bytes",
                       tensor_name, rows->size, row_bytes,
                       request->body_length);
    add_all(r->request, r->run->model, true);
    const struct npy a = {
        .kind = NPY_FLOAT,
        .item_bytes = sizeof(float),
        .rank = 2,
        .shape = {B, rows->size},
        .count = B * rows->size,
        .data = (const unsigned char *)request->body,
    };
    return tensor_read_array(rows, &a, e);
}

enum err_code oip_request_read(struct oip_request *q, struct run *run,
                               struct err *e)
{
    const struct api_request *request = run->call->request;
    struct reader r = {.run = run, .request = q};
    size_t json_length;

    run->rows = tensor_of_inputs(run->model, request->memory);
    run->rows.name = tensor_name;
    run->rows.scale_bytes = false;
    if (oip_header_length(request, &json_length, e) != ERR_OK)
        return e->code;
    if (json_length == 0 && request->header_length != NULL)
        return read_raw(&r, e);
    r.bytes = request->body + json_length;
    r.n_bytes = request->body_length - json_length;
    r.data.memory = request->memory;
    r.data.max = API_MAX_ROWS * run->rows.size;
    enum err_code code = read_json(&r, json_length, e);
    json_free(r.tensor);
    return code;
}
