/* Streams against a source that plays from a list.
 */
#include "server/stream.h"

#include <check.h>
#include <string.h>

struct play {
    const char *const *lines; /* "" says nothing; NULL ends */
    size_t asked, closed;
    size_t flood; /* bytes said instead of a line */
};

static bool next(void *arg, struct buf *out)
{
    struct play *p = arg;

    ck_assert_uint_eq(out->length, 0);
    for (size_t i = 0; i < p->flood; i++)
        buf_char(out, 'x');
    const char *line = p->lines[p->asked++];
    if (line != NULL && p->flood == 0)
        buf_text(out, line);
    return line != NULL;
}

static void note_close(void *arg)
{
    struct play *p = arg;

    p->closed++;
}

static void start(struct stream *s, struct play *p, const char *const *lines)
{
    struct api_stream source = {.next = next, .close = note_close, .arg = p};

    *p = (struct play){.lines = lines};
    *s = (struct stream){.taken = 0};
    stream_open(s, &source);
}

START_TEST(all_that_is_said_is_taken_then_it_ends)
{
    const char *const lines[] = {"one", "", "two", NULL};
    const enum stream_state states[] = {STREAM_SAYS, STREAM_QUIET, STREAM_SAYS,
                                        STREAM_ENDED, STREAM_ENDED};
    char got[16] = "";
    struct stream s;
    struct play p;

    start(&s, &p, lines);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(stream_look(&s), states[i]);
        if (states[i] == STREAM_SAYS)
            stream_take(&s, got + strlen(got), sizeof got);
    }
    ck_assert_str_eq(got, "onetwo");
    ck_assert_uint_eq(s.bytes, 6);
    ck_assert_uint_eq(p.asked, 4);
    ck_assert_uint_eq(p.closed, 0);
    stream_close(&s);
}
END_TEST

START_TEST(the_source_is_asked_when_all_is_taken_only)
{
    const char *const lines[] = {"abcdef", "g", NULL};
    char got[4] = "";
    struct stream s;
    struct play p;

    start(&s, &p, lines);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(stream_look(&s), STREAM_SAYS);
    ck_assert_uint_eq(stream_take(&s, got, 4), 4);
    ck_assert_mem_eq(got, "abcd", 4);
    ck_assert_int_eq(stream_look(&s), STREAM_SAYS);
    ck_assert_uint_eq(p.asked, 1);
    ck_assert_uint_eq(stream_take(&s, got, 4), 2);
    ck_assert_mem_eq(got, "ef", 2);
    ck_assert_int_eq(stream_look(&s), STREAM_SAYS);
    ck_assert_uint_eq(p.asked, 2);
    stream_close(&s);
}
END_TEST

START_TEST(a_source_is_closed_once)
{
    const char *const lines[] = {"a", NULL};
    struct stream s = {.taken = 0};
    struct play p;

    stream_close(&s);
    start(&s, &p, lines);
    ck_assert(stream_is_open(&s));
    ck_assert_int_eq(stream_look(&s), STREAM_SAYS);
    stream_close(&s);
    stream_close(&s);
    ck_assert(!stream_is_open(&s));
    ck_assert_uint_eq(p.closed, 1);
}
END_TEST

START_TEST(it_finishes_with_what_was_said_and_a_comment)
{
    const char *const lines[] = {"data: 1\n\n", "data: 2\n\n", NULL};
    char got[64] = "";
    struct stream s;
    struct play p;

    start(&s, &p, lines);
    ck_assert_int_eq(stream_look(&s), STREAM_SAYS);
    size_t n = stream_take(&s, got, 4);
    stream_finish(&s);
    stream_finish(&s);
    while (stream_look(&s) == STREAM_SAYS)
        n += stream_take(&s, got + n, 5);
    ck_assert_str_eq(got, "data: 1\n\n: the server stops\n\n");
    ck_assert_int_eq(stream_look(&s), STREAM_ENDED);
    ck_assert_uint_eq(p.asked, 1);
    stream_close(&s);
}
END_TEST

START_TEST(a_quiet_one_finishes_too)
{
    const char *const lines[] = {"", NULL};
    char got[64] = "";
    struct stream s;
    struct play p;

    start(&s, &p, lines);
    ck_assert_int_eq(stream_look(&s), STREAM_QUIET);
    stream_finish(&s);
    ck_assert_int_eq(stream_look(&s), STREAM_SAYS);
    stream_take(&s, got, sizeof got);
    ck_assert_str_eq(got, ": the server stops\n\n");
    ck_assert_int_eq(stream_look(&s), STREAM_ENDED);
    stream_close(&s);
}
END_TEST

START_TEST(one_that_says_too_much_at_once_breaks)
{
    const char *const lines[] = {"", "", NULL};
    static char got[STREAM_MAX_BYTES];
    struct stream s;
    struct play p;

    start(&s, &p, lines);
    p.flood = STREAM_MAX_BYTES;
    ck_assert_int_eq(stream_look(&s), STREAM_SAYS);
    /* With no room for the last words it ends all the same. */
    stream_finish(&s);
    ck_assert_uint_eq(stream_take(&s, got, sizeof got), STREAM_MAX_BYTES);
    ck_assert_int_eq(stream_look(&s), STREAM_ENDED);
    stream_close(&s);

    start(&s, &p, lines);
    p.flood = STREAM_MAX_BYTES + 1;
    ck_assert_int_eq(stream_look(&s), STREAM_BROKEN);
    ck_assert_int_eq(stream_look(&s), STREAM_BROKEN);
    ck_assert_uint_eq(p.asked, 1);
    stream_close(&s);
    ck_assert_uint_eq(p.closed, 1);
}
END_TEST

START_TEST(a_broken_one_says_nothing_more)
{
    const char *const lines[] = {"a", "b", NULL};
    struct stream s;
    struct play p;

    start(&s, &p, lines);
    ck_assert_int_eq(stream_look(&s), STREAM_SAYS);
    stream_break(&s);
    ck_assert_int_eq(stream_look(&s), STREAM_BROKEN);
    stream_finish(&s);
    ck_assert_int_eq(stream_look(&s), STREAM_BROKEN);
    stream_close(&s);
}
END_TEST

Suite *suite_stream(void);
Suite *suite_stream(void)
{
    Suite *s = suite_create("stream");
    TCase *t = tcase_create("stream");

    tcase_add_test(t, all_that_is_said_is_taken_then_it_ends);
    tcase_add_test(t, the_source_is_asked_when_all_is_taken_only);
    tcase_add_test(t, a_source_is_closed_once);
    tcase_add_test(t, it_finishes_with_what_was_said_and_a_comment);
    tcase_add_test(t, a_quiet_one_finishes_too);
    tcase_add_test(t, one_that_says_too_much_at_once_breaks);
    tcase_add_test(t, a_broken_one_says_nothing_more);
    suite_add_tcase(s, t);
    return s;
}
