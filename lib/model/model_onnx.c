/* What the file says of the model, and which of its values it gives out. */
#include "lib/model/model_onnx.h"

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/model/model_emit.h"
#include "lib/model/onnx_graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_FACT_BYTES ((size_t)16 << 20)

const char *const model_output_names[MODEL_OUTPUTS] = {
    [MODEL_CODE] = "code",
    [MODEL_GROUPS] = "groups",
    [MODEL_RECONSTRUCTION] = "reconstruction",
    [MODEL_PROBABILITIES] = "probabilities"};

struct facts {
    struct buf config, classes;
    char version[24], digest[24], range[64], about[512];
};

static void print_classes(struct buf *b, const struct model *m)
{
    for (size_t i = 0; i < m->classifier.classes; i++) {
        buf_char(b, i > 0 ? ',' : '[');
        buf_json_text(b, m->classes[i]);
    }
    buf_char(b, ']');
}

static enum err_code tell_facts(struct facts *f, struct onnx *o,
                                const struct model *m,
                                const struct model_onnx_options *options,
                                struct err *e)
{
    uint64_t digest = file_hash(FILE_HASH_START, m->params.values,
                                m->params.total * sizeof *m->params.values);
    json_print(&f->config, m->config);
    snprintf(f->digest, sizeof f->digest, "%016" PRIx64, digest);
    snprintf(f->range, sizeof f->range, "[%.9g,%.9g]", (double)m->low,
             (double)m->high);
    onnx_meta(o, "name", options->name);
    if (options->version > 0) {
        snprintf(f->version, sizeof f->version, "%" PRIu64, options->version);
        onnx_meta(o, "version", f->version);
    }
    onnx_meta(o, "digest", f->digest);
    onnx_meta(o, "range", f->range);
    if (m->classifier.present) {
        print_classes(&f->classes, m);
        onnx_meta(o, "classes", f->classes.data);
    }
    onnx_meta(o, "config", f->config.data);
    snprintf(f->about, sizeof f->about,
             "%s%s%s: raw numbers from %g to %g in, sparse codes and what is "
             "made of them out. Its composition is in the metadata.",
             options->name, options->version > 0 ? ", version " : "",
             f->version, (double)m->low, (double)m->high);
    return buf_failed(&f->config) || buf_failed(&f->classes)
               ? err_set(e, ERR_NO_MEMORY, "no memory for what is said of it")
               : ERR_OK;
}

/* ---- the graph ---- */

static enum err_code tell_outputs(struct onnx_graph *g, const struct model *m,
                                  const struct model_values *values,
                                  unsigned wanted, struct err *e)
{
    const int list[MODEL_OUTPUTS] = {
        [MODEL_CODE] = values->code,
        [MODEL_GROUPS] = values->groups,
        [MODEL_RECONSTRUCTION] = values->reconstruction,
        [MODEL_PROBABILITIES] = values->probabilities};
    const size_t widths[MODEL_OUTPUTS] = {
        [MODEL_CODE] = layer_units(model_top(m)),
        [MODEL_GROUPS] = layer_groups(model_top(m)),
        [MODEL_PROBABILITIES] = m->classifier.classes};
    for (size_t i = 0; i < MODEL_OUTPUTS; i++) {
        const char *name = model_output_names[i];
        bool picture = i == MODEL_RECONSTRUCTION;
        if (wanted && !(wanted & 1u << i))
            continue;
        if (list[i] == GRAPH_NONE && wanted)
            return err_set(e, ERR_CONFLICT, "the model has no %s", name);
        if (list[i] != GRAPH_NONE)
            onnx_graph_output(g, list[i], name, picture ? m->input_rank : 1,
                              picture ? m->input_shape : &widths[i]);
    }
    return ERR_OK;
}

static enum err_code tell_model(struct onnx_graph *g, const struct model *m,
                                unsigned wanted, struct err *e)
{
    struct model_values values;
    int x = onnx_graph_input(g, "input", m->input_rank, m->input_shape);
    if (model_emit(m, &g->graph, x, &values, e))
        return e->code;
    return tell_outputs(g, m, &values, wanted, e);
}

enum err_code model_save_onnx(const struct model *m, const char *path,
                              const struct model_onnx_options *options,
                              struct err *e)
{
    struct facts facts;
    struct onnx_graph g;
    struct onnx *o = onnx_new();
    if (!o)
        return err_set(e, ERR_NO_MEMORY, "%s", path);
    memset(&facts, 0, sizeof facts);
    buf_init(&facts.config, MAX_FACT_BYTES);
    buf_init(&facts.classes, MAX_FACT_BYTES);
    onnx_graph_init(&g, o);
    enum err_code code = tell_facts(&facts, o, m, options, e);
    if (!code)
        code = tell_model(&g, m, options->outputs, e);
    if (!code)
        code = onnx_write(o, path, options->name, facts.about, e);
    onnx_graph_fini(&g);
    onnx_free(o);
    buf_fini(&facts.config);
    buf_fini(&facts.classes);
    return code;
}
