/* Registry: which version answers, what is said of what is not there, and that
 * a version in use stays. */
#include "lib/base/file.h"
#include "lib/base/lock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/engine/registry.h"
#include "lib/engine/repository.h"
#include "lib/model/model_file.h"
#include "tests/support/compositions.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

Suite *suite_registry(void);

static struct registry *registry;
static char *folder;

static void setup(void)
{
    log_set(LOG_ERROR, LOG_TEXT);
    registry = registry_new();
    ck_assert_ptr_nonnull(registry);
    folder = tmp_folder();
}

static void teardown(void)
{
    registry_free(registry);
    tmp_remove(folder);
}

static void add(const char *name, uint64_t version)
{
    struct err e;
    struct model *m = composition_model(0);

    ck_assert_msg(model_prepare(m, &e) == ERR_OK, "%s", e.msg);
    ck_assert_msg(registry_add(registry, name, version, m, &e) == ERR_OK, "%s",
                  e.msg);
}

/* A whole model file at folder/name/version. */
static void save(const char *name, const char *version)
{
    struct err e;
    char path[256];
    struct model *m = composition_model(0);

    snprintf(path, sizeof path, "%s/%s/%s", folder, name, version);
    ck_assert_msg(file_make_folders(path, &e) == ERR_OK, "%s", e.msg);
    strncat(path, "/" MODEL_FILE_NAME, sizeof path - strlen(path) - 1);
    ck_assert_msg(model_save(m, path, &e) == ERR_OK, "%s", e.msg);
    model_free(m);
}

static void load(void)
{
    struct err e;

    ck_assert_msg(registry_load(registry, folder, &e) == ERR_OK, "%s", e.msg);
}

static void activate(const char *name, uint64_t version)
{
    struct err e;

    ck_assert_msg(registry_activate(registry, name, version, &e) == ERR_OK,
                  "%s", e.msg);
}

static uint64_t version_in_service(const char *name)
{
    struct err e;
    const struct served *s = registry_acquire(registry, name, 0, &e);

    ck_assert_msg(s != NULL, "%s", e.msg);
    uint64_t version = s->version;
    registry_release(registry, s);
    return version;
}

/* What a visitor saw, as text. */
static bool write_model(void *arg, const char *name, uint64_t version)
{
    struct buf *b = arg;

    buf_printf(b, "%s:%d ", name, (int)version);
    return true;
}

static bool write_version(void *arg, uint64_t version, bool in_service)
{
    buf_printf(arg, "%d%s ", (int)version, in_service ? "*" : "");
    return true;
}

static bool write_failure(void *arg, const char *name, uint64_t version,
                          const char *why)
{
    buf_printf(arg, "%s:%d: %s", name, (int)version, why);
    return true;
}

static bool stop_at_once(void *arg, const char *name, uint64_t version)
{
    (void)name;
    (void)version;
    ++*(int *)arg;
    return false;
}

START_TEST(the_first_version_serves_until_another_is_activated)
{
    struct err e;

    add("m", 2);
    ck_assert_uint_eq(version_in_service("m"), 2);
    add("m", 10);
    add("m", 1);
    ck_assert_uint_eq(version_in_service("m"), 2);
    activate("m", 10);
    ck_assert_uint_eq(version_in_service("m"), 10);
    activate("m", 1);
    ck_assert_uint_eq(version_in_service("m"), 1);
    ck_assert_int_eq(registry_activate(registry, "m", 3, &e), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "1, 2, 10"));
    ck_assert_int_eq(registry_activate(registry, "n", 1, &e), ERR_NOT_FOUND);
    ck_assert_uint_eq(version_in_service("m"), 1);
}
END_TEST

START_TEST(any_version_can_be_acquired_by_number)
{
    struct err e;

    add("m", 1);
    add("m", 2);
    const struct served *s = registry_acquire(registry, "m", 1, &e);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(s->version, 1);
    ck_assert_str_eq(s->name, "m");
    ck_assert_uint_eq(model_inputs(s->model), COMPOSITION_INPUTS);
    registry_release(registry, s);
}
END_TEST

START_TEST(a_version_in_use_stays_when_another_goes_into_service)
{
    struct err e;

    add("m", 1);
    const struct served *old = registry_acquire(registry, "m", 0, &e);
    add("m", 2);
    activate("m", 2);
    const struct served *new = registry_acquire(registry, "m", 0, &e);
    ck_assert_uint_eq(old->version, 1);
    ck_assert_uint_eq(new->version, 2);
    ck_assert_uint_eq(model_inputs(old->model), COMPOSITION_INPUTS);
    registry_release(registry, old);
    registry_release(registry, new);
}
END_TEST

START_TEST(a_removed_version_lives_until_its_last_user_gives_it_back)
{
    struct err e;

    add("m", 1);
    add("m", 2);
    const struct served *a = registry_acquire(registry, "m", 2, &e);
    const struct served *b = registry_acquire(registry, "m", 2, &e);
    ck_assert_int_eq(registry_remove(registry, "m", 2, &e), ERR_OK);
    ck_assert_ptr_null(registry_acquire(registry, "m", 2, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    add("m", 2); /* the number is free: another one */
    const struct served *c = registry_acquire(registry, "m", 2, &e);
    ck_assert_ptr_ne(a, c);
    registry_release(registry, a);
    ck_assert_uint_eq(model_inputs(b->model), COMPOSITION_INPUTS);
    ck_assert_str_eq(b->name, "m");
    registry_release(registry, b);
    registry_release(registry, c);
}
END_TEST

START_TEST(what_is_in_service_or_not_there_cannot_be_removed)
{
    struct err e;

    add("m", 1);
    add("m", 2);
    ck_assert_int_eq(registry_remove(registry, "m", 1, &e), ERR_CONFLICT);
    ck_assert_int_eq(registry_remove(registry, "m", 3, &e), ERR_NOT_FOUND);
    ck_assert_int_eq(registry_remove(registry, "n", 1, &e), ERR_NOT_FOUND);
    ck_assert_int_eq(registry_remove(registry, "m", 2, &e), ERR_OK);
    ck_assert_int_eq(registry_remove(registry, "m", 2, &e), ERR_NOT_FOUND);
    ck_assert_uint_eq(version_in_service("m"), 1);
}
END_TEST

START_TEST(failures_are_kept_with_their_reason)
{
    struct err e;
    struct err why;
    struct buf b;

    err_set(&why, ERR_CORRUPT, "bent");
    ck_assert_int_eq(registry_fail(registry, "m", 1001, &why, &e), ERR_OK);
    buf_init(&b, 1000);
    registry_each_failure(registry, write_failure, &b);
    ck_assert_str_eq(b.data, "m:1001: bent");
    buf_fini(&b);
}
END_TEST

START_TEST(unknown_names_and_versions_are_told_with_what_there_is)
{
    struct err e;

    ck_assert_ptr_null(registry_acquire(registry, "x", 0, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "none"));
    add("digits", 1);
    add("faces", 3);
    add("faces", 5);
    ck_assert_ptr_null(registry_acquire(registry, "digit", 0, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "digits, faces"));
    ck_assert_ptr_null(registry_acquire(registry, "faces", 4, &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "3, 5"));
}
END_TEST

START_TEST(a_version_can_be_added_once)
{
    struct err e;

    add("m", 1);
    ck_assert_int_eq(registry_add(registry, "m", 1, composition_model(0), &e),
                     ERR_CONFLICT);
    ck_assert_int_eq(registry_add(registry, "a/b", 1, composition_model(0), &e),
                     ERR_INVALID);
    ck_assert_uint_eq(version_in_service("m"), 1);
}
END_TEST

START_TEST(visitors_see_all_in_order_and_can_stop)
{
    struct err e;
    struct buf b;
    int seen = 0;

    buf_init(&b, 1000);
    add("b", 1);
    add("c", 2);
    add("a", 12);
    add("a", 2);
    add("a", 5);
    ck_assert_int_eq(registry_remove(registry, "a", 5, &e), ERR_OK);
    registry_each_model(registry, write_model, &b);
    ck_assert_str_eq(b.data, "a:12 b:1 c:2 ");
    buf_reset(&b);
    registry_each_version(registry, "a", write_version, &b);
    ck_assert_str_eq(b.data, "2 12* ");
    buf_reset(&b);
    registry_each_version(registry, "none", write_version, &b);
    ck_assert_uint_eq(b.length, 0);
    registry_each_model(registry, stop_at_once, &seen);
    ck_assert_int_eq(seen, 1);
    buf_fini(&b);
}
END_TEST

START_TEST(a_folder_is_loaded_with_all_versions)
{
    struct err e;

    save("m", "1");
    save("m", "2");
    save("n", "7");
    load();
    ck_assert_uint_eq(version_in_service("m"), 2);
    ck_assert_uint_eq(version_in_service("n"), 7);
    const struct served *s = registry_acquire(registry, "m", 1, &e);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(s->version, 1);
    registry_release(registry, s);
}
END_TEST

START_TEST(a_broken_file_is_a_failure_and_the_others_are_served)
{
    struct err e;
    struct buf b;

    save("bad", "1");
    save("bad", "2");
    save("good", "1");
    tmp_write(folder, "bad/2/model.safetensors", "12345678{}", 10);
    load();
    ck_assert_uint_eq(version_in_service("good"), 1);
    ck_assert_uint_eq(version_in_service("bad"), 1);
    ck_assert_ptr_null(registry_acquire(registry, "bad", 2, &e));
    buf_init(&b, 1000);
    registry_each_failure(registry, write_failure, &b);
    ck_assert_int_eq(strncmp(b.data, "bad:2: ", 7), 0);
    ck_assert_ptr_nonnull(strstr(b.data, "bad/2/model.safetensors"));
    buf_fini(&b);
}
END_TEST

START_TEST(a_model_that_cannot_be_listed_is_a_failure)
{
    char path[32];
    struct buf b;

    save("good", "1");
    for (int i = 1; i <= REPOSITORY_MAX_VERSIONS + 1; i++) {
        struct err e;
        snprintf(path, sizeof path, "many/%d", i);
        ck_assert_int_eq(file_make_folders(tmp_path(folder, path), &e), ERR_OK);
        snprintf(path, sizeof path, "many/%d/" MODEL_FILE_NAME, i);
        tmp_write(folder, path, "", 0);
    }
    load();
    ck_assert_uint_eq(version_in_service("good"), 1);
    buf_init(&b, 1000);
    registry_each_failure(registry, write_failure, &b);
    ck_assert_int_eq(strncmp(b.data, "many:0: ", 8), 0);
    ck_assert_ptr_nonnull(strstr(b.data, "more than 4096 versions"));
    buf_fini(&b);
}
END_TEST

START_TEST(loading_twice_tells_of_what_was_there)
{
    struct buf b;

    save("m", "1");
    load();
    load();
    buf_init(&b, 1000);
    registry_each_failure(registry, write_failure, &b);
    ck_assert_ptr_nonnull(strstr(b.data, "there already"));
    ck_assert_uint_eq(version_in_service("m"), 1);
    buf_fini(&b);
}
END_TEST

START_TEST(a_missing_folder_is_not_found)
{
    struct err e;

    ck_assert_int_eq(registry_load(registry, tmp_path(folder, "none"), &e),
                     ERR_NOT_FOUND);
}
END_TEST

/* ---- many threads ---- */

#define READERS 3
#define ROUNDS 40

static atomic_bool ended;

/* Holds up to three at a time, so that releases come out of order and late.
 * NULL: all went well. */
static void *read_all_the_time(void *arg)
{
    const struct served *held[3] = {NULL};
    void *result = NULL;

    for (size_t i = 0; !atomic_load(&ended) && result == NULL; i++) {
        struct err e;
        const struct served **s = &held[i % 3];
        /* Whole after whatever was done to the table: it can be read. */
        if (*s != NULL && (strcmp((*s)->name, "m") != 0 ||
                           model_inputs((*s)->model) != COMPOSITION_INPUTS))
            result = arg;
        registry_release(registry, *s);
        uint64_t version = i % 2 == 0 ? 0 : 1 + i % ROUNDS;
        *s = registry_acquire(registry, "m", version, &e);
        if (*s == NULL && (version == 0 || e.code != ERR_NOT_FOUND))
            result = arg;
    }
    for (int i = 0; i < 3; i++)
        registry_release(registry, held[i]);
    return result;
}

START_TEST(readers_see_whole_versions_while_others_come_and_go)
{
    pthread_t threads[READERS];
    struct err e;
    int failed = 0;

    add("m", 1);
    atomic_store(&ended, false);
    for (int i = 0; i < READERS; i++)
        threads[i] = thread_start("reader", read_all_the_time, &ended);
    for (uint64_t v = 2; v <= ROUNDS; v++) {
        add("m", v);
        activate("m", v);
        ck_assert_int_eq(registry_remove(registry, "m", v - 1, &e), ERR_OK);
    }
    atomic_store(&ended, true);
    for (int i = 0; i < READERS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        failed += result != NULL;
    }
    ck_assert_int_eq(failed, 0);
    ck_assert_uint_eq(version_in_service("m"), ROUNDS);
}
END_TEST

START_TEST(running_out_of_memory_changes_nothing)
{
    struct err e;
    bool added = false;

    add("m", 1);
    for (size_t n = 0; n < 20 && !added; n++) {
        struct model *m = composition_model(0);
        mem_fail_after(n);
        enum err_code code = registry_add(registry, "m", 2, m, &e);
        mem_fail_after(SIZE_MAX);
        added = code == ERR_OK;
        if (!added)
            ck_assert_int_eq(code, ERR_NO_MEMORY);
        ck_assert_uint_eq(version_in_service("m"), 1);
        const struct served *s = registry_acquire(registry, "m", 2, &e);
        ck_assert_int_eq(s != NULL, added);
        registry_release(registry, s);
    }
    ck_assert(added);
}
END_TEST

Suite *suite_registry(void)
{
    Suite *s = suite_create("registry");
    TCase *t = tcase_create("serving");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_first_version_serves_until_another_is_activated);
    tcase_add_test(t, any_version_can_be_acquired_by_number);
    tcase_add_test(t, a_version_in_use_stays_when_another_goes_into_service);
    tcase_add_test(t,
                   a_removed_version_lives_until_its_last_user_gives_it_back);
    tcase_add_test(t, what_is_in_service_or_not_there_cannot_be_removed);
    tcase_add_test(t, failures_are_kept_with_their_reason);
    tcase_add_test(t, unknown_names_and_versions_are_told_with_what_there_is);
    tcase_add_test(t, a_version_can_be_added_once);
    tcase_add_test(t, visitors_see_all_in_order_and_can_stop);
    tcase_add_test(t, readers_see_whole_versions_while_others_come_and_go);
    tcase_add_test(t, running_out_of_memory_changes_nothing);
    suite_add_tcase(s, t);
    t = tcase_create("loading");
    tcase_set_timeout(t, 60); /* thousands of folders */
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_folder_is_loaded_with_all_versions);
    tcase_add_test(t, a_broken_file_is_a_failure_and_the_others_are_served);
    tcase_add_test(t, a_model_that_cannot_be_listed_is_a_failure);
    tcase_add_test(t, loading_twice_tells_of_what_was_there);
    tcase_add_test(t, a_missing_folder_is_not_found);
    suite_add_tcase(s, t);
    return s;
}
