/* Trees over units: what is read, what is refused, how they are pruned and
 * drawn.
 */
#include "lib/model/structure/hierarchy.h"

#include "lib/base/mem.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct err e;

static struct json *parse(const char *text)
{
    struct json *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s: %s", text, e.msg);
    return j;
}

static struct hierarchy read(const char *text, size_t n)
{
    struct hierarchy h = {0};
    struct json *j = parse(text);
    ck_assert_msg(!hierarchy_read(&h, n, j, "here", &e), "%s", e.msg);
    json_free(j);
    return h;
}

START_TEST(branching_is_numbered_level_by_level)
{
    static const int32_t want[] = {-1, 0, 0, 0, 1, 1, 2, 2, 3, 3};
    struct hierarchy h = read("{\"branching\":[3,2]}", 10);
    for (size_t i = 0; i < 10; i++)
        ck_assert_int_eq(h.parents[i], want[i]);
    hierarchy_fini(&h);
    h = read("{\"branching\":[10,2,2]}", 71);
    ck_assert_uint_eq(h.depth[70], 3);
    ck_assert_uint_eq(h.depth[30], 2);
    ck_assert_uint_eq(h.size[0], 71);
    ck_assert_uint_eq(h.size[10], 7);
    hierarchy_fini(&h);
    h = read("{\"branching\":[]}", 1);
    ck_assert_int_eq(h.parents[0], -1);
    hierarchy_fini(&h);
}
END_TEST

/* Two trees, 3 - (0 - 5, 4) and 1 - 2, numbered in no order. */
static const char forest[] = "{\"parents\":[3,-1,1,-1,3,0]}";

START_TEST(any_order_of_parents_gives_sub_trees_as_ranges)
{
    static const uint32_t depth[] = {1, 0, 1, 0, 1, 2};
    static const uint32_t size[] = {2, 2, 1, 4, 1, 1};
    struct hierarchy h = read(forest, 6);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_uint_eq(h.depth[i], depth[i]);
        ck_assert_uint_eq(h.size[i], size[i]);
        ck_assert_uint_eq(h.order[h.place[i]], i);
        if (h.parents[i] >= 0)
            ck_assert_uint_gt(h.place[i], h.place[h.parents[i]]);
    }
    hierarchy_fini(&h);
}
END_TEST

START_TEST(above_is_the_way_to_the_root)
{
    struct hierarchy h = read("{\"branching\":[3,2,2]}", 22);
    for (size_t a = 0; a < 22; a++)
        for (size_t b = 0; b < 22; b++) {
            bool want = false;
            for (int32_t k = (int32_t)b; k >= 0; k = h.parents[k])
                want |= k == (int32_t)a;
            ck_assert_msg(hierarchy_above(&h, a, b) == want, "%zu, %zu", a, b);
        }
    hierarchy_fini(&h);
}
END_TEST

static const struct {
    const char *text;
    size_t n;
    const char *want;
} refused[] = {
    {"{}", 3, "here: wants one of"},
    {"{\"branching\":[2],\"parents\":[-1,0,0]}", 3, "here: wants one of"},
    {"{\"branching\":2}", 3, "here.branching: must be an array"},
    {"{\"branching\":[3]}", 3, "here.branching: makes at least 4 units"},
    {"{\"branching\":[1]}", 3, "here.branching: makes 2 units"},
    {"{\"branching\":[2,0]}", 3, "here.branching[1]"},
    {"{\"branching\":[2.5]}", 3, "here.branching[0]"},
    {"{\"branching\":[1e300]}", 3, "here.branching[0]"},
    {"{\"branching\":[2147483647,2147483647]}", 3, "here.branching: makes"},
    {"{\"parents\":{}}", 3, "here.parents: must be an array"},
    {"{\"parents\":[-1,0]}", 3, "here.parents: makes 2 units, the layer has 3"},
    {"{\"parents\":[-1,0,3]}", 3, "here.parents[2]"},
    {"{\"parents\":[-1,-2,0]}", 3, "here.parents[1]"},
    {"{\"parents\":[-1,0,0.5]}", 3, "here.parents[2]"},
    {"{\"parents\":[-1,0,[0,1]]}", 3, "here.parents[2]: must be one unit"},
    {"{\"parents\":[-1,1,0]}", 3, "here.parents[1]: leads into a cycle"},
    {"{\"parents\":[1,2,0]}", 3, "here.parents[0]: leads into a cycle"},
    {"{\"parents\":[1,2,1]}", 3, "cycle"},
};

START_TEST(an_impossible_tree_is_refused_by_name)
{
    struct hierarchy h = {0};
    struct json *j = parse(refused[_i].text);
    ck_assert_int_eq(hierarchy_read(&h, refused[_i].n, j, "here", &e),
                     ERR_INVALID);
    ck_assert_msg(strstr(e.msg, refused[_i].want) != NULL,
                  "%s\nsaid: %s\nwant: %s", refused[_i].text, e.msg,
                  refused[_i].want);
    hierarchy_fini(&h);
    json_free(j);
}
END_TEST

/* A path of `n` units, each below the one after it in the list. */
static struct json *path_json(int n)
{
    struct json *j = json_new_object(), *list = json_new_array();
    for (int i = 0; i < n; i++)
        json_add(list, json_new_number(i + 1 < n ? i + 1 : -1));
    json_set(j, "parents", list);
    return j;
}

START_TEST(depth_has_a_limit)
{
    struct hierarchy h = {0};
    struct json *good = path_json(HIERARCHY_MAX_DEPTH + 1);
    struct json *deep = path_json(HIERARCHY_MAX_DEPTH + 2);
    ck_assert_msg(
        !hierarchy_read(&h, HIERARCHY_MAX_DEPTH + 1, good, "here", &e), "%s",
        e.msg);
    ck_assert_uint_eq(h.depth[0], HIERARCHY_MAX_DEPTH);
    hierarchy_fini(&h);
    ck_assert_int_eq(
        hierarchy_read(&h, HIERARCHY_MAX_DEPTH + 2, deep, "here", &e),
        ERR_INVALID);
    ck_assert_msg(strstr(e.msg, "here.parents[0]: 65 levels") != NULL, "%s",
                  e.msg);
    hierarchy_fini(&h);
    json_free(good);
    json_free(deep);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
    struct json *j = parse(forest);
    for (size_t n = 0;; n++) {
        struct hierarchy h = {0};
        mem_fail_after(n);
        enum err_code code = hierarchy_read(&h, 6, j, "here", &e);
        mem_fail_after(SIZE_MAX);
        hierarchy_fini(&h);
        if (!code) {
            ck_assert_uint_ge(n, 7);
            break;
        }
        ck_assert_int_eq(code, ERR_NO_MEMORY);
    }
    json_free(j);
}
END_TEST

/* ---- fewer units ---- */

START_TEST(pruning_keeps_ancestors_and_numbers_anew)
{
    bool keep[6] = {[2] = true, [5] = true};
    struct json *j = parse(forest);
    struct hierarchy h = read(forest, 6);
    hierarchy_close(&h, keep);
    for (size_t i = 0; i < 6; i++)
        ck_assert_msg(keep[i] == (i != 4), "%zu", i);
    ck_assert(!hierarchy_prune(&h, j, keep, &e));
    hierarchy_fini(&h);
    ck_assert(!hierarchy_read(&h, 5, j, "here", &e));
    static const int32_t want[] = {3, -1, 1, -1, 0};
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(h.parents[i], want[i]);
    hierarchy_fini(&h);
    json_free(j);
}
END_TEST

START_TEST(a_pruned_branching_becomes_parents)
{
    bool keep[7] = {[0] = true, [2] = true, [5] = true};
    struct json *j = parse("{\"branching\":[2,2]}");
    struct hierarchy h = read("{\"branching\":[2,2]}", 7);
    ck_assert(!hierarchy_prune(&h, j, keep, &e));
    hierarchy_fini(&h);
    ck_assert_ptr_null(json_get(j, "branching"));
    ck_assert_msg(!hierarchy_read(&h, 3, j, "here", &e), "%s", e.msg);
    ck_assert_int_eq(h.parents[0], -1);
    ck_assert_int_eq(h.parents[1], 0);
    ck_assert_int_eq(h.parents[2], 1);
    hierarchy_fini(&h);
    json_free(j);
}
END_TEST

/* ---- the drawing ---- */

static const struct {
    const char *text;
    size_t n;
    double widest; /* in tiles */
} drawn[] = {
    {"{\"branching\":[]}", 1, 1},
    {"{\"branching\":[1,1,1]}", 4, 7},
    {"{\"branching\":[10,2,2]}", 71, 21},
    {"{\"branching\":[10,2,2,2]}", 151, 39},
    {"{\"parents\":[3,-1,1,-1,3,0]}", 6, 10},
    {"{\"parents\":[-1,-1,-1,-1,-1,-1,-1,-1,-1]}", 9, 6},
    {"{\"parents\":[-1,0,0,0,0,4,4,4,4,4,4,4,4,4,4]}", 15, 11},
};

START_TEST(tiles_of_a_tree_do_not_touch)
{
    struct arena memory;
    struct layout l;
    size_t n = drawn[_i].n;
    struct hierarchy h = read(drawn[_i].text, n);
    arena_init(&memory, SIZE_MAX);
    ck_assert(!hierarchy_layout(&h, &l, &memory, &e));
    ck_assert_msg((double)l.width <= drawn[_i].widest &&
                      (double)l.height <= drawn[_i].widest,
                  "%g x %g", (double)l.width, (double)l.height);
    size_t edge = 0;
    for (size_t a = 0; a < n; a++) {
        struct layout_place p = l.places[a];
        ck_assert(p.x >= 0 && p.x + 1 <= l.width);
        ck_assert(p.y >= 0 && p.y + 1 <= l.height);
        for (size_t b = 0; b < a; b++) {
            struct layout_place q = l.places[b];
            ck_assert_msg(fabsf(p.x - q.x) >= 1.01f ||
                              fabsf(p.y - q.y) >= 1.01f,
                          "%zu and %zu", a, b);
        }
        if (h.parents[a] < 0)
            continue;
        ck_assert_uint_eq(l.edges[edge].from, a);
        ck_assert_uint_eq(l.edges[edge++].to, (uint32_t)h.parents[a]);
    }
    ck_assert_uint_eq(l.n_edges, edge);
    arena_fini(&memory);
    arena_init(&memory, 1);
    ck_assert_int_eq(hierarchy_layout(&h, &l, &memory, &e), ERR_NO_MEMORY);
    arena_fini(&memory);
    hierarchy_fini(&h);
}
END_TEST

START_TEST(the_root_is_in_the_middle_and_depths_are_rings)
{
    struct arena memory;
    struct layout l;
    struct hierarchy h = read("{\"branching\":[10,2,2]}", 71);
    double radius[4] = {0};
    arena_init(&memory, SIZE_MAX);
    ck_assert(!hierarchy_layout(&h, &l, &memory, &e));
    for (size_t i = 0; i < 71; i++) {
        double r = hypot((double)(l.places[i].x - l.places[0].x),
                         (double)(l.places[i].y - l.places[0].y));
        if (radius[h.depth[i]] == 0)
            radius[h.depth[i]] = r;
        near(r, radius[h.depth[i]], 1e-4);
    }
    ck_assert(radius[1] > 1.4 && radius[2] > radius[1] + 1.4 &&
              radius[3] > radius[2] + 1.4);
    arena_fini(&memory);
    hierarchy_fini(&h);
}
END_TEST

Suite *suite_hierarchy(void);
Suite *suite_hierarchy(void)
{
    Suite *s = suite_create("hierarchy");
    TCase *t = tcase_create("trees");
    tcase_add_test(t, branching_is_numbered_level_by_level);
    tcase_add_test(t, any_order_of_parents_gives_sub_trees_as_ranges);
    tcase_add_test(t, above_is_the_way_to_the_root);
    tcase_add_loop_test(t, an_impossible_tree_is_refused_by_name, 0,
                        (int)(sizeof refused / sizeof *refused));
    tcase_add_test(t, depth_has_a_limit);
    tcase_add_test(t, running_out_of_memory_is_an_error);
    tcase_add_test(t, pruning_keeps_ancestors_and_numbers_anew);
    tcase_add_test(t, a_pruned_branching_becomes_parents);
    suite_add_tcase(s, t);
    TCase *d = tcase_create("drawing");
    tcase_add_loop_test(d, tiles_of_a_tree_do_not_touch, 0,
                        (int)(sizeof drawn / sizeof *drawn));
    tcase_add_test(d, the_root_is_in_the_middle_and_depths_are_rings);
    suite_add_tcase(s, d);
    return s;
}
