/* Rows on their way into the store. */
#include "api/keep.h"

#include "api/learning.h"

static enum err_code write_rows(struct pending *p, struct database *db,
                                struct err *e)
{
    struct keep *k = (struct keep *)p;
    const struct samples_limits limits = learning_limits(&p->call);

    enum err_code code =
        samples_add(db, &k->rows, &limits, &k->batch, k->ids, e);
    if (code == ERR_TOO_LARGE) /* not the body, what it says */
        e->code = ERR_SHAPE;
    if (code == ERR_OK)
        k->print(k);
    return e->code;
}

struct keep *keep_new(const struct call *call, const struct tensor *rows,
                      const char *const *labels,
                      void (*print)(const struct keep *k), struct err *e)
{
    struct keep *k = pending_new(call, sizeof *k, write_rows, e);
    int64_t *ids = arena_take(call->request->memory, rows->B, sizeof *ids);

    if (k == NULL || ids == NULL) {
        err_set(e, ERR_NO_MEMORY, "no memory for the samples");
        return NULL;
    }
    k->pending.after = pending_wake;
    k->rows = (struct samples_batch){
        .model = k->pending.call.model,
        .n = rows->B,
        .size = rows->size,
        .x = rows->data,
        .labels = labels,
        .wall_ms = learning_now_ms(),
    };
    k->ids = ids;
    k->print = print;
    return k;
}

enum err_code keep_send(struct keep *k, struct call *call, struct err *e)
{
    return pending_send(&k->pending, call, e);
}

void keep_print_ids(const struct keep *k)
{
    struct buf *b = &k->pending.call.response->body;

    buf_text(b, ",\"ids\":[");
    for (size_t i = 0; i < k->rows.n; i++)
        buf_printf(b, i > 0 ? ",%lld" : "%lld", (long long)k->ids[i]);
    buf_char(b, ']');
}
