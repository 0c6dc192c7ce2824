/* Pruning: without the units that are never on, every composition computes
 * what it did.
 */
#include "lib/model/prune.h"

#include "lib/base/mem.h"
#include "lib/model/axes.h"
#include "lib/model/model_file.h"
#include "tests/support/compositions.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 5, MAX_UNITS = 64 };

static struct arena memory;
static struct err e;

static void setup(void)
{
    arena_init(&memory, SIZE_MAX);
}

static void teardown(void)
{
    arena_fini(&memory);
}

/* What a model makes of some rows. */
struct answers {
    struct pass pass;
    float drawn[ROWS * COMPOSITION_INPUTS];
};

static struct answers answer(const struct model *m)
{
    static float x[ROWS * COMPOSITION_INPUTS];
    struct answers a;
    struct model_options options = {0};
    composition_rows(x, NULL, ROWS, 4);
    ck_assert_msg(!model_encode(m, &a.pass, x, ROWS, &options, &memory, &e),
                  "%s", e.msg);
    ck_assert_msg(!model_classify(m, &a.pass, &memory, &e), "%s", e.msg);
    for (size_t i = 0; i < m->n_layers; i++)
        ck_assert(!model_pool(m, &a.pass, i, &memory, &e));
    ck_assert_msg(!model_reconstruct(m, &a.pass, m->n_layers - 1, a.drawn, NULL,
                                     &memory, &e),
                  "%s", e.msg);
    return a;
}

/* Sets to 0 what the layer's parameters hold at index k of such axes. */
static void clear(struct model *m, size_t layer, enum param_axis kind, size_t k)
{
    for (size_t i = 0; i < m->params.n; i++) {
        struct param *p = &m->params.list[i];
        if (p->layer != layer)
            continue;
        for (size_t at = 0; at < p->count; at++) {
            size_t rest = at;
            for (size_t axis = p->rank; axis-- > 0; rest /= p->dims[axis])
                if (p->axes[axis] == kind && rest % p->dims[axis] == k)
                    p->value[at] = 0;
        }
    }
}

/* The units that go. */
static bool goes(size_t unit)
{
    return unit == 4 || unit == 7;
}

/* Whatever the encoder: no weight leads to the units that go or from them,
 * and the layer above draws nothing where its input is always 0. */
static void silence(struct model *m, size_t layer)
{
    const struct layer *l = &m->layers[layer];
    size_t n = space_size(layer_up_space(l));
    for (size_t i = 0; i < layer_units(l); i++)
        if (goes(i))
            clear(m, layer, AXIS_CODE, i);
    if (layer + 1 == m->n_layers)
        return;
    const float *up = answer(m).pass.layers[layer + 1].x;
    for (size_t k = 0; k < n; k++) {
        bool on = false;
        for (size_t b = 0; b < ROWS; b++)
            on |= up[b * n + k] != 0.0f;
        if (!on)
            clear(m, layer + 1, AXIS_INPUT, k);
    }
}

/* Keeps the others, and what they need. */
static size_t choose(const struct layer *l, bool keep[MAX_UNITS])
{
    size_t kept = 0;
    ck_assert_uint_le(layer_units(l), MAX_UNITS);
    for (size_t i = 0; i < layer_units(l); i++)
        keep[i] = !goes(i);
    if (l->structure.kind->close)
        l->structure.kind->close(&l->structure, keep);
    for (size_t i = 0; i < layer_units(l); i++)
        kept += keep[i];
    return kept;
}

static void same_codes(const struct answers *got, const struct answers *want,
                       const struct model *m, size_t layer, const bool *keep,
                       size_t kept)
{
    size_t n = layer_units(&m->layers[layer]);
    const float *z = want->pass.layers[layer].z;
    for (size_t b = 0; b < ROWS; b++)
        for (size_t i = 0, k = 0; i < n; i++) {
            if (keep[i])
                near(got->pass.layers[layer].z[b * kept + k++], z[b * n + i],
                     1e-5);
            else
                near(z[b * n + i], 0, 0);
        }
}

/* Whether m is of those that cannot be pruned, and says so; it is then freed.
 */
static bool refuses(struct model *m)
{
    bool keep[MAX_UNITS];
    const struct layer *l = &m->layers[0];
    if (l->op->resize && l->structure.kind->prune)
        return false;
    choose(l, keep);
    ck_assert_ptr_null(model_prune(m, 0, keep, &e));
    ck_assert_int_eq(e.code, ERR_CONFLICT);
    ck_assert_msg(strstr(e.msg, "cannot lose units") != NULL, "%s", e.msg);
    model_free(m);
    return true;
}

START_TEST(units_that_are_never_on_are_not_missed)
{
    struct model *m = composition_model((size_t)_i);
    if (refuses(m))
        return;
    for (size_t layer = 0; layer < m->n_layers; layer++) {
        bool keep[MAX_UNITS];
        silence(m, layer);
        struct answers want = answer(m);
        size_t kept = choose(&m->layers[layer], keep);
        struct model *less = model_prune(m, layer, keep, &e);
        ck_assert_msg(less != NULL, "%s: %s", composition_name((size_t)_i),
                      e.msg);
        ck_assert_uint_eq(layer_units(&less->layers[layer]), kept);
        ck_assert_uint_lt(less->params.total, m->params.total);
        struct answers got = answer(less);
        same_codes(&got, &want, m, layer, keep, kept);
        near_all(got.drawn, want.drawn, ROWS * COMPOSITION_INPUTS, 1e-5);
        near_all(got.pass.probabilities, want.pass.probabilities,
                 ROWS * COMPOSITION_CLASSES, 1e-5);
        model_free(m);
        m = less;
    }
    model_free(m);
}
END_TEST

START_TEST(a_pruned_model_is_saved_and_loaded)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    bool keep[MAX_UNITS];
    struct model *m = composition_model((size_t)_i);
    if (refuses(m)) {
        tmp_remove(folder);
        return;
    }
    choose(&m->layers[0], keep);
    struct model *less = model_prune(m, 0, keep, &e);
    ck_assert_msg(less != NULL, "%s", e.msg);
    ck_assert_msg(!model_save(less, path, &e), "%s", e.msg);
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    near_all(back->params.values, less->params.values, less->params.total, 0);
    model_free(back);
    model_free(less);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    bool keep[MAX_UNITS];
    struct model *m = composition_model(0);
    choose(&m->layers[0], keep);
    m->metrics = json_new_object();
    for (size_t n = 0;; n++) {
        mem_fail_after(n);
        struct model *less = model_prune(m, 0, keep, &e);
        mem_fail_after(SIZE_MAX);
        if (less) {
            ck_assert_uint_gt(n, 20);
            ck_assert_ptr_nonnull(less->metrics);
            model_free(less);
            break;
        }
        ck_assert_msg(e.code == ERR_NO_MEMORY, "%zu: %s", n, e.msg);
    }
    model_free(m);
}
END_TEST

/* ---- single structures ---- */

static struct model *make(size_t units, const char *structure)
{
    char text[1024];
    float x[3] = {1, 2, 3};
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[3]},\"layers\":[{\"operator\":\"dense\","
             "\"units\":%zu,\"encoder\":{\"kind\":\"feedforward\"},"
             "\"structure\":%s}]}",
             units, structure);
    struct json *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s", e.msg);
    struct model *m = model_new(j, NULL, 0, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert(!model_start(m, 1, x, 1, &e));
    json_free(j);
    return m;
}

START_TEST(each_number_goes_where_its_axes_say)
{
    const bool keep[4] = {true, false, true, true};
    const size_t left[3] = {0, 2, 3};
    struct model *m =
        make(4, "{\"kind\":\"lateral\",\"pattern\":\"all\",\"strength\":1}");
    for (size_t i = 0; i < m->params.total; i++)
        m->params.values[i] = (float)i;
    struct model *less = model_prune(m, 0, keep, &e);
    ck_assert_msg(less != NULL, "%s", e.msg);
    const struct param *S =
        params_find(&m->params, "layers.0.structure.inhibition");
    const struct param *T =
        params_find(&less->params, "layers.0.structure.inhibition");
    const struct param *E = m->layers[0].enc.weight;
    const struct param *F = less->layers[0].enc.weight;
    const struct param *D = m->layers[0].dec.weight;
    const struct param *C = less->layers[0].dec.weight;
    for (size_t a = 0; a < 3; a++)
        for (size_t b = 0; b < 3; b++) {
            near(T->value[a * 3 + b], S->value[left[a] * 4 + left[b]], 0);
            near(F->value[a * 3 + b], E->value[left[a] * 3 + b], 0);
            near(C->value[a * 3 + b], D->value[a * 4 + left[b]], 0);
        }
    model_free(less);
    model_free(m);
}
END_TEST

START_TEST(ancestors_stay)
{
    bool keep[7] = {[5] = true};
    struct model *m = make(7, "{\"kind\":\"lateral\",\"pattern\":\"tree\","
                              "\"strength\":1,\"branching\":[2,2]}");
    struct model *less = model_prune(m, 0, keep, &e);
    ck_assert_msg(less != NULL, "%s", e.msg);
    const struct json *j =
        json_get(json_at(json_get(less->config, "layers"), 0), "structure");
    ck_assert_uint_eq(layer_units(&less->layers[0]), 3);
    ck_assert_ptr_null(json_get(j, "branching"));
    near(json_number(json_at(json_get(j, "parents"), 0)), -1, 0);
    near(json_number(json_at(json_get(j, "parents"), 2)), 1, 0);
    model_free(less);
    model_free(m);
}
END_TEST

START_TEST(what_cannot_be_pruned_says_so)
{
    bool keep[6] = {true, true, true, true, true, false}, none[6] = {0};
    struct model *grid =
        make(6, "{\"kind\":\"lateral\",\"pattern\":\"grid\",\"strength\":1,"
                "\"height\":2,\"width\":3,\"near\":0,\"far\":1}");
    struct model *free = make(6, "{\"kind\":\"l1\"}");
    ck_assert_ptr_null(model_prune(grid, 0, keep, &e));
    ck_assert_int_eq(e.code, ERR_CONFLICT);
    ck_assert_msg(strstr(e.msg, "layers[0]: the units of a grid") != NULL, "%s",
                  e.msg);
    ck_assert_int_eq(model_check_prunable(grid, &e), ERR_CONFLICT);
    ck_assert_int_eq(model_check_prunable(free, &e), ERR_OK);
    ck_assert_ptr_null(model_prune(free, 0, none, &e));
    ck_assert_int_eq(e.code, ERR_CONFLICT);
    ck_assert_msg(strstr(e.msg, "no unit would be left") != NULL, "%s", e.msg);
    model_free(grid);
    model_free(free);
}
END_TEST

START_TEST(values_that_cannot_lose_units_are_named)
{
    struct structure_kind stiff = *structures[0];
    stiff.name = "stiff";
    stiff.prune = NULL;
    axes_add_test_values(NULL, NULL, &stiff);
    struct model *m = make(4, "{\"kind\":\"stiff\"}");
    ck_assert_int_eq(model_check_prunable(m, &e), ERR_CONFLICT);
    ck_assert_msg(strstr(e.msg, "structure \"stiff\"") != NULL, "%s", e.msg);
    model_free(m);
    struct operator_kind rigid = *operators[0];
    rigid.name = "rigid";
    rigid.resize = NULL;
    axes_add_test_values(&rigid, NULL, NULL);
    m = make(4, "{\"kind\":\"l1\"}");
    m->layers[0].op = &rigid;
    ck_assert_int_eq(model_check_prunable(m, &e), ERR_CONFLICT);
    ck_assert_msg(strstr(e.msg, "operator \"rigid\"") != NULL, "%s", e.msg);
    model_free(m);
    axes_add_test_values(NULL, NULL, NULL);
}
END_TEST

Suite *suite_prune(void);
Suite *suite_prune(void)
{
    Suite *s = suite_create("prune");
    TCase *t = tcase_create("every composition");
    int n = (int)compositions_count();
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, units_that_are_never_on_are_not_missed, 0, n);
    tcase_add_loop_test(t, a_pruned_model_is_saved_and_loaded, 0, n);
    suite_add_tcase(s, t);
    TCase *one = tcase_create("single ones");
    tcase_add_test(one, every_allocation_may_fail);
    tcase_add_test(one, each_number_goes_where_its_axes_say);
    tcase_add_test(one, ancestors_stay);
    tcase_add_test(one, what_cannot_be_pruned_says_so);
    tcase_add_test(one, values_that_cannot_lose_units_are_named);
    suite_add_tcase(s, one);
    return s;
}
