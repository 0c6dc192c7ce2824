/* Telling a graph: lists of values, newest first, in one arena. */
#include "lib/data/onnx.h"

#include "lib/base/mem.h"
#include "lib/data/onnx_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct onnx *onnx_new(void)
{
    struct onnx *o = mem_array(1, sizeof *o);
    if (o)
        arena_init(&o->memory, SIZE_MAX);
    return o;
}

void onnx_free(struct onnx *o)
{
    if (!o)
        return;
    arena_fini(&o->memory);
    mem_free(o);
}

/* Zeroed memory; NULL is remembered. */
static void *take(struct onnx *o, size_t size)
{
    void *p = arena_zeroed(&o->memory, 1, size);
    o->failed = o->failed || !p;
    return p;
}

static struct onnx_value *value_new(struct onnx *o, enum onnx_kind kind,
                                    size_t rank, const size_t *dims)
{
    assert(rank <= ONNX_MAX_RANK);
    struct onnx_value *v = take(o, sizeof *v);
    if (!v)
        return NULL;
    v->kind = kind;
    v->rank = rank;
    if (rank > 0)
        memcpy(v->dims, dims, rank * sizeof *dims);
    v->before = o->values;
    return o->values = v;
}

struct onnx_value *onnx_input(struct onnx *o, const char *name, size_t rank,
                              const size_t *shape)
{
    struct onnx_value *v = value_new(o, ONNX_GIVEN, rank, shape);
    if (v)
        v->name = name;
    return v;
}

/* ---- constants ---- */

static bool same_constant(const struct onnx_value *v, enum onnx_type type,
                          const void *data, size_t bytes, size_t rank,
                          const size_t *dims)
{
    return v->type == type && v->rank == rank &&
           memcmp(v->dims, dims, rank * sizeof *dims) == 0 &&
           (v->data == data || memcmp(v->data, data, bytes) == 0);
}

/* The name, with a number if `taken` others have it already. */
static const char *unique_name(struct onnx *o, const char *name, size_t taken)
{
    char text[128];
    if (taken > 0)
        snprintf(text, sizeof text, "%s_%zu", name, taken + 1);
    else
        snprintf(text, sizeof text, "%s", name);
    const char *copy = arena_text(&o->memory, text, strlen(text));
    o->failed = o->failed || !copy;
    return copy;
}

struct onnx_value *onnx_constant(struct onnx *o, const char *name,
                                 enum onnx_type type, const void *data,
                                 size_t rank, const size_t *dims)
{
    size_t bytes = type == ONNX_FLOAT ? sizeof(float) : sizeof(int64_t);
    size_t taken = 0;
    for (size_t i = 0; i < rank; i++)
        bytes *= dims[i];
    for (struct onnx_value *v = o->values; v; v = v->before)
        if (v->kind == ONNX_CONSTANT && strcmp(v->asked, name) == 0) {
            if (same_constant(v, type, data, bytes, rank, dims))
                return v;
            taken++;
        }
    const char *unique = unique_name(o, name, taken);
    struct onnx_value *v = value_new(o, ONNX_CONSTANT, rank, dims);
    if (!v || !unique)
        return NULL;
    v->name = unique;
    v->asked = taken == 0 ? unique : name;
    v->type = type;
    v->data = data;
    v->bytes = bytes;
    return v;
}

/* ---- nodes ---- */

static bool same_attribute(const struct onnx_attribute *a,
                           const struct onnx_attribute *b)
{
    if (!a->name || !b->name)
        return a->name == b->name;
    return strcmp(a->name, b->name) == 0 && a->n == b->n &&
           memcmp(a->numbers, b->numbers, sizeof a->numbers) == 0;
}

static bool same_node(const struct onnx_node *a, const struct onnx_node *b)
{
    for (size_t i = 0; i < ONNX_MAX_INPUTS; i++)
        if (a->inputs[i] != b->inputs[i])
            return false;
    for (size_t i = 0; i < ONNX_MAX_ATTRIBUTES; i++)
        if (!same_attribute(&a->attributes[i], &b->attributes[i]))
            return false;
    return strcmp(a->type, b->type) == 0;
}

static struct onnx_value *result_new(struct onnx *o,
                                     const struct onnx_node *node)
{
    struct onnx_value *v = value_new(o, ONNX_RESULT, 0, NULL);
    if (!v)
        return NULL;
    v->node = *node;
    v->other_reader = node->inputs[0]->reader;
    return node->inputs[0]->reader = v;
}

struct onnx_value *onnx_apply(struct onnx *o, const struct onnx_node *node)
{
    if (!node->inputs[0]) {
        o->failed = true;
        return NULL;
    }
    for (struct onnx_value *v = node->inputs[0]->reader; v; v = v->other_reader)
        if (same_node(&v->node, node))
            return v;
    return result_new(o, node);
}

/* ---- what is given out ---- */

void onnx_output(struct onnx *o, struct onnx_value *value, const char *name,
                 size_t rank, const size_t *shape)
{
    assert(rank <= ONNX_MAX_RANK);
    struct onnx_given_out *out = take(o, sizeof *out);
    /* A name belongs to one value, and what has one keeps it. */
    if (value && value->name)
        value = result_new(
            o, &(struct onnx_node){.type = "Identity", .inputs = {value}});
    if (!value || !out) {
        o->failed = true;
        return;
    }
    value->name = name;
    out->value = value;
    out->rank = rank;
    memcpy(out->shape, shape, rank * sizeof *shape);
    out->before = o->outputs;
    o->outputs = out;
}

void onnx_meta(struct onnx *o, const char *key, const char *value)
{
    struct onnx_fact *fact = take(o, sizeof *fact);
    if (!fact)
        return;
    *fact = (struct onnx_fact){o->facts, key, value};
    o->facts = fact;
}
