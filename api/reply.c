/* A JSON reply is a list of parts, one member each, with one element a row.
 * With one block they are printed straight into the body; with several, each
 * grows in a buffer of its own and they are joined at the end.
 */
#include "api/reply.h"

#include "api/accept.h"
#include "api/print.h"
#include "api/reply_parts.h"
#include "lib/data/image.h"
#include "lib/data/npy.h"
#include "lib/model/render.h"

#include <stdio.h>
#include <string.h>

/* ---- JSON ---- */

static void open_part(const struct run *r, const struct reply_part *part)
{
    struct buf *body = &r->call->response->body;

    buf_text(body, r->member != NULL ? "\"" : ",\"");
    buf_text(body, r->member != NULL ? r->member : part->name);
    buf_text(body, "\":[");
}

/* Opens the object, with what it says of the model. */
static void open_reply(const struct run *r)
{
    struct buf *body = &r->call->response->body;

    buf_char(body, '{');
    if (r->member != NULL)
        return;
    buf_text(body, "\"model\":");
    buf_json_text(body, r->served->name);
    buf_text(body, ",\"version\":");
    buf_json_uint(body, r->served->version);
    if ((r->outputs & (OUTPUT_CODE | OUTPUT_TRACE)) != 0)
        buf_printf(body, ",\"code_size\":%zu",
                   layer_units(&r->model->layers[r->layer]));
}

static enum err_code print_rows(struct run *r, const struct reply_part *part,
                                struct buf *b, struct err *e)
{
    for (size_t row = 0; row < r->B; row++) {
        if (r->first + row > 0)
            buf_char(b, ',');
        if (part->print(r, row, b, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

/* All parts of the block: into the body, or each into its own buffer. */
static enum err_code print_block(struct run *r, struct buf *own, struct err *e)
{
    struct buf *body = &r->call->response->body;

    for (size_t i = 0; i < REPLY_PARTS; i++) {
        const struct reply_part *part = &reply_parts[i];
        if ((r->outputs & part->output) == 0)
            continue;
        if (own == NULL)
            open_part(r, part);
        if (print_rows(r, part, own == NULL ? body : &own[i], e) != ERR_OK)
            return e->code;
        if (own == NULL)
            buf_char(body, ']');
        if (buf_failed(own == NULL ? body : &own[i]))
            return print_refuse(own == NULL ? body : &own[i], e);
    }
    return ERR_OK;
}

static void join(struct run *r, struct buf *own)
{
    struct buf *body = &r->call->response->body;

    for (size_t i = 0; i < REPLY_PARTS; i++) {
        if ((r->outputs & reply_parts[i].output) == 0)
            continue;
        open_part(r, &reply_parts[i]);
        buf_add(body, own[i].data, own[i].length);
        buf_char(body, ']');
        buf_fini(&own[i]);
    }
}

/* The parts together may be as long as the reply. */
static enum err_code check_parts(struct run *r, const struct buf *own,
                                 struct err *e)
{
    const struct buf *body = &r->call->response->body;
    size_t length = 0;

    for (size_t i = 0; own != NULL && i < REPLY_PARTS; i++)
        length += own[i].length;
    return length > body->max_bytes ? print_refuse_length(body, e) : ERR_OK;
}

static enum err_code print_blocks(struct run *r, size_t block, struct buf *own,
                                  struct err *e)
{
    struct arena *memory = r->call->request->memory;
    struct arena_mark mark = arena_mark(memory);

    for (size_t first = 0; first < r->rows.B; first += block) {
        size_t left = r->rows.B - first;
        if (run_block(r, first, left < block ? left : block, e) != ERR_OK ||
            print_block(r, own, e) != ERR_OK ||
            check_parts(r, own, e) != ERR_OK)
            return e->code;
        arena_rewind(memory, mark);
    }
    return ERR_OK;
}

/* Fewest bytes that the arrays can take, two a number: refuses before work. */
static enum err_code check_length(const struct run *r, struct err *e)
{
    const struct model *m = r->model;
    const struct layer *l = &m->layers[r->layer];
    const struct options *o = &r->call->options;
    size_t steps = o->steps > 0 ? o->steps : l->encoder.steps;
    size_t numbers = 0;

    if ((r->outputs & OUTPUT_RECONSTRUCTION) != 0)
        numbers += model_inputs(m);
    if ((r->outputs & OUTPUT_GROUPS) != 0)
        numbers += layer_groups(l);
    if ((r->outputs & OUTPUT_CODE) != 0 && o->format == CODE_DENSE)
        numbers += layer_units(l);
    /* An encoder that searches may have found its code after one step. */
    if ((r->outputs & OUTPUT_TRACE) != 0 && o->format == CODE_DENSE &&
        l->encoder.steps > 1)
        numbers += (l->encoder.kind->decodes ? 1 : steps) * layer_units(l);
    if (numbers * 2 <= API_MAX_REPLY_BYTES / r->rows.B)
        return ERR_OK;
    return err_set(e, ERR_TOO_LARGE,
                   "a reply of %zu rows of %zu numbers would be over %zu "
                   "bytes: send fewer inputs or ask for fewer outputs",
                   r->rows.B, numbers, API_MAX_REPLY_BYTES);
}

static enum err_code write_json(struct run *r, size_t block, struct err *e)
{
    struct buf *body = &r->call->response->body;
    struct buf own[REPLY_PARTS];
    bool split = block < r->rows.B;

    if (check_length(r, e) != ERR_OK)
        return e->code;
    for (size_t i = 0; i < REPLY_PARTS; i++)
        buf_init(&own[i], body->max_bytes);
    open_reply(r);
    enum err_code code = print_blocks(r, block, split ? own : NULL, e);
    if (code == ERR_OK && split)
        join(r, own);
    if (!r->call->options.keep) /* whoever keeps the inputs ends it */
        buf_text(body, "}\n");
    for (size_t i = 0; i < REPLY_PARTS; i++)
        buf_fini(&own[i]);
    return code;
}

/* ---- npy ---- */

/* The one array that such a reply has, in the current block: (B, *width). */
static const float *block_numbers(const struct run *r, size_t *width)
{
    const struct model *m = r->model;
    const struct layer *l = &m->layers[r->layer];

    if ((r->outputs & OUTPUT_CODE) != 0) {
        *width = layer_units(l);
        return r->pass.layers[r->layer].z;
    }
    if ((r->outputs & OUTPUT_GROUPS) != 0) {
        *width = layer_groups(l);
        return r->pass.layers[r->layer].v;
    }
    if ((r->outputs & OUTPUT_CLASSES) != 0) {
        *width = m->classifier.classes;
        return r->pass.probabilities;
    }
    *width = model_inputs(m);
    return r->reconstruction;
}

/* One row; of codes and groups only what was asked for. */
static void copy_row(struct run *r, float *out, const float *x, size_t n)
{
    const struct options *o = &r->call->options;

    if ((r->outputs & (OUTPUT_CODE | OUTPUT_GROUPS)) == 0) {
        memcpy(out, x, n * sizeof *out);
        return;
    }
    size_t count = pick_active(&r->pick, x, n, o->threshold, o->top_k);
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < count; i++)
        out[r->pick.index[i]] = x[r->pick.index[i]];
}

static enum err_code write_npy(struct run *r, size_t block, struct err *e)
{
    struct arena *memory = r->call->request->memory;
    size_t width;

    block_numbers(r, &width);
    float *all = arena_take(memory, r->rows.B * width, sizeof *all);
    /* The array took room that the plan had counted on. */
    if (all == NULL || run_plan(r, &block, e) != ERR_OK)
        return err_set(e, ERR_TOO_LARGE,
                       "%zu rows of %zu numbers are over the %zu bytes that a "
                       "request may use: send fewer",
                       r->rows.B, width, memory->max_bytes);
    struct arena_mark mark = arena_mark(memory);
    for (size_t first = 0; first < r->rows.B; first += block) {
        size_t left = r->rows.B - first;
        if (run_block(r, first, left < block ? left : block, e) != ERR_OK)
            return e->code;
        const float *from = block_numbers(r, &width);
        for (size_t row = 0; row < r->B; row++)
            copy_row(r, all + (first + row) * width, from + row * width, width);
        arena_rewind(memory, mark);
    }
    npy_print_floats(&r->call->response->body,
                     (const size_t[]){r->rows.B, width}, 2, all);
    return ERR_OK;
}

/* ---- PNG ---- */

static enum err_code write_png(struct run *r, struct err *e)
{
    struct image image = {0};
    const struct model *m = r->model;

    if (r->rows.B != 1)
        return err_set(e, ERR_SHAPE,
                       "%s: image/png holds one reconstruction, got %zu: send "
                       "one, or accept application/json",
                       r->rows.name, r->rows.B);
    if (run_block(r, 0, 1, e) != ERR_OK)
        return e->code;
    enum err_code code =
        render_row(m, r->reconstruction, m->low, m->high, &image, e);
    if (code == ERR_OK)
        code = image_encode_png(&r->call->response->body, &image, e);
    image_fini(&image);
    return code;
}

/* ---- all ---- */

/* What a body without members cannot say. */
static void add_headers(struct run *r)
{
    char version[24];

    snprintf(version, sizeof version, "%llu",
             (unsigned long long)r->served->version);
    api_response_header(r->call->response, "Sparsed-Model", r->served->name);
    api_response_header(r->call->response, "Sparsed-Version", version);
}

enum err_code reply_write(struct run *r, struct err *e)
{
    struct api_response *response = r->call->response;
    size_t block;

    if (run_plan(r, &block, e) != ERR_OK)
        return e->code;
    response->status = 200;
    response->content_type = media_name(r->call->reply);
    if (r->call->reply != MEDIA_JSON || r->member != NULL)
        add_headers(r);
    if (r->call->reply == MEDIA_JSON)
        return write_json(r, block, e);
    return r->call->reply == MEDIA_NPY ? write_npy(r, block, e)
                                       : write_png(r, e);
}
