/* Embedded files: the contract and, where it is built in, the demo page. Their
 * bytes live as long as the program, so replies point at them.
 */
#include "api/assets.h"

#include "api/accept.h"
#include "api/etag.h"
#include "api/handlers.h"
#include "lib/base/mem.h"

#include <stdatomic.h>
#include <string.h>

/* The page runs what is embedded here, asks this server only, and stands in
 * no other page. */
#define POLICY                                                                 \
    "default-src 'self'; base-uri 'none'; form-action 'none'; "                \
    "frame-ancestors 'none'; object-src 'none'"

const struct asset *assets_find(const char *path)
{
    size_t low = 0, high = assets_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(path, assets[middle].path);
        if (order == 0)
            return &assets[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- packed ---- */

/* Never taken off the list again, so it is read without a lock. Two who make
 * the same at once both add theirs. */
struct packed {
    const void *data; /* of the file */
    enum gzip_form form;
    struct buf bytes;
    struct packed *next;
};

static struct packed *_Atomic all_packed;

static const struct asset *find_data(const void *data)
{
    for (size_t i = 0; i < assets_count; i++) {
        if (assets[i].data == data)
            return &assets[i];
    }
    return NULL;
}

static struct packed *pack(const struct asset *file, enum gzip_form form)
{
    struct packed *p = mem_array(1, sizeof *p);
    struct err e;

    if (p == NULL)
        return NULL;
    p->data = file->data;
    p->form = form;
    buf_init(&p->bytes, file->size + 64); /* should it not become shorter */
    if (gzip_deflate(&p->bytes, file->data, file->size, form, GZIP_BEST, &e) ==
        ERR_OK)
        return p;
    buf_fini(&p->bytes);
    mem_free(p);
    return NULL;
}

const struct buf *assets_pack(const void *data, enum gzip_form form)
{
    struct packed *p = atomic_load(&all_packed);
    const struct asset *file;

    while (p != NULL && (p->data != data || p->form != form))
        p = p->next;
    if (p != NULL)
        return &p->bytes;
    file = find_data(data);
    p = file != NULL ? pack(file, form) : NULL;
    if (p == NULL)
        return NULL;
    p->next = atomic_load(&all_packed);
    while (!atomic_compare_exchange_weak(&all_packed, &p->next, p))
        ;
    return &p->bytes;
}

/* ---- replies ---- */

static enum err_code reply(struct call *call, const char *path, struct err *e)
{
    const struct asset *found = assets_find(path);

    if (found == NULL)
        return err_set(e, ERR_NOT_FOUND,
                       "%s is not built into this program; the routes are in "
                       "/openapi.yaml",
                       path);
    call->response->status = 200;
    call->response->content_type = found->type;
    call->response->fixed = found->data;
    call->response->fixed_length = found->size;
    api_response_header(call->response, "Content-Security-Policy", POLICY);
    etag_answer(call, found->tag);
    return ERR_OK;
}

enum err_code assets_file(struct call *call, struct err *e)
{
    return reply(call, call->request->target, e);
}

/* The page, but for who would rather have JSON: clients of KServe's first
 * protocol ask here whether the server lives. */
enum err_code assets_index(struct call *call, struct err *e)
{
    const char *accept = call->request->accept;

    api_response_header(call->response, "Vary", "Accept");
    if (accept == NULL || media_weight(accept, "application/json") <=
                              media_weight(accept, "text/html"))
        return reply(call, "/index.html", e);
    buf_text(api_response_json(call->response, 200),
             "{\"status\":\"alive\"}\n");
    return ERR_OK;
}
