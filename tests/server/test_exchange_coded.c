/* Coded bodies and replies on their way through an exchange, and what they
 * count for.
 */
#include "server/exchange.h"

#include "lib/base/log.h"
#include "lib/data/gzip.h"
#include "tests/api/client.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

Suite *suite_exchange_coded(void);

#define MAX_BODY 4096
#define ENCODE "/v1/models/small/encode"
#define ONE "{\"inputs\":[[0,1,0,1,0,1]]}"

static struct client c;
static struct exchange_rules rules;
static struct exchange x;
static struct buf coded;

static void setup(void)
{
    log_set(LOG_ERROR, LOG_TEXT);
    client_open(&c);
    rules = (struct exchange_rules){.api = &c.api,
                                    .max_body = MAX_BODY,
                                    .max_held = 1 << 20,
                                    .packs = true};
    x = (struct exchange){.held = 0};
    exchange_init(&x, &rules);
    buf_init(&coded, 1 << 16);
}

static void teardown(void)
{
    exchange_end(&x, true);
    ck_assert_uint_eq(atomic_load(&rules.held), 0);
    exchange_fini(&x);
    buf_fini(&coded);
    client_close(&c);
}

static void add_header(const char *name, const char *value)
{
    exchange_header(&x, name, strlen(name), value, strlen(value));
}

/* A text of the length that begins with ONE, coded. */
static void code(size_t length, enum gzip_form form)
{
    char text[2 * MAX_BODY];
    struct err e;

    memset(text, ' ', sizeof text);
    memcpy(text, ONE, strlen(ONE));
    buf_reset(&coded);
    ck_assert_int_eq(gzip_deflate(&coded, text, length, form, GZIP_QUICK, &e),
                     ERR_OK);
}

/* Sends what `coded` holds; the reply must have the status. */
static void ask(const char *coding, const char *target, int status)
{
    char length[24];

    snprintf(length, sizeof length, "%zu", coded.length);
    ck_assert(exchange_begin(&x, target));
    add_header("Host", "x");
    add_header("Content-Length", length);
    add_header("Content-Type", "application/json");
    add_header("Content-Encoding", coding);
    add_header("Accept-Encoding", "gzip");
    ck_assert_int_eq(exchange_decide(&x, "POST", "HTTP/1.1"), EXCHANGE_GO_ON);
    ck_assert(exchange_body(&x, coded.data, coded.length));
    ck_assert(exchange_run(&x));
    ck_assert_msg(x.response.status == status, "%d, want %d: %s",
                  x.response.status, status, x.response.body.data);
}

START_TEST(coded_bodies_mean_what_plain_ones_do)
{
    code(strlen(ONE), GZIP_FORM);
    ask("gzip", ENCODE, 200);
    ck_assert_ptr_nonnull(strstr(x.response.body.data, "\"codes\":"));
    exchange_end(&x, true);
    code(strlen(ONE), ZLIB_FORM);
    ask("deflate", ENCODE, 200);
    exchange_end(&x, true);
    /* An empty body is one, whatever it is said to be. */
    buf_reset(&coded);
    ask("gzip", ENCODE, 400);
    ck_assert_ptr_null(strstr(x.response.body.data, "Encoding"));
}
END_TEST

START_TEST(the_limit_is_the_plain_bodys)
{
    code(MAX_BODY, GZIP_FORM);
    ask("gzip", ENCODE, 200);
    exchange_end(&x, true);
    ck_assert_uint_eq(atomic_load(&rules.held), 0);
    code(MAX_BODY + 1, GZIP_FORM);
    ask("gzip", ENCODE, 413);
    ck_assert_ptr_nonnull(strstr(x.response.body.data, "--max-body"));
}
END_TEST

START_TEST(damage_is_told)
{
    code(1000, GZIP_FORM);
    buf_cut(&coded, coded.length - 1);
    ask("gzip", ENCODE, 400);
    ck_assert_ptr_nonnull(
        strstr(x.response.body.data, "Content-Encoding gzip"));
    exchange_end(&x, true);
    code(1000, ZLIB_FORM);
    buf_text(&coded, "GET / HTTP/1.1\r\n");
    ask("deflate", ENCODE, 400);
}
END_TEST

START_TEST(plain_bytes_count_for_what_may_be_held)
{
    code(MAX_BODY, GZIP_FORM);
    rules.max_held = coded.length + 1000;
    ask("gzip", ENCODE, 503);
    ck_assert_ptr_nonnull(strstr(x.response.body.data, "--max-held"));
    exchange_end(&x, true);
    ck_assert_uint_eq(atomic_load(&rules.held), 0);
    rules.max_held = coded.length + 2 * MAX_BODY;
    ask("gzip", ENCODE, 200);
}
END_TEST

START_TEST(nothing_is_inflated_for_models_that_are_not_there_yet)
{
    struct registry *registry = c.api.registry;

    code(MAX_BODY + 1, GZIP_FORM);
    c.api.registry = NULL;
    ask("gzip", ENCODE, 503);
    ck_assert_ptr_nonnull(strstr(x.response.body.data, "being loaded"));
    c.api.registry = registry;
}
END_TEST

START_TEST(a_packed_reply_counts_as_what_is_left_of_it)
{
    struct err e;
    struct buf text;

    buf_init(&text, MAX_BODY);
    buf_text(&text, "{\"inputs\":[[0,1,0,1,0,1]");
    for (int i = 0; i < 40; i++)
        buf_text(&text, ",[0,1,0,1,0,1]");
    buf_text(&text, "]}");
    ck_assert_int_eq(
        gzip_deflate(&coded, text.data, text.length, GZIP_FORM, GZIP_QUICK, &e),
        ERR_OK);
    buf_fini(&text);
    ask("gzip", ENCODE, 200);
    size_t length = x.response.body.length;
    size_t held = atomic_load(&rules.held);
    atomic_store(&rules.packs, false);
    exchange_pack(&x);
    ck_assert_uint_eq(x.response.body.length, length);
    atomic_store(&rules.packs, true);
    exchange_pack(&x);
    ck_assert_uint_lt(x.response.body.length, length);
    ck_assert(gzip_is(x.response.body.data, x.response.body.length));
    ck_assert_uint_lt(atomic_load(&rules.held), held);
    ck_assert_uint_ge(atomic_load(&rules.held), x.response.body.length);
}
END_TEST

Suite *suite_exchange_coded(void)
{
    Suite *s = suite_create("exchange_coded");
    TCase *t = tcase_create("exchange_coded");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, coded_bodies_mean_what_plain_ones_do);
    tcase_add_test(t, the_limit_is_the_plain_bodys);
    tcase_add_test(t, damage_is_told);
    tcase_add_test(t, plain_bytes_count_for_what_may_be_held);
    tcase_add_test(t, nothing_is_inflated_for_models_that_are_not_there_yet);
    tcase_add_test(t, a_packed_reply_counts_as_what_is_left_of_it);
    suite_add_tcase(s, t);
    return s;
}
