/* The access log: which requests get a line, and that each is one. */
#include "server/access.h"

#include "api/routes.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "tests/support/caught.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

Suite *suite_access(void);

static struct access rules;
static struct account account;
static struct api_request request;

static void setup(void)
{
    log_set(LOG_INFO, LOG_TEXT);
    rules = (struct access){.second = 0};
    access_set(&rules, 1);
    account_begin(&account);
    request = (struct api_request){.target = "/x", .query = "secret=1"};
}

static void say(const char *id, int status)
{
    request.id = id;
    access_log(&rules, &(struct access_line){.request = &request,
                                             .method = "GET",
                                             .account = &account,
                                             .status = status,
                                             .bytes = 5});
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text != 0; text++)
        n += *text == '\n';
    return n;
}

/* Lines that n requests with ids of their own make. */
static size_t count_logged(size_t n, int status)
{
    char id[24];

    caught_begin();
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "request-%zu", i);
        say(id, status);
    }
    char *text = caught_read();
    size_t lines = count_lines(text);
    mem_free(text);
    return lines;
}

START_TEST(a_line_tells_all_but_the_query)
{
    account.route = &routes[3];
    snprintf(account.model, sizeof account.model, "small");
    account.version = 7;
    account.rows = 3;
    account.stages[STAGE_QUEUE] = 5000;
    account.stages[STAGE_COMPUTE] = 99999;
    caught_begin();
    say("a \"b\"", 200);
    char *text = caught_read();
    ck_assert_ptr_nonnull(strstr(text, "id=\"a \\\"b\\\"\" method=GET "
                                       "path=\"/x\" status=200 us="));
    ck_assert_ptr_nonnull(
        strstr(text, " bytes=5 route=/v1/models/{model}/classify model=small "
                     "version=7 rows=3 queue_us=5 compute_us=99\n"));
    ck_assert_ptr_null(strstr(text, "secret"));
    mem_free(text);
    request.token = "ci";
    request.trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    caught_begin();
    say("a", 200);
    text = caught_read();
    ck_assert_ptr_nonnull(
        strstr(text, " token=\"ci\" trace=4bf92f3577b34da6a3ce929d0e0e4736\n"));
    mem_free(text);
}
END_TEST

START_TEST(a_refusal_tells_its_reason)
{
    account.refusal = METERS_QUEUE;
    caught_begin();
    say("a", 503);
    char *text = caught_read();
    ck_assert_ptr_nonnull(strstr(text, " bytes=5 reason=queue_full\n"));
    mem_free(text);
}
END_TEST

START_TEST(each_line_of_json_parses)
{
    static const char *const ids[] = {"plain",    "q\"uo\\te", "\xc3\xa9",
                                      "\xff\xfe", "{\"a\":1}", "1e5",
                                      "a=b c"};
    struct err e;

    log_set(LOG_INFO, LOG_JSON);
    account.route = &routes[0];
    caught_begin();
    for (size_t i = 0; i < 7; i++) {
        request.target = ids[6 - i];
        say(ids[i], 200);
    }
    char *text = caught_read();
    ck_assert_uint_eq(count_lines(text), 7);
    char *line = text;
    for (size_t i = 0; i < 7; i++) {
        size_t length = strcspn(line, "\n");
        struct json *j = json_parse(line, length, &e);
        ck_assert_msg(j != NULL, "%s: %.*s", e.msg, (int)length, line);
        ck_assert_str_eq(json_text(json_get(j, "event")), "request");
        ck_assert(json_number(json_get(j, "status")) == 200);
        ck_assert(json_is_text(json_get(j, "path")));
        ck_assert(json_is_text(json_get(j, "route")));
        json_free(j);
        line += length + 1;
    }
    mem_free(text);
}
END_TEST

START_TEST(a_share_of_good_requests_is_drawn_by_id)
{
    ck_assert_uint_eq(count_logged(1000, 200), 1000);
    access_set(&rules, 0);
    ck_assert_uint_eq(count_logged(1000, 200), 0);
    access_set(&rules, 0.25);
    size_t n = count_logged(2000, 304);
    ck_assert_uint_gt(n, 420);
    ck_assert_uint_lt(n, 580);
    ck_assert_uint_eq(count_logged(2000, 200), n); /* the same ones */
}
END_TEST

START_TEST(errors_are_logged_whatever_the_share)
{
    access_set(&rules, 0);
    ck_assert_uint_eq(count_logged(50, 404), 50);
    ck_assert_uint_eq(count_logged(1000, 500), 1000);
    ck_assert_uint_eq(count_logged(50, 499), 50);
}
END_TEST

/* The second may turn while it goes on. */
START_TEST(floods_are_cut_and_counted)
{
    size_t n = count_logged(5000, 404);

    ck_assert_uint_ge(n, ACCESS_REFUSALS);
    ck_assert_uint_lt(n, 5000 - ACCESS_REFUSALS);
    account.refusal = METERS_QUEUE;
    ck_assert_uint_lt(count_logged(5000, 503), 5000 - ACCESS_REFUSALS);
    rules.second--; /* the next request is of another second */
    rules.refusals = ACCESS_REFUSALS + 40;
    caught_begin();
    say("next", 200);
    char *text = caught_read();
    ck_assert_ptr_nonnull(strstr(text, " http not-logged refusals=40\n"));
    ck_assert_uint_eq(count_lines(text), 2);
    mem_free(text);
}
END_TEST

Suite *suite_access(void)
{
    Suite *s = suite_create("access");
    TCase *t = tcase_create("access");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_line_tells_all_but_the_query);
    tcase_add_test(t, a_refusal_tells_its_reason);
    tcase_add_test(t, each_line_of_json_parses);
    tcase_add_test(t, a_share_of_good_requests_is_drawn_by_id);
    tcase_add_test(t, errors_are_logged_whatever_the_share);
    tcase_add_test(t, floods_are_cut_and_counted);
    suite_add_tcase(s, t);
    return s;
}
