/* Unloading: what is gone, what waits for the next load, and that nothing is
 * freed under anybody's hands.
 */
#include "lib/base/lock.h"
#include "lib/engine/registry.h"
#include "tests/support/compositions.h"
#include "tests/support/registries.h"

#include <check.h>
#include <stdatomic.h>
#include <string.h>

Suite *suite_registry_unload(void);

START_TEST(an_unloaded_model_is_gone_but_for_those_who_have_it)
{
    struct err e;

    registries_save("m/1", 1);
    registries_save("m/2", 2);
    registries_load("m");
    const struct served *s = registries_acquire("m", 1);
    registries_unload("m");
    for (uint64_t version = 0; version < 3; version++) {
        ck_assert_ptr_null(registry_acquire(registry, "m", version, &e));
        ck_assert_int_eq(e.code, ERR_NOT_FOUND);
        ck_assert_str_eq(e.msg, "model m is not loaded (unloaded)");
    }
    ck_assert_str_eq(registries_tell(), "m:0 out unloaded; ");
    ck_assert_int_eq(registry_activate(registry, "m", 1, &e), ERR_NOT_FOUND);
    ck_assert_uint_eq(model_inputs(s->model), COMPOSITION_INPUTS);
    ck_assert_str_eq(s->name, "m");
    registries_unload("m"); /* stays out */
    registries_load("m");
    ck_assert_uint_eq(registries_serve("m"), 2);
    const struct served *new = registries_acquire("m", 1);
    ck_assert_ptr_ne(new, s);
    registry_release(registry, new);
    registry_release(registry, s);
}
END_TEST

START_TEST(what_is_not_known_cannot_be_unloaded)
{
    struct err e;

    registries_save("m/1", 1);
    registries_load("m");
    ck_assert_int_eq(registry_unload(registry, "n", &e), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(e.msg, "failed to unload 'n'"));
    ck_assert_ptr_nonnull(strstr(e.msg, "there are: m"));
    ck_assert_str_eq(registries_tell(), "m:1 ready; ");
}
END_TEST

START_TEST(failures_end_with_a_load_or_an_unload)
{
    struct err e, why;

    err_set(&why, ERR_CORRUPT, "bent");
    registries_save("a/1", 1);
    registries_save("b/1", 1);
    registries_load("a");
    ck_assert_int_eq(registry_fail(registry, "a", 2, &why, &e), ERR_OK);
    ck_assert_int_eq(registry_fail(registry, "b", 1, &why, &e), ERR_OK);
    ck_assert_int_eq(registry_fail(registry, "c", 1, &why, &e), ERR_OK);
    ck_assert_str_eq(registries_tell(),
                     "a:1 ready; a:2 out bent; b:1 out bent; c:1 out bent; ");
    registries_load("b");
    ck_assert_int_eq(registries_failures(), 2);
    registries_unload("c"); /* was never more than a failure */
    ck_assert_int_eq(registries_failures(), 1);
    registries_load("a");
    ck_assert_int_eq(registries_failures(), 0);
    ck_assert_str_eq(registries_tell(),
                     "a:1 ready; b:1 ready; c:0 out unloaded; ");
}
END_TEST

START_TEST(what_comes_for_an_unloaded_model_waits_for_its_load)
{
    struct err e;
    struct model *m = registries_model(3);

    registries_save("m/1", 1);
    registries_load("m");
    registries_unload("m");
    ck_assert_int_eq(model_prepare(m, &e), ERR_OK);
    ck_assert_int_eq(registry_add(registry, "m", 1001, m, &e), ERR_OK);
    ck_assert_ptr_null(registry_acquire(registry, "m", 1001, &e));
    ck_assert_str_eq(registries_tell(), "m:0 out unloaded; ");
    struct registry_load *l = registry_begin_load(registry, "m", &e);
    ck_assert_ptr_nonnull(l);
    ck_assert_int_eq(registry_end_load(l, 1001, &e), ERR_OK);
    ck_assert_uint_eq(registries_serve("m"), 1001);
    ck_assert_str_eq(registries_tell(), "m:1 ready; m:1001 ready; ");
    registries_unload("m");
    m = registries_model(3);
    ck_assert_int_eq(model_prepare(m, &e), ERR_OK);
    ck_assert_int_eq(registry_add(registry, "m", 1002, m, &e), ERR_OK);
    ck_assert_int_eq(registry_remove(registry, "m", 1002, &e), ERR_OK);
    ck_assert_int_eq(registry_remove(registry, "m", 1001, &e), ERR_NOT_FOUND);
}
END_TEST

/* ---- many threads ---- */

#define READERS 3
#define CHANGERS 2
#define ROUNDS 30

static atomic_bool ended;

/* Only whole versions are ever seen, or none, for the one reason. */
static void *read_all_the_time(void *arg)
{
    const struct served *held[3] = {NULL};
    void *result = NULL;

    for (size_t i = 0; !atomic_load(&ended) && result == NULL; i++) {
        struct err e;
        const struct served **s = &held[i % 3];
        if (*s != NULL && (strcmp((*s)->name, "m") != 0 ||
                           model_inputs((*s)->model) != COMPOSITION_INPUTS))
            result = arg;
        registry_release(registry, *s);
        *s = registry_acquire(registry, "m", i % 3, &e);
        if (*s == NULL && strstr(e.msg, "m is not loaded") == NULL)
            result = arg;
    }
    for (int i = 0; i < 3; i++)
        registry_release(registry, held[i]);
    return result;
}

/* Loads and unloads; the other one may be at it. */
static void *change(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct err e;
        if (registry_load_model(registry, "m", &e) != ERR_OK &&
            e.code != ERR_BUSY)
            return arg;
        if (i % 3 == 0 && registry_unload(registry, "m", &e) != ERR_OK &&
            e.code != ERR_BUSY)
            return arg;
    }
    return NULL;
}

START_TEST(readers_see_whole_versions_while_models_come_and_go)
{
    pthread_t readers[READERS], changers[CHANGERS];
    int failed = 0;
    void *result;

    registries_save("m/1", 1);
    registries_save("m/2", 2);
    registries_load("m");
    atomic_store(&ended, false);
    for (int i = 0; i < READERS; i++)
        readers[i] = thread_start("reader", read_all_the_time, &ended);
    for (int i = 0; i < CHANGERS; i++)
        changers[i] = thread_start("changer", change, &ended);
    for (unsigned i = 0; i < ROUNDS; i++)
        registries_save(i % 2 == 0 ? "m/1" : "m/2", i); /* renamed into place */
    for (int i = 0; i < CHANGERS; i++) {
        pthread_join(changers[i], &result);
        failed += result != NULL;
    }
    atomic_store(&ended, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], &result);
        failed += result != NULL;
    }
    ck_assert_int_eq(failed, 0);
    registries_load("m");
    ck_assert_uint_eq(registries_serve("m"), 2);
}
END_TEST

Suite *suite_registry_unload(void)
{
    Suite *s = suite_create("registry_unload");
    TCase *t;

    t = tcase_create("unloading");
    tcase_add_checked_fixture(t, registries_open, registries_close);
    tcase_add_test(t, an_unloaded_model_is_gone_but_for_those_who_have_it);
    tcase_add_test(t, what_is_not_known_cannot_be_unloaded);
    tcase_add_test(t, failures_end_with_a_load_or_an_unload);
    tcase_add_test(t, what_comes_for_an_unloaded_model_waits_for_its_load);
    suite_add_tcase(s, t);
    t = tcase_create("threads");
    tcase_set_timeout(t, 60); /* many runs, many files */
    tcase_add_checked_fixture(t, registries_open, registries_close);
    tcase_add_test(t, readers_see_whole_versions_while_models_come_and_go);
    suite_add_tcase(s, t);
    return s;
}
