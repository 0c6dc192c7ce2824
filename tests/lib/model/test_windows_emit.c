/* Windows told as operations, by a listener that computes each one at once.
 */
#include "lib/math/convolution.h"
#include "lib/model/graph.h"
#include "tests/support/near.h"
#include "tests/support/windows_by_hand.h"

#include <check.h>
#include <math.h>
#include <string.h>

struct told {
    struct graph graph; /* first */
    struct value {
        size_t rows, columns;
        float *x;
    } values[16];
    int n;
};

static int keep(struct told *t, size_t rows, size_t columns)
{
    ck_assert_int_lt(t->n, 16);
    t->values[t->n] = (struct value){
        rows, columns,
        arena_zeroed(t->graph.memory, rows * columns, sizeof(float))};
    ck_assert(t->values[t->n].x != NULL);
    return t->n++;
}

static int constant(struct graph *g, const char *name, const float *data,
                    size_t rank, const size_t *dims)
{
    struct told *t = (struct told *)g;
    size_t rows = rank > 1 ? dims[0] : 1, columns = rank > 1 ? 1 : dims[0];
    ck_assert(name != NULL);
    for (size_t i = 1; i < rank; i++)
        columns *= dims[i];
    int k = keep(t, rows, columns);
    memcpy(t->values[k].x, data, rows * columns * sizeof *data);
    return k;
}

static int apply(struct graph *g, enum graph_op op, int a, int b)
{
    struct told *t = (struct told *)g;
    const struct value x = t->values[a], y = t->values[b < 0 ? a : b];
    int k = keep(t, x.rows, op == GRAPH_PRODUCT ? y.rows : x.columns);
    for (size_t r = 0; r < x.rows; r++)
        for (size_t c = 0; c < t->values[k].columns; c++) {
            float left = op == GRAPH_PRODUCT ? 0 : x.x[r * x.columns + c];
            float right = op == GRAPH_PRODUCT
                              ? 0
                              : y.x[(y.rows == 1 ? 0 : r) * y.columns +
                                    (y.columns == 1 ? 0 : c)];
            double sum = 0;
            for (size_t i = 0; op == GRAPH_PRODUCT && i < x.columns; i++)
                sum +=
                    (double)(x.x[r * x.columns + i] * y.x[c * y.columns + i]);
            t->values[k].x[r * t->values[k].columns + c] =
                op == GRAPH_PRODUCT    ? (float)sum
                : op == GRAPH_SQRT     ? sqrtf(left)
                : op == GRAPH_MULTIPLY ? left * right
                : op == GRAPH_DIVIDE   ? left / right
                : op == GRAPH_MAX      ? fmaxf(left, right)
                                       : NAN;
        }
    return k;
}

/* One kernel's part of a map, or, reversed, of a picture. */
static void add_kernel(const struct convolution *c, float *to,
                       const float *from, const float *w, bool reversed,
                       size_t m, size_t n)
{
    for (size_t i = 0; i < c->kernel_height; i++)
        for (size_t j = 0; j < c->kernel_width; j++)
            for (size_t y = 0; y < c->rows; y++)
                for (size_t x = 0; x < c->columns; x++) {
                    size_t py = y * c->stride + i - c->padding_y;
                    size_t px = x * c->stride + j - c->padding_x;
                    if (py >= c->height || px >= c->width)
                        continue;
                    size_t p = (n * c->height + py) * c->width + px;
                    size_t q = (m * c->rows + y) * c->columns + x;
                    float weight = w[i * c->kernel_width + j];
                    to[reversed ? p : q] += weight * from[reversed ? q : p];
                }
}

static int convolve(struct graph *g, int a, int w, const struct convolution *c,
                    bool reversed)
{
    struct told *t = (struct told *)g;
    const struct value x = t->values[a];
    size_t picture = c->channels * c->height * c->width;
    size_t maps = c->maps * c->rows * c->columns;
    size_t kernel = c->kernel_height * c->kernel_width;
    /* As many as a convolution has by itself. */
    struct convolution sized = *c;
    ck_assert(convolution_set_size(&sized));
    ck_assert_uint_eq(sized.rows, c->rows);
    ck_assert_uint_eq(sized.columns, c->columns);
    ck_assert_uint_eq(x.columns, reversed ? maps : picture);
    ck_assert_uint_eq(t->values[w].rows * t->values[w].columns,
                      c->maps * c->channels * kernel);
    int k = keep(t, x.rows, reversed ? picture : maps);
    for (size_t r = 0; r < x.rows; r++)
        for (size_t m = 0; m < c->maps; m++)
            for (size_t n = 0; n < c->channels; n++)
                add_kernel(c, t->values[k].x + r * t->values[k].columns,
                           x.x + r * x.columns,
                           t->values[w].x + (m * c->channels + n) * kernel,
                           reversed, m, n);
    return k;
}

static int tell(struct told *t, const float *rows, size_t columns)
{
    int k = keep(t, WINDOWS_ROWS, columns);
    memcpy(t->values[k].x, rows, WINDOWS_ROWS * columns * sizeof *rows);
    return k;
}

START_TEST(told_as_operations_they_are_the_same)
{
    struct windows_case c;
    struct arena memory;
    windows_case_init(&c, _i);
    arena_init(&memory, (size_t)1 << 30);
    struct told t = {.graph = {.constant = constant,
                               .apply = apply,
                               .convolve = convolve,
                               .memory = &memory}};
    c.s.kind->pool(&c.s, c.v, c.z, WINDOWS_ROWS);
    int v = c.s.kind->emit_pool(&c.s, &t.graph, tell(&t, c.z, c.units));
    ck_assert_int_ne(v, GRAPH_NONE);
    ck_assert_uint_eq(t.values[v].columns, c.groups);
    near_all(t.values[v].x, c.v, WINDOWS_ROWS * c.groups, 2e-6);

    t.n = 0;
    c.s.kind->unpool(&c.s, c.out, c.dv, c.z, c.v, WINDOWS_ROWS);
    int wanted = tell(&t, c.dv, c.groups), z = tell(&t, c.z, c.units);
    int out = c.s.kind->emit_unpool(&c.s, &t.graph, wanted, z,
                                    tell(&t, c.v, c.groups));
    near_all(t.values[out].x, c.out, WINDOWS_ROWS * c.units, 2e-5);
    arena_fini(&memory);
    windows_case_fini(&c);
}
END_TEST

Suite *suite_windows_emit(void);
Suite *suite_windows_emit(void)
{
    Suite *suite = suite_create("windows_emit");
    TCase *t = tcase_create("every rule");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, told_as_operations_they_are_the_same, 0,
                        WINDOWS_CASES);
    suite_add_tcase(suite, t);
    return suite;
}
