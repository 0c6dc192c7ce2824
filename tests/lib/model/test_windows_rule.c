/* Rules of windows: what settings make, what is refused, how units lie.
 */
#include "lib/base/mem.h"
#include "tests/support/near.h"
#include "tests/support/pools_by_hand.h"
#include "tests/support/windows_by_hand.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct err e;
static const struct space picture = {6, 8, 10, false};

static const struct {
    const char *window;
    enum err_code code;
    const char *message;
} refusals[] = {
    {"3", ERR_INVALID, "here.window: must be an object"},
    {"[]", ERR_INVALID, "here.window: must be an object"},
    {"{\"siz\":3}", ERR_INVALID, "here.window.siz"},
    {"{\"size\":0}", ERR_INVALID, "here.window.size"},
    {"{\"size\":-1}", ERR_INVALID, "here.window.size"},
    {"{\"size\":1.5}", ERR_INVALID, "here.window.size"},
    {"{\"size\":\"3\"}", ERR_INVALID, "here.window.size"},
    {"{\"size\":1e300}", ERR_INVALID, "here.window.size"},
    {"{\"size\":1025}", ERR_INVALID, "here.window.size"},
    {"{\"size\":[]}", ERR_INVALID, "here.window.size: must be a whole number"},
    {"{\"size\":[3]}", ERR_INVALID, "here.window.size: must be a whole"},
    {"{\"size\":[3,3,3]}", ERR_INVALID, "here.window.size: must be a whole"},
    {"{\"size\":[3,0]}", ERR_INVALID, "here.window.size: must be a whole"},
    {"{\"size\":[3,2.5]}", ERR_INVALID, "here.window.size: must be a whole"},
    {"{\"size\":[3,1025]}", ERR_INVALID, "here.window.size: must be a whole"},
    {"{\"size\":[3,\"2\"]}", ERR_INVALID, "here.window.size: must be a whole"},
    {"{\"size\":9}", ERR_SHAPE,
     "here.window.size: windows of 9x9 do not fit the code 6x8x10, of 8 rows "
     "and 10 columns"},
    {"{\"size\":[2,11]}", ERR_SHAPE, "windows of 2x11 do not fit"},
    {"{\"size\":2,\"stride\":3}", ERR_INVALID,
     "here.window.stride: 3x3 is more than the size 2x2"},
    {"{\"size\":[2,3],\"stride\":3}", ERR_INVALID, "here.window.stride"},
    {"{\"stride\":0}", ERR_INVALID, "here.window.stride"},
    {"{\"size\":3,\"sigma\":-1}", ERR_INVALID, "here.window.sigma"},
    {"{\"size\":3,\"sigma\":0.1}", ERR_INVALID,
     "here.window.sigma: 0.1 is too"},
    {"{\"maps\":0}", ERR_INVALID, "here.window.maps"},
    {"{\"maps\":7}", ERR_SHAPE,
     "here.window.maps: windows of 7 maps do not fit the code 6x8x10"},
    {"{\"maps\":2,\"maps_stride\":3}", ERR_INVALID,
     "here.window.maps_stride: 3 is more than the 2 maps"},
    {"{\"maps\":4,\"maps_stride\":4}", ERR_SHAPE,
     "here.window.maps_stride: windows of 4 maps, one beside the other, do not "
     "divide the ring of 6"},
};
enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

START_TEST(impossible_windows_are_refused)
{
    char text[200];
    struct structure s;
    snprintf(text, sizeof text, "{\"lambda\":1,\"window\":%s}",
             refusals[_i].window);
    enum err_code code = windows_make(&s, &picture, text, &e);
    ck_assert_msg(code == refusals[_i].code, "%s: %s", text,
                  code ? e.msg : "accepted");
    ck_assert_msg(strstr(e.msg, refusals[_i].message) != NULL, "%s", e.msg);
    s.kind->fini(&s);
}
END_TEST

START_TEST(windows_stand_alone)
{
    static const char *const others[][2] = {
        {"blocks", "2"},      {"lists", "[[0]]"},    {"map", "{}"},
        {"weights", "[[1]]"}, {"partition", "true"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char text[200], member[40];
        snprintf(text, sizeof text,
                 "{\"kind\":\"groups\",\"lambda\":1,\"window\":{},\"%s\":%s}",
                 others[i][0], others[i][1]);
        ck_assert(hand_model(8, text, &e) == NULL);
        ck_assert_int_eq(e.code, ERR_INVALID);
        snprintf(member, sizeof member, "structure.%s", others[i][0]);
        ck_assert_msg(strstr(e.msg, member) != NULL, "%s", e.msg);
    }
}
END_TEST

START_TEST(one_number_stands_for_both_ways_and_what_is_left_out_is_1)
{
    struct structure s;
    ck_assert(!windows_make(&s, &picture, "{\"window\":{\"size\":3}}", &e));
    const struct windows *w = windows_of(&s);
    const struct windows_axis *axes[] = {&w->maps, &w->rows, &w->columns};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(axes[i]->size, i == 0 ? 1 : 3);
        ck_assert_uint_eq(axes[i]->stride, 1);
        for (size_t k = 0; k < axes[i]->size; k++)
            near(axes[i]->weights[k], 1.0 / (double)axes[i]->size, 1e-7);
    }
    s.kind->fini(&s);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    static const char text[] = "{\"window\":{\"size\":3,\"maps\":2}}";
    struct json *j = json_parse(text, strlen(text), &e);
    for (size_t n = 0;; n++) {
        struct params params = {0};
        struct structure s = {.kind = windows_variant(j), .code = picture};
        mem_fail_after(n);
        enum err_code code = s.kind->configure(&s, j, "here", &params, &e);
        mem_fail_after(SIZE_MAX);
        s.kind->fini(&s);
        if (!code) {
            ck_assert_uint_eq(n, 7);
            break;
        }
        ck_assert_int_eq(code, ERR_NO_MEMORY);
    }
    json_free(j);
}
END_TEST

START_TEST(sheets_lie_as_they_are_and_maps_in_a_square)
{
    static const struct {
        struct space cell;
        float width, height;
    } places[] = {
        {{32, 1, 1, false}, 6, 6},
        {{1, 8, 10, false}, 10, 8},
        {{1, 4, 5, false}, 5, 4},
        {{2, 4, 5, false}, 5, 8},
    };
    struct arena memory;
    struct structure s;
    struct layout l;
    ck_assert(!windows_make(&s, &picture, "{\"window\":{}}", &e));
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        arena_init(&memory, 1 << 20);
        s.cell = places[i].cell;
        ck_assert(!s.kind->layout(&s, &l, &memory, &e));
        near(l.width, places[i].width, 0);
        near(l.height, places[i].height, 0);
        arena_fini(&memory);
    }
    s.kind->fini(&s);
}
END_TEST

Suite *suite_windows_rule(void);
Suite *suite_windows_rule(void)
{
    Suite *suite = suite_create("windows_rule");
    TCase *t = tcase_create("settings");
    tcase_add_loop_test(t, impossible_windows_are_refused, 0, REFUSALS);
    tcase_add_test(t, windows_stand_alone);
    tcase_add_test(t,
                   one_number_stands_for_both_ways_and_what_is_left_out_is_1);
    tcase_add_test(t, every_allocation_may_fail);
    tcase_add_test(t, sheets_lie_as_they_are_and_maps_in_a_square);
    suite_add_tcase(suite, t);
    return suite;
}
