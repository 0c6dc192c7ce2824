/* Store, files that are not what they should be: each is refused with what to
 * do, or read as far as it is right; nothing crashes, and no reader is given a
 * sample that was not stored so.
 */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "lib/store/jobs.h"
#include "lib/store/schema.h"
#include "tests/support/stores.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *suite_store_damage(void);

#define SIZE 40
#define ROWS 60 /* of each label */
#define ROUNDS 400
#define APPLICATION_ID_AT 68 /* in the file's header */
#define USER_VERSION_AT 60

static const struct samples_limits wide = {.max_samples = 1000000,
                                           .max_labels = 256};
static const char *const labels[] = {"a", "b", NULL};

static char *folder;
static char *bytes; /* of a store's file */
static size_t length;

/* A store with 3 * ROWS samples, numbered from 1 as their rows. */
static void set_up(void)
{
    struct err e = {.code = ERR_OK};

    folder = tmp_folder();
    struct database *db = stores_new(folder, 7);
    for (size_t i = 0; i < 3; i++)
        stores_add(db, "m", labels[i], ROWS, SIZE, 1 + i * ROWS, &wide, NULL);
    struct job j = {.model = "m", .trigger = "t", .options = (char[]){"{}"}};
    int64_t id;
    ck_assert_int_eq(jobs_add(db, &j, &id, &e), ERR_OK);
    stores_close(db);
    bytes = file_read(tmp_path(folder, "store.sqlite"), 1 << 24, &length, &e);
    ck_assert_msg(bytes != NULL, "%s", e.msg);
}

static void tear_down(void)
{
    mem_free(bytes);
    tmp_remove(folder);
}

static struct database *open_with(const char *data, size_t n, struct err *e)
{
    unlink(tmp_path(folder, "other-wal"));
    unlink(tmp_path(folder, "other-shm"));
    tmp_write(folder, "other", data, n);
    struct database *db =
        database_open(stores_url(folder, "other"), DATABASE_WRITE, e);
    if (db != NULL && schema_update(db, e) != ERR_OK) {
        database_close(db);
        return NULL;
    }
    return db;
}

static enum err_code open_code(const char *data, size_t n, struct err *e)
{
    struct database *db = open_with(data, n, e);
    enum err_code code = db != NULL ? ERR_OK : e->code;

    database_close(db);
    return code;
}

/* ---- what is refused ---- */

START_TEST(what_is_no_store_is_refused)
{
    char text[9000];
    struct err e;

    memset(text, 'x', sizeof text);
    ck_assert_int_eq(open_code(text, sizeof text, &e), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(e.msg, "--store"));
    ck_assert_ptr_nonnull(strstr(e.msg, "other"));
    ck_assert_int_eq(open_code(text, 10, &e), ERR_CORRUPT);
    ck_assert_int_eq(open_code("", 0, &e), ERR_OK);
}
END_TEST

START_TEST(another_programs_database_is_refused_and_left_alone)
{
    struct err e;
    size_t after;

    bytes[APPLICATION_ID_AT] ^= 1;
    ck_assert_int_eq(open_code(bytes, length, &e), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(e.msg, "another program"));
    char *left = file_read(tmp_path(folder, "other"), 1 << 24, &after, &e);
    ck_assert_uint_eq(after, length);
    ck_assert_mem_eq(left, bytes, length);
    mem_free(left);
}
END_TEST

START_TEST(a_newer_programs_store_is_refused)
{
    struct err e;

    bytes[USER_VERSION_AT + 3] = 99;
    ck_assert_int_eq(open_code(bytes, length, &e), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(e.msg, "version 99"));
    ck_assert_ptr_nonnull(strstr(e.msg, "newer"));
    bytes[USER_VERSION_AT] = (char)0xff; /* negative */
    ck_assert_int_eq(open_code(bytes, length, &e), ERR_CORRUPT);
}
END_TEST

static enum err_code open_url(const char *url, struct err *e)
{
    struct database *db = database_open(url, DATABASE_WRITE, e);

    ck_assert_ptr_null(db);
    return e->code;
}

START_TEST(places_that_cannot_be_are_refused)
{
    char url[5000] = "sqlite:/";
    struct err e;

    ck_assert_int_eq(open_url("postgres:x", &e), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "sqlite:PATH"));
    ck_assert_int_eq(open_url("", &e), ERR_INVALID);
    ck_assert_int_eq(open_url("sqlite:", &e), ERR_INVALID);
    ck_assert_int_eq(open_url("sqlite", &e), ERR_INVALID);
    memset(url + 8, 'x', sizeof url - 9);
    ck_assert_int_eq(open_url(url, &e), ERR_INVALID);
    ck_assert_int_eq(open_url(stores_url(folder, "none/x"), &e), ERR_IO);
    ck_assert_int_eq(open_url(stores_url(folder, "."), &e), ERR_IO);
}
END_TEST

/* Not as root, for whom everything is writable. */
static void open_as_nobody(void)
{
    struct err e;

    ck_assert_int_eq(setgid(65534), 0);
    ck_assert_int_eq(setuid(65534), 0);
    ck_assert_int_eq(open_url(stores_url(folder, "store.sqlite"), &e),
                     ERR_DENIED);
    ck_assert_ptr_nonnull(strstr(e.msg, "writable"));
    ck_assert_int_eq(open_url(stores_url(folder, "new"), &e), ERR_DENIED);
}

START_TEST(what_is_read_only_is_denied)
{
    int status;

    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_int_eq(chmod(tmp_path(folder, "store.sqlite"), 0644), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        open_as_nobody();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(only_the_owner_may_read_a_new_store)
{
    struct stat st;

    ck_assert_int_eq(stat(tmp_path(folder, "store.sqlite"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
}
END_TEST

/* ---- damage ---- */

static bool check_sample(void *arg, const struct sample *s)
{
    size_t *rows = arg;
    float want[SIZE];

    ck_assert_int_ge(s->id, 1);
    ck_assert_int_le(s->id, 3 * ROWS);
    const char *label = labels[(s->id - 1) / ROWS];
    stores_row(want, SIZE, (uint64_t)s->id);
    ck_assert_uint_eq(s->size, SIZE);
    ck_assert_mem_eq(s->x, want, sizeof want);
    ck_assert_int_eq(s->label == NULL, label == NULL);
    if (label != NULL)
        ck_assert_str_eq(s->label, label);
    ck_assert_int_eq(s->held_out, (s->id - 1) % ROWS % 5 == 4);
    *rows += 1;
    return true;
}

/* Everything that reads, then everything that writes. Whether no error was
 * met. */
static bool use(struct database *db)
{
    const struct samples_filter any = {0}, batch = {.batch = 2};
    struct samples_counts c;
    struct job j;
    struct err e = {.code = ERR_OK};
    uint64_t deleted;
    int64_t number, ids[2];
    size_t rows = 0;
    float x[2 * SIZE] = {0};
    const struct samples_batch more = {
        .model = "m", .n = 2, .size = SIZE, .x = x};
    const struct samples_limits narrow = {.max_samples = 100, .max_labels = 9};
    bool fine = true;

    fine &=
        samples_each(db, "m", &any, 0, 9999, check_sample, &rows, &e) == ERR_OK;
    fine &= samples_draw(db, "m", 9999, 30, check_sample, &rows, &e) == ERR_OK;
    if (samples_count(db, "m", &c, &e) == ERR_OK)
        samples_counts_fini(&c);
    else
        fine = false;
    if (jobs_next(db, &j, &e) == ERR_OK)
        job_fini(&j);
    else
        fine = false;
    if (database_begin(db, &e) != ERR_OK)
        return false;
    fine &= samples_set_label(db, "m", 5, "c", &wide, &e) == ERR_OK;
    fine &= samples_add(db, &more, &narrow, &number, ids, &e) == ERR_OK;
    fine &= samples_delete(db, "m", &batch, &deleted, &e) == ERR_OK;
    database_rollback(db);
    return fine;
}

static bool open_and_use(const char *data, size_t n)
{
    struct err e;
    struct database *db = open_with(data, n, &e);
    bool fine = db != NULL && use(db);

    database_close(db);
    return fine;
}

static void flip_some(char *data, struct rng *r)
{
    size_t n = 1 + rng_below(r, 8);

    for (size_t i = 0; i < n; i++)
        data[rng_below(r, length)] ^= (char)(1 << rng_below(r, 8));
}

START_TEST(flipped_bits_are_errors_or_harmless)
{
    struct rng r = rng_make(3, "damage", 0);
    char *copy = mem_must(length, 1);
    size_t noticed = 0;

    ck_assert(open_and_use(bytes, length));
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(copy, bytes, length);
        flip_some(copy, &r);
        noticed += !open_and_use(copy, length);
    }
    ck_assert_uint_gt(noticed, ROUNDS / 2);
    mem_free(copy);
}
END_TEST

START_TEST(noise_within_pages_is_an_error_or_harmless)
{
    struct rng r = rng_make(4, "damage", 0);
    char *copy = mem_must(length, 1);

    for (int i = 0; i < ROUNDS / 2; i++) {
        size_t n = 1 + rng_below(&r, 300);
        size_t at = rng_below(&r, length - n);
        memcpy(copy, bytes, length);
        for (size_t k = 0; k < n; k++)
            copy[at + k] = (char)rng_u64(&r);
        open_and_use(copy, length);
    }
    mem_free(copy);
}
END_TEST

START_TEST(cut_files_are_errors)
{
    for (size_t n = 1; n < length; n += 1 + length / 100)
        ck_assert_msg(!open_and_use(bytes, n), "%zu of %zu bytes", n, length);
}
END_TEST

/* The log has checksums of its own: what is behind the damage is lost, what is
 * before it is there. */
START_TEST(a_damaged_log_loses_no_more_than_its_end)
{
    struct err e = {.code = ERR_OK};
    const struct samples_filter any = {0};
    size_t rows = 0, size;
    char *log;

    struct database *db = open_with(bytes, length, &e);
    ck_assert_int_eq(database_begin(db, &e), ERR_OK);
    stores_add(db, "n", "x", 10, SIZE, 1000, &wide, NULL);
    ck_assert_int_eq(database_commit(db, &e), ERR_OK);
    log = file_read(tmp_path(folder, "other-wal"), 1 << 24, &size, &e);
    ck_assert_ptr_nonnull(log);
    database_close(db);
    for (size_t at = 0; at < size; at += 97) {
        log[at] ^= 4;
        unlink(tmp_path(folder, "third-shm"));
        tmp_write(folder, "third", bytes, length);
        tmp_write(folder, "third-wal", log, size);
        db = database_open(stores_url(folder, "third"), DATABASE_WRITE, &e);
        ck_assert_msg(db != NULL, "%s", e.msg);
        rows = 0;
        ck_assert_int_eq(
            samples_each(db, "m", &any, 0, 9999, check_sample, &rows, &e),
            ERR_OK);
        ck_assert_uint_eq(rows, 3 * ROWS);
        const struct stores_seen *seen = stores_each(db, "n", &any, 0, 100);
        ck_assert(seen->n == 0 || seen->n == 10);
        database_close(db);
        log[at] ^= 4;
    }
    mem_free(log);
}
END_TEST

/* Damage that comes while the store is open. */
START_TEST(damage_under_an_open_store_is_an_error)
{
    struct err e = {.code = ERR_OK};
    const struct samples_filter any = {0};
    struct database *db = open_with(bytes, length, &e);
    size_t rows = 0;

    ck_assert_ptr_nonnull(db);
    FILE *f = fopen(tmp_path(folder, "other"), "r+");
    ck_assert_ptr_nonnull(f);
    for (size_t at = 4096; at < length; at += 512) {
        fseek(f, (long)at + 100, SEEK_SET);
        fputs("some noise that is no page", f);
    }
    fclose(f);
    enum err_code code =
        samples_each(db, "m", &any, 0, 9999, check_sample, &rows, &e);
    ck_assert(code == ERR_CORRUPT || rows == 3 * ROWS); /* in its cache */
    database_close(db);
}
END_TEST

Suite *suite_store_damage(void)
{
    Suite *s = suite_create("store_damage");
    TCase *t = tcase_create("refused");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, what_is_no_store_is_refused);
    tcase_add_test(t, another_programs_database_is_refused_and_left_alone);
    tcase_add_test(t, a_newer_programs_store_is_refused);
    tcase_add_test(t, places_that_cannot_be_are_refused);
    tcase_add_test(t, what_is_read_only_is_denied);
    tcase_add_test(t, only_the_owner_may_read_a_new_store);
    suite_add_tcase(s, t);

    t = tcase_create("damage");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, flipped_bits_are_errors_or_harmless);
    tcase_add_test(t, noise_within_pages_is_an_error_or_harmless);
    tcase_add_test(t, cut_files_are_errors);
    tcase_add_test(t, a_damaged_log_loses_no_more_than_its_end);
    tcase_add_test(t, damage_under_an_open_store_is_an_error);
    suite_add_tcase(s, t);
    return s;
}
