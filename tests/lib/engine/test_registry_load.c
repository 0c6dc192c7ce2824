/* Loading while others use the models: what changes, and what stays when a load
 * fails.
 */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/engine/registry.h"
#include "lib/model/model_file.h"
#include "tests/support/compositions.h"
#include "tests/support/registries.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

Suite *suite_registry_load(void);

static void refuses_load(const char *name, enum err_code code,
                         const char *words)
{
    struct err e;
    char begin[100];

    snprintf(begin, sizeof begin, "failed to load '%s': ", name);
    ck_assert_int_eq(registry_load_model(registry, name, &e), code);
    ck_assert_msg(strncmp(e.msg, begin, strlen(begin)) == 0, "%s", e.msg);
    ck_assert_msg(strstr(e.msg, words) != NULL, "%s", e.msg);
}

/* ---- loading ---- */

START_TEST(what_came_into_the_folder_is_loaded)
{
    registries_save("m/1", 0);
    registries_load("m");
    ck_assert_uint_eq(registries_serve("m"), 1);
    registries_save("m/3", 3);
    registries_save("m/2", 2);
    registries_save("n/7", 7);
    ck_assert_uint_eq(registries_serve("m"), 1);
    registries_load("m");
    ck_assert_uint_eq(registries_serve("m"), 3);
    ck_assert_str_eq(registries_tell(), "m:1 ready; m:2 ready; m:3 ready; ");
    registries_load("n");
    ck_assert_uint_eq(registries_serve("n"), 7);
}
END_TEST

START_TEST(only_what_changed_is_read_again)
{
    registries_save("m/1", 1);
    registries_save("m/2", 2);
    registries_load("m");
    const struct served *one = registries_acquire("m", 1);
    const struct served *two = registries_acquire("m", 0);
    uint64_t before = two->digest;
    registries_save("m/2", 5);
    registries_load("m");
    const struct served *same = registries_acquire("m", 1);
    const struct served *other = registries_acquire("m", 0);
    ck_assert_ptr_eq(same, one);
    ck_assert_ptr_ne(other, two);
    ck_assert_uint_eq(other->version, 2);
    ck_assert_uint_ne(other->digest, before);
    ck_assert_uint_eq(two->digest, before); /* whole, as it was */
    ck_assert_uint_eq(model_inputs(two->model), COMPOSITION_INPUTS);
    ck_assert_str_eq(two->name, "m");
    registry_release(registry, two);
    registry_release(registry, other);
    registry_release(registry, same);
    registry_release(registry, one);
}
END_TEST

START_TEST(digests_tell_contents_apart)
{
    registries_save("m/1", 1);
    registries_save("m/2", 2);
    registries_save("n/1", 1);
    registries_load("m");
    registries_load("n");
    ck_assert_uint_eq(registries_digest("m", 1), registries_digest("n", 1));
    ck_assert_uint_ne(registries_digest("m", 1), registries_digest("m", 2));
}
END_TEST

START_TEST(one_bad_file_keeps_all_as_it_was)
{
    registries_save("m/1", 1);
    registries_save("m/2", 2);
    registries_load("m");
    const struct served *s = registries_acquire("m", 0);
    registries_save("m/1", 9);
    registries_save("m/2", 9);
    registries_save("m/3", 9);
    registries_damage("m/3");
    refuses_load("m", ERR_CORRUPT, "m/3/model.safetensors");
    const struct served *now = registries_acquire("m", 0);
    ck_assert_ptr_eq(now, s);
    ck_assert_str_eq(registries_tell(), "m:1 ready; m:2 ready; ");
    ck_assert_int_eq(registries_failures(), 0);
    registry_release(registry, now);
    registry_release(registry, s);
    registries_save("m/3", 9);
    registries_load("m");
    ck_assert_uint_eq(registries_serve("m"), 3);
    ck_assert_uint_eq(registries_digest("m", 1), registries_digest("m", 3));
}
END_TEST

START_TEST(a_new_model_that_fails_is_known_and_out)
{
    struct err e;

    registries_save("m/1", 1);
    registries_damage("m/1");
    refuses_load("m", ERR_CORRUPT, "m/1/model.safetensors");
    ck_assert_ptr_nonnull(
        strstr(registries_tell(), "m:0 out failed to load 'm'"));
    ck_assert_ptr_null(registry_acquire(registry, "m", 0, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "m is not loaded"));
    ck_assert_int_eq(registries_failures(),
                     0); /* nothing that was configured */
    registries_save("m/1", 1);
    registries_load("m");
    ck_assert_uint_eq(registries_serve("m"), 1);
    ck_assert_str_eq(registries_tell(), "m:1 ready; ");
}
END_TEST

START_TEST(names_without_a_folder_leave_no_trace)
{
    struct err e;

    refuses_load("none", ERR_NOT_FOUND, "no complete version");
    ck_assert_int_eq(
        file_make_folders(tmp_path(registries_folder, "empty/1"), &e), ERR_OK);
    refuses_load("empty", ERR_NOT_FOUND, "no complete version");
    tmp_write(registries_folder, "file", "x", 1);
    refuses_load("file", ERR_NOT_FOUND, "no complete version");
    ck_assert_str_eq(registries_tell(), "");
}
END_TEST

START_TEST(names_that_lead_elsewhere_are_none)
{
    static const char *const names[] = {"",     ".",    "..",      "a/b",
                                        "../m", "/etc", ".hidden", "a\\b"};

    registries_save("m/1", 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        refuses_load(names[i], ERR_INVALID, "A-Z a-z 0-9");
    ck_assert_str_eq(registries_tell(), "");
}
END_TEST

START_TEST(without_a_folder_nothing_is_looked_for)
{
    struct err e;
    struct registry *bare = registry_new();

    ck_assert_int_eq(registry_load_model(bare, "etc", &e), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "failed to load 'etc'"));
    registry_free(bare);
}
END_TEST

/* A link is as good as a registries_folder, as it is at start: the operator
 * made it. */
START_TEST(links_are_followed_as_at_start)
{
    char *elsewhere = tmp_folder();
    struct registry *other = registry_new();
    struct err e;

    registries_save("m/1", 1);
    ck_assert_int_eq(symlink(tmp_path(registries_folder, "m"),
                             tmp_path(elsewhere, "linked")),
                     0);
    ck_assert_int_eq(symlink("nowhere", tmp_path(elsewhere, "dangling")), 0);
    ck_assert_int_eq(registry_load(other, elsewhere, &e), ERR_OK);
    const struct served *s = registry_acquire(other, "linked", 1, &e);
    ck_assert_msg(s != NULL, "%s", e.msg);
    registry_release(other, s);
    ck_assert_int_eq(registry_unload(other, "linked", &e), ERR_OK);
    ck_assert_int_eq(registry_load_model(other, "linked", &e), ERR_OK);
    ck_assert_int_eq(registry_load_model(other, "dangling", &e), ERR_NOT_FOUND);
    registry_free(other);
    tmp_remove(elsewhere);
}
END_TEST

/* ---- loads in parts ---- */

START_TEST(one_load_of_a_model_at_a_time)
{
    struct err e;

    registries_save("m/1", 1);
    registries_save("n/1", 1);
    struct registry_load *l = registry_begin_load(registry, "m", &e);
    ck_assert_ptr_nonnull(l);
    ck_assert_str_eq(registries_tell(), "m:1 loading; ");
    refuses_load("m", ERR_BUSY, "being loaded");
    ck_assert_int_eq(registry_unload(registry, "m", &e), ERR_BUSY);
    registries_load("n"); /* others are free */
    ck_assert_int_eq(registry_end_load(l, 0, &e), ERR_OK);
    ck_assert_uint_eq(registries_serve("m"), 1);
    registries_save("m/2", 2);
    l = registry_begin_load(registry, "m", &e);
    ck_assert_str_eq(registries_tell(), "m:1 ready; m:2 loading; n:1 ready; ");
    ck_assert_uint_eq(registries_serve("m"), 1);
    registry_drop_load(l);
    ck_assert_str_eq(registries_tell(), "m:1 ready; n:1 ready; ");
    registries_load("m");
    ck_assert_uint_eq(registries_serve("m"), 2);
}
END_TEST

START_TEST(files_from_elsewhere_come_along_or_become_failures)
{
    struct err e;

    registries_save("m/1", 1);
    registries_save("other/1002", 2);
    registries_save("other/1003", 3);
    struct registry_load *l = registry_begin_load(registry, "m", &e);
    ck_assert_ptr_nonnull(l);
    const char *path =
        tmp_path(registries_folder, "other/1002/" MODEL_FILE_NAME);
    ck_assert_int_eq(registry_load_file(l, 1002, path, &e), ERR_OK);
    path = tmp_path(registries_folder, "other/1003/" MODEL_FILE_NAME);
    ck_assert_int_eq(registry_load_file(l, 1003, path, &e), ERR_OK);
    path = tmp_path(registries_folder, "other/1004/" MODEL_FILE_NAME);
    ck_assert_int_eq(registry_load_file(l, 1004, path, &e), ERR_OK);
    ck_assert_int_eq(registry_load_file(l, 1005, path, &e), ERR_OK);
    registry_load_forget(l, 1003);
    registry_load_forget(l, 1005);
    ck_assert_int_eq(registries_failures(), 0);
    ck_assert_int_eq(registry_end_load(l, 1002, &e), ERR_OK);
    ck_assert_uint_eq(registries_serve("m"), 1002);
    ck_assert_int_eq(
        strncmp(registries_tell(), "m:1 ready; m:1002 ready; m:1004 out ", 36),
        0);
    ck_assert_int_eq(registries_failures(), 1);
}
END_TEST

START_TEST(what_should_serve_and_is_not_there_is_a_failure)
{
    struct err e;

    registries_save("m/1", 1);
    registries_save("m/2", 1);
    struct registry_load *l = registry_begin_load(registry, "m", &e);
    ck_assert_int_eq(registry_end_load(l, 1007, &e), ERR_OK);
    ck_assert_uint_eq(registries_serve("m"), 2);
    ck_assert_ptr_nonnull(strstr(registries_tell(), "m:1007 out "));
    ck_assert_int_eq(registries_failures(), 1);
    l = registry_begin_load(registry, "m", &e);
    ck_assert_int_eq(registry_end_load(l, 1, &e), ERR_OK);
    ck_assert_uint_eq(registries_serve("m"), 1);
    ck_assert_int_eq(registries_failures(), 0);
}
END_TEST

START_TEST(running_out_of_memory_changes_nothing)
{
    struct err e;
    bool loaded = false;

    registries_save("m/1", 1);
    registries_load("m");
    registries_save("m/2", 2);
    for (size_t n = 0; n < 2000 && !loaded; n++) {
        mem_fail_after(n);
        loaded = registry_load_model(registry, "m", &e) == ERR_OK;
        mem_fail_after(SIZE_MAX);
        ck_assert_uint_eq(registries_serve("m"), loaded ? 2 : 1);
        ck_assert_str_eq(registries_tell(),
                         loaded ? "m:1 ready; m:2 ready; " : "m:1 ready; ");
    }
    ck_assert(loaded);
}
END_TEST

Suite *suite_registry_load(void)
{
    Suite *s = suite_create("registry_load");
    TCase *t;

    t = tcase_create("loading");
    tcase_add_checked_fixture(t, registries_open, registries_close);
    tcase_add_test(t, what_came_into_the_folder_is_loaded);
    tcase_add_test(t, only_what_changed_is_read_again);
    tcase_add_test(t, digests_tell_contents_apart);
    tcase_add_test(t, one_bad_file_keeps_all_as_it_was);
    tcase_add_test(t, a_new_model_that_fails_is_known_and_out);
    tcase_add_test(t, names_without_a_folder_leave_no_trace);
    tcase_add_test(t, names_that_lead_elsewhere_are_none);
    tcase_add_test(t, without_a_folder_nothing_is_looked_for);
    tcase_add_test(t, links_are_followed_as_at_start);
    suite_add_tcase(s, t);
    t = tcase_create("parts");
    tcase_set_timeout(t, 60); /* many runs, many files */
    tcase_add_checked_fixture(t, registries_open, registries_close);
    tcase_add_test(t, one_load_of_a_model_at_a_time);
    tcase_add_test(t, files_from_elsewhere_come_along_or_become_failures);
    tcase_add_test(t, what_should_serve_and_is_not_there_is_a_failure);
    tcase_add_test(t, running_out_of_memory_changes_nothing);
    suite_add_tcase(s, t);
    return s;
}
