/* Lateral inhibition: which pairs a pattern joins, what the value costs, how S
 * is learned within its bounds, what is refused.
 */
#include "lib/model/model_file.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct err e;

/* A model of `units` units whose structure has these members besides. */
static struct model *try_model(size_t units, const char *members)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[6]},\"layers\":[{\"operator\":\"dense\","
             "\"units\":%zu,\"encoder\":{\"kind\":\"feedforward\"},"
             "\"structure\":{\"kind\":\"lateral\"%s}}]}",
             units, members);
    struct json *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s: %s", text, e.msg);
    struct model *m = model_new(j, NULL, 0, &e);
    json_free(j);
    return m;
}

static struct model *make(size_t units, const char *members)
{
    float x[6] = {1, 2, 3, 4, 5, 6};
    struct model *m = try_model(units, members);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_msg(!model_start(m, 1, x, 1, &e), "%s", e.msg);
    return m;
}

static const struct structure *structure_of(const struct model *m)
{
    return &m->layers[0].structure;
}

static struct param *inhibition_of(struct model *m)
{
    return params_find(&m->params, "layers.0.structure.inhibition");
}

/* ---- patterns ---- */

static size_t apart(size_t a, size_t b, size_t n)
{
    size_t d = (a + n - b) % n;
    return d < n - d ? d : n - d;
}

static bool on_ring(size_t a, size_t b)
{
    size_t d = apart(a, b, 10);
    return d == 2 || d == 3;
}

/* In (1.5, 2.3]: two steps, also diagonally by one. */
static bool on_grid(size_t a, size_t b)
{
    size_t x = apart(a % 6, b % 6, 6), y = apart(a / 6, b / 6, 5);
    return (x == 2 && y < 2) || (y == 2 && x < 2);
}

static bool different(size_t a, size_t b)
{
    return a != b;
}

/* Of one root, two children and four grandchildren, numbered by level. */
static bool unrelated(size_t a, size_t b)
{
    for (size_t k = a;; k = (k - 1) / 2) {
        if (k == b)
            return false;
        if (k == 0)
            break;
    }
    for (size_t k = b;; k = (k - 1) / 2) {
        if (k == a)
            return false;
        if (k == 0)
            break;
    }
    return true;
}

static const struct {
    size_t units;
    const char *members;
    bool (*joins)(size_t a, size_t b);
} patterns[] = {
    {10, ",\"strength\":0.5,\"pattern\":\"ring\",\"near\":1,\"far\":3",
     on_ring},
    {30,
     ",\"strength\":0.5,\"pattern\":\"grid\",\"height\":5,\"width\":6,"
     "\"near\":1.5,\"far\":2.3",
     on_grid},
    {4, ",\"strength\":0.5,\"pattern\":\"all\"", different},
    {7, ",\"strength\":0.5,\"pattern\":\"tree\",\"branching\":[2,2]",
     unrelated},
    {7,
     ",\"strength\":0.5,\"pattern\":\"tree\",\"parents\":[-1,0,0,1,1,2,2],"
     "\"learned\":true",
     unrelated},
};

START_TEST(a_pattern_joins_the_pairs_it_says)
{
    struct model *m = make(patterns[_i].units, patterns[_i].members);
    const float *S = inhibition_of(m)->value;
    size_t n = patterns[_i].units, joined = 0;
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++) {
            float want = patterns[_i].joins(a, b) ? 0.5f : 0.0f;
            ck_assert_msg(S[a * n + b] == want, "%zu, %zu", a, b);
            joined += want > 0;
        }
    ck_assert_uint_gt(joined, n / 2);
    model_free(m);
}
END_TEST

START_TEST(the_start_is_within_its_own_bounds)
{
    struct model *m = make(patterns[_i].units, patterns[_i].members);
    struct param *p = inhibition_of(m);
    float before[30 * 30];
    memcpy(before, p->value, p->count * sizeof *before);
    p->project(p);
    ck_assert_mem_eq(p->value, before, p->count * sizeof *before);
    model_free(m);
}
END_TEST

/* ---- the value ---- */

enum { N = 5, B = 3 };

static const float code[B * N] = {1,    -2, 0, 0.5f, 0, 0, 0, 0,
                                  0.1f, 0,  3, -1,   2, 0, -4};

static struct model *all_of_five(void)
{
    struct model *m =
        make(N, ",\"lambda\":0.1,\"strength\":0.3,\"pattern\":\"all\"");
    float *S = inhibition_of(m)->value;
    for (size_t a = 0; a < N; a++)
        for (size_t b = 0; b < a; b++)
            S[a * N + b] = S[b * N + a] = 0.1f * (float)(a + b);
    return m;
}

static double value_of(const struct model *m, const float *z)
{
    return structure_of(m)->kind->value(structure_of(m), z, 1);
}

START_TEST(value_is_the_sum_over_pairs)
{
    struct model *m = all_of_five();
    const float *S = inhibition_of(m)->value;
    double want = 0;
    for (size_t b = 0; b < B; b++)
        for (size_t i = 0; i < N; i++) {
            double size = fabs((double)code[b * N + i]);
            want += 0.1 * size;
            for (size_t j = 0; j < i; j++)
                want +=
                    (double)S[i * N + j] * size * fabs((double)code[b * N + j]);
        }
    near(structure_of(m)->kind->value(structure_of(m), code, B), want, 1e-5);
    model_free(m);
}
END_TEST

START_TEST(the_threshold_is_the_slope_in_a_units_size)
{
    struct model *m = all_of_five();
    const struct structure *s = structure_of(m);
    for (size_t i = 0; i < N; i++) {
        float z[N], more[N];
        memcpy(z, code, sizeof z);
        memcpy(more, code, sizeof more);
        more[i] += more[i] < 0 ? -1.0f : 1.0f;
        near(s->kind->threshold(s, z, i), value_of(m, more) - value_of(m, z),
             1e-5);
    }
    model_free(m);
}
END_TEST

START_TEST(a_unit_that_is_off_has_no_gradient)
{
    struct model *m = all_of_five();
    const struct structure *s = structure_of(m);
    float dz[B * N] = {0};
    s->kind->gradient(s, dz, code, B, 2);
    for (size_t b = 0; b < B; b++)
        for (size_t i = 0; i < N; i++) {
            float z = code[b * N + i];
            float slope = 2 * s->kind->threshold(s, code + b * N, i);
            near(dz[b * N + i], z > 0 ? slope : z < 0 ? -slope : 0, 1e-5);
        }
    model_free(m);
}
END_TEST

/* ---- learning ---- */

static const char learned[] =
    ",\"strength\":0.2,\"pattern\":\"all\",\"learned\":true,\"bound\":0.6";

static double row_sum(const struct param *p, size_t i)
{
    double sum = 0;
    for (size_t k = 0; k < p->dims[1]; k++)
        sum += (double)p->value[i * p->dims[1] + k];
    return sum;
}

START_TEST(projection_gives_a_matrix_that_may_be)
{
    struct model *m = make(30, learned);
    struct param *p = inhibition_of(m);
    struct rng rng = rng_make(3, "S", 0);
    for (size_t i = 0; i < p->count; i++)
        p->value[i] = rng_uniform(&rng, -0.2f, 0.9f);
    p->project(p);
    ck_assert_msg(!structure_of(m)->kind->check(structure_of(m), &e), "%s",
                  e.msg);
    for (size_t i = 0; i < p->count; i++)
        ck_assert(p->value[i] <= 0.6f);
    for (size_t i = 0; i < 30; i++)
        near(row_sum(p, i), 29 * 0.2, 0.02);
    model_free(m);
}
END_TEST

START_TEST(ascent_moves_weight_to_pairs_that_fire_together)
{
    struct model *m = make(N, learned);
    const struct structure *s = structure_of(m);
    struct param *p = inhibition_of(m);
    /* Units 0 and 1 together, the others one at a time. */
    const float z[4 * N] = {1, -1, 0, 0, 0, 0, 0, 1, 0, 0,
                            0, 0,  0, 2, 0, 0, 0, 0, 0, 1};
    ck_assert_int_eq(p->sign, -1);
    for (size_t step = 0; step < 20; step++) {
        float grads[1024] = {0};
        ck_assert_uint_le(m->params.total, 1024);
        s->kind->learn(s, grads, z, 4, 0.25f);
        for (size_t i = 0; i < p->count; i++)
            p->value[i] -= 0.2f * (float)p->sign * grads[p->offset + i];
        p->project(p);
    }
    for (size_t a = 0; a < N; a++) {
        near(row_sum(p, a), 4 * 0.2, 1e-3);
        for (size_t b = 0; b < a; b++)
            ck_assert_msg(a + b == 1 ||
                              p->value[a * N + b] < 0.8f * p->value[N],
                          "%zu, %zu", a, b);
    }
    ck_assert(p->value[1] > 0.3f && p->value[1] <= 0.6f);
    ck_assert(p->value[1] == p->value[N]);
    model_free(m);
}
END_TEST

START_TEST(a_given_matrix_is_fixed)
{
    struct model *m = all_of_five();
    const struct structure *s = structure_of(m);
    float grads[1024] = {0};
    near(inhibition_of(m)->rate, 0, 0);
    s->kind->learn(s, grads, code, B, 1);
    for (size_t i = 0; i < m->params.total; i++)
        near(grads[i], 0, 0);
    model_free(m);
}
END_TEST

/* ---- refusing ---- */

static const struct {
    const char *members, *want;
} refused[] = {
    {"", "structure.pattern: missing"},
    {",\"pattern\":\"star\",\"strength\":1", "structure.pattern: must be"},
    {",\"pattern\":\"all\"", "structure.strength: missing"},
    {",\"pattern\":\"all\",\"strength\":-1", "structure.strength: want"},
    {",\"pattern\":\"all\",\"strength\":\"x\"", "structure.strength: want"},
    {",\"pattern\":\"all\",\"strength\":1,\"lambda\":-1", "structure.lambda"},
    {",\"pattern\":\"all\",\"strength\":1,\"near\":1", "structure.near: unk"},
    {",\"pattern\":\"all\",\"strength\":1,\"beta\":1", "structure.beta: unk"},
    {",\"pattern\":\"all\",\"strength\":1,\"bound\":0.5",
     "structure.bound: must be at least the strength"},
    {",\"pattern\":\"all\",\"strength\":0,\"learned\":true",
     "structure.strength: must be over 0"},
    {",\"pattern\":\"all\",\"strength\":1,\"learned\":1", "structure.learned"},
    {",\"pattern\":\"ring\",\"strength\":1", "structure.near: missing"},
    {",\"pattern\":\"ring\",\"strength\":1,\"near\":1",
     "structure.far: missing"},
    {",\"pattern\":\"ring\",\"strength\":1,\"near\":2,\"far\":2",
     "structure.far: must be over near"},
    {",\"pattern\":\"ring\",\"strength\":1,\"near\":-1,\"far\":2",
     "structure.near"},
    {",\"pattern\":\"ring\",\"strength\":1,\"near\":1,\"far\":2,\"height\":2",
     "structure.height: unknown"},
    {",\"pattern\":\"grid\",\"strength\":1,\"near\":1,\"far\":2",
     "structure.height: missing"},
    {",\"pattern\":\"grid\",\"strength\":1,\"near\":1,\"far\":2,\"height\":2,"
     "\"width\":3",
     "structure.height: a grid of 2 x 3 has not the layer's 8 units"},
    {",\"pattern\":\"grid\",\"strength\":1,\"near\":1,\"far\":2,\"height\":9,"
     "\"width\":9",
     "structure.height"},
    {",\"pattern\":\"grid\",\"strength\":1,\"near\":3,\"far\":2,\"height\":2,"
     "\"width\":4",
     "structure.far: must be over near"},
    {",\"pattern\":\"tree\",\"strength\":1", "structure: wants one of"},
    {",\"pattern\":\"tree\",\"strength\":1,\"branching\":[3]",
     "structure.branching"},
    {",\"pattern\":\"tree\",\"strength\":1,"
     "\"parents\":[-1,0,0,4,5,3,0,0]",
     "structure.parents[3]: leads into a cycle"},
};

START_TEST(a_bad_member_is_named)
{
    struct model *m = try_model(8, refused[_i].members);
    ck_assert_msg(m == NULL, "taken: %s", refused[_i].members);
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, refused[_i].want) != NULL,
                  "%s\nsaid: %s\nwant: %s", refused[_i].members, e.msg,
                  refused[_i].want);
}
END_TEST

START_TEST(a_matrix_that_is_too_large_is_refused)
{
    ck_assert_ptr_null(try_model(60000, ",\"pattern\":\"all\",\"strength\":1"));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    ck_assert_msg(strstr(e.msg, "inhibition") != NULL, "%s", e.msg);
}
END_TEST

static const struct {
    size_t at;
    float value;
    const char *want;
} damage[] = {
    {1, 0.7f, "not symmetric at 0, 1"},
    {0, 0.1f, "unit 0 inhibits itself"},
    {2, -0.1f, "negative at 0, 2"},
};

START_TEST(a_file_with_a_matrix_that_cannot_be_is_refused)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct model *m = all_of_five();
    ck_assert(!model_save(m, path, &e));
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    model_free(back);
    inhibition_of(m)->value[damage[_i].at] = damage[_i].value;
    ck_assert(!model_save(m, path, &e));
    ck_assert_ptr_null(model_load(path, &e));
    ck_assert_int_eq(e.code, ERR_CORRUPT);
    ck_assert_msg(strstr(e.msg, damage[_i].want) != NULL, "%s", e.msg);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

/* ---- the drawing ---- */

START_TEST(each_pattern_lies_as_what_it_is)
{
    struct arena memory;
    struct layout l;
    arena_init(&memory, SIZE_MAX);
    for (size_t k = 0; k < 4; k++) {
        struct model *m = make(patterns[k].units, patterns[k].members);
        const struct structure *s = structure_of(m);
        size_t n = patterns[k].units;
        ck_assert(!s->kind->layout(s, &l, &memory, &e));
        ck_assert_uint_eq(l.n_edges, k == 3 ? n - 1 : 0);
        for (size_t i = 0; i < n; i++) {
            double x = (double)l.places[i].x, y = (double)l.places[i].y;
            double middle = (double)(l.width - 1) / 2;
            if (k == 0) { /* the ring: all at one distance, in order */
                near(hypot(x - middle, y - middle), middle, 0.15);
                ck_assert(i == 0 || hypot(x - (double)l.places[i - 1].x,
                                          y - (double)l.places[i - 1].y) < 1.5);
            }
            if (k == 1) {
                near(x, (double)(i % 6), 0);
                near(y, (double)(i / 6), 0);
            }
        }
        model_free(m);
    }
    arena_fini(&memory);
}
END_TEST

Suite *suite_lateral(void);
Suite *suite_lateral(void)
{
    Suite *s = suite_create("lateral");
    TCase *t = tcase_create("patterns");
    int n = (int)(sizeof patterns / sizeof *patterns);
    tcase_add_loop_test(t, a_pattern_joins_the_pairs_it_says, 0, n);
    tcase_add_loop_test(t, the_start_is_within_its_own_bounds, 0, n);
    tcase_add_test(t, each_pattern_lies_as_what_it_is);
    suite_add_tcase(s, t);
    TCase *v = tcase_create("value");
    tcase_add_test(v, value_is_the_sum_over_pairs);
    tcase_add_test(v, the_threshold_is_the_slope_in_a_units_size);
    tcase_add_test(v, a_unit_that_is_off_has_no_gradient);
    suite_add_tcase(s, v);
    TCase *l = tcase_create("learning");
    tcase_add_test(l, projection_gives_a_matrix_that_may_be);
    tcase_add_test(l, ascent_moves_weight_to_pairs_that_fire_together);
    tcase_add_test(l, a_given_matrix_is_fixed);
    suite_add_tcase(s, l);
    TCase *bad = tcase_create("refusing");
    tcase_add_loop_test(bad, a_bad_member_is_named, 0,
                        (int)(sizeof refused / sizeof *refused));
    tcase_add_test(bad, a_matrix_that_is_too_large_is_refused);
    tcase_add_loop_test(bad, a_file_with_a_matrix_that_cannot_be_is_refused, 0,
                        (int)(sizeof damage / sizeof *damage));
    suite_add_tcase(s, bad);
    return s;
}
