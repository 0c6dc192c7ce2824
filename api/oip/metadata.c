/* What is served, told as the Open Inference Protocol tells it, and as a
 * Triton's model configuration, which load generators read.
 */
#include "api/etag.h"
#include "api/handlers.h"
#include "api/oip/outputs.h"
#include "api/versions.h"

#include <string.h>

static const char platform[] = "sparsed_safetensors";

/* What there is beyond the protocol itself, by the names that clients look
 * for. */
static const char extensions[] =
    "[\"classification\",\"model_repository\",\"model_configuration\","
    "\"binary_tensor_data\",\"parameters\",\"statistics\"]";

/* ---- the server ---- */

enum err_code oip_server(struct call *call, struct err *e)
{
    (void)e;
    buf_printf(api_response_json(call->response, 200),
               "{\"name\":\"sparsed\",\"version\":\"%s\",\"extensions\":%s}",
               SPARSED_VERSION, extensions);
    return ERR_OK;
}

static bool print_name(void *arg, const char *name, uint64_t in_service)
{
    struct buf *b = arg;

    (void)in_service;
    if (b->data[b->length - 1] != '[')
        buf_char(b, ',');
    buf_json_text(b, name);
    return !buf_failed(b);
}

enum err_code oip_models(struct call *call, struct err *e)
{
    struct buf *b = api_response_json(call->response, 200);

    (void)e;
    buf_text(b, "{\"models\":[");
    if (!buf_failed(b))
        registry_each_model(call->api->registry, print_name, b);
    buf_text(b, "]}");
    return ERR_OK;
}

/* ---- a model ---- */

/* After an opening bracket. */
static void print_sizes(struct buf *b, const size_t *sizes, size_t rank)
{
    for (size_t i = 0; i < rank; i++)
        buf_printf(b, i > 0 ? ",%zu" : "%zu", sizes[i]);
    buf_char(b, ']');
}

/* A list's only size is not known before; all others have the batch first. */
static void print_output(struct buf *b, const struct oip_output *o,
                         const struct model *m)
{
    size_t sizes[OIP_MAX_RANK];
    size_t rank = oip_output_shape(o, m, m->n_layers - 1, sizes);

    buf_printf(b, "{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[-1%s",
               o->name, o->datatype, rank > 0 ? "," : "");
    print_sizes(b, sizes, rank);
    buf_char(b, '}');
}

static void print_output_config(struct buf *b, const struct oip_output *o,
                                const struct model *m)
{
    size_t sizes[OIP_MAX_RANK];
    size_t rank = oip_output_shape(o, m, m->n_layers - 1, sizes);
    bool text = strcmp(o->datatype, OIP_BYTES) == 0;

    buf_printf(b, "{\"name\":\"%s\",\"data_type\":\"TYPE_%s\",\"dims\":[",
               o->name, text ? "STRING" : o->datatype);
    if (rank == 0)
        buf_text(b, "-1");
    print_sizes(b, sizes, rank);
    buf_char(b, '}');
}

static void print_outputs(struct buf *b, const struct model *m,
                          void (*print)(struct buf *b,
                                        const struct oip_output *o,
                                        const struct model *m))
{
    const char *before = "";

    buf_char(b, '[');
    for (size_t i = 0; i < OIP_OUTPUTS; i++) {
        if (!oip_output_given(&oip_outputs[i], m))
            continue;
        buf_text(b, before);
        print(b, &oip_outputs[i], m);
        before = ",";
    }
    buf_char(b, ']');
}

static enum err_code print_versions(struct call *call, const char *name,
                                    struct err *e)
{
    struct buf *b = &call->response->body;
    struct version_list list;

    if (versions_collect(call, name, &list, e) != ERR_OK)
        return e->code;
    buf_char(b, '[');
    for (size_t i = 0; i < list.n; i++)
        buf_printf(b, "%s\"%llu\"", i > 0 ? "," : "",
                   (unsigned long long)list.versions[i]);
    buf_char(b, ']');
    return ERR_OK;
}

static enum err_code print_metadata(struct call *call, const struct served *s,
                                    struct err *e)
{
    struct buf *b = api_response_json(call->response, 200);
    const struct model *m = s->model;

    buf_text(b, "{\"name\":");
    buf_json_text(b, s->name);
    buf_text(b, ",\"versions\":");
    if (print_versions(call, s->name, e) != ERR_OK)
        return e->code;
    buf_printf(b,
               ",\"platform\":\"%s\",\"inputs\":[{\"name\":\"input\","
               "\"datatype\":\"FP32\",\"shape\":[-1,",
               platform);
    print_sizes(b, m->input_shape, m->input_rank);
    buf_text(b, "}],\"outputs\":");
    print_outputs(b, m, print_output);
    buf_char(b, '}');
    return ERR_OK;
}

static enum err_code print_config(struct call *call, const struct served *s,
                                  struct err *e)
{
    struct buf *b = api_response_json(call->response, 200);
    const struct model *m = s->model;
    bool picture = m->input_rank == 3;

    (void)e;
    buf_text(b, "{\"name\":");
    buf_json_text(b, s->name);
    buf_printf(b,
               ",\"platform\":\"%s\",\"backend\":\"sparsed\","
               "\"max_batch_size\":%d,\"input\":[{\"name\":\"input\","
               "\"data_type\":\"TYPE_FP32\",\"format\":\"%s\",\"dims\":[",
               platform, API_MAX_ROWS, picture ? "FORMAT_NCHW" : "FORMAT_NONE");
    print_sizes(b, m->input_shape, m->input_rank);
    buf_text(b, "}],\"output\":");
    print_outputs(b, m, print_output_config);
    buf_text(b, ",\"model_transaction_policy\":{\"decoupled\":false}}");
    return ERR_OK;
}

/* ---- handlers ---- */

static enum err_code show(struct call *call,
                          enum err_code (*print)(struct call *call,
                                                 const struct served *s,
                                                 struct err *e),
                          struct err *e)
{
    struct registry *registry = call->api->registry;
    const struct served *s =
        registry_acquire(registry, call->model, call->version, e);

    if (s == NULL)
        return e->code;
    enum err_code code = print(call, s, e);
    registry_release(registry, s);
    if (code == ERR_OK)
        etag_seal(call);
    return code;
}

enum err_code oip_model(struct call *call, struct err *e)
{
    return show(call, print_metadata, e);
}

enum err_code oip_config(struct call *call, struct err *e)
{
    return show(call, print_config, e);
}
