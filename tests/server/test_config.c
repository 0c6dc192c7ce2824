/* Config: the one table, its four sources, and reading them again. */
#include "server/config.h"
#include "server/reload.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char *folder;
static char *no_environment[] = {NULL};
static struct err e;

static void setup(void)
{
    folder = tmp_folder();
}

static void teardown(void)
{
    tmp_remove(folder);
}

static const char *write_file(const char *text)
{
    return tmp_write(folder, "config.json", text, strlen(text));
}

/* Loads `sparsed serve --config <text as a file> [flag]`. */
static enum err_code load(struct config *c, const char *text, char *flag,
                          char **environment)
{
    static char name[] = "serve", config[] = "--config";
    static char path[512];
    static char *argv[5];

    snprintf(path, sizeof path, "%s", write_file(text));
    argv[0] = name;
    argv[1] = config;
    argv[2] = path;
    argv[3] = flag;
    argv[4] = NULL;
    *c = (struct config){.file = NULL};
    return config_load(c, flag != NULL ? 4 : 3, argv, environment, &e);
}

static void check_row(const struct setting *s)
{
    struct config c = {.file = NULL};

    ck_assert_msg(s->help != NULL && s->help[0] != 0, "%s", s->name);
    ck_assert_msg((s->type == SETTING_FLAG) == (s->value == NULL), "%s",
                  s->name);
    ck_assert_msg((s->type == SETTING_CHOICE) == (s->choices != NULL), "%s",
                  s->name);
    ck_assert_msg(s->type == SETTING_TEXT || s->standard != NULL, "%s",
                  s->name);
    ck_assert_msg(s->standard == NULL ||
                      setting_read(s, &c, s->standard, s->name, &e) == ERR_OK,
                  "%s", e.msg);
    for (const struct setting *other = s + 1; other->name != NULL; other++) {
        ck_assert_str_ne(s->name, other->name);
        ck_assert_msg(s->offset != other->offset, "%s and %s", s->name,
                      other->name);
    }
}

START_TEST(the_table_is_whole)
{
    ck_assert_ptr_nonnull(config_settings[0].section);
    for (const struct setting *s = config_settings; s->name != NULL; s++)
        check_row(s);
}
END_TEST

START_TEST(flag_wins_over_environment_over_file_over_default)
{
    char flag[] = "--keep-versions=3";
    char *environment[] = {"SPARSED_KEEP_VERSIONS=4", "SPARSED_MAX_LABELS=40",
                           NULL};
    struct config c;

    ck_assert_int_eq(load(&c,
                          "{\"keep-versions\":5,\"max-labels\":50,"
                          "\"max-samples\":60}",
                          flag, environment),
                     ERR_OK);
    ck_assert_uint_eq(c.keep_versions, 3);
    ck_assert_uint_eq(c.max_labels, 40);
    ck_assert_uint_eq(c.max_samples, 60);
    ck_assert_int_eq(c.drain, 0);
    config_fini(&c);
}
END_TEST

START_TEST(errors_name_file_and_member)
{
    struct config c;

    ck_assert_int_eq(load(&c, "{\"max-bdy\":1}", NULL, no_environment),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "config.json: "));
    ck_assert_ptr_nonnull(strstr(e.msg, "'max-bdy': did you mean 'max-body'?"));
    config_fini(&c);
    ck_assert_int_eq(load(&c, "{\"max-body\":1}", NULL, no_environment),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "config.json: max-body: '1'"));
    config_fini(&c);
    ck_assert_int_ne(load(&c, "{\"max-body\":", NULL, no_environment), ERR_OK);
    ck_assert_ptr_nonnull(strstr(e.msg, "config.json"));
    config_fini(&c);
}
END_TEST

/* Some value that is not the default. */
static void give_value(const struct setting *s, void *into)
{
    void *member = (char *)into + s->offset;

    switch (s->type) {
    case SETTING_TEXT:
        *(const char **)member = "a \"b\" \\ \xc3\xa9";
        break;
    case SETTING_FLAG:
        *(bool *)member = true;
        break;
    case SETTING_COUNT:
    case SETTING_BYTES:
        *(size_t *)member = (size_t)s->max;
        break;
    case SETTING_SECONDS:
        *(usec *)member = (usec)(s->max * 1e6) - 1;
        break;
    case SETTING_NUMBER:
        *(double *)member = s->min + (s->max - s->min) / 3;
        break;
    case SETTING_CHOICE:
        *(int *)member = 1;
        break;
    }
}

static void print(char *text, size_t size, const struct config *c)
{
    FILE *out = fmemopen(text, size, "w");

    settings_print_json(out, config_settings, c);
    fclose(out);
}

START_TEST(what_is_printed_is_a_file_of_settings)
{
    static char text[65536], again[65536];
    struct config given = {.file = NULL}, c;

    for (const struct setting *s = config_settings; s->name != NULL; s++)
        give_value(s, &given);
    print(text, sizeof text, &given);
    ck_assert_msg(load(&c, text, NULL, no_environment) == ERR_OK, "%s", e.msg);
    print(again, sizeof again, &c);
    ck_assert_str_eq(text, again);
    config_fini(&c);
}
END_TEST

START_TEST(live_rows_change_and_others_stay)
{
    char *environment[] = {"SPARSED_MAX_LABELS=33", NULL};
    struct config first;

    ck_assert_int_eq(load(&first,
                          "{\"deadline\":5,\"threads\":3,\"models\":\"one\"}",
                          NULL, environment),
                     ERR_OK);
    write_file("{\"deadline\":6,\"threads\":4,\"models\":\"two\","
               "\"max-labels\":44,\"keep-versions\":2}");
    struct config *second = reload_config(&first, &first, &e);
    ck_assert_msg(second != NULL, "%s", e.msg);
    ck_assert_int_eq(second->deadline, 6000000);
    ck_assert_uint_eq(second->threads, 3);
    ck_assert_ptr_eq(second->models, first.models);
    ck_assert_uint_eq(second->max_labels, 33);
    ck_assert_uint_eq(second->keep_versions, 2);
    /* What the file says no more is the default again. */
    write_file("{}");
    struct config *third = reload_config(&first, second, &e);
    reload_free(second);
    ck_assert_int_eq(third->deadline, 30000000);
    ck_assert_uint_eq(third->keep_versions, 5);
    ck_assert_str_eq(third->models, "one");
    reload_free(third);
    config_fini(&first);
}
END_TEST

START_TEST(a_bad_file_is_not_taken)
{
    struct config first;

    ck_assert_int_eq(load(&first, "{}", NULL, no_environment), ERR_OK);
    write_file("{\"deadline\":6,\"threads\":-1}");
    ck_assert_ptr_null(reload_config(&first, &first, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "threads"));
    remove(first.file);
    ck_assert_ptr_null(reload_config(&first, &first, &e));
    config_fini(&first);
}
END_TEST

Suite *suite_config(void);
Suite *suite_config(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_table_is_whole);
    tcase_add_test(t, flag_wins_over_environment_over_file_over_default);
    tcase_add_test(t, errors_name_file_and_member);
    tcase_add_test(t, what_is_printed_is_a_file_of_settings);
    tcase_add_test(t, live_rows_change_and_others_stay);
    tcase_add_test(t, a_bad_file_is_not_taken);
    suite_add_tcase(s, t);
    return s;
}
