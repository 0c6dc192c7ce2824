/* Log: one event is one line, in both forms, from any thread. */
#include "lib/base/json.h"
#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "tests/support/caught.h"

#include <check.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

Suite *suite_log(void);

/* Ends catching; logging is as it is at first again. */
static char *read_caught(void)
{
    char *text = caught_read();

    log_set(LOG_INFO, LOG_TEXT);
    return text;
}

static void check_matches(const char *text, const char *pattern)
{
    regex_t re;

    ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&re, text, 0, NULL, 0) == 0, "'%s' is not '%s'", text,
                  pattern);
    regfree(&re);
}

#define STAMP "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z"

START_TEST(a_line_has_time_level_component_event_and_pairs)
{
    log_set(LOG_INFO, LOG_TEXT);
    caught_begin();
    log_event(LOG_INFO, "registry", "loaded", "model=%s ms=%d", "faces", 41);
    log_event(LOG_ERROR, "server", "stopped", NULL);
    char *text = read_caught();
    check_matches(text,
                  "^" STAMP " info registry loaded model=faces ms=41\n" STAMP
                  " error server stopped\n$");
    mem_free(text);
}
END_TEST

START_TEST(levels_above_the_wanted_one_are_silent)
{
    log_set(LOG_WARN, LOG_TEXT);
    caught_begin();
    ck_assert(log_enabled(LOG_ERROR) && log_enabled(LOG_WARN));
    ck_assert(!log_enabled(LOG_INFO) && !log_enabled(LOG_DEBUG));
    log_event(LOG_INFO, "a", "b", NULL);
    log_event(LOG_DEBUG, "a", "b", NULL);
    log_event(LOG_WARN, "a", "kept", NULL);
    char *text = read_caught();
    check_matches(text, "^" STAMP " warn a kept\n$");
    mem_free(text);
}
END_TEST

START_TEST(quoted_text_is_a_json_string_that_fits)
{
    char out[64];
    char small[8];
    struct err e = {0};

    ck_assert_str_eq(log_quote(out, sizeof out, "plain"), "\"plain\"");
    ck_assert_str_eq(log_quote(out, sizeof out, "a\"\\\n\x01 b"),
                     "\"a\\\"\\\\\\n\\u0001 b\"");
    ck_assert_str_eq(log_quote(out, sizeof out, "\xFF\xC3\xA9"),
                     "\"\\ufffd\xC3\xA9\"");
    ck_assert_str_eq(log_quote(small, sizeof small, "0123456789"), "\"01234\"");
    ck_assert_str_eq(log_quote(small, sizeof small, "0123\xC3\xA9"),
                     "\"0123\"");
    ck_assert_str_eq(log_quote(small, 2, "x"), "");
    for (int c = 1; c < 256; c++) {
        char text[] = {'a', (char)c, 'b', 0};
        log_quote(out, sizeof out, text);
        ck_assert_int_eq(json_check(out, strlen(out), &e), ERR_OK);
    }
}
END_TEST

START_TEST(hostile_values_stay_within_one_line)
{
    char long_text[8000];

    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    log_set(LOG_INFO, LOG_TEXT);
    caught_begin();
    log_event(LOG_INFO, "a", "b", "path=%s", "x\n2026 error a forged\r");
    log_event(LOG_INFO, "a", "b", "path=%s", long_text);
    log_set(LOG_INFO, LOG_JSON);
    log_event(LOG_INFO, "a", "b", "path=%s z=1", long_text);
    char *text = read_caught();
    size_t lines = 0;
    for (const char *c = text; *c != 0; c++)
        lines += *c == '\n';
    ck_assert_uint_eq(lines, 3);
    ck_assert_uint_eq(text[strlen(text) - 1], '\n');
    ck_assert_ptr_nonnull(strstr(text, "path=x?2026 error a forged?"));
    mem_free(text);
}
END_TEST

START_TEST(the_json_form_is_one_object_with_typed_members)
{
    char quoted[64];
    struct err e = {0};

    log_set(LOG_INFO, LOG_JSON);
    caught_begin();
    log_event(LOG_WARN, "http", "request",
              "id=%s n=%d f=%s yes=true no=null text=%s bad=%s empty= word",
              "a-1", 7, "1.5e3", log_quote(quoted, sizeof quoted, "x \"y\"\n"),
              "01\xFF");
    char *text = read_caught();
    struct json *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s: %s", text, e.msg);
    ck_assert_str_eq(json_text(json_get(j, "level")), "warn");
    ck_assert_str_eq(json_text(json_get(j, "component")), "http");
    ck_assert_str_eq(json_text(json_get(j, "event")), "request");
    ck_assert_str_eq(json_text(json_get(j, "id")), "a-1");
    ck_assert(json_number(json_get(j, "n")) == 7);
    ck_assert(json_number(json_get(j, "f")) == 1500);
    ck_assert(json_bool(json_get(j, "yes")));
    ck_assert_str_eq(json_text(json_get(j, "text")), "x \"y\"\n");
    ck_assert_str_eq(json_text(json_get(j, "bad")), "01\xEF\xBF\xBD");
    ck_assert_str_eq(json_text(json_get(j, "empty")), "");
    ck_assert_str_eq(json_text(json_get(j, "word")), "");
    json_free(j);
    mem_free(text);
}
END_TEST

START_TEST(logging_does_not_allocate)
{
    log_set(LOG_INFO, LOG_JSON);
    caught_begin();
    mem_fail_after(0);
    log_event(LOG_INFO, "a", "b", "k=%s", "v");
    ck_assert_ptr_null(mem_raw(1)); /* the failure is still to come */
    char *text = read_caught();
    ck_assert_ptr_nonnull(strstr(text, "\"k\":\"v\""));
    mem_free(text);
}
END_TEST

static void *chatter(void *arg)
{
    for (int i = 0; i < 500; i++)
        log_event(LOG_INFO, arg, "said", "n=%d pad=%s", i, "................");
    return NULL;
}

START_TEST(lines_of_many_threads_do_not_mix)
{
    static char names[3][8] = {"one", "two", "three"};
    pthread_t threads[3];
    int counts[3] = {0};

    log_set(LOG_INFO, LOG_TEXT);
    caught_begin();
    for (int i = 0; i < 3; i++)
        threads[i] = thread_start("chatter", chatter, names[i]);
    for (int i = 0; i < 3; i++)
        thread_join(threads[i]);
    char *text = read_caught();
    for (char *line = text; *line != 0; line = strchr(line, '\n') + 1) {
        const char *rest = strstr(line, " info ");
        ck_assert_ptr_nonnull(rest);
        for (int i = 0; i < 3; i++) {
            char want[64];
            int n = snprintf(want, sizeof want,
                             " info %s said n=%d pad=................\n",
                             names[i], counts[i]);
            counts[i] += strncmp(rest, want, (size_t)n) == 0;
        }
    }
    ck_assert_int_eq(counts[0] + counts[1] + counts[2], 1500);
    mem_free(text);
}
END_TEST

Suite *suite_log(void)
{
    Suite *s = suite_create("log");
    TCase *text = tcase_create("text");
    TCase *forms = tcase_create("json");
    TCase *threads = tcase_create("threads");

    tcase_add_test(text, a_line_has_time_level_component_event_and_pairs);
    tcase_add_test(text, levels_above_the_wanted_one_are_silent);
    tcase_add_test(text, quoted_text_is_a_json_string_that_fits);
    tcase_add_test(text, hostile_values_stay_within_one_line);
    tcase_add_test(forms, the_json_form_is_one_object_with_typed_members);
    tcase_add_test(forms, logging_does_not_allocate);
    tcase_add_test(threads, lines_of_many_threads_do_not_mix);
    suite_add_tcase(s, text);
    suite_add_tcase(s, forms);
    suite_add_tcase(s, threads);
    return s;
}
