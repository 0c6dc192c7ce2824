/* Writing a graph: protobuf-c's messages over what was told, packed straight
 * into the file.
 *
 * The messages borrow every text and every weight, so a model is not in memory
 * twice. protobuf-c only reads what it packs, though its structs know no const.
 */
#include "lib/data/onnx.h"

#include "lib/base/file.h"
#include "lib/data/onnx_parts.h"

#include <onnx/onnx.pb-c.h>

#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "raw_data is little-endian");

enum { FORMAT = 7, OPERATOR_SET = 13 };

struct writer {
    struct onnx *o;
    struct arena *memory;
    Onnx__GraphProto graph;
};

static void *lent(const void *p)
{
    return (void *)(uintptr_t)p;
}

/* ---- what the outputs need ---- */

/* Newest first, so who reads a value comes before it. */
static void find_needed(struct onnx *o, size_t *nodes, size_t *constants)
{
    for (struct onnx_given_out *out = o->outputs; out; out = out->before)
        out->value->needed = true;
    for (struct onnx_value *v = o->values; v; v = v->before) {
        if (!v->needed)
            continue;
        *nodes += v->kind == ONNX_RESULT;
        *constants += v->kind == ONNX_CONSTANT;
        for (size_t i = 0; i < ONNX_MAX_INPUTS; i++)
            if (v->node.inputs[i])
                v->node.inputs[i]->needed = true;
    }
}

/* "Gemm_7", of the results that are left to write. */
static bool name_result(struct writer *w, struct onnx_value *v, size_t number)
{
    char text[64];
    if (v->name)
        return true;
    snprintf(text, sizeof text, "%s_%zu", v->node.type, number);
    v->name = arena_text(w->memory, text, strlen(text));
    return v->name != NULL;
}

/* ---- messages ---- */

/* n pointers to n new messages of `size`, all zeros; NULL: memory is out. */
static void *messages(struct writer *w, size_t n, size_t size)
{
    char *all = arena_zeroed(w->memory, n, size);
    char **list = arena_zeroed(w->memory, n + 1, sizeof *list);
    if (!all || !list)
        return NULL;
    for (size_t i = 0; i < n; i++)
        list[i] = all + i * size;
    return list;
}

static int64_t *as_int64(struct writer *w, const size_t *numbers, size_t n)
{
    int64_t *copy = arena_take(w->memory, n + 1, sizeof *copy);
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = (int64_t)numbers[i];
    return copy;
}

static bool fill_attributes(struct writer *w, Onnx__NodeProto *node,
                            const struct onnx_attribute *from)
{
    node->attribute =
        messages(w, ONNX_MAX_ATTRIBUTES, sizeof **node->attribute);
    for (size_t i = 0; node->attribute && i < ONNX_MAX_ATTRIBUTES; i++) {
        Onnx__AttributeProto *a = node->attribute[i];
        if (!from[i].name)
            break;
        onnx__attribute_proto__init(a);
        a->name = lent(from[i].name);
        a->has_type = true;
        if (from[i].n > 0) {
            a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
            a->n_ints = from[i].n;
            a->ints = lent(from[i].numbers);
        } else {
            a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
            a->has_i = true;
            a->i = from[i].numbers[0];
        }
        node->n_attribute++;
    }
    return node->attribute != NULL;
}

static bool fill_node(struct writer *w, Onnx__NodeProto *node,
                      const struct onnx_value *v)
{
    onnx__node_proto__init(node);
    node->name = lent(v->name);
    node->op_type = lent(v->node.type);
    node->output = arena_take(w->memory, 1, sizeof *node->output);
    node->input = arena_take(w->memory, ONNX_MAX_INPUTS, sizeof *node->input);
    if (!node->output || !node->input)
        return false;
    node->n_output = 1;
    node->output[0] = node->name;
    for (size_t i = 0; i < ONNX_MAX_INPUTS && v->node.inputs[i]; i++)
        node->input[node->n_input++] = lent(v->node.inputs[i]->name);
    return fill_attributes(w, node, v->node.attributes);
}

static bool fill_constant(struct writer *w, Onnx__TensorProto *t,
                          const struct onnx_value *v)
{
    onnx__tensor_proto__init(t);
    t->name = lent(v->name);
    t->has_data_type = true;
    t->data_type = v->type == ONNX_FLOAT ? ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
                                         : ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    t->n_dims = v->rank;
    t->dims = as_int64(w, v->dims, v->rank);
    t->has_raw_data = true;
    t->raw_data = (ProtobufCBinaryData){v->bytes, lent(v->data)};
    return t->dims != NULL;
}

/* Numbers (B, shape). */
static bool fill_info(struct writer *w, Onnx__ValueInfoProto *info,
                      const char *name, const size_t *shape, size_t rank)
{
    Onnx__TypeProto *type = arena_take(w->memory, 1, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = arena_take(w->memory, 1, sizeof *tensor);
    Onnx__TensorShapeProto *dims = arena_take(w->memory, 1, sizeof *dims);
    Onnx__TensorShapeProto__Dimension **dim =
        messages(w, rank + 1, sizeof **dim);
    if (!type || !tensor || !dims || !dim)
        return false;
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(dims);
    info->name = lent(name);
    info->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = dims;
    dims->n_dim = rank + 1;
    dims->dim = dim;
    for (size_t i = 0; i <= rank; i++)
        onnx__tensor_shape_proto__dimension__init(dim[i]);
    dim[0]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    dim[0]->dim_param = lent("B");
    for (size_t i = 0; i < rank; i++) {
        dim[i + 1]->value_case =
            ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim[i + 1]->dim_value = (int64_t)shape[i];
    }
    return true;
}

/* Nodes and constants in the order in which they were told. */
static bool fill_values(struct writer *w)
{
    Onnx__GraphProto *g = &w->graph;
    size_t nodes = 0, constants = 0, given = 0;
    find_needed(w->o, &nodes, &constants);
    for (struct onnx_value *v = w->o->values; v; v = v->before)
        given += v->kind == ONNX_GIVEN;
    g->node = messages(w, g->n_node = nodes, sizeof **g->node);
    g->initializer =
        messages(w, g->n_initializer = constants, sizeof **g->initializer);
    g->input = messages(w, g->n_input = given, sizeof **g->input);
    if (!g->node || !g->initializer || !g->input)
        return false;
    /* Names first: a node is told after what it reads. */
    size_t number = nodes;
    for (struct onnx_value *v = w->o->values; v; v = v->before)
        if (v->needed && v->kind == ONNX_RESULT && !name_result(w, v, --number))
            return false;
    bool whole = true;
    for (struct onnx_value *v = w->o->values; v && whole; v = v->before)
        if (v->kind == ONNX_GIVEN)
            whole = fill_info(w, g->input[--given], v->name, v->dims, v->rank);
        else if (v->needed && v->kind == ONNX_RESULT)
            whole = fill_node(w, g->node[--nodes], v);
        else if (v->needed)
            whole = fill_constant(w, g->initializer[--constants], v);
    return whole;
}

static bool fill_outputs(struct writer *w)
{
    Onnx__GraphProto *g = &w->graph;
    for (struct onnx_given_out *o = w->o->outputs; o; o = o->before)
        g->n_output++;
    g->output = messages(w, g->n_output, sizeof **g->output);
    bool whole = g->output != NULL;
    size_t left = g->n_output;
    for (struct onnx_given_out *o = w->o->outputs; o && whole; o = o->before)
        whole =
            fill_info(w, g->output[--left], o->value->name, o->shape, o->rank);
    return whole;
}

static bool fill_facts(struct writer *w, Onnx__ModelProto *model)
{
    for (struct onnx_fact *f = w->o->facts; f; f = f->before)
        model->n_metadata_props++;
    size_t left = model->n_metadata_props;
    model->metadata_props = messages(w, left, sizeof **model->metadata_props);
    if (!model->metadata_props)
        return false;
    for (struct onnx_fact *f = w->o->facts; f; f = f->before) {
        Onnx__StringStringEntryProto *entry = model->metadata_props[--left];
        onnx__string_string_entry_proto__init(entry);
        entry->key = lent(f->key);
        entry->value = lent(f->value);
    }
    return true;
}

/* ---- into the file ---- */

struct sink {
    ProtobufCBuffer buffer; /* first */
    struct file_writer *file;
    enum err_code code;
    struct err *e;
};

static void append(ProtobufCBuffer *buffer, size_t length, const uint8_t *bytes)
{
    struct sink *s = (struct sink *)buffer;
    if (s->code == ERR_OK)
        s->code = file_write(s->file, bytes, length, s->e);
}

static enum err_code write_file(const Onnx__ModelProto *model, const char *path,
                                struct err *e)
{
    size_t bytes = onnx__model_proto__get_packed_size(model);
    if (bytes > ONNX_MAX_BYTES)
        return err_set(e, ERR_TOO_LARGE,
                       "%s: would take %zu bytes, and ONNX files hold at most "
                       "%zu in one",
                       path, bytes, ONNX_MAX_BYTES);
    struct sink s = {.buffer = {append}, .e = e};
    s.file = file_create(path, e);
    if (!s.file)
        return e->code;
    onnx__model_proto__pack_to_buffer(model, &s.buffer);
    if (s.code == ERR_OK)
        return file_commit(s.file, e);
    file_abandon(s.file);
    return s.code;
}

enum err_code onnx_write(struct onnx *o, const char *path, const char *name,
                         const char *about, struct err *e)
{
    struct writer w = {.o = o, .memory = &o->memory};
    Onnx__OperatorSetIdProto set, *sets = &set;
    Onnx__ModelProto model;
    onnx__graph_proto__init(&w.graph);
    onnx__operator_set_id_proto__init(&set);
    onnx__model_proto__init(&model);
    if (o->failed || !fill_values(&w) || !fill_outputs(&w) ||
        !fill_facts(&w, &model))
        return err_set(e, ERR_NO_MEMORY, "%s: no memory for the graph", path);
    w.graph.name = lent(name);
    set.domain = lent("");
    set.has_version = true;
    set.version = OPERATOR_SET;
    model.has_ir_version = true;
    model.ir_version = FORMAT;
    model.n_opset_import = 1;
    model.opset_import = &sets;
    model.producer_name = lent("sparsed");
    model.producer_version = lent(SPARSED_VERSION);
    model.doc_string = lent(about);
    model.graph = &w.graph;
    return write_file(&model, path, e);
}
