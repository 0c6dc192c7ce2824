/* Manual: every command and setting is in it, laid out as it should be. */
#include "server/config.h"
#include "server/manual.h"

#include <check.h>
#include <string.h>

static const char *const words[] = {"up", "down", NULL};

static const struct setting few[] = {
    {.name = "odd",
     .type = SETTING_TEXT,
     .value = "A|B",
     .help = "'quoted' \\ back, ~^` and - more"},
    {0},
};

static const struct command serve = {.name = "serve",
                                     .usage = "[SETTINGS]",
                                     .help = "the daemon",
                                     .notes = "A note of some words. It is "
                                              "longer than one line of a "
                                              "terminal, and goes on below.",
                                     .settings = config_settings};
static const struct command odd = {.name = "odd",
                                   .usage = "FILE\n"
                                            "       sparsed odd .dotted",
                                   .help = ".starts with a dot",
                                   .words = words,
                                   .settings = few};
static const struct command bare = {
    .name = "bare", .usage = "", .help = "nothing to set"};

static const struct command *const all[] = {&serve, &odd, &bare, NULL};

static char text[262144];

static const char *print_page(void)
{
    static char page[262144];
    FILE *out = fmemopen(page, sizeof page, "w");

    manual_print_page(out, all, "1.2.3");
    fclose(out);
    return page;
}

static const char *print_help(const struct command *c)
{
    FILE *out = fmemopen(text, sizeof text, "w");

    manual_print_command(out, c);
    fclose(out);
    return text;
}

START_TEST(help_tells_every_setting_with_value_and_default)
{
    const char *help = print_help(&serve);
    char flag[100];

    for (const struct setting *s = config_settings; s->name != NULL; s++) {
        snprintf(flag, sizeof flag, "\n  --%s%s%s", s->name,
                 s->value != NULL ? " " : "", s->value != NULL ? s->value : "");
        ck_assert_msg(strstr(help, flag) != NULL, "no %s", flag);
        if (s->section != NULL) {
            snprintf(flag, sizeof flag, "\n%s:\n", s->section);
            ck_assert_msg(strstr(help, flag) != NULL, "no %s", flag);
        }
    }
    ck_assert_ptr_nonnull(strstr(help, "error, warn, info, debug (info;"));
    ck_assert_ptr_nonnull(strstr(help, "(75; live)"));
    ck_assert_ptr_nonnull(strstr(help, "A note of some words."));
}
END_TEST

START_TEST(help_fits_a_terminal)
{
    for (const char *line = print_help(&serve); *line != 0;) {
        size_t length = strcspn(line, "\n");
        ck_assert_msg(length < 80, "%.*s", (int)length, line);
        ck_assert_msg(length == 0 || line[length - 1] != ' ', "%.*s",
                      (int)length, line);
        line += length + 1;
    }
}
END_TEST

START_TEST(a_command_may_have_nothing_to_set)
{
    ck_assert_str_eq(print_help(&bare),
                     "usage: sparsed bare \n\nnothing to set\n");
}
END_TEST

START_TEST(the_list_has_every_command)
{
    FILE *out = fmemopen(text, sizeof text, "w");

    manual_print_commands(out, all);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "\n  serve       the daemon\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n  bare        nothing to set\n"));
}
END_TEST

START_TEST(the_page_tells_every_setting)
{
    const char *page = print_page();
    char flag[200];

    for (const struct setting *s = config_settings; s->name != NULL; s++) {
        size_t n = (size_t)snprintf(flag, sizeof flag, "\n.TP\n\\fB\\-\\-");
        for (const char *c = s->name; *c != 0; c++)
            n += (size_t)snprintf(flag + n, sizeof flag - n, "%s%c",
                                  *c == '-' ? "\\" : "", *c);
        snprintf(flag + n, sizeof flag - n, "\\fR");
        ck_assert_msg(strstr(page, flag) != NULL, "no %s", flag);
    }
    ck_assert_ptr_nonnull(strstr(page, "\n.SS serve\n"));
    ck_assert_ptr_nonnull(strstr(page, "\"sparsed 1.2.3\""));
}
END_TEST

START_TEST(the_page_shows_what_troff_would_take_for_its_own)
{
    const char *page = print_page();

    ck_assert_ptr_nonnull(strstr(page, "\n\\&.starts with a dot\n"));
    ck_assert_ptr_nonnull(strstr(
        page,
        "\n\\&\\(aqquoted\\(aq \\e back, \\(ti\\(ha\\(ga and \\- more\n"));
    ck_assert_ptr_nonnull(strstr(page, "\nsparsed odd .dotted\n.fi\n"));
}
END_TEST

START_TEST(the_page_is_the_same_each_time)
{
    static char first[262144];

    snprintf(first, sizeof first, "%s", print_page());
    ck_assert_str_eq(print_page(), first);
}
END_TEST

Suite *suite_manual(void);
Suite *suite_manual(void)
{
    Suite *s = suite_create("manual");
    TCase *t = tcase_create("manual");

    tcase_add_test(t, help_tells_every_setting_with_value_and_default);
    tcase_add_test(t, help_fits_a_terminal);
    tcase_add_test(t, a_command_may_have_nothing_to_set);
    tcase_add_test(t, the_list_has_every_command);
    tcase_add_test(t, the_page_tells_every_setting);
    tcase_add_test(t, the_page_shows_what_troff_would_take_for_its_own);
    tcase_add_test(t, the_page_is_the_same_each_time);
    suite_add_tcase(s, t);
    return s;
}
