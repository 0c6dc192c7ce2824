/* JSON nodes: parsing, typed members, building and printing. */
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_json(void);

static struct json *parse(const char *text)
{
    struct err e = {0};
    struct json *j = json_parse(text, strlen(text), &e);

    ck_assert_msg(j != NULL, "%s: %s", text, e.msg);
    return j;
}

static void check_print(const struct json *j, const char *want)
{
    struct buf b;

    buf_init(&b, 10000);
    json_print(&b, j);
    ck_assert(!buf_failed(&b));
    ck_assert_str_eq(b.data, want);
    buf_fini(&b);
}

START_TEST(nodes_have_kinds_and_values)
{
    struct json *j = parse("{\"n\":-1.5,\"t\":\"x\\u00e9\",\"b\":true,"
                           "\"z\":null,\"a\":[1,\"2\",[]],\"o\":{}}");

    ck_assert(json_is_object(j) && !json_is_array(j));
    ck_assert(json_number(json_get(j, "n")) == -1.5);
    ck_assert_str_eq(json_text(json_get(j, "t")), "x\xC3\xA9");
    ck_assert(json_bool(json_get(j, "b")));
    ck_assert_ptr_null(json_get(j, "z"));
    ck_assert_ptr_null(json_get(j, "none"));
    ck_assert_ptr_null(json_get(j, "N"));
    ck_assert_ptr_null(json_get(json_get(j, "n"), "n"));
    ck_assert_ptr_null(json_get(NULL, "n"));
    ck_assert_uint_eq(json_count(json_get(j, "a")), 3);
    ck_assert_uint_eq(json_count(json_get(j, "o")), 0);
    ck_assert(json_is_text(json_at(json_get(j, "a"), 1)));
    ck_assert_ptr_null(json_at(json_get(j, "a"), 3));
    ck_assert(json_is_null(json_next(json_get(j, "b"))));
    json_free(j);
}
END_TEST

START_TEST(members_are_walked_with_their_keys)
{
    struct json *j = parse("{\"a\":1,\"b\":2}");
    const struct json *a = json_first(j);

    ck_assert_str_eq(json_key(a), "a");
    ck_assert_str_eq(json_key(json_next(a)), "b");
    ck_assert_ptr_null(json_next(json_next(a)));
    ck_assert_ptr_null(json_first(a));
    json_free(j);
}
END_TEST

START_TEST(what_the_standard_or_a_c_string_cannot_hold_is_refused)
{
    static const char *const texts[] = {
        "{\"a\":1}junk",
        "\xEF\xBB\xBF{}",
        "[01]",
        "[1e999]",
        "{\"a\":\"\\u0000\"}",
        "{\"\\u0000\":1}",
        "[\"\\\\\\u0000\"]",
        "",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct err e = {0};
        ck_assert_ptr_null(json_parse(texts[i], strlen(texts[i]), &e));
        ck_assert_int_eq(e.code, ERR_INVALID);
    }
    struct json *j = parse("[\"\\\\u0000\"]"); /* a backslash and letters */
    ck_assert_str_eq(json_text(json_first(j)), "\\u0000");
    json_free(j);
}
END_TEST

START_TEST(numbers_of_any_length_are_exact)
{
    char text[700];
    char number[200];

    memset(number, '0', sizeof number);
    memcpy(number, "0.3", 3);
    snprintf(number + 150, sizeof number - 150, "17e1");
    snprintf(text, sizeof text, "{\"\\\"1\":\"%s\",\"n\":[-%s,%s]}", number,
             number, number);
    struct json *j = parse(text);
    const struct json *n = json_get(j, "n");
    ck_assert_str_eq(json_text(json_get(j, "\"1")), number);
    ck_assert(json_number(json_at(n, 0)) == -strtod(number, NULL));
    ck_assert(json_number(json_at(n, 1)) == strtod(number, NULL));
    json_free(j);
    j = parse("[9007199254740991,0.1,1e-320,123456789012345678901234567890]");
    ck_assert(json_number(json_at(j, 0)) == 9007199254740991.0);
    ck_assert(json_number(json_at(j, 2)) == 1e-320);
    ck_assert(json_number(json_at(j, 3)) == 123456789012345678901234567890.0);
    json_free(j);
}
END_TEST

START_TEST(files_are_read_and_named_in_errors)
{
    char *folder = tmp_folder();
    const char *path = tmp_write(folder, "a.json", "{\"a\":[1]}", 9);
    struct err e = {0};

    struct json *j = json_parse_file(path, 9, &e);
    check_print(j, "{\"a\":[1]}");
    json_free(j);
    ck_assert_ptr_null(json_parse_file(path, 8, &e));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    ck_assert_ptr_null(json_parse_file(tmp_path(folder, "b"), 8, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    path = tmp_write(folder, "c.json", "{", 1);
    ck_assert_ptr_null(json_parse_file(path, 100, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "c.json: JSON: "));
    tmp_remove(folder);
}
END_TEST

START_TEST(typed_members_keep_defaults_and_check_limits)
{
    struct json *j = parse("{\"n\":2.5,\"s\":7,\"b\":true,\"t\":\"x\","
                           "\"z\":null,\"big\":1e300,\"neg\":-1}");
    struct err e = {0};
    double n = 1;
    size_t s = 1;
    bool b = false;
    const char *t = "default";

    ck_assert_int_eq(json_get_number(j, "", "none", 0, 1, &n, &e), ERR_OK);
    ck_assert_int_eq(json_get_number(j, "", "z", 0, 1, &n, &e), ERR_OK);
    ck_assert_int_eq(json_get_size(j, "", "z", 0, 1, &s, &e), ERR_OK);
    ck_assert_int_eq(json_get_bool(j, "", "z", &b, &e), ERR_OK);
    ck_assert_int_eq(json_get_text(j, "", "z", &t, &e), ERR_OK);
    ck_assert(n == 1 && s == 1 && !b && strcmp(t, "default") == 0);
    ck_assert_int_eq(json_get_number(j, "", "n", 0, 2.5, &n, &e), ERR_OK);
    ck_assert_int_eq(json_get_size(j, "", "s", 7, 7, &s, &e), ERR_OK);
    ck_assert_int_eq(json_get_bool(j, "", "b", &b, &e), ERR_OK);
    ck_assert_int_eq(json_get_text(j, "", "t", &t, &e), ERR_OK);
    ck_assert(n == 2.5 && s == 7 && b && strcmp(t, "x") == 0);

    ck_assert_int_eq(json_get_number(j, "p[1]", "n", 3, 4, &n, &e),
                     ERR_INVALID);
    ck_assert_str_eq(e.msg, "p[1].n: want 3 to 4, got 2.5");
    ck_assert_int_eq(json_get_size(j, "", "n", 0, 9, &s, &e), ERR_INVALID);
    ck_assert_str_eq(e.msg, "n: want a whole number 0 to 9, got 2.5");
    ck_assert_int_eq(json_get_size(j, "", "big", 0, SIZE_MAX, &s, &e),
                     ERR_INVALID);
    ck_assert_int_eq(json_get_size(j, "", "neg", 0, 9, &s, &e), ERR_INVALID);
    ck_assert_int_eq(json_get_size(j, "", "s", 8, 9, &s, &e), ERR_INVALID);
    ck_assert_int_eq(json_get_size(j, "", "t", 0, 9, &s, &e), ERR_INVALID);
    ck_assert_int_eq(json_get_number(j, "", "t", 0, 9, &n, &e), ERR_INVALID);
    ck_assert_int_eq(json_get_bool(j, "", "n", &b, &e), ERR_INVALID);
    ck_assert_int_eq(json_get_text(j, "a", "n", &t, &e), ERR_INVALID);
    ck_assert_str_eq(e.msg, "a.n: want a text");
    ck_assert(n == 2.5 && s == 7 && b && strcmp(t, "x") == 0);
    json_free(j);
}
END_TEST

START_TEST(unknown_members_are_named)
{
    static const char *const known[] = {"a", "b", NULL};
    static const char *const none[] = {NULL};
    struct json *j = parse("{\"b\":1,\"a\":2}");
    struct json *k = parse("{\"b\":1,\"A\":2}");
    struct json *l = parse("[]");
    struct err e = {0};

    ck_assert_int_eq(json_only(j, "", known, &e), ERR_OK);
    ck_assert_int_eq(json_only(k, "x", known, &e), ERR_INVALID);
    ck_assert_str_eq(e.msg, "x.A: unknown member; known are a, b");
    ck_assert_int_eq(json_only(k, "", none, &e), ERR_INVALID);
    ck_assert_str_eq(e.msg, "b: unknown member; known are none");
    ck_assert_int_eq(json_only(l, "x", known, &e), ERR_INVALID);
    ck_assert_str_eq(e.msg, "x: want an object");
    json_free(j);
    json_free(k);
    json_free(l);
}
END_TEST

START_TEST(trees_are_built_and_printed_in_order)
{
    struct json *j = json_new_object();
    struct json *list = json_new_array();

    json_set(j, "z", json_new_number(1));
    json_set(j, "a", json_new_text("x\n\""));
    json_add(list, json_new_bool(true));
    json_add(list, json_new_bool(false));
    json_add(list, json_new_null());
    json_add(list, json_new_number(-2.5));
    json_set(j, "list", list);
    json_set(j, "o", json_new_object());
    check_print(j, "{\"z\":1,\"a\":\"x\\n\\\"\","
                   "\"list\":[true,false,null,-2.5],\"o\":{}}");
    struct json *copy = json_copy(j);
    json_free(j);
    check_print(copy, "{\"z\":1,\"a\":\"x\\n\\\"\","
                      "\"list\":[true,false,null,-2.5],\"o\":{}}");
    json_free(copy);
}
END_TEST

START_TEST(setting_a_key_again_replaces_it_in_its_place)
{
    struct json *j = json_new_object();

    json_set(j, "a", json_new_number(1));
    json_set(j, "a", json_new_number(2));
    check_print(j, "{\"a\":2}");
    json_set(j, "b", json_new_number(3));
    json_set(j, "c", json_new_number(4));
    json_set(j, "c", json_new_number(5));
    json_set(j, "b", json_new_number(6));
    json_set(j, "a", json_new_number(7));
    json_set(j, "A", json_new_number(8));
    json_set(j, "A", json_new_number(9));
    json_set(j, "d", json_new_number(10));
    check_print(j, "{\"a\":7,\"b\":6,\"c\":5,\"A\":9,\"d\":10}");
    json_free(j);
}
END_TEST

START_TEST(a_member_can_be_taken_away)
{
    struct json *j = json_new_object();

    json_set(j, "a", json_new_number(1));
    json_set(j, "b", json_new_array());
    json_set(j, "A", json_new_number(2));
    json_remove(j, "b");
    json_remove(j, "A");
    json_remove(j, "none");
    check_print(j, "{\"a\":1}");
    json_remove(j, "a");
    check_print(j, "{}");
    json_free(j);
}
END_TEST

START_TEST(numbers_print_exactly)
{
    struct json *j = json_new_array();

    json_add(j, json_new_number(9007199254740991.0));
    json_add(j, json_new_number(-9007199254740992.0));
    json_add(j, json_new_number(3000000000.0));
    json_add(j, json_new_number(0.1));
    json_add(j, json_new_number(1.0 / 3));
    json_add(j, json_new_number(1e300));
    json_add(j, json_new_number(0));
    check_print(j, "[9007199254740991,-9007199254740992,3000000000,0.1,"
                   "0.33333333333333331,1e+300,0]");
    json_free(j);
}
END_TEST

static void check_fails(const struct json *j)
{
    struct buf b;

    buf_init(&b, 10000);
    json_print(&b, j);
    ck_assert(buf_failed(&b));
    buf_fini(&b);
}

START_TEST(what_cannot_be_printed_fails_the_buffer)
{
    struct json *nan_inside = json_new_array();
    struct json *missing = json_new_object();
    struct json *deep = json_new_array();

    check_fails(NULL);
    json_add(nan_inside, json_new_number(NAN));
    check_fails(nan_inside);
    json_set(missing, "a", NULL);
    json_set(missing, "b", json_new_null());
    check_fails(missing);
    struct json *copy = json_copy(missing);
    check_fails(copy);
    for (int i = 1; i < JSON_MAX_DEPTH; i++) {
        struct json *outer = json_new_array();
        json_add(outer, deep);
        deep = outer;
    }
    struct buf b;
    buf_init(&b, 100);
    json_print(&b, deep);
    ck_assert_uint_eq(b.length, 2 * JSON_MAX_DEPTH);
    struct json *outer = json_new_object();
    json_set(outer, "deep", deep);
    check_fails(outer);
    json_set(NULL, "x", json_new_number(1));
    json_add(NULL, json_new_number(1));
    buf_fini(&b);
    json_free(nan_inside);
    json_free(missing);
    json_free(copy);
    json_free(outer);
}
END_TEST

/* Builds, copies and prints with the nth allocation failing; true if all
 * went well. */
static bool build(size_t n)
{
    struct buf b;

    buf_init(&b, 1000);
    mem_fail_after(n);
    struct json *j = json_new_object();
    struct json *list = json_new_array();
    json_add(list, json_new_text("x"));
    json_set(j, "list", list);
    json_set(j, "n", json_new_number(1));
    json_set(j, "n", json_new_number(2));
    struct json *copy = json_copy(j);
    json_print(&b, copy);
    mem_fail_after(SIZE_MAX);
    bool good = !buf_failed(&b);
    if (good)
        ck_assert_str_eq(b.data, "{\"list\":[\"x\"],\"n\":2}");
    buf_fini(&b);
    json_free(j);
    json_free(copy);
    return good;
}

START_TEST(every_failed_allocation_is_reported)
{
    static const char text[] = "{\"a\":[1,\"x\"]}";
    struct err e = {0};
    struct json *j = NULL;
    size_t n = 0;

    while (!build(n))
        n++;
    ck_assert_uint_gt(n, 10);
    for (n = 0; j == NULL; n++) {
        mem_fail_after(n);
        j = json_parse(text, sizeof text - 1, &e);
        mem_fail_after(SIZE_MAX);
        ck_assert(j != NULL || e.code == ERR_NO_MEMORY);
    }
    ck_assert_uint_gt(n, 4);
    json_free(j);
}
END_TEST

Suite *suite_json(void)
{
    Suite *s = suite_create("json");
    TCase *reading = tcase_create("reading");
    TCase *members = tcase_create("members");
    TCase *building = tcase_create("building");

    tcase_add_test(reading, nodes_have_kinds_and_values);
    tcase_add_test(reading, members_are_walked_with_their_keys);
    tcase_add_test(reading,
                   what_the_standard_or_a_c_string_cannot_hold_is_refused);
    tcase_add_test(reading, numbers_of_any_length_are_exact);
    tcase_add_test(reading, files_are_read_and_named_in_errors);
    tcase_add_test(members, typed_members_keep_defaults_and_check_limits);
    tcase_add_test(members, unknown_members_are_named);
    tcase_add_test(building, trees_are_built_and_printed_in_order);
    tcase_add_test(building, setting_a_key_again_replaces_it_in_its_place);
    tcase_add_test(building, a_member_can_be_taken_away);
    tcase_add_test(building, numbers_print_exactly);
    tcase_add_test(building, what_cannot_be_printed_fails_the_buffer);
    tcase_add_test(building, every_failed_allocation_is_reported);
    suite_add_tcase(s, reading);
    suite_add_tcase(s, members);
    suite_add_tcase(s, building);
    return s;
}
