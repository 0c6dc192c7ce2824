/* CSV: headings, labels, spellings, refusals with line and column. */
#include "lib/data/csv.h"
#include "tests/lib/data/hostile.h"
#include "tests/support/guard.h"

#include <check.h>
#include <string.h>

Suite *suite_csv(void);

static enum err_code parse(const void *bytes, size_t length, struct err *e)
{
    struct csv c;
    enum err_code code = csv_parse(&c, bytes, length, 1000, e);
    if (code == ERR_OK)
        ck_assert_uint_gt(c.rows * c.columns, 0);
    csv_fini(&c);
    return code;
}

static struct csv read_text(const char *text)
{
    struct err e = {.code = ERR_OK};
    struct csv c;
    struct guard g = guard_copy(text, strlen(text));
    enum err_code code = csv_parse(&c, g.bytes, g.length, 1000, &e);
    ck_assert_msg(code == ERR_OK, "'%s': %s", text, e.msg);
    guard_free(&g);
    return c;
}

START_TEST(numbers_without_a_heading_are_all_values)
{
    struct csv c = read_text("1,2.5\n-3,4e2\n");
    ck_assert_uint_eq(c.rows, 2);
    ck_assert_uint_eq(c.columns, 2);
    ck_assert_ptr_null(c.labels);
    ck_assert(c.values[1] == 2.5f && c.values[2] == -3 && c.values[3] == 400);
    csv_fini(&c);
}
END_TEST

START_TEST(the_column_headed_label_is_the_label_wherever_it_stands)
{
    static const char *const texts[] = {
        "a,b,label\n1,2,7\n3,4,\n5,6,-1\n",
        "label,a,b\n7,1,2\n,3,4\n-1,5,6",
        "a,\"label\",b\n1,7.0,2\n3,\"\",4\n5,-1,6\n",
    };
    for (size_t i = 0; i < 3; i++) {
        struct csv c = read_text(texts[i]);
        ck_assert_uint_eq(c.rows, 3);
        ck_assert_uint_eq(c.columns, 2);
        for (size_t k = 0; k < 6; k++)
            ck_assert(c.values[k] == (float)(k + 1));
        ck_assert(c.labels[0] == 7);
        ck_assert(c.labels[1] == -1);
        ck_assert(c.labels[2] == -1);
        csv_fini(&c);
    }
}
END_TEST

START_TEST(a_heading_without_label_is_passed_over)
{
    struct csv c = read_text("a,labels\n1,2\n");
    ck_assert_uint_eq(c.rows, 1);
    ck_assert_uint_eq(c.columns, 2);
    ck_assert_ptr_null(c.labels);
    csv_fini(&c);
}
END_TEST

START_TEST(spaces_quotes_and_line_ends_of_other_systems_are_taken)
{
    struct csv c = read_text("\xef\xbb\xbf\r\n x , y \r\n 1 ,\t\"2\"\r\n\r\n"
                             "3, 4\r\n\n");
    ck_assert_uint_eq(c.rows, 2);
    ck_assert_uint_eq(c.columns, 2);
    for (size_t k = 0; k < 4; k++)
        ck_assert(c.values[k] == (float)(k + 1));
    csv_fini(&c);
}
END_TEST

static const struct {
    const char *text;
    enum err_code code;
    const char *message;
} cases[] = {
    {"", ERR_INVALID, "no numbers"},
    {"\n \n\r\n", ERR_INVALID, "no numbers"},
    {"a,b\n", ERR_INVALID, "no numbers"},
    {"label\n1\n", ERR_INVALID, "no numbers"},
    {"1,2\n3\n", ERR_INVALID, "line 2 has fewer columns than the first"},
    {"1,2\n3,4,5\n", ERR_INVALID, "line 2 has more columns than the first"},
    {"1,2\n3,4,\n", ERR_INVALID, "line 2 has more columns than the first"},
    {"a,b\n\n1,x\n", ERR_INVALID, "line 3 column 2: 'x' is no finite number"},
    {"1\nnan\n", ERR_INVALID, "'nan' is no finite number"},
    {"1\nInfinity\n", ERR_INVALID, "no finite number"},
    {"1\n1e999\n", ERR_INVALID, "'1e999' is no finite number"},
    {"1\n1e39\n", ERR_INVALID, "'1e39' is no finite number"},
    {"1\n0x10\n", ERR_INVALID, "'0x10' is no finite number"},
    {"1\n1 2\n", ERR_INVALID, "'1 2' is no finite number"},
    {"1,1\n1,\n", ERR_INVALID, "'' is no finite number"},
    {"a,label\n1,2.5\n", ERR_INVALID, "column 2: '2.5' is no integer label"},
    {"a,label\n1,cat\n", ERR_INVALID, "'cat' is no integer label"},
    {"a,label\n1,1e300\n", ERR_INVALID, "'1e300' is no integer label"},
    {"1,2,3,4,5,6,7,8,9\n1\n2\n3\n4\n5\n6\n7\n8\n", ERR_INVALID,
     "9 lines are shorter than the first one's 9"},
    {"1\n2\n3\n4\n5\n", ERR_TOO_LARGE, "5 rows, more than 4"},
};

START_TEST(refusals_name_line_and_column)
{
    struct err e = {.code = ERR_OK};
    struct csv c;
    struct guard g = guard_copy(cases[_i].text, strlen(cases[_i].text));
    size_t max_rows = cases[_i].code == ERR_TOO_LARGE ? 4 : 100;
    enum err_code code = csv_parse(&c, g.bytes, g.length, max_rows, &e);
    ck_assert_msg(code == cases[_i].code, "'%s': %s %s", cases[_i].text,
                  err_name(code), e.msg);
    ck_assert_msg(strstr(e.msg, cases[_i].message) != NULL,
                  "'%s': want '%s', got '%s'", cases[_i].text,
                  cases[_i].message, e.msg);
    ck_assert_ptr_null(c.values);
    guard_free(&g);
}
END_TEST

START_TEST(a_zero_byte_is_no_text)
{
    struct err e;
    ck_assert_int_eq(parse("1,2\0\n", 5, &e), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "zero byte"));
}
END_TEST

START_TEST(no_changed_byte_does_harm)
{
    const char *text = "a,b,label\n1.25,-2e3,7\n\"3\",4,\r\n5,6,-1\n";
    ck_assert_uint_gt(hostile_mutations(text, strlen(text), parse), 100);
    for (size_t n = 0; n <= strlen(text); n++) {
        struct guard g = guard_copy(text, n);
        struct err e;
        parse(g.bytes, n, &e);
        guard_free(&g);
    }
}
END_TEST

static enum err_code parse_small(void *arg, struct err *e)
{
    return parse(arg, strlen(arg), e);
}

START_TEST(out_of_memory_is_an_error_like_others)
{
    char text[] = "a,label\n1,2\n";
    hostile_memory(parse_small, text);
}
END_TEST

Suite *suite_csv(void)
{
    Suite *s = suite_create("csv");
    TCase *t = tcase_create("tables");
    tcase_add_test(t, numbers_without_a_heading_are_all_values);
    tcase_add_test(t, the_column_headed_label_is_the_label_wherever_it_stands);
    tcase_add_test(t, a_heading_without_label_is_passed_over);
    tcase_add_test(t, spaces_quotes_and_line_ends_of_other_systems_are_taken);
    suite_add_tcase(s, t);
    t = tcase_create("hostile files");
    tcase_add_loop_test(t, refusals_name_line_and_column, 0,
                        sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(t, a_zero_byte_is_no_text);
    tcase_add_test(t, no_changed_byte_does_harm);
    tcase_add_test(t, out_of_memory_is_an_error_like_others);
    suite_add_tcase(s, t);
    return s;
}
