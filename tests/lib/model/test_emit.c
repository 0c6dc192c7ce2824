/* A model told as a graph is the same function: the listener here computes
 * each operation at once, by the plainest loop, and must arrive where the
 * model itself does.
 */
#include "lib/math/convolution.h"
#include "lib/model/model_emit.h"
#include "tests/support/compositions.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 4, MOST_VALUES = 400, MOST_NUMBERS = 1024 };

struct value {
    size_t rows, columns;
    float x[MOST_NUMBERS];
};

struct listener {
    struct graph graph; /* first */
    struct arena memory;
    struct value *values;
    int n;
    int most;
};

static struct value *value_new(struct listener *l, size_t rows, size_t columns)
{
    if (l->n == l->most)
        return NULL;
    ck_assert_uint_le(rows * columns, MOST_NUMBERS);
    struct value *v = &l->values[l->n++];
    v->rows = rows;
    v->columns = columns;
    return v;
}

static int constant(struct graph *g, const char *name, const float *data,
                    size_t rank, const size_t *dims)
{
    struct listener *l = (struct listener *)g;
    ck_assert_uint_gt(strlen(name), 0);
    size_t columns = 1;
    for (size_t i = rank > 1 ? 1 : 0; i < rank; i++)
        columns *= dims[i];
    struct value *v = value_new(l, rank > 1 ? dims[0] : 1, columns);
    if (!v)
        return GRAPH_NONE;
    memcpy(v->x, data, v->rows * v->columns * sizeof *data);
    return l->n - 1;
}

static float at(const struct value *v, size_t r, size_t c)
{
    return v
        ->x[(v->rows == 1 ? 0 : r) * v->columns + (v->columns == 1 ? 0 : c)];
}

static float pair(enum graph_op op, float a, float b)
{
    switch ((int)op) {
    case GRAPH_ADD:
        return a + b;
    case GRAPH_SUBTRACT:
        return a - b;
    case GRAPH_MULTIPLY:
        return a * b;
    case GRAPH_DIVIDE:
        return a / b;
    case GRAPH_MAX:
        return a > b ? a : b;
    case GRAPH_ABS:
        return fabsf(a);
    case GRAPH_SIGN:
        return (float)((a > 0) - (a < 0));
    case GRAPH_SQRT:
        return sqrtf(a);
    default:
        return tanhf(a);
    }
}

static double row_sum(const struct value *a, const struct value *b, size_t r,
                      size_t s)
{
    double sum = 0;
    for (size_t k = 0; k < a->columns; k++)
        sum += (double)(a->x[r * a->columns + k] * b->x[s * b->columns + k]);
    return sum;
}

static void rows_of(enum graph_op op, struct value *out, const struct value *a,
                    const struct value *b)
{
    for (size_t r = 0; r < out->rows; r++) {
        double sum = 0;
        for (size_t c = 0; c < a->columns; c++)
            sum += exp((double)at(a, r, c));
        for (size_t c = 0; c < out->columns; c++) {
            double y = op == GRAPH_PRODUCT ? row_sum(a, b, r, c)
                       : op == GRAPH_NORM  ? sqrt(row_sum(a, a, r, r))
                                           : exp((double)at(a, r, c)) / sum;
            out->x[r * out->columns + c] = (float)y;
        }
    }
}

static int apply(struct graph *g, enum graph_op op, int a, int b)
{
    struct listener *l = (struct listener *)g;
    bool of_two = op < GRAPH_ABS;
    if (a == GRAPH_NONE || (of_two && b == GRAPH_NONE))
        return GRAPH_NONE;
    ck_assert(of_two || b == GRAPH_NONE);
    const struct value *x = &l->values[a], *y = of_two ? &l->values[b] : x;
    bool by_row =
        op == GRAPH_PRODUCT || op == GRAPH_NORM || op == GRAPH_SOFTMAX;
    size_t rows = !by_row && y->rows > x->rows ? y->rows : x->rows;
    size_t columns = op == GRAPH_PRODUCT       ? y->rows
                     : op == GRAPH_NORM        ? 1
                     : y->columns > x->columns ? y->columns
                                               : x->columns;
    if (op == GRAPH_PRODUCT)
        ck_assert_uint_eq(x->columns, y->columns);
    struct value *out = value_new(l, rows, columns);
    if (!out)
        return GRAPH_NONE;
    if (by_row)
        rows_of(op, out, x, y);
    else
        for (size_t i = 0; i < rows * columns; i++)
            out->x[i] = pair(op, at(x, i / columns, i % columns),
                             at(y, i / columns, i % columns));
    return l->n - 1;
}

/* Every tap of every kernel, to or from the picture. */
static int convolve(struct graph *g, int a, int w, const struct convolution *c,
                    bool reversed)
{
    struct listener *l = (struct listener *)g;
    size_t picture = c->channels * c->height * c->width;
    size_t maps = c->maps * c->rows * c->columns;
    if (a == GRAPH_NONE || w == GRAPH_NONE)
        return GRAPH_NONE;
    size_t B = l->values[a].rows;
    struct value *out = value_new(l, B, reversed ? picture : maps);
    if (!out)
        return GRAPH_NONE;
    const float *x = l->values[a].x, *k = l->values[w].x;
    memset(out->x, 0, sizeof out->x);
    for (size_t m = 0; m < c->maps; m++)
        for (size_t n = 0; n < c->channels; n++)
            for (size_t i = 0; i < c->kernel_height; i++)
                for (size_t j = 0; j < c->kernel_width; j++, k++)
                    for (size_t y = 0; y < c->rows; y++)
                        for (size_t z = 0; z < c->columns; z++) {
                            size_t py = y * c->stride + i - c->padding_y;
                            size_t px = z * c->stride + j - c->padding_x;
                            if (py >= c->height || px >= c->width)
                                continue;
                            size_t p = (n * c->height + py) * c->width + px;
                            size_t q = (m * c->rows + y) * c->columns + z;
                            for (size_t b = 0; b < B; b++)
                                if (reversed)
                                    out->x[b * picture + p] +=
                                        *k * x[b * maps + q];
                                else
                                    out->x[b * maps + q] +=
                                        *k * x[b * picture + p];
                        }
    return l->n - 1;
}

static int first(struct graph *g, int a, size_t n)
{
    struct listener *l = (struct listener *)g;
    if (a == GRAPH_NONE)
        return GRAPH_NONE;
    const struct value *x = &l->values[a];
    ck_assert_uint_le(n, x->columns);
    struct value *out = value_new(l, x->rows, n);
    if (!out)
        return GRAPH_NONE;
    for (size_t i = 0; i < x->rows * n; i++)
        out->x[i] = x->x[i / n * x->columns + i % n];
    return l->n - 1;
}

static float rows[ROWS * COMPOSITION_INPUTS];
static struct listener listener;
static struct err e;

static void setup(void)
{
    listener = (struct listener){.graph = {.constant = constant,
                                           .apply = apply,
                                           .convolve = convolve,
                                           .first = first,
                                           .memory = &listener.memory},
                                 .most = MOST_VALUES};
    arena_init(&listener.memory, SIZE_MAX);
    listener.values = calloc(MOST_VALUES, sizeof *listener.values);
    composition_rows(rows, NULL, ROWS, 9);
}

static void teardown(void)
{
    arena_fini(&listener.memory);
    free(listener.values);
}

static int input(void)
{
    struct value *v = value_new(&listener, ROWS, COMPOSITION_INPUTS);
    memcpy(v->x, rows, sizeof rows);
    return listener.n - 1;
}

static void same(int value, const float *want, size_t columns)
{
    ck_assert_int_ge(value, 0);
    const struct value *v = &listener.values[value];
    ck_assert_uint_eq(v->rows, ROWS);
    ck_assert_uint_eq(v->columns, columns);
    near_all(v->x, want, ROWS * columns, 1e-4);
}

/* The name of what cannot be told as standard operations, NULL if all can. */
static const char *silent_kind(const struct layer *l)
{
    return l->encoder.kind->emit ? NULL : l->encoder.kind->name;
}

static void check(struct model *m)
{
    size_t top = m->n_layers - 1;
    struct model_options options = {0};
    struct model_values values;
    struct arena memory;
    struct pass p;
    float drawn[ROWS * COMPOSITION_INPUTS];
    const char *silent = silent_kind(model_top(m));
    if (silent) {
        ck_assert_int_eq(model_emit(m, &listener.graph, input(), &values, &e),
                         ERR_CONFLICT);
        ck_assert_msg(strstr(e.msg, silent) != NULL, "%s", e.msg);
        model_free(m);
        return;
    }
    arena_init(&memory, SIZE_MAX);
    ck_assert_msg(!model_emit(m, &listener.graph, input(), &values, &e), "%s",
                  e.msg);
    ck_assert(!model_encode(m, &p, rows, ROWS, &options, &memory, &e));
    ck_assert(!model_pool(m, &p, top, &memory, &e));
    ck_assert(!model_classify(m, &p, &memory, &e));
    ck_assert(!model_reconstruct(m, &p, top, drawn, NULL, &memory, &e));
    same(values.code, p.layers[top].z, layer_units(model_top(m)));
    same(values.groups, p.layers[top].v, layer_groups(model_top(m)));
    same(values.reconstruction, drawn, COMPOSITION_INPUTS);
    same(values.probabilities, p.probabilities, COMPOSITION_CLASSES);
    arena_fini(&memory);
    model_free(m);
}

START_TEST(the_graph_is_the_model)
{
    check(composition_model((size_t)_i));
}
END_TEST

static const char *const steps[] = {
    "{\"op\":\"whiten\"},{\"op\":\"unit_norm\"}", "{\"op\":\"whiten_filter\"}",
    "{\"op\":\"whiten_filter\",\"power\":2},"
    "{\"op\":\"local_contrast\",\"sigma\":1},{\"op\":\"unit_norm\"}"};

START_TEST(preprocessing_is_in_the_graph)
{
    check(composition_preprocessed(steps[_i]));
}
END_TEST

START_TEST(a_listener_that_gives_up_is_an_error)
{
    struct model *m = composition_model(0);
    struct model_values values;
    int x = input();
    for (listener.most = 1; listener.most < MOST_VALUES; listener.most++) {
        listener.n = x + 1;
        if (!model_emit(m, &listener.graph, x, &values, &e))
            break;
        ck_assert_int_eq(e.code, ERR_NO_MEMORY);
    }
    ck_assert_int_gt(listener.most, 8);
    ck_assert_int_lt(listener.most, MOST_VALUES);
    model_free(m);
}
END_TEST

Suite *suite_emit(void);
Suite *suite_emit(void)
{
    Suite *s = suite_create("emit");
    TCase *t = tcase_create("every composition");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, the_graph_is_the_model, 0,
                        (int)compositions_count());
    tcase_add_loop_test(t, preprocessing_is_in_the_graph, 0,
                        (int)(sizeof steps / sizeof steps[0]));
    tcase_add_test(t, a_listener_that_gives_up_is_an_error);
    suite_add_tcase(s, t);
    return s;
}
