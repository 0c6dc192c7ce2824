/* Settings: each type from text and back, names, where texts come from. */
#include "server/nearest.h"
#include "server/setting.h"

#include <check.h>
#include <string.h>

struct all {
    const char *text;
    bool flag;
    size_t count, bytes;
    usec seconds;
    double number;
    int choice;
};

static const char *const colours[] = {"red", "green", "blue", NULL};

#define AT(m) .offset = offsetof(struct all, m)

static const struct setting table[] = {
    {.name = "text", .type = SETTING_TEXT, AT(text), .value = "T"},
    {.name = "flag", .type = SETTING_FLAG, AT(flag), .standard = "false"},
    {.name = "count",
     .type = SETTING_COUNT,
     AT(count),
     .min = 1,
     .max = 1e9,
     .standard = "7"},
    {.name = "max-bytes",
     .type = SETTING_BYTES,
     AT(bytes),
     .max = 1e15,
     .standard = "1MiB"},
    {.name = "seconds",
     .type = SETTING_SECONDS,
     AT(seconds),
     .max = 100,
     .standard = "1.5"},
    {.name = "share",
     .type = SETTING_NUMBER,
     AT(number),
     .max = 1,
     .standard = "0.25"},
    {.name = "colour",
     .type = SETTING_CHOICE,
     AT(choice),
     .standard = "green",
     .choices = colours},
    {.name = "config",
     .type = SETTING_TEXT,
     AT(text),
     .value = "FILE",
     .not_in_file = true},
    {0},
};

static struct all got;
static struct err e;

static enum err_code read_one(const char *name, const char *text)
{
    const struct setting *s = setting_find(table, name, strlen(name));

    ck_assert_ptr_nonnull(s);
    return setting_read(s, &got, text, name, &e);
}

static enum err_code read_json(const char *text)
{
    static struct json *json;

    json_free(json);
    json = json_parse(text, strlen(text), &e);
    ck_assert_msg(json != NULL, "%s", e.msg);
    return settings_read_json(table, &got, json, &e);
}

static enum err_code read_flags(int argc, char **argv)
{
    return settings_read_flags(table, &got, argc, argv, NULL, NULL, 0, &e);
}

static void setup(void)
{
    got = (struct all){.text = NULL};
    settings_standard(table, &got);
}

START_TEST(every_type_has_its_default)
{
    ck_assert_ptr_null(got.text);
    ck_assert(!got.flag);
    ck_assert_uint_eq(got.count, 7);
    ck_assert_uint_eq(got.bytes, 1 << 20);
    ck_assert_int_eq(got.seconds, 1500000);
    ck_assert_double_eq(got.number, 0.25);
    ck_assert_int_eq(got.choice, 1);
}
END_TEST

START_TEST(text_is_read_by_type)
{
    ck_assert_int_eq(read_one("text", "a b"), ERR_OK);
    ck_assert_str_eq(got.text, "a b");
    ck_assert_int_eq(read_one("flag", "1"), ERR_OK);
    ck_assert(got.flag);
    ck_assert_int_eq(read_one("count", "1000000000"), ERR_OK);
    ck_assert_uint_eq(got.count, 1000000000);
    ck_assert_int_eq(read_one("max-bytes", "3KiB"), ERR_OK);
    ck_assert_uint_eq(got.bytes, 3072);
    ck_assert_int_eq(read_one("seconds", "0.000001"), ERR_OK);
    ck_assert_int_eq(got.seconds, 1);
    ck_assert_int_eq(read_one("share", "0.125"), ERR_OK);
    ck_assert_double_eq(got.number, 0.125);
    ck_assert_int_eq(read_one("colour", "blue"), ERR_OK);
    ck_assert_int_eq(got.choice, 2);
}
END_TEST

static const struct {
    const char *name, *text;
} bad[] = {
    {"flag", "yes"},       {"flag", ""},        {"count", "0"},
    {"count", "1.5"},      {"count", "1e10"},   {"count", "7 "},
    {"count", "nan"},      {"count", "0x7"},    {"count", "-1"},
    {"max-bytes", "1kb"},  {"max-bytes", "-1"}, {"max-bytes", "1.5"},
    {"max-bytes", "MiB"},  {"seconds", "1s"},   {"seconds", "100.1"},
    {"seconds", "-0.1"},   {"share", "1.01"},   {"share", "inf"},
    {"share", ""},         {"colour", "Red"},   {"colour", ""},
    {"max-bytes", "9e30"},
};

START_TEST(bad_text_is_refused_with_its_source)
{
    const struct all before = got;

    ck_assert_int_eq(read_one(bad[_i].name, bad[_i].text), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, bad[_i].name));
    ck_assert_mem_eq(&before, &got, sizeof got);
}
END_TEST

START_TEST(what_is_printed_is_read_back)
{
    struct all first;
    char text[4096] = "";

    read_one("text", "a \"b\" \\ \t ");
    read_one("flag", "true");
    read_one("count", "123456789");
    read_one("max-bytes", "999999999999999");
    read_one("seconds", "0.000123");
    read_one("share", "0.1");
    read_one("colour", "red");
    first = got;
    FILE *out = fmemopen(text, sizeof text, "w");
    settings_print_json(out, table, &got);
    fclose(out);
    setup();
    ck_assert_msg(read_json(text) == ERR_OK, "%s in %s", e.msg, text);
    ck_assert_str_eq(got.text, first.text);
    ck_assert(got.flag);
    ck_assert_uint_eq(got.count, first.count);
    ck_assert_uint_eq(got.bytes, first.bytes);
    ck_assert_int_eq(got.seconds, first.seconds);
    ck_assert_double_eq(got.number, first.number);
    ck_assert_int_eq(got.choice, first.choice);
}
END_TEST

START_TEST(null_in_a_file_changes_nothing)
{
    ck_assert_int_eq(read_json("{\"count\":null,\"text\":null}"), ERR_OK);
    ck_assert_uint_eq(got.count, 7);
}
END_TEST

static const struct {
    const char *text, *words;
} bad_json[] = {
    {"[]", "object"},
    {"{\"cuont\":1}", "'cuont': did you mean 'count'?"},
    {"{\"max-byte\":1}", "did you mean 'max-bytes'?"},
    {"{\"max_bytes\":1}", "did you mean 'max-bytes'?"},
    {"{\"elephants\":1}", "there is no setting 'elephants'"},
    {"{\"config\":\"x\"}", "there is no setting 'config'"},
    {"{\"count\":[1]}", "count: wrong type"},
    {"{\"count\":{}}", "count: wrong type"},
    {"{\"text\":8}", "text: wrong type"},
    {"{\"colour\":\"pink\"}", "red, green, blue"},
    {"{\"flag\":2}", "flag"},
    {"{\"share\":-0.5}", "share: '-0.5' is not a number from 0 to 1"},
};

START_TEST(bad_members_are_refused_by_name)
{
    ck_assert_int_eq(read_json(bad_json[_i].text), ERR_INVALID);
    ck_assert_msg(strstr(e.msg, bad_json[_i].words) != NULL, "%s", e.msg);
}
END_TEST

START_TEST(flags_come_in_two_forms)
{
    char *argv[] = {"x", "--count", "3", "--flag", "--colour=blue", NULL};

    ck_assert_int_eq(read_flags(5, argv), ERR_OK);
    ck_assert_uint_eq(got.count, 3);
    ck_assert(got.flag);
    ck_assert_int_eq(got.choice, 2);
}
END_TEST

START_TEST(bad_flags_are_refused)
{
    char *unknown[] = {"x", "--cont=3", NULL};
    char *lonely[] = {"x", "--count", NULL};
    char *more[] = {"x", "count", NULL};

    ck_assert_int_eq(read_flags(2, unknown), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "did you mean '--count'?"));
    ck_assert_int_eq(read_flags(2, lonely), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "--count needs a value"));
    ck_assert_int_eq(read_flags(2, more), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "'count'"));
}
END_TEST

START_TEST(others_variables_are_left_alone)
{
    char *environment[] = {"SPARSED_MAX_BYTES=5KiB",
                           "SPARSED_PORT=tcp://10.0.0.1:80",
                           "SPARSED",
                           "SPARSED_COUNT",
                           "XSPARSED_COUNT=9",
                           "SPARSED_=1",
                           NULL};
    char *wrong[] = {"SPARSED_COUNT=many", NULL};

    ck_assert_int_eq(settings_read_environment(table, &got, environment, &e),
                     ERR_OK);
    ck_assert_uint_eq(got.bytes, 5120);
    ck_assert_uint_eq(got.count, 7);
    ck_assert_int_eq(settings_read_environment(table, &got, wrong, &e),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "SPARSED_COUNT"));
}
END_TEST

START_TEST(a_copy_is_of_one_member)
{
    struct all to = {.count = 1, .bytes = 2};

    for (const struct setting *s = table; s->name != NULL; s++) {
        if (strcmp(s->name, "count") != 0)
            setting_copy(s, &to, &got);
    }
    ck_assert_uint_eq(to.count, 1);
    ck_assert_uint_eq(to.bytes, got.bytes);
    ck_assert_int_eq(to.seconds, got.seconds);
    ck_assert_double_eq(to.number, got.number);
    ck_assert_int_eq(to.choice, got.choice);
}
END_TEST

static const char *nearest(const char *name)
{
    struct nearest n;

    nearest_begin(&n, name, strlen(name));
    nearest_try(&n, "timeout");
    nearest_try(&n, "stop-timeout");
    nearest_try(&n, "log");
    nearest_try(&n, "log-level");
    return n.best;
}

START_TEST(the_nearest_name_is_found)
{
    char long_name[200];

    ck_assert_str_eq(nearest("timeut"), "timeout");
    ck_assert_str_eq(nearest("stop-timeot"), "stop-timeout");
    ck_assert_str_eq(nearest("loglevel"), "log-level");
    ck_assert_str_eq(nearest("lo"), "log");
    ck_assert_ptr_null(nearest("elephants"));
    ck_assert_ptr_null(nearest(""));
    memset(long_name, 'l', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    ck_assert_ptr_null(nearest(long_name));
}
END_TEST

Suite *suite_setting(void);
Suite *suite_setting(void)
{
    Suite *s = suite_create("setting");
    TCase *t = tcase_create("setting");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, every_type_has_its_default);
    tcase_add_test(t, text_is_read_by_type);
    tcase_add_loop_test(t, bad_text_is_refused_with_its_source, 0,
                        sizeof bad / sizeof *bad);
    tcase_add_test(t, what_is_printed_is_read_back);
    tcase_add_test(t, null_in_a_file_changes_nothing);
    tcase_add_loop_test(t, bad_members_are_refused_by_name, 0,
                        sizeof bad_json / sizeof *bad_json);
    tcase_add_test(t, flags_come_in_two_forms);
    tcase_add_test(t, bad_flags_are_refused);
    tcase_add_test(t, others_variables_are_left_alone);
    tcase_add_test(t, a_copy_is_of_one_member);
    tcase_add_test(t, the_nearest_name_is_found);
    suite_add_tcase(s, t);
    return s;
}
