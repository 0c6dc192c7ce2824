/* Values in their two forms, and constants made of constants. */
#include "lib/model/onnx_told.h"

#include <stdio.h>
#include <string.h>

int told_add(struct onnx_graph *g, const struct onnx_told *told)
{
    if (!told->rows && !told->picture && !told->data)
        return GRAPH_NONE;
    if (g->n == g->room) {
        size_t room = g->room ? 2 * g->room : 256;
        struct onnx_told *list = arena_take(&g->memory, room, sizeof *list);
        if (!list)
            return GRAPH_NONE;
        if (g->n > 0)
            memcpy(list, g->told, g->n * sizeof *list);
        g->told = list;
        g->room = room;
    }
    g->told[g->n] = *told;
    return (int)g->n++;
}

/* ---- constants in the file ---- */

struct onnx_value *told_write(struct onnx_graph *g, const struct onnx_told *t)
{
    return onnx_constant(g->file, t->name, ONNX_FLOAT, t->data, t->rank,
                         t->dims);
}

struct onnx_value *told_integers(struct onnx_graph *g, const char *name,
                                 const int64_t *numbers, size_t n)
{
    int64_t *copy = arena_take(&g->memory, n, sizeof *copy);
    if (!copy)
        return NULL;
    memcpy(copy, numbers, n * sizeof *copy);
    return onnx_constant(g->file, name, ONNX_INT64, copy, 1, &n);
}

float *told_derive(struct onnx_graph *g, struct onnx_told *t,
                   const char *ending, size_t n)
{
    char name[96];
    snprintf(name, sizeof name, "%s%s", t->name, ending);
    float *data = arena_take(&g->memory, n, sizeof *data);
    t->name = arena_text(&g->memory, name, strlen(name));
    t->data = data;
    return t->name ? data : NULL;
}

int told_negated(struct onnx_graph *g, int a)
{
    struct onnx_told t = g->told[a];
    const float *from = t.data;
    size_t count = 1;
    for (size_t i = 0; i < t.rank; i++)
        count *= t.dims[i];
    float *data = told_derive(g, &t, ".negated", count);
    if (!data)
        return GRAPH_NONE;
    for (size_t i = 0; i < count; i++)
        data[i] = -from[i];
    return told_add(g, &t);
}

bool told_is_by_map(const struct onnx_told *t, const struct space *s)
{
    size_t size = s->height * s->width;
    if (!t->data || t->rank != 1 || t->n != space_size(s))
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (t->data[i] != t->data[i / size * size])
            return false;
    return true;
}

struct onnx_value *told_write_by_map(struct onnx_graph *g, struct onnx_told t,
                                     const struct space *s, size_t rank)
{
    const float *from = t.data;
    size_t size = s->height * s->width;
    float *data = told_derive(g, &t, "", s->channels);
    if (!data)
        return NULL;
    for (size_t c = 0; c < s->channels; c++)
        data[c] = from[c * size];
    return onnx_constant(g->file, t.name, ONNX_FLOAT, data, rank,
                         (size_t[]){s->channels, 1, 1});
}

/* ---- the two forms of a value ---- */

struct onnx_value *told_flatten(struct onnx_graph *g, struct onnx_value *v)
{
    struct onnx_node node = {
        .type = "Flatten", .inputs = {v}, .attributes = {{"axis", 0, {1}}}};
    return onnx_apply(g->file, &node);
}

struct onnx_value *told_reshape(struct onnx_graph *g, struct onnx_value *v,
                                size_t rank, const size_t *shape)
{
    int64_t dims[1 + ONNX_MAX_RANK] = {0}; /* as many rows as there are */
    for (size_t i = 0; i < rank; i++)
        dims[i + 1] = (int64_t)shape[i];
    struct onnx_node node = {
        .type = "Reshape",
        .inputs = {v, told_integers(g, "shape", dims, rank + 1)}};
    return onnx_apply(g->file, &node);
}

struct onnx_value *told_rows(struct onnx_graph *g, int a)
{
    const struct onnx_told *t = &g->told[a];
    if (t->data)
        return told_write(g, t);
    return t->rows ? t->rows : told_flatten(g, t->picture);
}

struct onnx_value *told_picture(struct onnx_graph *g, int a,
                                const struct space *s)
{
    const struct onnx_told *t = &g->told[a];
    const size_t dims[] = {s->channels, s->height, s->width};
    if (t->data && t->n == 1)
        return told_write(g, t);
    if (told_is_by_map(t, s))
        return told_write_by_map(g, *t, s, 3);
    if (t->data)
        return onnx_constant(g->file, t->name, ONNX_FLOAT, t->data, 3, dims);
    if (t->picture && space_same(&t->space, s))
        return t->picture;
    return told_reshape(g, t->picture ? t->picture : told_rows(g, a), 3, dims);
}
