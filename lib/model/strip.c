/* The config says which layers have a decoder; all parameters that are left
 * keep their names.
 */
#include "lib/model/strip.h"

#include <string.h>

static struct json *config_without(const struct model *m, const bool *drop)
{
    struct json *config = json_copy(m->config), *layers = json_new_array();
    for (size_t i = 0; i < m->n_layers; i++) {
        struct json *j = json_copy(json_at(json_get(m->config, "layers"), i));
        if (drop[i])
            json_set(j, "decoder", json_new_bool(false));
        json_add(layers, j);
    }
    json_set(config, "layers", layers);
    return config;
}

static enum err_code copy_params(struct model *to, const struct model *from,
                                 struct err *e)
{
    if (params_allocate(&to->params, e))
        return e->code;
    for (size_t i = 0; i < from->params.n; i++) {
        const struct param *p = &from->params.list[i];
        struct param *q = params_find(&to->params, p->name);
        if (q)
            memcpy(q->value, p->value, p->count * sizeof *p->value);
    }
    return model_copy_facts(to, from, e);
}

struct model *model_drop_decoders(const struct model *m, const bool *drop,
                                  struct err *e)
{
    struct json *config = config_without(m, drop);
    struct model *stripped = NULL;
    if (!json_whole(config))
        err_set(e, ERR_NO_MEMORY, "config");
    else
        stripped = model_new(config, (const char *const *)m->classes,
                             m->classifier.classes, e);
    json_free(config);
    if (stripped && copy_params(stripped, m, e)) {
        model_free(stripped);
        return NULL;
    }
    return stripped;
}
