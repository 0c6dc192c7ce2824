/* Files: limits, replacing as a whole, folders. */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

Suite *suite_file(void);

static char *folder;

static void make_folder(void)
{
    folder = tmp_folder();
}

static void remove_folder(void)
{
    tmp_remove(folder);
}

static size_t count_entries(void)
{
    DIR *d = opendir(folder);
    size_t n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2; /* not . and .. */
}

static void check_content(const char *path, const char *want)
{
    struct err e = {0};
    size_t length = 0;
    char *text = file_read(path, 1000000, &length, &e);

    ck_assert_msg(text != NULL, "%s", e.msg);
    ck_assert_uint_eq(length, strlen(want));
    ck_assert_str_eq(text, want);
    mem_free(text);
}

START_TEST(a_file_is_read_whole_up_to_its_limit)
{
    struct err e = {0};
    size_t length = 0;
    char big[10000];

    check_content(tmp_write(folder, "empty", "", 0), "");
    memset(big, 'b', sizeof big);
    const char *path = tmp_write(folder, "big", big, sizeof big);
    char *text = file_read(path, sizeof big, &length, &e);
    ck_assert_uint_eq(length, sizeof big);
    ck_assert_int_eq(memcmp(text, big, sizeof big), 0);
    ck_assert_int_eq(text[length], 0);
    mem_free(text);
    ck_assert_ptr_null(file_read(path, sizeof big - 1, &length, &e));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "9999"));
    ck_assert_ptr_nonnull(strstr(e.msg, "/big"));
}
END_TEST

START_TEST(files_of_the_kernel_are_read_though_they_say_size_zero)
{
    struct err e = {0};
    size_t length = 0;
    char *text = file_read("/proc/self/status", 100000, &length, &e);

    ck_assert_msg(text != NULL, "%s", e.msg);
    ck_assert_uint_gt(length, 100);
    mem_free(text);
    ck_assert_ptr_null(file_read("/proc/self/status", 50, &length, &e));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_at_once)
{
    struct err e = {0};
    size_t length = 0;
    const char *pipe = tmp_path(folder, "pipe");

    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    ck_assert_ptr_null(file_read(pipe, 10, &length, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "not a regular file"));
    ck_assert_ptr_null(file_map(folder, &length, &e));
    ck_assert_int_eq(e.code, ERR_IO);
    ck_assert_ptr_null(file_read(tmp_path(folder, "none"), 10, &length, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    ck_assert(file_is_folder(folder) && !file_is_folder(pipe));
    ck_assert(!file_is_regular(folder) && !file_is_regular(pipe));
}
END_TEST

START_TEST(a_map_shows_the_file)
{
    struct err e = {0};
    size_t length = 0;
    const unsigned char *map =
        file_map(tmp_write(folder, "a", "abc", 3), &length, &e);

    ck_assert_uint_eq(length, 3);
    ck_assert_int_eq(memcmp(map, "abc", 3), 0);
    file_unmap(map, length);
    map = file_map(tmp_write(folder, "b", "", 0), &length, &e);
    ck_assert_ptr_nonnull(map);
    ck_assert_uint_eq(length, 0);
    file_unmap(map, length);
    file_unmap(NULL, 0);
}
END_TEST

START_TEST(a_commit_replaces_and_leaves_nothing_else)
{
    struct err e = {0};
    const char *path = tmp_write(folder, "a", "old", 3);
    struct stat st;

    ck_assert_int_eq(file_replace(path, "new text", 8, &e), ERR_OK);
    check_content(path, "new text");
    ck_assert_uint_eq(count_entries(), 1);
    ck_assert_int_eq(stat(path, &st), 0);
    mode_t mask = umask(0);
    umask(mask);
    ck_assert_uint_eq(st.st_mode & 0777, 0644 & ~mask);
}
END_TEST

START_TEST(the_old_content_stays_until_the_commit)
{
    struct err e = {0};
    const char *path = tmp_write(folder, "a", "old", 3);
    struct file_writer *w = file_create(path, &e);

    ck_assert_ptr_nonnull(w);
    ck_assert_int_eq(file_write(w, "half", 4, &e), ERR_OK);
    check_content(path, "old");
    ck_assert_int_eq(file_write(w, " full", 5, &e), ERR_OK);
    ck_assert_int_eq(file_commit(w, &e), ERR_OK);
    check_content(path, "half full");
}
END_TEST

START_TEST(an_abandoned_write_leaves_the_old_content)
{
    struct err e = {0};
    const char *path = tmp_write(folder, "a", "old", 3);
    struct file_writer *w = file_create(path, &e);

    ck_assert_int_eq(file_write(w, "new", 3, &e), ERR_OK);
    file_abandon(w);
    file_abandon(NULL);
    check_content(path, "old");
    ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

START_TEST(two_writers_of_one_file_do_not_mix)
{
    struct err e = {0};
    const char *path = tmp_path(folder, "a");
    struct file_writer *v = file_create(path, &e);
    struct file_writer *w = file_create(path, &e);

    ck_assert_int_eq(file_write(v, "vvvv", 4, &e), ERR_OK);
    ck_assert_int_eq(file_write(w, "ww", 2, &e), ERR_OK);
    ck_assert_int_eq(file_commit(w, &e), ERR_OK);
    check_content(path, "ww");
    ck_assert_int_eq(file_commit(v, &e), ERR_OK);
    check_content(path, "vvvv");
    ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

START_TEST(writing_where_one_cannot_says_so)
{
    struct err e = {0};
    char long_path[6000];

    ck_assert_ptr_null(file_create(tmp_path(folder, "none/a"), &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = 0;
    ck_assert_ptr_null(file_create(long_path, &e));
    ck_assert_int_eq(e.code, ERR_TOO_LARGE);
    /* A folder stands under the name: the rename fails. */
    const char *path = tmp_path(folder, "sub");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(file_replace(path, "x", 1, &e), ERR_IO);
    ck_assert_uint_eq(count_entries(), 1);
    mem_fail_after(0);
    ck_assert_ptr_null(file_create(tmp_path(folder, "a"), &e));
    ck_assert_int_eq(e.code, ERR_NO_MEMORY);
}
END_TEST

/* A limit on the size of files fails a write half-way, as a full disk does. */
START_TEST(a_write_that_fails_half_way_keeps_the_old_content)
{
    struct err e = {0};
    const char *path = tmp_write(folder, "a", "old", 3);
    struct rlimit before;
    char bytes[8192] = {0};

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {4096, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err_code code = file_replace(path, bytes, sizeof bytes, &e);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    ck_assert_int_eq(code, ERR_IO);
    ck_assert_ptr_nonnull(strstr(e.msg, "File too large"));
    check_content(path, "old");
    ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

START_TEST(folders_are_made_with_those_above)
{
    struct err e = {0};
    const char *path = tmp_path(folder, "a/b//c/");

    ck_assert_int_eq(file_make_folders(path, &e), ERR_OK);
    ck_assert(file_is_folder(path));
    ck_assert_int_eq(file_make_folders(path, &e), ERR_OK);
    tmp_write(folder, "file", "x", 1);
    ck_assert_int_eq(file_make_folders(tmp_path(folder, "file/d"), &e), ERR_IO);
    ck_assert_int_eq(file_make_folders(tmp_path(folder, "file"), &e), ERR_IO);
    ck_assert_ptr_nonnull(strstr(e.msg, "file"));
}
END_TEST

START_TEST(files_and_empty_folders_are_removed)
{
    struct err e;
    const char *file = tmp_write(folder, "a", "1", 1);

    ck_assert_int_eq(file_remove_folder(folder, &e), ERR_IO);
    ck_assert_ptr_nonnull(strstr(e.msg, folder));
    ck_assert_int_eq(file_remove(file, &e), ERR_OK);
    ck_assert_int_eq(file_remove(file, &e), ERR_OK); /* it is not there */
    ck_assert(!file_is_regular(file));
    ck_assert_int_ne(file_remove(folder, &e), ERR_OK);
    ck_assert_int_eq(file_remove_folder(folder, &e), ERR_OK);
    ck_assert_int_eq(file_remove_folder(folder, &e), ERR_OK);
    ck_assert(!file_is_folder(folder));
}
END_TEST

START_TEST(a_locked_file_is_refused_until_it_is_unlocked)
{
    struct err e;
    const char *path = tmp_path(folder, "lock");
    struct file_lock *lock = file_lock(path, &e);

    ck_assert_ptr_nonnull(lock);
    ck_assert_ptr_null(file_lock(path, &e));
    ck_assert_int_eq(e.code, ERR_BUSY);
    file_unlock(lock);
    lock = file_lock(path, &e);
    ck_assert_ptr_nonnull(lock);
    file_unlock(lock);
    ck_assert_ptr_null(file_lock(tmp_path(folder, "none/lock"), &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    file_unlock(NULL);
}
END_TEST

START_TEST(names_are_joined_if_they_fit)
{
    struct err e = {0};
    char out[8];

    ck_assert_int_eq(file_join(out, sizeof out, "abc", "def", &e), ERR_OK);
    ck_assert_str_eq(out, "abc/def");
    ck_assert_int_eq(file_join(out, sizeof out, "abc/", "def", &e), ERR_OK);
    ck_assert_str_eq(out, "abc/def");
    ck_assert_int_eq(file_join(out, sizeof out, "/", "a", &e), ERR_OK);
    ck_assert_str_eq(out, "/a");
    ck_assert_int_eq(file_join(out, sizeof out, "abc", "defg", &e),
                     ERR_TOO_LARGE);
}
END_TEST

START_TEST(hash_is_the_published_fnv_1a_in_any_pieces)
{
    uint64_t whole = file_hash(FILE_HASH_START, "foobar", 6);
    uint64_t parts = file_hash(FILE_HASH_START, "foo", 3);

    ck_assert(whole == 0x85944171f73967e8u);
    ck_assert(file_hash(parts, "bar", 3) == whole);
    ck_assert(file_hash(FILE_HASH_START, "", 0) == FILE_HASH_START);
}
END_TEST

Suite *suite_file(void)
{
    Suite *s = suite_create("file");
    TCase *reading = tcase_create("reading");
    TCase *writing = tcase_create("writing");
    TCase *names = tcase_create("names");

    tcase_add_checked_fixture(reading, make_folder, remove_folder);
    tcase_add_checked_fixture(writing, make_folder, remove_folder);
    tcase_add_checked_fixture(names, make_folder, remove_folder);
    tcase_add_test(reading, a_file_is_read_whole_up_to_its_limit);
    tcase_add_test(reading,
                   files_of_the_kernel_are_read_though_they_say_size_zero);
    tcase_add_test(reading, what_is_no_regular_file_is_refused_at_once);
    tcase_add_test(reading, a_map_shows_the_file);
    tcase_add_test(writing, a_commit_replaces_and_leaves_nothing_else);
    tcase_add_test(writing, the_old_content_stays_until_the_commit);
    tcase_add_test(writing, an_abandoned_write_leaves_the_old_content);
    tcase_add_test(writing, two_writers_of_one_file_do_not_mix);
    tcase_add_test(writing, writing_where_one_cannot_says_so);
    tcase_add_test(writing, a_write_that_fails_half_way_keeps_the_old_content);
    tcase_add_test(names, folders_are_made_with_those_above);
    tcase_add_test(names, files_and_empty_folders_are_removed);
    tcase_add_test(names, a_locked_file_is_refused_until_it_is_unlocked);
    tcase_add_test(names, names_are_joined_if_they_fit);
    tcase_add_test(names, hash_is_the_published_fnv_1a_in_any_pieces);
    suite_add_tcase(s, reading);
    suite_add_tcase(s, writing);
    suite_add_tcase(s, names);
    return s;
}
