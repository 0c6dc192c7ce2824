/* Samples: posted, counted and listed, deleted. They belong to the model; what
 * shape they must have, its version in service says.
 */
#include "api/etag.h"
#include "api/handlers.h"
#include "api/keep.h"
#include "api/learning.h"
#include "api/print.h"
#include "api/samples_body.h"

#include <string.h>

/* A page of samples with their inputs ends before this. */
#define PAGE_BYTES (API_MAX_REPLY_BYTES / 2)

/* ---- post ---- */

static void print_post(const struct keep *k)
{
    struct buf *b = api_response_json(k->pending.call.response, 201);

    buf_text(b, "{\"model\":");
    buf_json_text(b, k->rows.model);
    buf_printf(b, ",\"accepted\":%zu,\"batch\":%lld", k->rows.n,
               (long long)k->batch);
    keep_print_ids(k);
    buf_text(b, "}\n");
}

enum err_code samples_post(struct call *call, struct err *e)
{
    struct registry *registry = call->api->registry;
    struct samples_body body;

    if (learning_need(call, e) == NULL)
        return e->code;
    const struct served *s = registry_acquire(registry, call->model, 0, e);
    if (s == NULL)
        return e->code;
    enum err_code code = samples_body_read(call, s->model, &body, e);
    registry_release(registry, s);
    if (code != ERR_OK)
        return code;
    struct keep *k = keep_new(call, &body.rows, body.labels, print_post, e);
    if (k == NULL || pending_take_key(&k->pending, e) != ERR_OK)
        return e->code;
    return keep_send(k, call, e);
}

/* ---- list ---- */

struct listing {
    struct buf *body;
    bool inputs;
    size_t n, limit;
    int64_t last;
    bool more;
};

static bool print_sample(void *arg, const struct sample *s)
{
    struct listing *list = arg;
    struct buf *b = list->body;

    if (list->n == list->limit || b->length > PAGE_BYTES) {
        list->more = true;
        return false;
    }
    buf_printf(b, "%s{\"id\":%lld,\"batch\":%lld,\"label\":",
               list->n > 0 ? "," : "", (long long)s->id, (long long)s->batch);
    print_text_or_null(b, s->label);
    buf_text(b, ",\"created\":");
    learning_print_time(b, s->wall_ms);
    buf_printf(b, ",\"held_out\":%s", s->held_out ? "true" : "false");
    if (list->inputs) {
        buf_text(b, ",\"input\":");
        print_floats(b, s->x, s->size);
    }
    buf_char(b, '}');
    list->last = s->id;
    list->n++;
    return true;
}

static enum err_code print_page(struct call *call, struct database *db,
                                struct err *e)
{
    const struct options *o = &call->options;
    struct buf *b = &call->response->body;
    struct listing list = {.body = b, .inputs = o->inputs, .limit = o->limit};
    const struct samples_filter filter = {
        .label = o->label[0] != 0 ? o->label : NULL,
        .unlabelled = o->unlabelled,
        .batch = (int64_t)o->batch,
    };

    buf_text(b, ",\"samples\":[");
    if (samples_each(db, call->model, &filter, (int64_t)o->after, o->limit + 1,
                     print_sample, &list, e) != ERR_OK)
        return e->code;
    buf_text(b, "],\"next\":");
    if (list.more)
        buf_printf(b, "%lld", (long long)list.last);
    else
        buf_text(b, "null");
    return ERR_OK;
}

static enum err_code print_counts(struct call *call, struct database *db,
                                  struct err *e)
{
    struct buf *b = api_response_json(call->response, 200);
    struct samples_counts c;

    if (samples_count(db, call->model, &c, e) != ERR_OK)
        return e->code;
    buf_text(b, "{\"model\":");
    buf_json_text(b, call->model);
    buf_printf(b, ",\"total\":%llu,\"stored\":%llu,\"evicted\":%llu",
               (unsigned long long)c.total, (unsigned long long)c.stored,
               (unsigned long long)c.evicted);
    buf_text(b, ",\"labels\":{");
    for (size_t i = 0; i < c.n_labels; i++) {
        if (i > 0)
            buf_char(b, ',');
        buf_json_text(b, c.labels[i].name);
        buf_printf(b, ":%llu", (unsigned long long)c.labels[i].stored);
    }
    buf_printf(b, "},\"unlabelled\":%llu", (unsigned long long)c.unlabelled);
    samples_counts_fini(&c);
    return ERR_OK;
}

enum err_code samples_list(struct call *call, struct err *e)
{
    const struct options *o = &call->options;

    if (o->unlabelled && o->label[0] != 0)
        return err_set(e, ERR_SHAPE,
                       "label, unlabelled: no sample is both, ask for one");
    if (learning_need(call, e) == NULL ||
        learning_check_model(call, e) != ERR_OK)
        return e->code;
    struct database *db = learning_read(call, e);
    if (db == NULL)
        return e->code;
    enum err_code code = print_counts(call, db, e);
    if (code == ERR_OK && o->given != 0)
        code = print_page(call, db, e);
    store_end_read(call->api->learning->store, db);
    buf_text(&call->response->body, "}\n");
    return code == ERR_OK ? code : learning_blame(e);
}

/* ---- delete ---- */

static enum err_code write_deletion(struct pending *p, struct database *db,
                                    struct err *e)
{
    const struct call *call = &p->call;
    const struct options *o = &call->options;
    if (etag_check(call, e) != ERR_OK)
        return e->code;
    const struct samples_filter filter = {
        .label = o->label[0] != 0 ? o->label : NULL,
        .batch = (int64_t)o->batch,
    };
    uint64_t deleted;

    if (samples_delete(db, call->model, &filter, &deleted, e) != ERR_OK)
        return e->code;
    struct buf *b = api_response_json(call->response, 200);
    buf_text(b, "{\"model\":");
    buf_json_text(b, call->model);
    buf_printf(b, ",\"deleted\":%llu}\n", (unsigned long long)deleted);
    return ERR_OK;
}

enum err_code samples_remove(struct call *call, struct err *e)
{
    const struct options *o = &call->options;
    bool some = (o->given & (OPTION_LABEL | OPTION_BATCH)) != 0;

    if (!o->all && !some)
        return err_set(e, ERR_INVALID,
                       "say which samples to delete: label=, batch= or "
                       "all=true in the query");
    if (o->all && some)
        return err_set(e, ERR_SHAPE,
                       "all: goes alone, without label and batch");
    if (learning_need(call, e) == NULL ||
        learning_check_model(call, e) != ERR_OK)
        return e->code;
    struct pending *p = pending_new(call, sizeof *p, write_deletion, e);
    return p == NULL ? e->code : pending_send(p, call, e);
}
