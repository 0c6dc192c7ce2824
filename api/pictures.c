/* The atoms of a model as a picture. It is drawn on each request, which is why
 * the route counts as slow; a client that has it already is told so by its
 * ETag, a fingerprint of the bytes.
 */
#include "api/body.h"
#include "api/handlers.h"
#include "lib/base/file.h"
#include "lib/data/image.h"
#include "lib/model/render.h"

#include <stdio.h>
#include <string.h>

/* Whether an If-None-Match header names the tag; W/ makes no difference
 * (RFC 9110, section 13.1.2). */
static bool names_tag(const char *header, const char *tag)
{
    while (header != NULL && *header != 0) {
        header += strspn(header, ", \t");
        size_t length = strcspn(header, ", \t");
        const char *one = header;
        header += length;
        if (length == 1 && *one == '*')
            return true;
        if (length > 2 && strncmp(one, "W/", 2) == 0) {
            one += 2;
            length -= 2;
        }
        if (length == strlen(tag) && strncmp(one, tag, length) == 0)
            return true;
    }
    return false;
}

static enum err_code draw(const struct call *call, const struct model *m,
                          struct buf *out, struct err *e)
{
    struct render_options options = {
        .max_side = call->options.max_side,
        .view = (enum render_view)call->options.view,
    };
    struct image image = {0};

    if (body_layer(&call->options, m, &options.layer, e) != ERR_OK ||
        render_atoms(m, &options, &image, NULL, e) != ERR_OK)
        return e->code;
    enum err_code code = image_encode_png(out, &image, e);
    image_fini(&image);
    return code;
}

enum err_code atoms_show(struct call *call, struct err *e)
{
    struct api_response *response = call->response;
    char tag[24];
    const struct served *s =
        registry_acquire(call->api->registry, call->model, call->version, e);

    if (s == NULL)
        return e->code;
    enum err_code code = draw(call, s->model, &response->body, e);
    registry_release(call->api->registry, s);
    if (code != ERR_OK)
        return code;
    snprintf(tag, sizeof tag, "\"%016llx\"",
             (unsigned long long)file_hash(FILE_HASH_START, response->body.data,
                                           response->body.length));
    response->status = 200;
    response->content_type = "image/png";
    api_response_header(response, "ETag", tag);
    api_response_header(response, "Cache-Control", "no-cache");
    if (names_tag(call->request->if_none_match, tag)) {
        response->status = 304;
        buf_reset(&response->body);
    }
    return ERR_OK;
}
