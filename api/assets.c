/* Embedded files: the contract and, where it is built in, the demo page. Their
 * bytes live as long as the program, so replies point at them.
 */
#include "api/assets.h"

#include "api/etag.h"
#include "api/handlers.h"

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

enum err_code assets_index(struct call *call, struct err *e)
{
    return reply(call, "/index.html", e);
}
