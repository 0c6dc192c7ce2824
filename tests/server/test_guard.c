/* Who may ask, from settings and headers to a refusal. */
#include "server/guard.h"

#include "api/cors.h"
#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "server/origin.h"
#include "server/tls.h"
#include "server/token_file.h"
#include "tests/api/client.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_guard(void);

#define MODELS "/v1/models"
#define SAMPLES "/v1/models/small/samples"

static struct client c;
static char *folder;
static struct guard *guard;
static struct guard_settings settings;

static void setup(void)
{
    log_set(LOG_ERROR, LOG_TEXT);
    client_open(&c);
    folder = tmp_folder();
    guard = NULL;
    settings = (struct guard_settings){.loopback = false};
}

static void teardown(void)
{
    guard_close(guard);
    tmp_remove(folder);
    client_close(&c);
}

static void open_guard(void)
{
    struct err e = {0};

    guard = guard_open(&c.api, &settings, &e);
    ck_assert_msg(guard != NULL, "%s", e.msg);
}

/* A token file in which each name is its own token. */
static void write_tokens(const char *one, const char *rest)
{
    struct token t = {.scopes = SCOPE_LEARN};
    char line[TOKEN_LINE_BYTES], text[2 * TOKEN_LINE_BYTES];

    snprintf(t.name, sizeof t.name, "%s", one);
    tls_hash(t.hash, one, strlen(one));
    snprintf(text, sizeof text, "%s%s\n", token_print(&t, line, sizeof line),
             rest);
    settings.tokens = tmp_write(folder, "tokens", text, strlen(text));
}

/* The status of a refusal, 0 if there is none; its detail is in the reply. */
static int ask(struct guard_sender sender, const char *target)
{
    api_response_fini(&c.response);
    api_response_init(&c.response);
    c.request = (struct api_request){
        .method = "GET", .target = target, .id = "x", .memory = &c.memory};
    if (sender.method == NULL)
        sender.method = "GET";
    return guard_refuse(guard, &sender, &c.request, &c.response)
               ? c.response.status
               : 0;
}

static bool says(const char *words)
{
    return strstr(c.response.body.data, words) != NULL;
}

static int ask_with(const char *authorization, const char *target)
{
    return ask(
        (struct guard_sender){.client = 1, .authorization = authorization},
        target);
}

/* ---- scopes ---- */

static const struct {
    bool tokens, loopback;
    const char *anonymous;
    unsigned scopes;
} openings[] = {
    {false, false, NULL, SCOPE_INFER},
    {false, true, NULL, SCOPE_ALL},
    {true, false, NULL, 0},
    {true, true, NULL, 0},
    {false, true, "none", 0},
    {true, false, "infer", SCOPE_INFER},
    {true, false, "infer,learn", SCOPE_INFER | SCOPE_LEARN},
    {false, false, "admin", SCOPE_ALL},
};

START_TEST(anybody_may_do_what_is_open)
{
    settings.loopback = openings[_i].loopback;
    settings.anonymous = openings[_i].anonymous;
    if (openings[_i].tokens)
        write_tokens("a", "");
    open_guard();
    ck_assert_int_eq(ask_with(NULL, MODELS), 0);
    ck_assert_uint_eq(c.request.scopes, openings[_i].scopes);
    ck_assert(!c.request.has_token);
    ck_assert(c.request.takes_tokens == openings[_i].tokens);
}
END_TEST

START_TEST(bad_settings_are_named)
{
    struct err e = {0};

    settings.anonymous = "everything";
    ck_assert_ptr_null(guard_open(&c.api, &settings, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert(strstr(e.msg, "--anonymous: scope 'everything'") != NULL);
    settings.anonymous = NULL;
    settings.tokens = tmp_path(folder, "none");
    ck_assert_ptr_null(guard_open(&c.api, &settings, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
}
END_TEST

START_TEST(reloading_is_all_or_nothing)
{
    struct err e = {0};
    struct guard_settings wrong;

    write_tokens("a", "");
    open_guard();
    wrong = settings;
    wrong.anonymous = "all";
    wrong.rate = 1e-3;
    ck_assert_int_eq(guard_reload(guard, &wrong, &e), ERR_INVALID);
    wrong.anonymous = "infer";
    wrong.tokens = tmp_write(folder, "bad", "x", 1);
    ck_assert_int_eq(guard_reload(guard, &wrong, &e), ERR_INVALID);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ask_with("Bearer a", MODELS), 0);
    ck_assert_uint_eq(c.request.scopes, SCOPE_LEARN);
    settings.anonymous = "infer";
    ck_assert_int_eq(guard_reload(guard, &settings, &e), ERR_OK);
    ck_assert_int_eq(ask_with("Bearer a", MODELS), 0);
    ck_assert_uint_eq(c.request.scopes, SCOPE_LEARN | SCOPE_INFER);
    ck_assert_str_eq(c.request.token, "a");
}
END_TEST

/* ---- tokens ---- */

static const struct {
    const char *authorization;
    bool good;
} headers[] = {
    {"Bearer a", true},  {"bearer a", true},    {"BEARER   a", true},
    {"Bearer b", false}, {"Bearer a ", false},  {"Bearer ", false},
    {"Bearer", false},   {"Basic YTo=", false}, {"a", false},
    {"", false},
};

START_TEST(only_a_known_bearer_is_good)
{
    write_tokens("a", "");
    open_guard();
    int status = ask_with(headers[_i].authorization, SAMPLES);
    ck_assert_int_eq(status, headers[_i].good ? 0 : 401);
    ck_assert(c.request.has_token == headers[_i].good);
    ck_assert_uint_eq(c.request.scopes, headers[_i].good ? SCOPE_LEARN : 0);
    if (!headers[_i].good) {
        ck_assert_str_eq(client_header(&c, "WWW-Authenticate"),
                         "Bearer error=\"invalid_token\"");
        ck_assert_int_eq(c.response.account.refusal, METERS_TOKEN);
    }
    /* open to anybody, whatever he brings */
    ck_assert_int_eq(ask_with(headers[_i].authorization, "/healthz"), 0);
    ck_assert_int_eq(ask_with(headers[_i].authorization, "/nowhere"),
                     headers[_i].good ? 0 : 401);
}
END_TEST

START_TEST(a_long_token_is_none)
{
    char text[1000] = "Bearer ";

    write_tokens("a", "");
    open_guard();
    memset(text + 7, 'a', sizeof text - 8);
    ck_assert_int_eq(ask_with(text, MODELS), 401);
}
END_TEST

START_TEST(without_tokens_nobody_looks_at_them)
{
    settings.loopback = true;
    open_guard();
    ck_assert_int_eq(ask_with("Bearer a", MODELS), 0);
    ck_assert_uint_eq(c.request.scopes, SCOPE_ALL);
    ck_assert(!c.request.has_token);
}
END_TEST

/* ---- limits ---- */

static unsigned retry_after(void)
{
    const char *text = client_header(&c, "Retry-After");
    unsigned seconds = 0;

    ck_assert_ptr_nonnull(text);
    for (; *text != 0; text++)
        seconds = 10 * seconds + (unsigned)(*text - '0');
    return seconds;
}

START_TEST(an_address_has_a_rate)
{
    settings.rate = 0.01;
    settings.rate_burst = 2;
    open_guard();
    ck_assert_int_eq(ask((struct guard_sender){.client = 5}, MODELS), 0);
    ck_assert_int_eq(ask((struct guard_sender){.client = 5}, "/nowhere"), 0);
    ck_assert_int_eq(ask((struct guard_sender){.client = 5}, MODELS), 429);
    ck_assert_uint_le(retry_after(), 100);
    ck_assert_uint_ge(retry_after(), 90);
    ck_assert(says("--rate"));
    ck_assert_int_eq(c.response.account.refusal, METERS_RATE);
    /* but not for probes, nor for others */
    ck_assert_int_eq(ask((struct guard_sender){.client = 5}, "/readyz"), 0);
    ck_assert_int_eq(ask((struct guard_sender){.client = 5}, "/"), 0);
    ck_assert_int_eq(ask((struct guard_sender){.client = 6}, MODELS), 0);
    struct err e;
    settings.rate = 0;
    ck_assert_int_eq(guard_reload(guard, &settings, &e), ERR_OK);
    ck_assert_int_eq(ask((struct guard_sender){.client = 5}, MODELS), 0);
}
END_TEST

START_TEST(a_token_has_a_rate_and_a_quota)
{
    write_tokens("a", " daily=2");
    open_guard();
    ck_assert_int_eq(ask_with("Bearer a", MODELS), 0);
    ck_assert_int_eq(ask_with("Bearer a", "/healthz"), 0);
    ck_assert_int_eq(ask_with("Bearer a", MODELS), 0);
    ck_assert_int_eq(ask_with("Bearer a", MODELS), 429);
    ck_assert(says("2 requests of today"));
    ck_assert_uint_le(retry_after(), 86400);
    ck_assert_int_eq(c.response.account.refusal, METERS_QUOTA);
    ck_assert_int_eq(ask_with("Bearer a", "/healthz"), 0);
    struct err e;
    write_tokens("a", " daily=3 rate=0.001");
    ck_assert_int_eq(guard_reload(guard, &settings, &e), ERR_OK);
    ck_assert_int_eq(ask_with("Bearer a", MODELS), 0);
    ck_assert_int_eq(ask_with("Bearer a", MODELS), 429);
    ck_assert(says("its rate"));
    ck_assert_uint_ge(retry_after(), 990);
}
END_TEST

/* ---- pages ---- */

static const struct {
    const char *method, *origin, *host, *site;
    bool loopback, refused;
} pages[] = {
    /* programs */
    {"POST", NULL, "anything", NULL, true, false},
    {"POST", NULL, NULL, NULL, false, false},
    /* our own pages */
    {"POST", "http://localhost:80", "localhost:80", "same-origin", true, false},
    {"POST", "https://a.example", "A.example", "same-origin", false, false},
    {"POST", NULL, "a.example", "none", false, false},
    {"GET", NULL, "127.0.0.9:1", "none", true, false},
    {"GET", NULL, "[::1]:80", "same-origin", true, false},
    {"GET", NULL, "demo.localhost", "same-origin", true, false},
    /* those of others may look, as far as browsers let them, */
    {"GET", "http://evil.example", "a.example", "cross-site", false, false},
    {"OPTIONS", "http://evil.example", "a.example", NULL, false, false},
    /* and do nothing */
    {"POST", "http://evil.example", "a.example", NULL, false, true},
    {"PUT", "http://evil.example", "localhost", "cross-site", true, true},
    {"DELETE", "http://localhost:81", "localhost:80", NULL, true, true},
    {"POST", "null", "localhost", NULL, true, true},
    {"POST", "", "", NULL, false, true},
    {"POST", NULL, "a.example", "cross-site", false, true},
    {"POST", NULL, "a.example", "same-site", false, true},
    {"POST", "http://a.example", "a.example", "cross-site", false, true},
    {"POST", "http://a.example.evil.example", "a.example", NULL, false, true},
    /* a name that points here of a sudden */
    {"GET", NULL, "evil.example", "same-origin", true, true},
    {"POST", "http://evil.example", "evil.example", "same-origin", true, true},
    {"GET", NULL, "128.0.0.1", "none", true, true},
    {"GET", NULL, "127.0.0.1.evil.example", "none", true, true},
    {"GET", NULL, "localhost.evil.example", "none", true, true},
    {"GET", NULL, "notlocalhost", "none", true, true},
    {"GET", "http://x", NULL, NULL, true, true},
};

START_TEST(pages_of_others_are_refused)
{
    struct origin o = {
        .method = pages[_i].method,
        .origin = pages[_i].origin,
        .host = pages[_i].host,
        .fetch_site = pages[_i].site,
        .loopback = pages[_i].loopback,
    };
    const char *why = origin_refuse(&o);

    ck_assert_msg((why != NULL) == pages[_i].refused, "%d: %s", _i, why);
}
END_TEST

/* Also a proxy's, that hands its own Host on. */
START_TEST(pages_of_listed_sites_may)
{
    struct origin o = {.method = "POST", .loopback = true};
    struct err e;

    o.cors = cors_new(&e);
    ck_assert_int_eq(cors_set(o.cors, "https://a.example", &e), ERR_OK);
    o.host = "localhost";
    o.origin = "https://a.example";
    o.fetch_site = "cross-site";
    ck_assert_ptr_null(origin_refuse(&o));
    o.origin = "http://a.example";
    ck_assert_ptr_nonnull(origin_refuse(&o));
    o.method = "GET";
    o.host = "a.example";
    o.origin = NULL;
    o.fetch_site = "same-origin";
    ck_assert_ptr_null(origin_refuse(&o));
    o.host = "b.example";
    ck_assert_ptr_nonnull(origin_refuse(&o));
    ck_assert_int_eq(cors_set(o.cors, "*", &e), ERR_OK);
    ck_assert_ptr_null(origin_refuse(&o));
    cors_free(o.cors);
}
END_TEST

START_TEST(a_refused_page_is_told)
{
    settings.loopback = true;
    open_guard();
    int status = ask((struct guard_sender){.method = "POST",
                                           .host = "localhost",
                                           .fetch_site = "cross-site"},
                     "/v2/models/small/infer");
    ck_assert_int_eq(status, 403);
    ck_assert(says("{\"error\":"));
    ck_assert_int_eq(c.response.account.refusal, METERS_ORIGIN);
}
END_TEST

/* ---- threads ---- */

static void *ask_often(void *arg)
{
    size_t *admitted = arg;

    for (int i = 0; i < 3000; i++) {
        struct api_request request = {
            .method = "GET", .target = MODELS, .id = "x"};
        struct api_response response;
        struct guard_sender sender = {
            .client = 1, .method = "GET", .authorization = "Bearer a"};
        api_response_init(&response);
        if (guard_refuse(guard, &sender, &request, &response))
            ck_assert_int_eq(response.status, 429);
        else
            ++*admitted;
        api_response_fini(&response);
    }
    return NULL;
}

START_TEST(threads_ask_while_settings_change)
{
    size_t admitted[2] = {0};
    pthread_t threads[2];
    struct err e;

    write_tokens("a", " daily=1000");
    open_guard();
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start("ask", ask_often, &admitted[i]);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(guard_reload(guard, &settings, &e), ERR_OK);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    ck_assert_uint_ge(admitted[0] + admitted[1], 1000);
    /* twice that if midnight has passed */
    ck_assert((admitted[0] + admitted[1]) % 1000 == 0);
}
END_TEST

Suite *suite_guard(void)
{
    Suite *s = suite_create("guard");
    TCase *t = tcase_create("scopes");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, anybody_may_do_what_is_open, 0,
                        sizeof openings / sizeof *openings);
    tcase_add_test(t, bad_settings_are_named);
    tcase_add_test(t, reloading_is_all_or_nothing);
    suite_add_tcase(s, t);
    t = tcase_create("tokens");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, only_a_known_bearer_is_good, 0,
                        sizeof headers / sizeof *headers);
    tcase_add_test(t, a_long_token_is_none);
    tcase_add_test(t, without_tokens_nobody_looks_at_them);
    suite_add_tcase(s, t);
    t = tcase_create("limits");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_address_has_a_rate);
    tcase_add_test(t, a_token_has_a_rate_and_a_quota);
    suite_add_tcase(s, t);
    t = tcase_create("pages");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, pages_of_others_are_refused, 0,
                        sizeof pages / sizeof *pages);
    tcase_add_test(t, pages_of_listed_sites_may);
    tcase_add_test(t, a_refused_page_is_told);
    suite_add_tcase(s, t);
    t = tcase_create("threads");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, threads_ask_while_settings_change);
    suite_add_tcase(s, t);
    return s;
}
