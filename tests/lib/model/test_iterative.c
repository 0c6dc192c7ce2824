/* The encoder that solves: its settings, its place in a model, and what the
 * operator gives it.
 */
#include "lib/base/mem.h"
#include "lib/math/kernels.h"
#include "lib/model/axes.h"
#include "lib/model/solver.h"
#include "tests/support/coding.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct arena memory;
static struct err e;

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
}

static void teardown(void)
{
    axes_add_test_values(NULL, NULL, NULL);
    arena_fini(&memory);
}

/* ---- settings ---- */

/* Structures that give one thing only. */
static enum err_code configure(struct structure *s, const struct json *j,
                               const char *where, struct params *params,
                               struct err *err)
{
    (void)j, (void)where, (void)params, (void)err;
    s->pooled = s->code;
    return ERR_OK;
}

static float threshold(const struct structure *s, const float *z, size_t i)
{
    (void)s, (void)z, (void)i;
    return 0;
}

static void prox(const struct structure *s, float *z, const float *u,
                 float step, size_t B, float *state, struct arena *scratch)
{
    (void)s, (void)z, (void)u, (void)step, (void)B, (void)state, (void)scratch;
}

static const struct structure_kind rivals = {
    .name = "rivals",
    .settings = (const char *const[]){NULL},
    .heads = 1,
    .configure = configure,
    .threshold = threshold,
};

static const struct structure_kind smooth = {
    .name = "smooth",
    .settings = (const char *const[]){NULL},
    .heads = 1,
    .configure = configure,
    .prox = prox,
};

static const struct {
    const char *encoder, *structure;
    const char *message; /* NULL: fine */
    enum solver_method method;
} settings[] = {
    {"", "l1", NULL, SOLVER_FISTA},
    {"", "rivals", NULL, SOLVER_DESCENT},
    {"", "smooth", NULL, SOLVER_FISTA},
    {",\"method\":\"ista\"", "l1", NULL, SOLVER_ISTA},
    {",\"method\":\"descent\"", "l1", NULL, SOLVER_DESCENT},
    {",\"method\":\"newton\"", "l1",
     "layers[0].encoder.method: there is no \"newton\"", 0},
    {",\"method\":3", "l1", "layers[0].encoder.method", 0},
    {",\"method\":\"fista\"", "rivals", "structure \"rivals\" does not give",
     0},
    {",\"method\":\"descent\"", "smooth", "structure \"smooth\" does not give",
     0},
    {",\"steps\":0", "l1", "layers[0].encoder.steps", 0},
    {",\"steps\":1001", "l1", "layers[0].encoder.steps", 0},
    {",\"tolerance\":-1", "l1", "layers[0].encoder.tolerance", 0},
    {",\"nonnegative\":1", "l1", "layers[0].encoder.nonnegative", 0},
    {",\"nonlinearity\":\"relu\"", "l1", "nonlinearity", 0},
};

START_TEST(settings_are_read_or_refused_by_name)
{
    const char *name = settings[_i].structure;
    char structure[40];
    struct solver s;
    axes_add_test_values(NULL, NULL,
                         strcmp(name, "smooth") == 0 ? &smooth : &rivals);
    snprintf(structure, sizeof structure, "\"%s\"", name);
    struct model *m = coding_model(4, 3, settings[_i].encoder, structure, &e);
    if (settings[_i].message) {
        ck_assert(m == NULL);
        ck_assert_int_eq(e.code, ERR_INVALID);
        ck_assert_msg(strstr(e.msg, settings[_i].message) != NULL, "%s", e.msg);
        return;
    }
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_uint_eq(m->layers[0].encoder.steps, 200);
    const struct json *j = json_at(json_get(m->config, "layers"), 0);
    ck_assert(!solver_configure(&s, json_get(j, "encoder"), "encoder",
                                m->layers[0].op, m->layers[0].structure.kind,
                                &e));
    ck_assert_int_eq(s.method, settings[_i].method);
    near(s.tolerance, 1e-4, 1e-9);
    ck_assert(!s.nonnegative);
    model_free(m);
}
END_TEST

START_TEST(an_operator_without_columns_cannot_descend)
{
    struct operator_kind op = *operators[0];
    struct solver s;
    struct json *j = json_parse("{\"method\":\"descent\"}", 20, &e);
    op.columns = NULL;
    ck_assert_int_eq(solver_configure(&s, j, "x", &op, structures[0], &e),
                     ERR_INVALID);
    ck_assert_msg(strstr(e.msg, "x.method") && strstr(e.msg, op.name), "%s",
                  e.msg);
    json_free(j);
}
END_TEST

/* ---- in a model ---- */

START_TEST(a_layer_without_a_net_has_no_more_than_its_atoms)
{
    struct model *m = coding_model(4, 3, "", "\"l1\"", &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_uint_eq(m->params.n, 1);
    ck_assert_str_eq(m->params.list[0].name, "layers.0.decoder.weight");
    ck_assert(!model_check_restores(m, &e));
    model_free(m);
}
END_TEST

START_TEST(codes_of_a_pass_are_those_of_known_inputs)
{
    struct coding p = coding_random(5, &memory);
    float known[5 * 64];
    struct model_options options = {.known = known};
    struct pass pass;
    for (size_t k = 0; k < p.B * p.m; k++) {
        known[k] = k % 3 ? 1.0f : 0.0f;
        p.x[k] = k % 3 ? p.x[k] : 100.0f;
    }
    for (int packed = 0; packed < 2; packed++) {
        ck_assert_msg(
            !model_encode(p.model, &pass, p.x, p.B, &options, &memory, &e),
            "%s", e.msg);
        for (size_t b = 0; b < p.B; b++)
            ck_assert_double_lt(
                coding_breach(&p, b, pass.layers[0].z + b * p.n, known, false),
                1e-3);
        ck_assert(!model_prepare(p.model, &e));
    }
    model_free(p.model);
}
END_TEST

START_TEST(a_code_that_passes_float32_is_an_error)
{
    struct coding p = coding_random(2, &memory);
    struct model_options options = {0};
    struct pass pass;
    for (size_t j = 0; j < p.m; j++)
        p.x[p.m + j] = j % 2 ? 3e38f : -3e38f;
    ck_assert_int_eq(
        model_encode(p.model, &pass, p.x, p.B, &options, &memory, &e),
        ERR_INTERNAL);
    ck_assert_msg(strstr(e.msg, "not finite") != NULL, "%s", e.msg);
    model_free(p.model);
}
END_TEST

START_TEST(preparing_without_memory_is_an_error)
{
    struct coding p = coding_random(1, &memory);
    size_t n = 0;
    for (;; n++) {
        mem_fail_after(n);
        enum err_code code = model_prepare(p.model, &e);
        mem_fail_after(SIZE_MAX);
        if (!code)
            break;
        ck_assert_int_eq(code, ERR_NO_MEMORY);
        ck_assert(p.l->dec.packed == NULL);
    }
    ck_assert_uint_ge(n, 2);
    model_free(p.model);
}
END_TEST

/* ---- what the operator gives ---- */

START_TEST(columns_are_the_atoms_one_after_another)
{
    struct coding p = coding_random(1, &memory);
    const struct operator *dec = &p.l->dec;
    for (int packed = 0; packed < 2; packed++) {
        const float *columns = dec->kind->columns(dec, &memory);
        for (size_t i = 0; i < p.n; i++)
            for (size_t j = 0; j < p.m; j++)
                near(columns[i * p.m + j], (double)p.d[j * p.n + i], 0);
        ck_assert(!model_prepare(p.model, &e));
    }
    model_free(p.model);
}
END_TEST

START_TEST(a_layer_is_resized_by_its_settings)
{
    struct json *j = json_parse("{\"units\":9,\"up\":\"code\"}", 23, &e);
    ck_assert_msg(j != NULL, "%s", e.msg);
    ck_assert(!operators[0]->resize(j, 4, &e));
    near(json_number(json_get(j, "units")), 4, 0);
    ck_assert_str_eq(json_text(json_get(j, "up")), "code");
    ck_assert_int_eq(operators[0]->resize(j, 0, &e), ERR_INVALID);
    near(json_number(json_get(j, "units")), 4, 0);
    json_free(j);
}
END_TEST

Suite *suite_iterative(void);
Suite *suite_iterative(void)
{
    Suite *s = suite_create("iterative");
    TCase *read = tcase_create("settings");
    tcase_add_checked_fixture(read, setup, teardown);
    tcase_add_loop_test(read, settings_are_read_or_refused_by_name, 0,
                        (int)(sizeof settings / sizeof settings[0]));
    tcase_add_test(read, an_operator_without_columns_cannot_descend);
    suite_add_tcase(s, read);
    TCase *t = tcase_create("in a model");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_layer_without_a_net_has_no_more_than_its_atoms);
    tcase_add_test(t, codes_of_a_pass_are_those_of_known_inputs);
    tcase_add_test(t, a_code_that_passes_float32_is_an_error);
    tcase_add_test(t, preparing_without_memory_is_an_error);
    tcase_add_test(t, columns_are_the_atoms_one_after_another);
    tcase_add_test(t, a_layer_is_resized_by_its_settings);
    suite_add_tcase(s, t);
    return s;
}
