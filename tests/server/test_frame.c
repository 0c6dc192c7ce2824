/* Headers: the table, the framing, and what is read out of single ones.
 */
#include "server/frame.h"

#include <check.h>
#include <string.h>

Suite *suite_frame(void);

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static struct frame f;
static struct api_request request;

static void begin(void)
{
    f = (struct frame){0};
    request = (struct api_request){0};
    frame_header(&f, &request, "Host", 4, "x", 1);
}

static void add(const char *name, const char *value)
{
    frame_header(&f, &request, name, strlen(name), value, strlen(value));
}

static const char *flaw(int status)
{
    int got;
    const char *text = frame_find_flaw(&f, "HTTP/1.1", &got);

    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(got, status);
    return text;
}

static void check_well(void)
{
    int status;
    const char *text = frame_find_flaw(&f, "HTTP/1.1", &status);

    ck_assert_msg(text == NULL, "%s", text);
}

START_TEST(every_known_header_finds_its_place)
{
    add("content-TYPE", "a");
    add("Content-Encoding", "b");
    add("Accept", "c");
    add("Accept-Encoding", "d");
    add("If-Match", "e");
    add("If-None-Match", "f");
    add("Idempotency-Key", "g");
    add("Last-Event-ID", "h");
    add("inference-header-content-length", "i");
    add("Origin", "j");
    add("Access-Control-Request-Method", "k");
    add("Access-Control-Request-Headers", "l");
    add("X-Other", "m");
    check_well();
    ck_assert_str_eq(request.content_type, "a");
    ck_assert_str_eq(request.content_encoding, "b");
    ck_assert_str_eq(request.accept, "c");
    ck_assert_str_eq(request.accept_encoding, "d");
    ck_assert_str_eq(request.if_match, "e");
    ck_assert_str_eq(request.if_none_match, "f");
    ck_assert_str_eq(request.idempotency_key, "g");
    ck_assert_str_eq(request.last_event_id, "h");
    ck_assert_str_eq(request.header_length, "i");
    ck_assert_str_eq(request.origin, "j");
    ck_assert_str_eq(request.cors_method, "k");
    ck_assert_str_eq(request.cors_headers, "l");
}
END_TEST

START_TEST(what_readers_would_take_differently_may_not_be_there_twice)
{
    static const char *const names[] = {
        "Content-Type",    "Content-Encoding",
        "Idempotency-Key", "Inference-Header-Content-Length",
        "Origin",          "Request-Timeout"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        begin();
        add(names[i], "5");
        check_well();
        add(names[i], "5");
        flaw(400);
    }
    begin();
    add("Accept", "a");
    add("Accept", "b");
    add("X-Other", "a");
    add("X-Other", "a");
    check_well();
}
END_TEST

START_TEST(a_timeout_is_seconds)
{
    static const struct {
        const char *text;
        usec patience; /* 0: refused */
    } cases[] = {
        {"1", 1000000},
        {"0.25", 250000},
        {"0.001", 1000},
        {"3600", 3600000000},
        {"3600.0", 3600000000},
        {"1.0000009", 1000000},
        {"007", 7000000},
        {"0.0009", 0},
        {"0", 0},
        {"3600.001", 0},
        {"", 0},
        {".5", 0},
        {"5.", 0},
        {"-1", 0},
        {"+1", 0},
        {"1e3", 0},
        {"1 ", 0},
        {"1s", 0},
        {"0x10", 0},
        {"nan", 0},
        {"1.5.2", 0},
        {"99999999999999999999999999", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        add("Request-Timeout", cases[i].text);
        if (cases[i].patience == 0) {
            ck_assert_ptr_nonnull(strstr(flaw(400), "Request-Timeout"));
            continue;
        }
        check_well();
        ck_assert_int_eq(f.patience, cases[i].patience);
    }
}
END_TEST

START_TEST(a_trace_is_taken_from_a_traceparent)
{
    static const char *const good[] = {
        "00-" TRACE "-" PARENT "-01", "00-" TRACE "-" PARENT "-00",
        "cc-" TRACE "-" PARENT "-01", "01-" TRACE "-" PARENT "-01-what-ever",
        "cc-" TRACE "-" PARENT "-01-"};
    static const char *const bad[] = {
        "",
        "00",
        "ff-" TRACE "-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-0g",
        "00-" TRACE "-" PARENT "-01-more",
        "00-" TRACE "-" PARENT "-01.",
        "01-" TRACE "-" PARENT "-01.more",
        "0-" TRACE "-" PARENT "-011",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "0" PARENT "-01",
        " 00-" TRACE "-" PARENT "-01"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        begin();
        add("traceparent", good[i]);
        ck_assert_msg(request.trace != NULL, "%s", good[i]);
        ck_assert_str_eq(request.trace, TRACE);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin();
        add("traceparent", bad[i]);
        ck_assert_msg(request.trace == NULL, "%s", bad[i]);
        check_well();
    }
}
END_TEST

START_TEST(ids_are_short_and_visible)
{
    char text[API_ID_BYTES + 1];

    add("X-Request-Id", "a b\"c");
    ck_assert_str_eq(f.id, "a b\"c");
    begin();
    add("X-Request-Id", "a\tb");
    add("X-Request-Id", "");
    memset(text, 'a', sizeof text);
    text[API_ID_BYTES] = 0;
    add("X-Request-Id", text);
    ck_assert_ptr_null(f.id);
    text[API_ID_BYTES - 1] = 0;
    add("X-Request-Id", text);
    ck_assert_ptr_nonnull(f.id);
}
END_TEST

START_TEST(framing_that_is_read_in_two_ways_is_refused)
{
    add("Content-Length", "5");
    check_well();
    add("Transfer-Encoding", "chunked");
    ck_assert_ptr_nonnull(strstr(flaw(400), "exclude"));
    begin();
    add("Content-Length", "5");
    add("Content-Length", "5");
    flaw(400);
    begin();
    add("Content-Length", "5 ");
    flaw(400);
    begin();
    add("Transfer-Encoding", "gzip, chunked");
    flaw(501);
    begin();
    add("Host", "y");
    flaw(400);
    begin();
    add("A B", "y");
    flaw(400);
    begin();
    add("Expect", "more");
    flaw(417);
    begin();
    f.bytes = 8 * 1024;
    add("A", "b");
    flaw(431);
}
END_TEST

Suite *suite_frame(void)
{
    Suite *s = suite_create("frame");
    TCase *t = tcase_create("frame");

    tcase_add_checked_fixture(t, begin, NULL);
    tcase_add_test(t, every_known_header_finds_its_place);
    tcase_add_test(t,
                   what_readers_would_take_differently_may_not_be_there_twice);
    tcase_add_test(t, a_timeout_is_seconds);
    tcase_add_test(t, a_trace_is_taken_from_a_traceparent);
    tcase_add_test(t, ids_are_short_and_visible);
    tcase_add_test(t, framing_that_is_read_in_two_ways_is_refused);
    suite_add_tcase(s, t);
    return s;
}
