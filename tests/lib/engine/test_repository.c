/* Repository: what counts as a version of a model, and in which order. */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/engine/repository.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

Suite *suite_repository(void);

static char *folder;

static enum err_code refuse(void *arg, const char *name, const struct err *why,
                            struct err *e)
{
    (void)arg;
    ck_assert_str_eq(name, "b");
    return err_set(e, ERR_CONFLICT, "refused: %s", why->msg);
}

static const struct repository_refusal refusal = {.call = refuse};

static void setup(void)
{
    folder = tmp_folder();
}

static void teardown(void)
{
    tmp_remove(folder);
}

/* An empty model file at folder/path. */
static void touch(const char *path)
{
    struct err e;
    char parent[256];

    snprintf(parent, sizeof parent, "%s", tmp_path(folder, path));
    *strrchr(parent, '/') = 0;
    ck_assert_msg(file_make_folders(parent, &e) == ERR_OK, "%s", e.msg);
    tmp_write(folder, path, "", 0);
}

START_TEST(versions_come_by_name_then_number)
{
    struct err e;
    size_t n;
    static const struct {
        const char *name;
        uint64_t version;
    } want[] = {{"a", 1}, {"a", 2}, {"a", 10}, {"a.b-c_D9", 1001}, {"b", 3}};

    touch("b/3/model.safetensors");
    touch("a/10/model.safetensors");
    touch("a/2/model.safetensors");
    touch("a.b-c_D9/1001/model.safetensors");
    touch("a/1/model.safetensors");
    struct repository_entry *list = repository_scan(folder, &refusal, &n, &e);
    ck_assert_ptr_nonnull(list);
    ck_assert_uint_eq(n, sizeof want / sizeof *want);
    for (size_t i = 0; i < n; i++) {
        ck_assert_str_eq(list[i].name, want[i].name);
        ck_assert_uint_eq(list[i].version, want[i].version);
    }
    mem_free(list);
}
END_TEST

START_TEST(what_is_no_version_is_passed_over)
{
    struct err e;
    size_t n;
    static const char *const paths[] = {
        ".hidden/1/model.safetensors",
        "with space/1/model.safetensors",
        "a/0/model.safetensors",
        "a/01/model.safetensors",
        "a/-1/model.safetensors",
        "a/+1/model.safetensors",
        "a/1x/model.safetensors",
        "a/1234567890123456789/model.safetensors",
        "a/3/other.safetensors",
        "a/4/model.safetensors/inside",
        "a/model.safetensors",
        "model.safetensors",
        "7/file",
    };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        touch(paths[i]);
    touch("a/5/model.safetensors");
    touch("a/123456789012345678/model.safetensors");
    struct repository_entry *list = repository_scan(folder, &refusal, &n, &e);
    ck_assert_ptr_nonnull(list);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(list[0].name, "a");
    ck_assert_uint_eq(list[0].version, 5);
    ck_assert_uint_eq(list[1].version, 123456789012345678);
    mem_free(list);
}
END_TEST

START_TEST(an_empty_folder_gives_no_entries_and_no_error)
{
    struct err e;
    size_t n = 7;
    struct repository_entry *list = repository_scan(folder, &refusal, &n, &e);

    ck_assert_ptr_nonnull(list);
    ck_assert_uint_eq(n, 0);
    mem_free(list);
}
END_TEST

START_TEST(a_missing_folder_and_a_file_are_not_found)
{
    struct err e;
    size_t n;

    ck_assert_ptr_null(
        repository_scan(tmp_path(folder, "none"), &refusal, &n, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "/none"));
    ck_assert_ptr_null(
        repository_scan(tmp_write(folder, "file", "x", 1), &refusal, &n, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "not a folder"));
}
END_TEST

START_TEST(the_number_of_models_is_bounded)
{
    struct err e;
    size_t n;

    for (int i = 0; i < REPOSITORY_MAX_MODELS + 1; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        ck_assert_int_eq(mkdir(tmp_path(folder, name), 0700), 0);
    }
    ck_assert_ptr_null(repository_scan(folder, &refusal, &n, &e));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
}
END_TEST

START_TEST(a_model_with_too_many_versions_is_told)
{
    struct err e;
    size_t n;
    char path[64];

    touch("a/1/model.safetensors");
    for (int i = 1; i <= REPOSITORY_MAX_VERSIONS + 1; i++) {
        snprintf(path, sizeof path, "b/%d/model.safetensors", i);
        touch(path);
    }
    ck_assert_ptr_null(repository_scan(folder, &refusal, &n, &e));
    ck_assert_int_eq(e.code, ERR_CONFLICT); /* the refusal's own */
    ck_assert_ptr_nonnull(strstr(e.msg, "more than 4096 versions"));
}
END_TEST

START_TEST(names_are_1_to_64_of_a_few_characters)
{
    char longest[REPOSITORY_MAX_NAME + 2];

    memset(longest, 'n', sizeof longest);
    ck_assert(repository_name_ok(longest, REPOSITORY_MAX_NAME));
    ck_assert(!repository_name_ok(longest, REPOSITORY_MAX_NAME + 1));
    ck_assert(!repository_name_ok("", 0));
    ck_assert(repository_name_ok("A.z_0-9", 7));
    ck_assert(!repository_name_ok(".", 1));
    ck_assert(!repository_name_ok("..", 2));
    ck_assert(!repository_name_ok("a/b", 3));
    ck_assert(!repository_name_ok("a\0b", 3));
    ck_assert(!repository_name_ok("\xC3\xA4", 2));
}
END_TEST

START_TEST(a_path_that_does_not_fit_is_refused)
{
    struct err e;
    char path[32];

    ck_assert_int_eq(repository_path(path, sizeof path, "f", "n", 12, &e),
                     ERR_OK);
    ck_assert_str_eq(path, "f/n/12/model.safetensors");
    ck_assert_int_eq(repository_path(path, strlen(path), "f", "n", 12, &e),
                     ERR_TOO_LARGE);
}
END_TEST

START_TEST(no_name_makes_a_path_that_leads_out)
{
    static const char *const names[] = {
        "", ".", "..", "../n", "a/../..", "/etc", "a/b", ".hidden", "a\\b"};
    struct err e;
    char path[64];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_int_eq(
            repository_path(path, sizeof path, "f", names[i], 1, &e),
            ERR_INVALID);
}
END_TEST

START_TEST(running_out_of_memory_is_told)
{
    struct err e;
    size_t n;

    touch("a/1/model.safetensors");
    mem_fail_after(0);
    ck_assert_ptr_null(repository_scan(folder, &refusal, &n, &e));
    ck_assert_int_eq(e.code, ERR_NO_MEMORY);
    mem_fail_after(SIZE_MAX);
}
END_TEST

Suite *suite_repository(void)
{
    Suite *s = suite_create("repository");
    TCase *t = tcase_create("scanning");

    tcase_set_timeout(t, 60); /* thousands of folders */
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, versions_come_by_name_then_number);
    tcase_add_test(t, what_is_no_version_is_passed_over);
    tcase_add_test(t, an_empty_folder_gives_no_entries_and_no_error);
    tcase_add_test(t, a_missing_folder_and_a_file_are_not_found);
    tcase_add_test(t, the_number_of_models_is_bounded);
    tcase_add_test(t, a_model_with_too_many_versions_is_told);
    tcase_add_test(t, running_out_of_memory_is_told);
    suite_add_tcase(s, t);
    t = tcase_create("names");
    tcase_add_test(t, names_are_1_to_64_of_a_few_characters);
    tcase_add_test(t, a_path_that_does_not_fit_is_refused);
    tcase_add_test(t, no_name_makes_a_path_that_leads_out);
    suite_add_tcase(s, t);
    return s;
}
