/* The structure of trees: sub-trees as groups, what is off below what is off,
 * how branches leave, what is refused. (Its numbers: test_pools.c.)
 */
#include "lib/base/rng.h"
#include "lib/model/structure/pools.h"
#include "tests/support/near.h"
#include "tests/support/pools_by_hand.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct err e;

static struct model *make(size_t n, const char *structure)
{
    struct model *m = hand_model(n, structure, &e);
    ck_assert_msg(m != NULL, "%s: %s", structure, e.msg);
    return m;
}

static const struct structure *structure_of(const struct model *m)
{
    return &m->layers[0].structure;
}

/* ---- settings ---- */

static const struct {
    const char *members, *message;
} refusals[] = {
    {"", "structure: wants one of \"branching\" and \"parents\""},
    {"\"branching\":[3,1],\"parents\":[-1]", "wants one of"},
    {"\"branching\":[3,2]", "structure.branching: makes at least 10 units"},
    {"\"branching\":[2,0]", "structure.branching[1]"},
    {"\"parents\":[-1,0,0]", "structure.parents: makes 3 units"},
    {"\"parents\":[-1,0,0,1,1,2,7]", "parents[6]: must be one unit, 0 to 6"},
    {"\"parents\":[-1,0,0,[1,2],1,2,2]", "parents[3]: must be one unit"},
    {"\"parents\":[-1,0,4,1,5,2,0]", "cycle"},
    {"\"parents\":[-1,0,0,1,1,2,6]", "cycle"},
    {"\"branching\":[2,2],\"weights\":[1,1]", "weights: must be an array of 7"},
    {"\"branching\":[2,2],\"weights\":[1,1,1,1,0,1,1]", "weights[4]"},
    {"\"branching\":[2,2],\"weights\":[1,1,1,\"1\",1,1,1]", "weights[3]"},
    {"\"branching\":[2,2],\"lambda\":-1", "structure.lambda"},
    {"\"branching\":[2,2],\"depth\":2", "structure.depth"},
};

START_TEST(what_is_no_tree_is_refused_by_name)
{
    char structure[400];
    snprintf(structure, sizeof structure, "{\"kind\":\"tree\"%s%s}",
             refusals[_i].members[0] ? "," : "", refusals[_i].members);
    ck_assert(hand_model(7, structure, &e) == NULL);
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, refusals[_i].message) != NULL, "%s: %s",
                  structure, e.msg);
    ck_assert_msg(strstr(e.msg, "layers[0].structure") != NULL, "%s", e.msg);
}
END_TEST

START_TEST(a_tree_has_a_bound)
{
    ck_assert(hand_model(20001, "{\"kind\":\"tree\",\"branching\":[20000]}",
                         &e) == NULL);
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
}
END_TEST

START_TEST(groups_are_sub_trees)
{
    struct model *m =
        make(7, "{\"kind\":\"tree\",\"parents\":[6,0,0,-1,2,3,-1],\"weights\":"
                "[1,1,0.5,2,1,1,1]}");
    static const char *const want[] = {"0124", "1", "24",   "35",
                                       "4",    "5", "01246"};
    const struct pools *p = structure_of(m)->kind->pools(structure_of(m));
    ck_assert_uint_eq(p->n, 7);
    for (size_t g = 0; g < 7; g++) {
        char have[8] = "";
        for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
            have[k - p->indptr[g]] = (char)('0' + p->indices[k]);
            near(p->weights[k], g == 2 ? 0.25 : g == 3 ? 4 : 1, 0);
        }
        ck_assert_str_eq(have, want[g]);
    }
    model_free(m);
}
END_TEST

/* ---- what is on ---- */

START_TEST(a_child_is_on_only_where_its_parent_is)
{
    enum { N = 71, ROWS = 100 };
    static const size_t first_of_level[] = {0, 1, 11, 31};
    float u[ROWS * N], z[ROWS * N];
    size_t on = 0;
    struct arena scratch;
    struct rng rng = rng_make(1, "tree", 0);
    struct model *m =
        make(N, "{\"kind\":\"tree\",\"lambda\":1,\"branching\":[10,2,2]}");
    const struct structure *s = structure_of(m);
    arena_init(&scratch, SIZE_MAX);
    for (size_t k = 0; k < ROWS * N; k++)
        u[k] = rng_uniform(&rng, -2, 2);
    s->kind->prox(s, z, u, 1, ROWS, NULL, &scratch);
    for (size_t b = 0; b < ROWS; b++)
        for (size_t level = 1; level < 4; level++) {
            size_t first = first_of_level[level];
            size_t end = level < 3 ? first_of_level[level + 1] : N;
            for (size_t i = first; i < end; i++) {
                size_t children = level == 1 ? 10 : 2;
                size_t parent =
                    first_of_level[level - 1] + (i - first) / children;
                on += z[b * N + i] != 0;
                ck_assert(z[b * N + i] == 0 || z[b * N + parent] != 0);
            }
        }
    ck_assert(on > ROWS && on < ROWS * N / 2);
    arena_fini(&scratch);
    model_free(m);
}
END_TEST

/* ---- fewer units ---- */

START_TEST(branches_leave_and_ancestors_stay)
{
    static const char settings[] =
        "{\"kind\":\"tree\",\"lambda\":1,\"branching\":[2,2],\"weights\":"
        "[1,2,3,4,5,6,7]}";
    bool keep[7] = {false, false, false, false, true, true, false};
    bool groups[7];
    struct model *m = make(7, settings);
    const struct structure *s = structure_of(m);
    struct json *j = json_parse(settings, sizeof settings - 1, &e);
    struct buf b;
    s->kind->close(s, keep);
    ck_assert(!s->kind->prune(s, j, keep, groups, &e));
    buf_init(&b, 1000);
    json_print(&b, j);
    ck_assert_str_eq(b.data, "{\"kind\":\"tree\",\"lambda\":1,\"weights\":"
                             "[1,2,3,5,6],\"parents\":[-1,0,0,1,2]}");
    ck_assert_mem_eq(groups, keep, sizeof keep);
    model_free(make(5, b.data));
    buf_fini(&b);
    json_free(j);
    model_free(m);
}
END_TEST

Suite *suite_tree(void);
Suite *suite_tree(void)
{
    Suite *s = suite_create("tree");
    TCase *t = tcase_create("settings");
    tcase_add_loop_test(t, what_is_no_tree_is_refused_by_name, 0,
                        sizeof refusals / sizeof refusals[0]);
    tcase_add_test(t, a_tree_has_a_bound);
    tcase_add_test(t, groups_are_sub_trees);
    suite_add_tcase(s, t);
    TCase *codes = tcase_create("codes");
    tcase_add_test(codes, a_child_is_on_only_where_its_parent_is);
    tcase_add_test(codes, branches_leave_and_ancestors_stay);
    suite_add_tcase(s, codes);
    return s;
}
