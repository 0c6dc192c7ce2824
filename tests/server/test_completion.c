/* Completion: what every script has to know, and its quoting. How bash behaves
 * with its own is in tests/cli/test_settings.py. */
#include "server/completion.h"
#include "server/config.h"

#include <check.h>
#include <string.h>

static const char *const words[] = {"up", "down", NULL};

static const struct setting few[] = {
    {.name = "out",
     .type = SETTING_TEXT,
     .value = "FILE.png",
     .help = "isn't [this]: a \\ test"},
    {.name = "from", .type = SETTING_TEXT, .value = "DIR", .help = "where"},
    {.name = "all", .type = SETTING_FLAG, .help = "everything"},
    {0},
};

static const struct command serve = {
    .name = "serve", .help = "the daemon", .settings = config_settings};
static const struct command draw = {
    .name = "draw", .help = "draws", .words = words, .settings = few};
static const struct command bare = {.name = "bare", .help = "nothing to set"};

static const struct command *const all[] = {&serve, &draw, &bare, NULL};

enum { BASH, ZSH, FISH };

static const char *print(size_t shell)
{
    static char text[262144];
    FILE *out = fmemopen(text, sizeof text, "w");

    completion_print(out, shell, all);
    fclose(out);
    return text;
}

static void has(const char *text, const char *words_of_it)
{
    ck_assert_msg(strstr(text, words_of_it) != NULL, "no %s", words_of_it);
}

START_TEST(the_shells_are_listed_in_order)
{
    ck_assert_str_eq(completion_shells[BASH], "bash");
    ck_assert_str_eq(completion_shells[ZSH], "zsh");
    ck_assert_str_eq(completion_shells[FISH], "fish");
    ck_assert_ptr_null(completion_shells[FISH + 1]);
}
END_TEST

START_TEST(every_setting_is_in_every_script)
{
    static const char *const before[] = {" --", "'--", " -l "};
    const char *text = print((size_t)_i);
    char flag[100];

    for (const struct setting *s = config_settings; s->name != NULL; s++) {
        snprintf(flag, sizeof flag, "%s%s", before[_i], s->name);
        has(text, flag);
    }
}
END_TEST

START_TEST(bash_knows_what_a_value_can_be)
{
    const char *text = print(BASH);

    has(text, "serve:--log) value=words words='text json' ;;\n");
    has(text, "serve:--models) value=folder ;;\n");
    has(text, "serve:--config) value=file ;;\n");
    has(text, "serve:--threads) value=other ;;\n");
    has(text, "draw:--out) value=file ;;\n");
    has(text,
        "draw:draw) [[ $word == -* ]] || value=words words='up down' ;;\n");
    ck_assert_ptr_null(strstr(text, "draw:--all)"));
    has(text, "bare) flags='--help' ;;\n");
}
END_TEST

START_TEST(zsh_knows_what_a_value_can_be)
{
    const char *text = print(ZSH);

    ck_assert_int_eq(strncmp(text, "#compdef sparsed\n", 17), 0);
    has(text, "'--log=[how to log]:FORMAT:(text json)'");
    has(text, "'--out=[isn'\\''t \\[this\\]\\: a \\\\ test]:FILE.png:_files'");
    has(text, "'--from=[where]:DIR:_files -/'");
    has(text, "'--all[everything]'");
    has(text, "'1:word:(up down)'");
}
END_TEST

START_TEST(fish_knows_what_a_value_can_be)
{
    const char *text = print(FISH);

    has(text, "-l log -x -a 'text json' -d 'how to log'\n");
    has(text, "-l out -r -F -d 'isn\\'t [this]: a \\\\ test'\n");
    has(text, "-l from -x -a '(__fish_complete_directories)' -d 'where'\n");
    has(text, "-l all -d 'everything'\n");
    has(text, "-f -a 'up down'\n");
    has(text, "-n __fish_use_subcommand -f -a bare -d 'nothing to set'\n");
}
END_TEST

Suite *suite_completion(void);
Suite *suite_completion(void)
{
    Suite *s = suite_create("completion");
    TCase *t = tcase_create("completion");

    tcase_add_test(t, the_shells_are_listed_in_order);
    tcase_add_loop_test(t, every_setting_is_in_every_script, 0, FISH + 1);
    tcase_add_test(t, bash_knows_what_a_value_can_be);
    tcase_add_test(t, zsh_knows_what_a_value_can_be);
    tcase_add_test(t, fish_knows_what_a_value_can_be);
    suite_add_tcase(s, t);
    return s;
}
