/* What is served: the list of models, one of them in full.
 *
 * The registry's visitors run under its lock, so they only collect; the
 * models themselves are then acquired one by one.
 */
#include "api/models.h"
#include "api/etag.h"
#include "api/handlers.h"
#include "api/print.h"
#include "api/routes.h"
#include "api/run.h"
#include "api/versions.h"

#include <stdio.h>
#include <string.h>

/* ---- collecting ---- */

struct name_list {
    struct arena *memory;
    struct name_item {
        struct name_item *next;
        const char *name;
    } * first, **last;
    bool failed;
};

static bool collect_name(void *arg, const char *name, uint64_t in_service)
{
    struct name_list *list = arg;
    struct name_item *item = arena_take(list->memory, 1, sizeof *item);

    (void)in_service;
    if (item != NULL)
        item->name = arena_text(list->memory, name, strlen(name));
    if (item == NULL || item->name == NULL) {
        list->failed = true;
        return false;
    }
    item->next = NULL;
    *list->last = item;
    list->last = &item->next;
    return true;
}

/* ---- parts of a model's description ---- */

static void print_sizes(struct buf *b, const size_t *sizes, size_t n)
{
    buf_char(b, '[');
    for (size_t i = 0; i < n; i++)
        buf_printf(b, i > 0 ? ",%zu" : "%zu", sizes[i]);
    buf_char(b, ']');
}

static void print_space(struct buf *b, const struct space *s)
{
    const size_t sizes[] = {s->channels, s->height, s->width};
    bool flat = s->height == 1 && s->width == 1;

    print_sizes(b, sizes, flat ? 1 : 3);
}

static void print_shapes(struct buf *b, const struct layer *l)
{
    buf_text(b, "\"code_shape\":");
    print_space(b, &l->code);
    buf_printf(b, ",\"group_count\":%zu,\"group_shape\":", layer_groups(l));
    print_space(b, &l->structure.pooled);
}

static void print_actions(struct buf *b, const struct model *m)
{
    size_t top = m->n_layers - 1;
    unsigned able = run_able(m, top);

    buf_text(b, ",\"actions\":[\"encode\",\"pool\"");
    if ((able & OUTPUT_RECONSTRUCTION) != 0)
        buf_text(b, ",\"reconstruct\"");
    if ((able & OUTPUT_CLASSES) != 0)
        buf_text(b, ",\"classify\"");
    if (run_can_decode(m, top))
        buf_text(b, ",\"decode\"");
    buf_text(b, ",\"infer\"]");
}

/* The members that the list and the full description share; opens the object
 * and leaves it open. Tells the version in service. */
static enum err_code print_summary(struct call *call, const struct served *s,
                                   uint64_t *in_service, struct err *e)
{
    struct buf *b = &call->response->body;
    const struct model *m = s->model;
    struct version_list versions;

    if (versions_collect(call, s->name, &versions, e) != ERR_OK)
        return e->code;
    *in_service = versions.in_service;
    buf_text(b, "{\"name\":");
    buf_json_text(b, s->name);
    buf_text(b, ",\"version\":");
    buf_json_uint(b, s->version);
    buf_text(b, ",\"versions\":[");
    for (size_t i = 0; i < versions.n; i++) {
        if (i > 0)
            buf_char(b, ',');
        buf_json_uint(b, versions.versions[i]);
    }
    buf_text(b, "],\"input\":{\"shape\":");
    print_sizes(b, m->input_shape, m->input_rank);
    buf_printf(b, ",\"size\":%zu,\"range\":[", model_inputs(m));
    buf_json_float(b, m->low);
    buf_char(b, ',');
    buf_json_float(b, m->high);
    buf_printf(b, "]},\"code_size\":%zu,", layer_units(model_top(m)));
    print_shapes(b, model_top(m));
    buf_printf(b, ",\"class_count\":%zu,\"parameter_count\":%zu",
               m->classifier.present ? m->classifier.classes : 0,
               m->params.total);
    print_actions(b, m);
    return ERR_OK;
}

static void print_classes(struct buf *b, const struct model *m)
{
    if (!m->classifier.present) {
        buf_text(b, "null");
        return;
    }
    buf_char(b, '[');
    for (size_t k = 0; k < m->classifier.classes; k++) {
        if (k > 0)
            buf_char(b, ',');
        buf_json_text(b, m->classes[k]);
    }
    buf_char(b, ']');
}

static void print_layers(struct buf *b, const struct model *m)
{
    buf_char(b, '[');
    for (size_t i = 0; i < m->n_layers; i++) {
        const struct layer *l = &m->layers[i];
        buf_printf(b, "%s{\"index\":%zu,\"inputs\":%zu,\"units\":%zu,",
                   i > 0 ? "," : "", i, layer_inputs(l), layer_units(l));
        print_shapes(b, l);
        buf_printf(b, ",\"decoder\":%s}",
                   l->dec.kind != NULL ? "true" : "false");
    }
    buf_char(b, ']');
}

static enum err_code print_whole(struct call *call, const struct served *s,
                                 struct err *e)
{
    struct buf *b = &call->response->body;
    const struct model *m = s->model;
    uint64_t in_service;

    if (print_summary(call, s, &in_service, e) != ERR_OK)
        return e->code;
    /* The last for clients of KServe's first protocol. */
    buf_printf(b, ",\"in_service\":%s,\"ready\":true,\"classes\":",
               in_service == s->version ? "true" : "false");
    print_classes(b, m);
    buf_printf(b, ",\"preprocess\":{\"scales_rows\":%s},\"layers\":",
               preprocess_scales(&m->preprocess) ? "true" : "false");
    print_layers(b, m);
    buf_text(b, ",\"config\":");
    print_json_or_null(b, m->config);
    buf_text(b, ",\"metrics\":");
    print_json_or_null(b, m->metrics);
    buf_text(b, ",\"lineage\":");
    print_json_or_null(b, m->lineage);
    buf_printf(b, ",\"rehearsal\":%zu}\n", m->rehearsal.n);
    return ERR_OK;
}

/* ---- handlers ---- */

enum err_code models_list(struct call *call, struct err *e)
{
    struct registry *registry = call->api->registry;
    struct name_list names = {.memory = call->request->memory};
    struct buf *b = api_response_json(call->response, 200);
    const char *before = "";

    names.last = &names.first;
    registry_each_model(registry, collect_name, &names);
    if (names.failed)
        return err_set(e, ERR_NO_MEMORY, "no memory for the list of models");
    buf_text(b, "{\"models\":[");
    for (struct name_item *i = names.first; i != NULL; i = i->next) {
        struct err gone;
        uint64_t in_service;
        const struct served *s = registry_acquire(registry, i->name, 0, &gone);
        if (s == NULL)
            continue; /* taken out of service just now */
        buf_text(b, before);
        enum err_code code = print_summary(call, s, &in_service, e);
        registry_release(registry, s);
        if (code != ERR_OK)
            return code;
        buf_char(b, '}');
        before = ",";
    }
    buf_text(b, "]}\n");
    etag_seal(call);
    return ERR_OK;
}

enum err_code models_show(struct call *call, struct err *e)
{
    struct registry *registry = call->api->registry;
    const struct served *s =
        registry_acquire(registry, call->model, call->version, e);

    if (s == NULL)
        return e->code;
    api_response_json(call->response, 200);
    enum err_code code = print_whole(call, s, e);
    registry_release(registry, s);
    if (code == ERR_OK)
        etag_seal(call);
    return code;
}

enum err_code models_tag(const struct call *call, uint64_t *tag, struct err *e)
{
    struct registry *registry = call->api->registry;
    struct call aside = *call;
    struct api_response response;
    const struct served *s = registry_acquire(registry, call->model, 0, e);

    if (s == NULL)
        return e->code;
    api_response_init(&response);
    aside.response = &response;
    enum err_code code = print_whole(&aside, s, e);
    registry_release(registry, s);
    if (code == ERR_OK && buf_failed(&response.body))
        code = print_refuse(&response.body, e);
    if (code == ERR_OK)
        *tag = etag_mix(ETAG_START, response.body.data, response.body.length);
    api_response_fini(&response);
    return code;
}
