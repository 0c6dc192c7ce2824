/* Token files, strictly read; tokens that change while they are looked for. */
#include "server/tokens.h"

#include "api/api.h"
#include "lib/base/lock.h"
#include "lib/base/mem.h"
#include "server/tls.h"
#include "server/token_file.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

Suite *suite_tokens(void);

/* SHA-256 of "abc" (FIPS 180-4, the example of its authors) and of "". */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOTHING                                                                \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char *folder;
static struct tokens *tokens;

static void setup(void)
{
    struct err e;

    folder = tmp_folder();
    tokens = tokens_new(&e);
    ck_assert_ptr_nonnull(tokens);
}

static void teardown(void)
{
    tokens_free(tokens);
    tmp_remove(folder);
}

static const char *write_tokens(const char *text)
{
    return tmp_write(folder, "tokens", text, strlen(text));
}

static bool load(const char *text, struct err *e)
{
    return tokens_load(tokens, write_tokens(text), NULL, e) == ERR_OK;
}

static bool find(const char *text, struct token_grant *grant)
{
    return tokens_find(tokens, text, strlen(text), grant);
}

/* ---- the file ---- */

START_TEST(a_file_is_read_line_by_line)
{
    struct err e;
    size_t n;
    struct token *t = token_file_read(
        write_tokens("# who\n\n  a infer " ABC "  # the first\n"
                     "b-2.x\tinfer,learn\t" NOTHING " daily=20 rate=0.5"),
        &n, &e);

    ck_assert_msg(t != NULL, "%s", e.msg);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(t[0].name, "a");
    ck_assert_uint_eq(t[0].scopes, SCOPE_INFER);
    ck_assert(t[0].rate == 0 && t[0].daily == 0);
    ck_assert_uint_eq(t[0].hash[0], 0xba);
    ck_assert_uint_eq(t[0].hash[31], 0xad);
    ck_assert_str_eq(t[1].name, "b-2.x");
    ck_assert_uint_eq(t[1].scopes, SCOPE_INFER | SCOPE_LEARN);
    ck_assert(t[1].rate == 0.5 && t[1].daily == 20);
    mem_free(t);
}
END_TEST

START_TEST(what_is_printed_reads_back)
{
    static const unsigned all[] = {SCOPE_INFER, SCOPE_LEARN,
                                   SCOPE_INFER | SCOPE_LEARN, SCOPE_ALL};
    struct err e;
    size_t n;

    for (size_t i = 0; i < 4; i++) {
        struct token t = {
            .name = "x", .scopes = all[i], .rate = 2.5, .daily = 7};
        char line[TOKEN_LINE_BYTES];
        tls_hash(t.hash, "abc", 3);
        struct token *again = token_file_read(
            write_tokens(token_print(&t, line, sizeof line)), &n, &e);
        ck_assert_msg(again != NULL, "%s: %s", line, e.msg);
        ck_assert(strstr(line, ABC) != NULL);
        ck_assert_uint_eq(again->scopes, all[i]);
        ck_assert(again->rate == 2.5 && again->daily == 7);
        mem_free(again);
    }
}
END_TEST

static const struct {
    const char *text, *words;
} bad_files[] = {
    {"a infer", "line 1: want NAME SCOPES SHA256HEX"},
    {"\n#\na infer sps_x", "line 3: want the token's SHA-256"},
    {"a infer " ABC "0", "line 1: want the token's SHA-256"},
    {"a infer g" ABC, "SHA-256"},
    {"a/b infer " ABC, "name 'a/b'"},
    {"a write " ABC, "scope 'write'"},
    {"a infer, " ABC, "scope ''"},
    {"a infer,,learn " ABC, "scope ''"},
    {"a infer " ABC " rate=0", "rate: want"},
    {"a infer " ABC " rate=1e7", "rate: want"},
    {"a infer " ABC " rate=1x", "rate: want"},
    {"a infer " ABC " rate=1 rate=1", "rate: want one"},
    {"a infer " ABC " daily=1.5", "daily: want"},
    {"a infer " ABC " daily=0", "daily: want"},
    {"a infer " ABC " daily=1e10", "daily: want"},
    {"a infer " ABC " often=1", "'often=1' is neither"},
    {"a infer " ABC "\r\n", "SHA-256"},
    {"a infer " ABC "\nb infer " ABC, "line 2: the same token as 'a'"},
    {"a infer " ABC "\na learn " NOTHING, "line 2: name 'a' is there twice"},
};

START_TEST(a_bad_line_is_named)
{
    struct err e = {0};

    ck_assert(load("good infer " ABC, &e));
    ck_assert(!load(bad_files[_i].text, &e));
    ck_assert_int_eq(e.code, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, bad_files[_i].words) != NULL, "%s", e.msg);
    /* and what was there stays */
    struct token_grant grant;
    ck_assert(find("abc", &grant));
}
END_TEST

START_TEST(a_file_has_limits)
{
    size_t bytes = ((size_t)1 << 20) + 1;
    char *text = malloc(bytes);
    struct err e = {0};

    memset(text, '#', bytes);
    tmp_write(folder, "tokens", text, bytes);
    ck_assert_int_eq(tokens_load(tokens, tmp_path(folder, "tokens"), NULL, &e),
                     ERR_TOO_LARGE);
    size_t used = 0;
    for (int i = 0; i <= TOKEN_FILE_MAX; i++)
        used += (size_t)snprintf(text + used, bytes - used, "t%d infer %064x\n",
                                 i, (unsigned)i);
    ck_assert(!load(text, &e));
    ck_assert_msg(strstr(e.msg, "line 1001: over 1000") != NULL ||
                      strstr(e.msg, "over 1000 tokens") != NULL,
                  "%s", e.msg);
    free(text);
    tmp_write(folder, "tokens", "a\0b", 3);
    ck_assert_int_eq(tokens_load(tokens, tmp_path(folder, "tokens"), NULL, &e),
                     ERR_INVALID);
    ck_assert_int_eq(tokens_load(tokens, tmp_path(folder, "none"), NULL, &e),
                     ERR_NOT_FOUND);
}
END_TEST

/* ---- finding ---- */

START_TEST(a_token_is_found_by_its_hash)
{
    struct token_grant grant = {0};
    struct err e;

    ck_assert(!find("abc", &grant));
    ck_assert(load("a infer " ABC "\nb admin " NOTHING " daily=3", &e));
    ck_assert(find("abc", &grant));
    ck_assert_uint_eq(grant.scopes, SCOPE_INFER);
    ck_assert_str_eq(grant.use->name, "a");
    ck_assert(find("", &grant));
    ck_assert_uint_eq(grant.scopes, SCOPE_ALL);
    ck_assert_uint_eq(grant.daily, 3);
    ck_assert(!find("ab", &grant));
    ck_assert(!find("abc ", &grant));
    ck_assert(!find(ABC, &grant));
}
END_TEST

START_TEST(what_is_used_outlives_reading_again)
{
    struct token_grant before, after;
    struct err e;

    ck_assert(load("a infer " ABC " daily=3", &e));
    ck_assert(find("abc", &before));
    ck_assert(load("# nobody", &e));
    ck_assert(!find("abc", &after));
    /* another token of the name */
    ck_assert(load("a infer " NOTHING " daily=3", &e));
    ck_assert(find("", &after));
    ck_assert_ptr_eq(before.use, after.use);
}
END_TEST

static atomic_bool stop;

static void *look(void *arg)
{
    struct token_grant grant;
    size_t *seen = arg;

    while (!atomic_load(&stop)) {
        ck_assert(find("", &grant));
        ck_assert_str_eq(grant.use->name, "stays");
        if (find("abc", &grant))
            ++*seen;
    }
    return NULL;
}

START_TEST(tokens_change_while_they_are_looked_for)
{
    size_t seen[2] = {0};
    pthread_t threads[2];
    struct err e;

    ck_assert(load("stays infer " NOTHING, &e));
    atomic_store(&stop, false);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start("look", look, &seen[i]);
    for (int i = 0; i < 200; i++)
        ck_assert(load(i % 2 ? "stays infer " NOTHING
                             : "stays infer " NOTHING "\ngoes infer " ABC,
                       &e));
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
}
END_TEST

/* ---- making ---- */

START_TEST(tokens_are_random_letters)
{
    char a[TOKEN_BYTES], b[TOKEN_BYTES];

    token_make(a);
    token_make(b);
    ck_assert_uint_eq(strlen(a), 47);
    ck_assert_uint_eq(strspn(a + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                    "qrstuvwxyz0123456789-_"),
                      43);
    ck_assert(strncmp(a, "sps_", 4) == 0);
    ck_assert_str_ne(a, b);
}
END_TEST

static struct token named(const char *name)
{
    struct token t = {.scopes = SCOPE_INFER};

    snprintf(t.name, sizeof t.name, "%s", name);
    tls_hash(t.hash, name, strlen(name));
    return t;
}

START_TEST(a_line_is_added_to_what_is_there)
{
    const char *path = tmp_path(folder, "new");
    struct token t = named("one");
    struct stat st;
    struct err e;

    ck_assert_int_eq(token_file_add(path, &t, &e), ERR_OK);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    ck_assert_int_eq(token_file_add(path, &t, &e), ERR_CONFLICT);
    /* a last line without its end is ended first */
    path = write_tokens("a infer " ABC);
    ck_assert_int_eq(token_file_add(path, &t, &e), ERR_OK);
    struct token_grant grant;
    ck_assert_int_eq(tokens_load(tokens, path, NULL, &e), ERR_OK);
    ck_assert(find("abc", &grant) && find("one", &grant));
    /* a file with an error is left alone */
    path = write_tokens("nonsense\n");
    ck_assert_int_eq(token_file_add(path, &t, &e), ERR_INVALID);
}
END_TEST

static const char *shared_path;

static void *add_many(void *arg)
{
    for (int i = 0; i < 20; i++) {
        char name[32];
        struct err e = {0};
        snprintf(name, sizeof name, "%s-%d", (const char *)arg, i);
        struct token t = named(name);
        ck_assert_msg(token_file_add(shared_path, &t, &e) == ERR_OK, "%s",
                      e.msg);
    }
    return NULL;
}

START_TEST(two_may_add_at_once)
{
    size_t n;
    struct err e;
    static char x[] = "x", y[] = "y";

    shared_path = tmp_path(folder, "both");
    pthread_t other = thread_start("add", add_many, x);
    add_many(y);
    thread_join(other);
    struct token *t = token_file_read(shared_path, &n, &e);
    ck_assert_ptr_nonnull(t);
    ck_assert_uint_eq(n, 40);
    mem_free(t);
}
END_TEST

START_TEST(the_first_token_is_made_once)
{
    const char *path = tmp_path(folder, "first");
    char text[64] = "";
    struct token_grant grant;
    struct stat st;
    struct err e;

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(tokens_load(tokens, NULL, path, &e), ERR_OK);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    FILE *file = fopen(path, "r");
    ck_assert(fgets(text, sizeof text, file) != NULL);
    fclose(file);
    ck_assert_uint_eq(strlen(text), 48);
    text[47] = 0;
    ck_assert(find(text, &grant));
    ck_assert_uint_eq(grant.scopes, SCOPE_ALL);
    ck_assert_str_eq(grant.use->name, "first");
}
END_TEST

static const char *const bad_firsts[] = {"", "\n", "sps_short\n",
                                         "sps_01234567890123456789012345678901"
                                         "23456789012\nmore\n"};

START_TEST(a_first_token_that_is_none_is_refused)
{
    const char *text = bad_firsts[_i];
    struct err e = {0};

    ck_assert_int_eq(tokens_load(tokens, NULL,
                                 tmp_write(folder, "first", text, strlen(text)),
                                 &e),
                     ERR_INVALID);
    ck_assert_msg(strstr(e.msg, "remove the file") != NULL, "%s", e.msg);
    ck_assert_int_ne(
        tokens_load(tokens, NULL, tmp_path(folder, "none/first"), &e), ERR_OK);
}
END_TEST

Suite *suite_tokens(void)
{
    Suite *s = suite_create("tokens");
    TCase *c = tcase_create("file");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_file_is_read_line_by_line);
    tcase_add_test(c, what_is_printed_reads_back);
    tcase_add_loop_test(c, a_bad_line_is_named, 0,
                        sizeof bad_files / sizeof *bad_files);
    tcase_add_test(c, a_file_has_limits);
    suite_add_tcase(s, c);
    c = tcase_create("finding");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_token_is_found_by_its_hash);
    tcase_add_test(c, what_is_used_outlives_reading_again);
    tcase_add_test(c, tokens_change_while_they_are_looked_for);
    suite_add_tcase(s, c);
    c = tcase_create("making");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, tokens_are_random_letters);
    tcase_add_test(c, a_line_is_added_to_what_is_there);
    tcase_add_test(c, two_may_add_at_once);
    tcase_add_test(c, the_first_token_is_made_once);
    tcase_add_loop_test(c, a_first_token_that_is_none_is_refused, 0,
                        sizeof bad_firsts / sizeof *bad_firsts);
    suite_add_tcase(s, c);
    return s;
}
