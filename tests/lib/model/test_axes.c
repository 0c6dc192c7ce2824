/* A new idea is one new file on one axis: here are three values that the
 * program has never heard of, each no more than its table. Everything else
 * (config, training, saving, pictures) must work with them from the tables.
 */
#include "lib/model/axes.h"

#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/model/encoder/units.h"
#include "lib/model/model_file.h"
#include "lib/model/render.h"
#include "lib/train/loss.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <string.h>

/* ---- operator "mirror": y_i = w_i x_i ---- */

static enum err_code mirror_shape(struct operator_shape *out,
                                  const struct space *in,
                                  const struct json *layer, const char *where,
                                  struct err *e)
{
    (void)layer, (void)where, (void)e;
    *out = (struct operator_shape){.code = *in, .cell = *in};
    return ERR_OK;
}

static enum err_code mirror_declare(struct operator *op, struct params *params,
                                    const char *name, struct err *e)
{
    size_t n = space_size(&op->in);
    enum param_axis axis = AXIS_CODE;
    op->weight = params_add(params, name, 1, &n, &axis, e);
    return op->weight ? ERR_OK : e->code;
}

static void mirror_limit(struct operator *op, enum operator_side side,
                         float bound)
{
    (void)op, (void)side, (void)bound;
}

static void mirror_start(struct operator *op, struct rng *rng,
                         const float *samples, size_t n, float lean)
{
    (void)samples, (void)n, (void)lean;
    for (size_t i = 0; i < op->weight->count; i++)
        op->weight->value[i] = rng_uniform(rng, 0.5f, 1);
}

static void mirror_adjoint_of(struct operator *op, const struct operator *other,
                              float scale)
{
    for (size_t i = 0; i < op->weight->count; i++)
        op->weight->value[i] = scale * other->weight->value[i];
}

static void mirror_residual_of(struct operator *op,
                               const struct operator *other, float scale)
{
    for (size_t i = 0; i < op->weight->count; i++) {
        float w = other->weight->value[i];
        op->weight->value[i] = 1 - scale * w * w;
    }
}

static void mirror_apply(const struct operator *op, float *y, const float *base,
                         const float *x, size_t B, struct arena *scratch)
{
    size_t n = op->weight->count;
    (void)scratch;
    for (size_t i = 0; i < B * n; i++)
        y[i] = (base ? base[i] : 0) + op->weight->value[i % n] * x[i];
}

static void mirror_adjoint(const struct operator *op, float *dx,
                           const float *dy, size_t B, struct arena *scratch)
{
    size_t n = op->weight->count;
    (void)scratch;
    for (size_t i = 0; i < B * n; i++)
        dx[i] += op->weight->value[i % n] * dy[i];
}

static void mirror_gradient(const struct operator *op, float *dw,
                            const float *dy, const float *x, size_t B,
                            struct arena *scratch)
{
    size_t n = op->weight->count;
    (void)scratch;
    for (size_t i = 0; i < B * n; i++)
        dw[i % n] += dy[i] * x[i];
}

static int mirror_emit(const struct operator *op, struct graph *g, int x)
{
    return g->apply(g, GRAPH_MULTIPLY, x, param_emit(op->weight, g));
}

static size_t mirror_scratch(const struct operator *op, size_t B)
{
    (void)op, (void)B;
    return 0;
}

static const struct operator_kind mirror = {
    .name = "mirror",
    .settings = (const char *const[]){NULL},
    .shape = mirror_shape,
    .declare = mirror_declare,
    .limit = mirror_limit,
    .start = mirror_start,
    .start_adjoint = mirror_adjoint_of,
    .start_residual = mirror_residual_of,
    .apply = mirror_apply,
    .adjoint = mirror_adjoint,
    .gradient = mirror_gradient,
    .emit = mirror_emit,
    .scratch_bytes = mirror_scratch,
};

/* ---- encoder "double": z = f(2 E x - b) ---- */

static enum err_code double_configure(struct layer *l, const struct json *j,
                                      const char *where, struct params *params,
                                      struct err *e)
{
    l->encoder.steps = 1;
    return units_configure(l, j, where, params, e);
}

static void double_start(struct layer *l, struct rng *rng)
{
    units_start(l);
    l->enc.kind->start(&l->enc, rng, NULL, 0, 0);
}

static void double_forward(const struct layer *l, struct tape *tape,
                           const float *x, size_t B, size_t steps,
                           struct arena *scratch)
{
    tape->steps = steps ? 1 : 0;
    l->enc.kind->apply(&l->enc, tape->z, NULL, x, B, scratch);
    vec_scale(tape->z, 2, B * layer_units(l));
    units_forward(l, tape->z, tape->h, tape->z, B, scratch);
}

static void double_backward(const struct layer *l, float *grads,
                            const struct tape *tape, float *dz, float *dx,
                            const float *x, size_t B, struct arena *scratch)
{
    units_backward(l, grads, dz, dz, tape->z, tape->h, B, scratch);
    vec_scale(dz, 2, B * layer_units(l));
    if (grads)
        l->enc.kind->gradient(&l->enc, grads + l->enc.weight->offset, dz, x, B,
                              scratch);
    if (dx)
        l->enc.kind->adjoint(&l->enc, dx, dz, B, scratch);
}

static size_t double_scratch(const struct layer *l, size_t B, size_t steps)
{
    (void)steps;
    return l->enc.kind->scratch_bytes(&l->enc, B) + units_scratch_bytes(l);
}

static const struct encoder_kind twice = {
    .name = "double",
    .settings = (const char *const[]){"nonlinearity", "gain", NULL},
    .configure = double_configure,
    .start = double_start,
    .forward = double_forward,
    .backward = double_backward,
    .scratch_bytes = double_scratch,
};

/* ---- structure "square": 1/2 sum z^2, one pool over all units ---- */

static enum err_code square_configure(struct structure *s, const struct json *j,
                                      const char *where, struct params *params,
                                      struct err *e)
{
    (void)j, (void)where, (void)params, (void)e;
    s->pooled = space_vector(1);
    return ERR_OK;
}

static double square_value(const struct structure *s, const float *z, size_t B)
{
    return 0.5 * vec_dot(z, z, B * space_size(&s->code));
}

static void square_gradient(const struct structure *s, float *dz,
                            const float *z, size_t B, float scale)
{
    vec_add(dz, z, scale, B * space_size(&s->code));
}

static void square_pool(const struct structure *s, float *v, const float *z,
                        size_t B)
{
    size_t n = space_size(&s->code);
    for (size_t b = 0; b < B; b++)
        v[b] = (float)vec_norm(z + b * n, n);
}

static void square_pool_backward(const struct structure *s, float *dz,
                                 const float *dv, const float *z,
                                 const float *v, size_t B)
{
    size_t n = space_size(&s->code);
    for (size_t b = 0; b < B; b++)
        if (v[b] > 0)
            vec_add(dz + b * n, z + b * n, dv[b] / v[b], n);
}

static void square_unpool(const struct structure *s, float *out,
                          const float *wanted, const float *z, const float *v,
                          size_t B)
{
    size_t n = space_size(&s->code);
    for (size_t i = 0; i < B * n; i++)
        out[i] = v[i / n] > 0 ? z[i] * wanted[i / n] / v[i / n] : 0;
}

static enum err_code square_layout(const struct structure *s,
                                   struct layout *out, struct arena *memory,
                                   struct err *e)
{
    size_t n = space_size(&s->code);
    *out =
        (struct layout){.width = (float)n,
                        .height = 1,
                        .places = arena_take(memory, n, sizeof *out->places)};
    if (!out->places)
        return err_set(e, ERR_NO_MEMORY, "layout");
    for (size_t i = 0; i < n; i++)
        out->places[i] = (struct layout_place){.x = (float)i};
    return ERR_OK;
}

static const struct structure_kind square = {
    .name = "square",
    .settings = (const char *const[]){NULL},
    .heads = 1,
    .configure = square_configure,
    .value = square_value,
    .gradient = square_gradient,
    .pool = square_pool,
    .pool_backward = square_pool_backward,
    .unpool = square_unpool,
    .layout = square_layout,
};

/* ---- what the program makes of them ---- */

enum { N = 4, B = 3, K = 2 };

static const char config[] =
    "{\"input\":{\"shape\":[4]},\"layers\":["
    "{\"operator\":\"mirror\",\"encoder\":{\"kind\":\"double\","
    "\"nonlinearity\":\"tanh\"},\"structure\":{\"kind\":\"square\"}}],"
    "\"classifier\":{\"input\":\"code\"}}";

static float x[B * N] = {0.1f, 0.5f, 0.3f, 0.9f, 0.7f, 0.2f,
                         0.4f, 0.6f, 0.8f, 0.3f, 0.2f, 0.5f};
static const int labels[B] = {0, 1, 1};
static struct err e;

static struct model *strange_model(void)
{
    axes_add_test_values(&mirror, &twice, &square);
    struct json *j = json_parse(config, sizeof config - 1, &e);
    struct model *m = j ? model_new(j, NULL, K, &e) : NULL;
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_msg(!model_start(m, 1, x, B, &e), "%s", e.msg);
    json_free(j);
    return m;
}

static double loss(const struct model *m, float *grads)
{
    struct loss_weights w = {
        .reconstruction = 1, .structure = 0.3f, .classification = 1};
    struct loss_sums sums = {0};
    struct arena memory;
    arena_init(&memory, SIZE_MAX);
    struct loss_rows rows = {.B = B, .x = x, .labels = labels};
    ck_assert_msg(!loss_run(m, &w, &rows, 1, grads, &sums, &memory, &e), "%s",
                  e.msg);
    arena_fini(&memory);
    return sums.total;
}

START_TEST(three_unheard_of_values_train)
{
    struct model *m = strange_model();
    float grads[64] = {0};
    ck_assert_uint_le(m->params.total, 64);
    double before = loss(m, grads);
    for (size_t i = 0; i < m->params.total; i++) {
        float old = m->params.values[i];
        m->params.values[i] = old + 1e-3f;
        double above = loss(m, NULL);
        m->params.values[i] = old - 1e-3f;
        double below = loss(m, NULL);
        m->params.values[i] = old;
        near(grads[i], (above - below) / 2e-3, 5e-3);
    }
    for (int step = 0; step < 50; step++) {
        memset(grads, 0, sizeof grads);
        loss(m, grads);
        vec_add(m->params.values, grads, -0.05f, m->params.total);
    }
    ck_assert_double_lt(loss(m, NULL), 0.9 * before);
    model_free(m);
}
END_TEST

START_TEST(they_are_saved_loaded_and_drawn)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct model *m = strange_model();
    struct image image;
    struct render_options options = {.zoom = 1};
    ck_assert_msg(!model_save(m, path, &e), "%s", e.msg);
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    near_all(back->params.values, m->params.values, m->params.total, 0);
    ck_assert_msg(!render_atoms(back, &options, &image, NULL, &e), "%s", e.msg);
    ck_assert_uint_eq(image.width, N * (N + 1) + 1);
    image_fini(&image);
    axes_add_test_values(NULL, NULL, NULL);
    ck_assert(model_load(path, &e) == NULL);
    ck_assert_msg(strstr(e.msg, "mirror") != NULL, "%s", e.msg);
    model_free(back);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

START_TEST(pairs_that_cannot_work_are_refused)
{
    struct encoder_kind solver = twice;
    solver.decodes = true;
    ck_assert_int_eq(
        axes_compatible(&mirror, &solver, structures[0], false, &e),
        ERR_INVALID);
    ck_assert_int_eq(axes_compatible(&mirror, &solver, &square, true, &e),
                     ERR_INVALID);
    ck_assert_int_eq(axes_compatible(&mirror, &solver, structures[0], true, &e),
                     ERR_OK);
    struct operator_kind one_way = mirror;
    one_way.start_residual = NULL;
    solver.recurrent = true;
    ck_assert_int_eq(
        axes_compatible(&one_way, &solver, structures[0], true, &e),
        ERR_INVALID);
}
END_TEST

Suite *suite_axes(void);
Suite *suite_axes(void)
{
    Suite *s = suite_create("axes");
    TCase *t = tcase_create("a new value");
    tcase_add_test(t, three_unheard_of_values_train);
    tcase_add_test(t, they_are_saved_loaded_and_drawn);
    tcase_add_test(t, pairs_that_cannot_work_are_refused);
    suite_add_tcase(s, t);
    return s;
}
