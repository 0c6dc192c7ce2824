/* Inference over the Open Inference Protocol: the same runs as under /v1, with
 * the protocol's request and reply around them.
 *
 * Each output's elements grow in a buffer of its own, block by block, and are
 * then put behind each other: as members of the JSON, or behind it.
 */
#include "api/infer.h"
#include "api/body.h"
#include "api/handlers.h"
#include "api/oip/request.h"
#include "api/print.h"

#include <stdio.h>

/* ---- before it runs ---- */

/* Bytes that a number of a reply takes at least: it and a comma, or four. */
static size_t least_bytes(const struct oip_part *p)
{
    return p->binary ? sizeof(float) : 2;
}

/* Refuses before work what can be no reply. */
static enum err_code check_length(const struct oip_request *q,
                                  const struct run *r, struct err *e)
{
    size_t row_bytes = 0;

    for (size_t i = 0; i < q->n_parts; i++) {
        const struct oip_part *p = &q->parts[i];
        if (p->output->width != NULL && p->classes == 0)
            row_bytes += p->output->width(r->model, r->layer) * least_bytes(p);
    }
    if (row_bytes <= API_MAX_REPLY_BYTES / r->rows.B)
        return ERR_OK;
    return err_set(e, ERR_TOO_LARGE,
                   "a reply of %zu rows of at least %zu bytes would be over "
                   "%zu bytes: send fewer rows or ask for fewer outputs",
                   r->rows.B, row_bytes, API_MAX_REPLY_BYTES);
}

static enum err_code settle(struct oip_request *q, struct run *r,
                            struct pick *order, struct err *e)
{
    const struct options *o = &r->call->options;
    size_t widest = 0;

    if (body_layer(o, r->model, &r->layer, e) != ERR_OK)
        return e->code;
    for (size_t i = 0; i < q->n_parts; i++) {
        struct oip_part *p = &q->parts[i];
        r->outputs |= p->output->needs;
        if (p->classes == 0)
            continue;
        size_t width = p->output->width(r->model, r->layer);
        p->classes = p->classes < width ? p->classes : width;
        widest = widest > width ? widest : width;
    }
    if (widest > 0 && !pick_init(order, widest, r->call->request->memory))
        return err_set(e, ERR_NO_MEMORY, "no memory for a row");
    return check_length(q, r, e);
}

/* ---- the blocks ---- */

static enum err_code add_block(struct oip_request *q, struct run *r,
                               struct pick *order, struct err *e)
{
    const struct buf *body = &r->call->response->body;
    size_t length = 0;

    for (size_t i = 0; i < q->n_parts; i++) {
        struct oip_part *p = &q->parts[i];
        oip_part_add(p, r, order);
        if (buf_failed(&p->data))
            return print_refuse(&p->data, e);
        length += p->data.length;
    }
    return length > body->max_bytes ? print_refuse_length(body, e) : ERR_OK;
}

static enum err_code run_blocks(struct oip_request *q, struct run *r,
                                struct pick *order, struct err *e)
{
    struct arena *memory = r->call->request->memory;
    size_t block;

    if (run_plan(r, &block, e) != ERR_OK)
        return e->code;
    struct arena_mark mark = arena_mark(memory);
    for (size_t first = 0; first < r->rows.B; first += block) {
        size_t left = r->rows.B - first;
        if (run_block(r, first, left < block ? left : block, e) != ERR_OK ||
            add_block(q, r, order, e) != ERR_OK)
            return e->code;
        arena_rewind(memory, mark);
    }
    return ERR_OK;
}

/* ---- the reply ---- */

static void print_shape(struct buf *b, const struct oip_part *p,
                        const struct run *r)
{
    size_t sizes[OIP_MAX_RANK];
    size_t rank = oip_output_shape(p->output, r->model, r->layer, sizes);

    if (p->classes > 0) {
        sizes[0] = p->classes;
        rank = 1;
    }
    buf_text(b, "\"shape\":[");
    buf_json_uint(b, rank > 0 ? r->rows.B : p->n);
    for (size_t i = 0; i < rank; i++) {
        buf_char(b, ',');
        buf_json_uint(b, sizes[i]);
    }
    buf_char(b, ']');
}

/* Clients want no `parameters` where the data is JSON. */
static void print_part(struct buf *b, const struct oip_part *p,
                       const struct run *r)
{
    buf_text(b, "{\"name\":\"");
    buf_text(b, p->output->name);
    buf_text(b, "\",\"datatype\":\"");
    buf_text(b, p->classes > 0 ? OIP_BYTES : p->output->datatype);
    buf_text(b, "\",");
    print_shape(b, p, r);
    if (p->binary) {
        buf_text(b, ",\"parameters\":{\"binary_data_size\":");
        buf_json_uint(b, p->data.length);
        buf_text(b, "}}");
        return;
    }
    buf_text(b, ",\"data\":[");
    buf_add(b, p->data.data, p->data.length);
    buf_text(b, "]}");
}

static void print_json(struct buf *b, const struct oip_request *q,
                       const struct run *r)
{
    buf_char(b, '{');
    if (q->id.length > 0) {
        buf_text(b, "\"id\":");
        buf_add(b, q->id.text, q->id.length);
        buf_char(b, ',');
    }
    buf_text(b, "\"model_name\":");
    buf_json_text(b, r->served->name);
    buf_text(b, ",\"model_version\":\"");
    buf_json_uint(b, r->served->version);
    buf_text(b, "\",\"outputs\":[");
    for (size_t i = 0; i < q->n_parts; i++) {
        if (i > 0)
            buf_char(b, ',');
        print_part(b, &q->parts[i], r);
    }
    buf_text(b, "]}");
}

static void write_reply(const struct oip_request *q, const struct run *r)
{
    struct api_response *response = r->call->response;
    struct buf *b = &response->body;
    char length[24];

    print_json(b, q, r);
    snprintf(length, sizeof length, "%zu", b->length);
    size_t json_length = b->length;
    for (size_t i = 0; i < q->n_parts; i++) {
        if (q->parts[i].binary)
            buf_add(b, q->parts[i].data.data, q->parts[i].data.length);
    }
    bool binary = b->length > json_length;
    response->status = 200;
    response->content_type =
        binary ? "application/octet-stream" : "application/json";
    if (binary)
        api_response_header(response, "Inference-Header-Content-Length",
                            length);
}

/* ---- all ---- */

static enum err_code infer_with(struct oip_request *q, struct run *r,
                                struct err *e)
{
    struct pick order;

    if (oip_request_read(q, r, e) != ERR_OK)
        return e->code;
    account_lap(&r->call->response->account, STAGE_PARSE);
    for (size_t i = 0; i < q->n_parts; i++)
        buf_init(&q->parts[i].data, API_MAX_REPLY_BYTES);
    if (settle(q, r, &order, e) != ERR_OK ||
        run_blocks(q, r, &order, e) != ERR_OK)
        return e->code;
    write_reply(q, r);
    return ERR_OK;
}

static enum err_code infer(struct run *r, struct err *e)
{
    struct oip_request q = {.n_parts = 0};
    enum err_code code = infer_with(&q, r, e);

    for (size_t i = 0; i < q.n_parts; i++)
        buf_fini(&q.parts[i].data);
    return code;
}

enum err_code oip_infer(struct call *call, struct err *e)
{
    return infer_with_model(call, infer, e);
}
