/* The structure of groups: what its settings make, what is refused, how units
 * leave it, how it lies, and what the model file shows of it.
 */
#include "lib/data/safetensors.h"
#include "lib/model/model_file.h"
#include "lib/model/structure/pools.h"
#include "tests/support/near.h"
#include "tests/support/pools_by_hand.h"
#include "tests/support/tmp.h"

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

static const struct pools *pools_of(const struct model *m)
{
    const struct structure *s = &m->layers[0].structure;
    return s->kind->pools(s);
}

/* ---- settings ---- */

static const struct {
    const char *members;
    enum err_code code;
    const char *message;
} refusals[] = {
    {"", ERR_INVALID, "structure: wants one of"},
    {"\"blocks\":4,\"lists\":[[0]]", ERR_INVALID, "wants one of"},
    {"\"blocks\":5", ERR_INVALID, "structure.blocks: 5 does not divide 24"},
    {"\"blocks\":0", ERR_INVALID, "structure.blocks"},
    {"\"blocks\":25", ERR_INVALID, "structure.blocks"},
    {"\"blocks\":4,\"weights\":[[1]]", ERR_INVALID, "structure.weights"},
    {"\"lists\":[]", ERR_INVALID, "structure.lists: there is no group"},
    {"\"lists\":3", ERR_INVALID, "structure.lists: must be an array"},
    {"\"lists\":[3]", ERR_INVALID, "structure.lists[0]"},
    {"\"lists\":[[1],[]]", ERR_INVALID, "structure.lists[1]"},
    {"\"lists\":[[1],[3,24]]", ERR_INVALID, "lists[1][1]: must be a unit, 0"},
    {"\"lists\":[[1],[-1]]", ERR_INVALID, "lists[1][0]: must be a unit, 0"},
    {"\"lists\":[[1],[1.5]]", ERR_INVALID, "lists[1][0]: must be a unit, 0"},
    {"\"lists\":[[1],[\"1\"]]", ERR_INVALID, "lists[1][0]"},
    {"\"lists\":[[1],[1e300]]", ERR_INVALID, "lists[1][0]"},
    {"\"lists\":[[1],[7,2,7]]", ERR_INVALID, "lists[1]: unit 7 is twice"},
    {"\"lists\":[[1]],\"weights\":[]", ERR_INVALID, "structure.weights: must"},
    {"\"lists\":[[1]],\"weights\":[1]", ERR_INVALID, "weights[0]: must be 1"},
    {"\"lists\":[[1]],\"weights\":[[1,1]]", ERR_INVALID, "weights[0]: must"},
    {"\"lists\":[[1]],\"weights\":[[0]]", ERR_INVALID, "weights[0][0]"},
    {"\"lists\":[[1,2]],\"weights\":[[1,-1]]", ERR_INVALID, "weights[0][1]"},
    {"\"lists\":[[1,2]],\"weights\":[[1,\"a\"]]", ERR_INVALID, "weights[0][1]"},
    {"\"map\":[]", ERR_INVALID, "structure.map: must be an object"},
    {"\"map\":{\"height\":4,\"width\":6}", ERR_INVALID, "map.window"},
    {"\"map\":{\"height\":4,\"width\":5,\"window\":2}", ERR_INVALID,
     "map: height 4 and width 5 make 20 units, the layer has 24"},
    {"\"map\":{\"window\":2}", ERR_INVALID, "make 0 units"},
    {"\"map\":{\"height\":4,\"width\":6,\"window\":5}", ERR_INVALID,
     "map.window: want 1 to 4, got 5"},
    {"\"map\":{\"height\":4,\"width\":6,\"window\":2,\"stride\":4}",
     ERR_INVALID, "map.stride: 4 does not divide both height 4 and width 6"},
    {"\"map\":{\"height\":4,\"width\":6,\"window\":2,\"sigma\":0}", ERR_INVALID,
     "map.sigma"},
    {"\"map\":{\"height\":4,\"width\":6,\"window\":4,\"sigma\":0.2}",
     ERR_INVALID, "map.sigma: 0.2 is too narrow for a window of 4"},
    {"\"map\":{\"height\":4,\"width\":6,\"window\":2,\"step\":2}", ERR_INVALID,
     "map.step"},
    {"\"map\":{\"height\":4,\"width\":6,\"window\":2},\"partition\":true",
     ERR_INVALID, "partition: unit 0 is in more than one group"},
    {"\"lists\":[[0,1],[3]],\"partition\":true", ERR_INVALID,
     "partition: unit 2 is in no group"},
    {"\"blocks\":4,\"partition\":1", ERR_INVALID, "structure.partition"},
    {"\"blocks\":4,\"lambda\":-1", ERR_INVALID, "structure.lambda"},
    {"\"blocks\":4,\"size\":2", ERR_INVALID, "structure.size"},
};

START_TEST(what_cannot_be_is_refused_by_name)
{
    char structure[400];
    snprintf(structure, sizeof structure, "{\"kind\":\"groups\"%s%s}",
             refusals[_i].members[0] ? "," : "", refusals[_i].members);
    ck_assert(hand_model(24, structure, &e) == NULL);
    ck_assert_int_eq(e.code, refusals[_i].code);
    ck_assert_msg(strstr(e.msg, refusals[_i].message) != NULL, "%s: %s",
                  structure, e.msg);
    ck_assert_msg(strstr(e.msg, "layers[0].structure") != NULL, "%s", e.msg);
}
END_TEST

START_TEST(sizes_have_a_bound)
{
    ck_assert(hand_model(65536,
                         "{\"kind\":\"groups\",\"map\":{\"height\":256,"
                         "\"width\":256,\"window\":256,\"stride\":4}}",
                         &e) == NULL);
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    ck_assert_msg(strstr(e.msg, "structure.map") != NULL, "%s", e.msg);
    ck_assert(hand_model(65536, "{\"kind\":\"groups\",\"blocks\":1}", &e) ==
              NULL);
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
}
END_TEST

START_TEST(groups_that_part_the_units_are_a_partition)
{
    model_free(make(24, "{\"kind\":\"groups\",\"blocks\":6,"
                        "\"partition\":true}"));
    model_free(make(3, "{\"kind\":\"groups\",\"lists\":[[2,0],[1]],"
                       "\"partition\":true}"));
    model_free(make(16, "{\"kind\":\"groups\",\"map\":{\"height\":4,\"width\":"
                        "4,\"window\":2,\"stride\":2},\"partition\":true}"));
}
END_TEST

START_TEST(lists_are_sorted_with_their_weights)
{
    struct model *m = make(9, "{\"kind\":\"groups\",\"lists\":[[7,0,3],[8]],"
                              "\"weights\":[[1,2,3],[4]]}");
    const struct pools *p = pools_of(m);
    static const int64_t units[] = {0, 3, 7, 8};
    static const float weights[] = {2, 3, 1, 4};
    ck_assert_uint_eq(p->n, 2);
    ck_assert_int_eq(p->indptr[1], 3);
    for (size_t k = 0; k < 4; k++) {
        ck_assert_int_eq(p->indices[k], units[k]);
        near(p->weights[k], weights[k], 0);
    }
    model_free(m);
}
END_TEST

/* The distance of a column or row from where the window starts, going right or
 * down and round. */
static int64_t from(int64_t at, int64_t start, int64_t side)
{
    return (at - start + side) % side;
}

START_TEST(windows_go_round_the_map)
{
    struct model *m =
        make(24, "{\"kind\":\"groups\",\"map\":{\"height\":4,\"width\":6,"
                 "\"window\":3,\"stride\":2,\"sigma\":0.8}}");
    const struct pools *p = pools_of(m);
    const struct space *pooled = &m->layers[0].structure.pooled;
    ck_assert_uint_eq(p->n, 6);
    ck_assert_uint_eq(pooled->height, 2);
    ck_assert_uint_eq(pooled->width, 3);
    ck_assert(pooled->periodic);
    for (int64_t g = 0; g < 6; g++) {
        double sum = 0, middle = 0;
        ck_assert_int_eq(p->indptr[g + 1], 9 * (g + 1));
        for (int64_t k = p->indptr[g]; k < p->indptr[g + 1]; k++) {
            int64_t y = from(p->indices[k] / 6, g / 3 * 2, 4);
            int64_t x = from(p->indices[k] % 6, g % 3 * 2, 6);
            double square = (double)((y - 1) * (y - 1) + (x - 1) * (x - 1));
            ck_assert(y < 3 && x < 3);
            ck_assert(k == p->indptr[g] || p->indices[k] > p->indices[k - 1]);
            if (y == 1 && x == 1)
                middle = (double)p->weights[k];
            sum += (double)p->weights[k];
            near((double)p->weights[k] * exp(square / (2 * 0.64)), 0.27250,
                 1e-5);
        }
        near(sum, 1, 1e-6);
        near(middle, 0.27250, 1e-5);
    }
    model_free(m);
}
END_TEST

START_TEST(windows_without_sigma_weigh_all_alike)
{
    struct model *m =
        make(24, "{\"kind\":\"groups\",\"map\":{\"height\":4,\"width\":6,"
                 "\"window\":4,\"stride\":1}}");
    const struct pools *p = pools_of(m);
    ck_assert_uint_eq(p->n, 24);
    for (size_t k = 0; k < pools_entries(p); k++)
        near(p->weights[k], 1.0 / 16, 1e-9);
    model_free(m);
}
END_TEST

/* ---- fewer units ---- */

/* The settings that are left, as a text in *b; the groups that stay. */
static enum err_code prune(const struct model *m, const char *settings,
                           const bool *keep, bool *groups, struct buf *b)
{
    const struct structure *s = &m->layers[0].structure;
    struct json *j = json_parse(settings, strlen(settings), &e);
    enum err_code code = s->kind->prune(s, j, keep, groups, &e);
    buf_init(b, 4000);
    if (!code)
        json_print(b, j);
    json_free(j);
    return code;
}

START_TEST(lists_lose_units_and_empty_groups_vanish)
{
    static const char settings[] =
        "{\"kind\":\"groups\",\"lambda\":1,\"lists\":[[5,1,0],[2,3],[3,4]],"
        "\"weights\":[[3,2,1],[1,1],[5,6]]}";
    static const bool keep[] = {true, false, false, false, true, true};
    struct model *m = make(6, settings);
    struct buf b;
    bool groups[3];
    ck_assert(!prune(m, settings, keep, groups, &b));
    ck_assert_str_eq(b.data, "{\"kind\":\"groups\",\"lambda\":1,\"lists\":"
                             "[[0,2],[1]],\"weights\":[[1,3],[6]]}");
    ck_assert(groups[0] && !groups[1] && groups[2]);
    model_free(make(3, b.data));
    buf_fini(&b);
    model_free(m);
}
END_TEST

START_TEST(blocks_become_lists)
{
    static const char settings[] =
        "{\"kind\":\"groups\",\"blocks\":2,\"lambda\":1,\"partition\":true}";
    static const bool keep[] = {true, false, false, false, true, true};
    struct model *m = make(6, settings);
    struct buf b;
    bool groups[3];
    ck_assert(!prune(m, settings, keep, groups, &b));
    ck_assert_str_eq(b.data, "{\"kind\":\"groups\",\"lambda\":1,\"partition\":"
                             "true,\"lists\":[[0],[1,2]]}");
    model_free(make(3, b.data));
    buf_fini(&b);
    model_free(m);
}
END_TEST

START_TEST(a_map_keeps_its_units_and_a_group_must_be_left)
{
    static const char map[] = "{\"kind\":\"groups\",\"map\":{\"height\":2,"
                              "\"width\":3,\"window\":1}}";
    static const char lists[] = "{\"kind\":\"groups\",\"lists\":[[1,2]]}";
    static const bool keep[6] = {true};
    struct model *m = make(6, map);
    struct buf b;
    bool groups[6];
    ck_assert_int_eq(prune(m, map, keep, groups, &b), ERR_CONFLICT);
    model_free(m);
    m = make(6, lists);
    ck_assert_int_eq(prune(m, lists, keep, groups, &b), ERR_CONFLICT);
    model_free(m);
}
END_TEST

/* ---- layout ---- */

static struct layout lay(const struct model *m, struct arena *memory)
{
    struct layout layout;
    const struct structure *s = &m->layers[0].structure;
    ck_assert_msg(!s->kind->layout(s, &layout, memory, &e), "%s", e.msg);
    return layout;
}

static const char *const laid_out[] = {
    "{\"kind\":\"groups\",\"blocks\":4}",
    "{\"kind\":\"groups\",\"blocks\":24}",
    "{\"kind\":\"groups\",\"blocks\":1}",
    "{\"kind\":\"groups\",\"lists\":[[0,1,2,3,4,5,6,7,8],[8,9],[20]]}",
    "{\"kind\":\"groups\",\"map\":{\"height\":4,\"width\":6,\"window\":2}}",
};

START_TEST(no_two_places_overlap)
{
    struct arena memory;
    struct model *m = make(24, laid_out[_i]);
    arena_init(&memory, SIZE_MAX);
    struct layout layout = lay(m, &memory);
    for (size_t a = 0; a < 24; a++) {
        const struct layout_place *p = &layout.places[a];
        ck_assert(p->x >= 0 && p->x + 1 <= layout.width);
        ck_assert(p->y >= 0 && p->y + 1 <= layout.height);
        for (size_t b = 0; b < a; b++)
            ck_assert(fabsf(p->x - layout.places[b].x) >= 1 ||
                      fabsf(p->y - layout.places[b].y) >= 1);
    }
    arena_fini(&memory);
    model_free(m);
}
END_TEST

/* 24 units in blocks of 4: squares of 2 x 2 with half a tile between. */
START_TEST(blocks_stand_apart)
{
    struct arena memory;
    struct model *m = make(24, laid_out[0]);
    arena_init(&memory, SIZE_MAX);
    struct layout layout = lay(m, &memory);
    const struct layout_place *p = layout.places;
    near(p[1].x - p[0].x, 1, 0);
    near(p[2].y - p[0].y, 1, 0);
    near(p[4].x - p[1].x, 1.5, 0);
    near(layout.width, 7, 0);
    near(layout.height, 4.5, 0);
    arena_fini(&memory);
    model_free(m);
}
END_TEST

START_TEST(a_map_lies_as_a_map)
{
    struct arena memory;
    struct model *m = make(24, laid_out[4]);
    arena_init(&memory, SIZE_MAX);
    struct layout layout = lay(m, &memory);
    for (size_t i = 0; i < 24; i++) {
        near(layout.places[i].x, (float)(i % 6), 0);
        near(layout.places[i].y, (float)(i / 6), 0);
    }
    arena_fini(&memory);
    model_free(m);
}
END_TEST

/* ---- in the model file ---- */

static const char in_file[] = "{\"kind\":\"groups\",\"lists\":[[0,2],[1,2,3]],"
                              "\"weights\":[[1,2],[3,4,5]]}";

static const char *save(const char *folder)
{
    float x[4] = {1, 2, 3, 4};
    const char *path = tmp_path(folder, "m.safetensors");
    struct model *m = make(4, in_file);
    ck_assert(!model_start(m, 1, x, 1, &e));
    ck_assert_msg(!model_save(m, path, &e), "%s", e.msg);
    model_free(m);
    return path;
}

START_TEST(the_file_shows_the_groups)
{
    static const int64_t indptr[] = {0, 2, 5}, indices[] = {0, 2, 1, 2, 3};
    static const float weights[] = {1, 2, 3, 4, 5};
    char *folder = tmp_folder();
    const char *path = save(folder);
    struct safetensors *file = safetensors_open(path, &e);
    ck_assert_msg(file != NULL, "%s", e.msg);
    const struct st_tensor *t =
        safetensors_find(file, "layers.0.structure.groups.indptr");
    ck_assert(t && t->type == ST_I64 && t->rank == 1);
    ck_assert_mem_eq(t->data, indptr, sizeof indptr);
    t = safetensors_find(file, "layers.0.structure.groups.indices");
    ck_assert(t && t->type == ST_I64 && t->bytes == sizeof indices);
    ck_assert_mem_eq(t->data, indices, sizeof indices);
    t = safetensors_find(file, "layers.0.structure.groups.weights");
    ck_assert(t && t->type == ST_F32 && t->bytes == sizeof weights);
    ck_assert_mem_eq(t->data, weights, sizeof weights);
    safetensors_close(file);
    struct model *m = model_load(path, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_uint_eq(pools_of(m)->n, 2);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

/* How the tensor `part` of the groups is changed. */
enum harm { LEAVE_OUT, OTHER_TYPE, SHORTER, OTHER_VALUE };

static const struct {
    const char *part;
    enum harm harm;
} harms[] = {
    {"indptr", LEAVE_OUT},    {"indices", LEAVE_OUT},  {"weights", LEAVE_OUT},
    {"indptr", OTHER_TYPE},   {"weights", OTHER_TYPE}, {"indices", SHORTER},
    {"indptr", SHORTER},      {"weights", SHORTER},    {"indptr", OTHER_VALUE},
    {"indices", OTHER_VALUE}, {"weights", OTHER_VALUE}};

START_TEST(a_file_with_other_groups_is_refused)
{
    static const int64_t units[] = {0, 1, 2, 3, 0};
    static const float weights[] = {1, 2, 3, 4.001f, 5};
    static const char *const keys[] = {"format", "config", "lineage"};
    struct st_tensor tensors[16];
    struct st_meta meta[3];
    char *folder = tmp_folder();
    struct safetensors *file = safetensors_open(save(folder), &e);
    size_t n = 0, n_meta = 0;
    for (size_t i = 0; i < safetensors_count(file); i++) {
        struct st_tensor t = *safetensors_at(file, i);
        tensors[n] = t;
        if (strstr(t.name, harms[_i].part)) {
            if (harms[_i].harm == LEAVE_OUT)
                continue;
            if (harms[_i].harm == OTHER_TYPE)
                tensors[n].type = t.type == ST_F32 ? ST_I32 : ST_F64;
            if (harms[_i].harm == SHORTER)
                tensors[n].shape[0]--;
            if (harms[_i].harm == OTHER_VALUE)
                tensors[n].data = t.type == ST_F32 ? (const void *)weights
                                                   : (const void *)units;
        }
        n++;
    }
    for (size_t i = 0; i < 3; i++)
        if (safetensors_meta(file, keys[i]))
            meta[n_meta++] =
                (struct st_meta){keys[i], safetensors_meta(file, keys[i])};
    const char *path = tmp_path(folder, "other.safetensors");
    ck_assert_msg(!safetensors_write(path, tensors, n, meta, n_meta, &e), "%s",
                  e.msg);
    safetensors_close(file);
    ck_assert(model_load(path, &e) == NULL);
    ck_assert_int_eq(e.code, ERR_CORRUPT);
    ck_assert_msg(strstr(e.msg, harms[_i].part) != NULL, "%s", e.msg);
    tmp_remove(folder);
}
END_TEST

Suite *suite_groups(void);
Suite *suite_groups(void)
{
    Suite *s = suite_create("groups");
    TCase *t = tcase_create("settings");
    tcase_add_loop_test(t, what_cannot_be_is_refused_by_name, 0,
                        sizeof refusals / sizeof refusals[0]);
    tcase_add_test(t, sizes_have_a_bound);
    tcase_add_test(t, groups_that_part_the_units_are_a_partition);
    tcase_add_test(t, lists_are_sorted_with_their_weights);
    tcase_add_test(t, windows_go_round_the_map);
    tcase_add_test(t, windows_without_sigma_weigh_all_alike);
    suite_add_tcase(s, t);
    TCase *fewer = tcase_create("fewer units");
    tcase_add_test(fewer, lists_lose_units_and_empty_groups_vanish);
    tcase_add_test(fewer, blocks_become_lists);
    tcase_add_test(fewer, a_map_keeps_its_units_and_a_group_must_be_left);
    suite_add_tcase(s, fewer);
    TCase *layout = tcase_create("layout");
    tcase_add_loop_test(layout, no_two_places_overlap, 0,
                        sizeof laid_out / sizeof laid_out[0]);
    tcase_add_test(layout, blocks_stand_apart);
    tcase_add_test(layout, a_map_lies_as_a_map);
    suite_add_tcase(s, layout);
    TCase *file = tcase_create("file");
    tcase_add_test(file, the_file_shows_the_groups);
    tcase_add_loop_test(file, a_file_with_other_groups_is_refused, 0,
                        sizeof harms / sizeof harms[0]);
    suite_add_tcase(s, file);
    return s;
}
