/* Each operation as the standard operator that other runtimes run fastest. */
#include "lib/model/onnx_graph.h"

#include "lib/base/mem.h"
#include "lib/math/convolution.h"
#include "lib/model/space.h"

#include <stdio.h>
#include <string.h>

/* A value of the graph and what it is in the file. */
struct onnx_told {
    size_t n;                   /* columns */
    struct onnx_value *rows;    /* (B,n); NULL: a picture, or a constant */
    struct onnx_value *picture; /* (B,C,H,W), or NULL */
    struct space space;         /* of the picture */
    /* A product or convolution to which nothing was added yet: how it was
     * made. */
    struct onnx_node bare;
    /* The sum of a bare value and another one: their numbers. */
    bool sum;
    int a, b;
    /* of a constant; NULL: it is none */
    const float *data;
    const char *name;
    size_t rank;
    size_t dims[ONNX_MAX_RANK];
};

static const char *const types[] = {
    [GRAPH_PRODUCT] = "Gemm",  [GRAPH_ADD] = "Add",
    [GRAPH_SUBTRACT] = "Sub",  [GRAPH_MULTIPLY] = "Mul",
    [GRAPH_DIVIDE] = "Div",    [GRAPH_MAX] = "Max",
    [GRAPH_ABS] = "Abs",       [GRAPH_SIGN] = "Sign",
    [GRAPH_SQRT] = "Sqrt",     [GRAPH_TANH] = "Tanh",
    [GRAPH_NORM] = "ReduceL2", [GRAPH_SOFTMAX] = "Softmax",
};

static struct onnx_graph *of(struct graph *g)
{
    return (struct onnx_graph *)g;
}

/* ---- numbers of values ---- */

static int add(struct onnx_graph *g, const struct onnx_told *told)
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

static int constant(struct graph *graph, const char *name, const float *data,
                    size_t rank, const size_t *dims)
{
    struct onnx_told t = {.data = data, .name = name, .rank = rank, .n = 1};
    for (size_t i = 0; i < rank; i++) {
        t.dims[i] = dims[i];
        t.n *= i > 0 || rank == 1 ? dims[i] : 1;
    }
    return add(of(graph), &t);
}

/* ---- constants in the file ---- */

static struct onnx_value *write_constant(struct onnx_graph *g,
                                         const struct onnx_told *t)
{
    return onnx_constant(g->file, t->name, ONNX_FLOAT, t->data, t->rank,
                         t->dims);
}

static struct onnx_value *write_integers(struct onnx_graph *g, const char *name,
                                         const int64_t *numbers, size_t n)
{
    int64_t *copy = arena_take(&g->memory, n, sizeof *copy);
    if (!copy)
        return NULL;
    memcpy(copy, numbers, n * sizeof *copy);
    return onnx_constant(g->file, name, ONNX_INT64, copy, 1, &n);
}

/* Room for the numbers of a constant that is made of another one: its name with
 * an ending. */
static float *derive(struct onnx_graph *g, struct onnx_told *t,
                     const char *ending, size_t n)
{
    char name[96];
    int length = snprintf(name, sizeof name, "%s%s", t->name, ending);
    float *data = arena_take(&g->memory, n, sizeof *data);
    t->name = arena_text(&g->memory, name, (size_t)length);
    t->data = data;
    return t->name ? data : NULL;
}

static int negated(struct onnx_graph *g, int a)
{
    struct onnx_told t = g->told[a];
    const float *from = t.data;
    size_t count = 1;
    for (size_t i = 0; i < t.rank; i++)
        count *= t.dims[i];
    float *data = derive(g, &t, ".negated", count);
    if (!data)
        return GRAPH_NONE;
    for (size_t i = 0; i < count; i++)
        data[i] = -from[i];
    return add(g, &t);
}

/* Whether the row is the same for all units of a map. */
static bool is_by_map(const struct onnx_told *t, const struct space *s)
{
    size_t size = s->height * s->width;
    if (!t->data || t->rank != 1 || t->n != space_size(s))
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (t->data[i] != t->data[i / size * size])
            return false;
    return true;
}

/* One number a map of such a row, as dims (C,1,1), or (C). */
static struct onnx_value *write_by_map(struct onnx_graph *g, struct onnx_told t,
                                       const struct space *s, size_t rank)
{
    const float *from = t.data;
    size_t size = s->height * s->width;
    float *data = derive(g, &t, "", s->channels);
    if (!data)
        return NULL;
    for (size_t c = 0; c < s->channels; c++)
        data[c] = from[c * size];
    return onnx_constant(g->file, t.name, ONNX_FLOAT, data, rank,
                         (size_t[]){s->channels, 1, 1});
}

/* ---- the two forms of a value ---- */

static struct onnx_value *flatten(struct onnx_graph *g, struct onnx_value *v)
{
    struct onnx_node node = {
        .type = "Flatten", .inputs = {v}, .attributes = {{"axis", 0, {1}}}};
    return onnx_apply(g->file, &node);
}

/* (B,n) as (B, shape). */
static struct onnx_value *reshape(struct onnx_graph *g, struct onnx_value *v,
                                  size_t rank, const size_t *shape)
{
    int64_t dims[1 + ONNX_MAX_RANK] = {0}; /* as many rows as there are */
    for (size_t i = 0; i < rank; i++)
        dims[i + 1] = (int64_t)shape[i];
    struct onnx_node node = {
        .type = "Reshape",
        .inputs = {v, write_integers(g, "shape", dims, rank + 1)}};
    return onnx_apply(g->file, &node);
}

static struct onnx_value *rows_of(struct onnx_graph *g, int a)
{
    const struct onnx_told *t = &g->told[a];
    if (t->data)
        return write_constant(g, t);
    return t->rows ? t->rows : flatten(g, t->picture);
}

static struct onnx_value *picture_of(struct onnx_graph *g, int a,
                                     const struct space *s)
{
    const struct onnx_told *t = &g->told[a];
    const size_t dims[] = {s->channels, s->height, s->width};
    if (t->data && t->n == 1)
        return write_constant(g, t);
    if (is_by_map(t, s))
        return write_by_map(g, *t, s, 3);
    if (t->data)
        return onnx_constant(g->file, t->name, ONNX_FLOAT, t->data, 3, dims);
    if (t->picture && space_same(&t->space, s))
        return t->picture;
    return reshape(g, t->picture ? t->picture : rows_of(g, a), 3, dims);
}

/* ---- what is added to a product goes into it ---- */

static bool is_zero(const struct onnx_told *t)
{
    return t->data && t->rank == 1 && t->n == 1 && t->data[0] == 0.0f;
}

/* The bare value with b added in the same operator, or NULL where that cannot
 * be. */
static struct onnx_value *add_inside(struct onnx_graph *g,
                                     const struct onnx_told *a, int b)
{
    struct onnx_node node = a->bare;
    if (a->rows)
        node.inputs[2] = rows_of(g, b);
    else if (is_by_map(&g->told[b], &a->space))
        node.inputs[2] = write_by_map(g, g->told[b], &a->space, 1);
    return node.inputs[2] ? onnx_apply(g->file, &node) : NULL;
}

static int pairwise(struct onnx_graph *g, enum graph_op op, int a, int b);

static int sum(struct onnx_graph *g, int a, int b)
{
    struct onnx_told t = g->told[a];
    struct onnx_value *whole = add_inside(g, &t, b);
    if (!whole) {
        int plain = pairwise(g, GRAPH_ADD, a, b);
        if (plain == GRAPH_NONE)
            return GRAPH_NONE;
        g->told[plain].sum = true;
        g->told[plain].a = a;
        g->told[plain].b = b;
        return plain;
    }
    t.bare.type = NULL;
    t.sum = true;
    t.a = a;
    t.b = b;
    *(t.rows ? &t.rows : &t.picture) = whole;
    return add(g, &t);
}

/* ---- operations ---- */

static bool fits(const struct onnx_told *t, const struct space *s)
{
    return t->n == space_size(s) || (t->data && t->n == 1);
}

/* Pictures stay pictures where both sides can be. */
static int pairwise(struct onnx_graph *g, enum graph_op op, int a, int b)
{
    struct onnx_told x = g->told[a], y = g->told[b];
    const struct space *s = x.picture ? &x.space : y.picture ? &y.space : NULL;
    struct onnx_told t = {.n = x.n > y.n ? x.n : y.n};
    bool picture = s && fits(&x, s) && fits(&y, s);
    struct onnx_node node = {
        .type = types[op],
        .inputs = {picture ? picture_of(g, a, s) : rows_of(g, a),
                   picture ? picture_of(g, b, s) : rows_of(g, b)}};
    if (op == GRAPH_MAX && is_zero(&y))
        node = (struct onnx_node){.type = "Relu", .inputs = {node.inputs[0]}};
    if (picture)
        t.space = *s;
    *(picture ? &t.picture : &t.rows) = onnx_apply(g->file, &node);
    return add(g, &t);
}

static int of_two(struct onnx_graph *g, enum graph_op op, int a, int b)
{
    struct onnx_told x = g->told[a];
    if (op == GRAPH_SUBTRACT && x.sum) {
        /* The same in all steps, where the bare part is not. */
        int rest = of_two(g, GRAPH_SUBTRACT, x.b, b);
        return rest == GRAPH_NONE ? GRAPH_NONE : sum(g, x.a, rest);
    }
    if (op == GRAPH_SUBTRACT && x.bare.type && g->told[b].data) {
        int minus = negated(g, b);
        return minus == GRAPH_NONE ? GRAPH_NONE : sum(g, a, minus);
    }
    if (op == GRAPH_ADD && x.bare.type)
        return sum(g, a, b);
    return pairwise(g, op, a, b);
}

static int of_one(struct onnx_graph *g, enum graph_op op, int a)
{
    struct onnx_told x = g->told[a];
    bool by_row = op == GRAPH_NORM || op == GRAPH_SOFTMAX;
    bool picture = !by_row && x.picture;
    struct onnx_node node = {.type = types[op],
                             .inputs = {picture ? x.picture : rows_of(g, a)}};
    struct onnx_told t = {.n = op == GRAPH_NORM ? 1 : x.n, .space = x.space};
    if (op == GRAPH_NORM)
        node.attributes[0] = (struct onnx_attribute){"axes", 1, {1}};
    else if (op == GRAPH_SOFTMAX)
        node.attributes[0] = (struct onnx_attribute){"axis", 0, {1}};
    *(picture ? &t.picture : &t.rows) = onnx_apply(g->file, &node);
    return add(g, &t);
}

/* Units in each block if row k of the matrix is not 0 in the k-th block of
 * columns alone; else 0. */
static size_t block_size(const struct onnx_told *w)
{
    size_t rows = w->dims[0], size = rows ? w->n / rows : 0;
    if (!w->data || w->rank != 2 || rows < 2 || size < 2 || w->n % rows != 0)
        return 0;
    for (size_t i = 0; i < rows * w->n; i++)
        if (w->data[i] != 0.0f && i % w->n / size != i / w->n)
            return 0;
    return size;
}

/* The product with such a matrix: weigh, and add up each block. */
static int sum_blocks(struct onnx_graph *g, int a, struct onnx_told w,
                      size_t size)
{
    static const int64_t blocks = 2;
    const float *from = w.data;
    size_t rows = w.dims[0], n = w.n;
    bool plain = true;
    float *weights = derive(g, &w, "", n);
    for (size_t i = 0; weights && i < n; i++) {
        weights[i] = from[i / size * n + i];
        plain = plain && weights[i] == 1.0f;
    }
    if (!weights)
        return GRAPH_NONE;
    w.rank = 1;
    w.dims[0] = n;
    int by = plain ? a : add(g, &w);
    if (by == GRAPH_NONE)
        return GRAPH_NONE;
    int weighed = plain ? a : pairwise(g, GRAPH_MULTIPLY, a, by);
    if (weighed == GRAPH_NONE)
        return GRAPH_NONE;
    struct onnx_node node = {
        .type = "ReduceSum",
        .inputs = {reshape(g, rows_of(g, weighed), 2, (size_t[]){rows, size}),
                   write_integers(g, "blocks", &blocks, 1)},
        .attributes = {{"keepdims", 0, {0}}}};
    return add(
        g, &(struct onnx_told){.n = rows, .rows = onnx_apply(g->file, &node)});
}

static int product(struct onnx_graph *g, int a, int b)
{
    size_t size = block_size(&g->told[b]);
    if (size > 0)
        return sum_blocks(g, a, g->told[b], size);
    struct onnx_told t = {.n = g->told[b].dims[0],
                          .bare = {.type = types[GRAPH_PRODUCT],
                                   .inputs = {rows_of(g, a), rows_of(g, b)},
                                   .attributes = {{"transB", 0, {1}}}}};
    if (!t.bare.inputs[1])
        return GRAPH_NONE;
    t.rows = onnx_apply(g->file, &t.bare);
    return add(g, &t);
}

static int apply(struct graph *graph, enum graph_op op, int a, int b)
{
    struct onnx_graph *g = of(graph);
    if (a == GRAPH_NONE || (op < GRAPH_ABS && b == GRAPH_NONE))
        return GRAPH_NONE;
    if (op == GRAPH_PRODUCT)
        return product(g, a, b);
    return op < GRAPH_ABS ? of_two(g, op, a, b) : of_one(g, op, a);
}

static int first(struct graph *graph, int a, size_t n)
{
    struct onnx_graph *g = of(graph);
    static const int64_t zero = 0, one = 1;
    if (a == GRAPH_NONE)
        return GRAPH_NONE;
    struct onnx_told t = {.n = n};
    int64_t end = (int64_t)n;
    t.rows = onnx_apply(
        g->file,
        &(struct onnx_node){.type = "Slice",
                            .inputs = {rows_of(g, a),
                                       write_integers(g, "from", &zero, 1),
                                       write_integers(g, "to", &end, 1),
                                       write_integers(g, "axis", &one, 1)}});
    return add(g, &t);
}

/* ---- convolution ---- */

/* The weights of each map with itself (C,1,kernel), if they are all there is;
 * else NULL. */
static struct onnx_value *own_weights(struct onnx_graph *g, struct onnx_told w)
{
    const float *from = w.data;
    size_t maps = w.dims[0], channels = w.dims[1];
    size_t size = w.dims[2] * w.dims[3];
    if (maps != channels || maps == 1)
        return NULL;
    for (size_t i = 0; i < maps * channels * size; i++)
        if (from[i] != 0.0f && i / size / channels != i / size % channels)
            return NULL;
    float *data = derive(g, &w, "", maps * size);
    for (size_t k = 0; data && k < maps; k++)
        memcpy(data + k * size, from + (k * channels + k) * size,
               size * sizeof *data);
    w.dims[1] = 1;
    return data ? write_constant(g, &w) : NULL;
}

static void set_attributes(struct onnx_node *node, const struct convolution *c,
                           size_t groups, bool reversed)
{
    int64_t y = (int64_t)c->padding_y, x = (int64_t)c->padding_x;
    int64_t stride = (int64_t)c->stride;
    /* What stands after the last kernel. */
    size_t below = c->height + 2 * c->padding_y - c->kernel_height -
                   (c->rows - 1) * c->stride;
    size_t right = c->width + 2 * c->padding_x - c->kernel_width -
                   (c->columns - 1) * c->stride;
    const struct onnx_attribute list[] = {
        {"group", 0, {(int64_t)groups}},
        {"kernel_shape",
         2,
         {(int64_t)c->kernel_height, (int64_t)c->kernel_width}},
        {"pads", 4, {y, x, y, x}},
        {"strides", 2, {stride, stride}},
        {reversed ? "output_padding" : NULL,
         2,
         {(int64_t)below, (int64_t)right}}};
    memcpy(node->attributes, list, sizeof list);
}

static int convolve(struct graph *graph, int a, int w,
                    const struct convolution *c, bool reversed)
{
    struct onnx_graph *g = of(graph);
    struct space picture = {c->channels, c->height, c->width, false};
    struct space maps = {c->maps, c->rows, c->columns, false};
    if (a == GRAPH_NONE || w == GRAPH_NONE)
        return GRAPH_NONE;
    struct onnx_value *own = own_weights(g, g->told[w]);
    struct onnx_told t = {.space = reversed ? picture : maps};
    t.n = space_size(&t.space);
    t.bare = (struct onnx_node){
        .type = reversed ? "ConvTranspose" : "Conv",
        .inputs = {picture_of(g, a, reversed ? &maps : &picture),
                   own ? own : write_constant(g, &g->told[w])}};
    if (!t.bare.inputs[1])
        return GRAPH_NONE;
    set_attributes(&t.bare, c, own ? c->maps : 1, reversed);
    t.picture = onnx_apply(g->file, &t.bare);
    return add(g, &t);
}

/* ---- the ends ---- */

int onnx_graph_input(struct onnx_graph *g, const char *name, size_t rank,
                     const size_t *shape)
{
    struct onnx_value *v = onnx_input(g->file, name, rank, shape);
    struct onnx_told t = {.n = 1, .rows = rank > 1 ? flatten(g, v) : v};
    for (size_t i = 0; i < rank; i++)
        t.n *= shape[i];
    return add(g, &t);
}

void onnx_graph_output(struct onnx_graph *g, int value, const char *name,
                       size_t rank, const size_t *shape)
{
    struct onnx_value *v = rows_of(g, value);
    if (rank > 1)
        v = reshape(g, v, rank, shape);
    onnx_output(g->file, v, name, rank, shape);
}

void onnx_graph_init(struct onnx_graph *g, struct onnx *file)
{
    *g = (struct onnx_graph){.graph = {.constant = constant,
                                       .apply = apply,
                                       .convolve = convolve,
                                       .first = first,
                                       .memory = &g->memory},
                             .file = file};
    arena_init(&g->memory, SIZE_MAX);
}

void onnx_graph_fini(struct onnx_graph *g)
{
    arena_fini(&g->memory);
}
