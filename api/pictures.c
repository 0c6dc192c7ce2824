/* The atoms of a model as a picture. It is drawn on each request, which is why
 * the route counts as slow; for a client that has it already, as its ETag
 * tells, nothing is drawn.
 */
#include "api/body.h"
#include "api/etag.h"
#include "api/handlers.h"
#include "lib/data/image.h"
#include "lib/model/render.h"

#include <string.h>

/* Of all that the picture is made of. */
static uint64_t tag_of(const struct served *s, const struct render_options *o)
{
    const uint64_t parts[] = {s->digest, s->version, o->layer, o->max_side,
                              (uint64_t)o->view};
    uint64_t tag =
        etag_mix(ETAG_START, SPARSED_VERSION, strlen(SPARSED_VERSION));

    return etag_mix(tag, parts, sizeof parts);
}

static enum err_code draw(const struct model *m,
                          const struct render_options *options, struct buf *out,
                          struct err *e)
{
    struct image image = {0};

    if (render_atoms(m, options, &image, NULL, e) != ERR_OK)
        return e->code;
    enum err_code code = image_encode_png(out, &image, e);
    image_fini(&image);
    return code;
}

static enum err_code show(struct call *call, const struct served *s,
                          struct err *e)
{
    struct api_response *response = call->response;
    struct render_options options = {
        .max_side = call->options.max_side,
        .view = (enum render_view)call->options.view,
    };

    if (body_layer(&call->options, s->model, &options.layer, e) != ERR_OK)
        return e->code;
    response->status = 200;
    response->content_type = "image/png";
    if (etag_answer(call, tag_of(s, &options)))
        return ERR_OK;
    return draw(s->model, &options, &response->body, e);
}

enum err_code atoms_show(struct call *call, struct err *e)
{
    const struct served *s =
        registry_acquire(call->api->registry, call->model, call->version, e);

    if (s == NULL)
        return e->code;
    enum err_code code = show(call, s, e);
    registry_release(call->api->registry, s);
    return code;
}
