/* Pruning at the end of a training: what goes, what the figures say, and that
 * a training that was stopped ends the same.
 */
#include "lib/train/pruning.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/model/model_file.h"
#include "lib/train/measure.h"
#include "lib/train/trainer.h"
#include "tests/support/blobs.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <string.h>

enum { UNITS = 12 + 8, BATCHES = 16, EPOCHS = 4 };

#define LAYER(units)                                                           \
    "{\"operator\":\"dense\",\"units\":" units ","                             \
    "\"encoder\":{\"kind\":\"recurrent\",\"steps\":3},"                        \
    "\"structure\":{\"kind\":\"l1\",\"lambda\":0.02}}"
#define RECIPE(prune)                                                          \
    "{" prune "\"seed\":3,\"validation\":50,\"batch\":16,"                     \
    "\"model\":{\"input\":{\"shape\":[12]},"                                   \
    "\"layers\":[" LAYER("12") "," LAYER(                                      \
        "8") "],"                                                              \
             "\"classifier\":{\"input\":\"code\"}},"                           \
             "\"phases\":[{\"epochs\":4,\"weights\":{\"reconstruction\":1,"    \
             "\"structure\":1,\"classification\":1},\"optimiser\":{\"rate\":"  \
             "0.01}}]}"
#define PRUNED(share) RECIPE("\"prune\":{\"below\":" share "},")

static struct err e;

static struct recipe *parse(const char *text)
{
    struct recipe *r = recipe_parse(text, strlen(text), &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    return r;
}

static bool count_down(void *arg, const struct train_progress *p)
{
    size_t *calls_left = arg;
    (void)p;
    return --*calls_left > 0;
}

/* Stopped after `calls` batches and epochs: then NULL, as after an error. */
static struct model *try_train(const char *text, const char *checkpoint,
                               bool resume, size_t calls)
{
    struct recipe *r = parse(text);
    struct train_options options = {.threads = 2,
                                    .seed = r->seed,
                                    .checkpoint = checkpoint,
                                    .resume = resume,
                                    .progress = count_down,
                                    .arg = &calls};
    struct model *m = train_run(r, blobs(300, 1), &options, &e);
    recipe_free(r);
    return m;
}

static struct model *train(const char *text)
{
    struct model *m = try_train(text, NULL, false, SIZE_MAX);
    ck_assert_msg(m != NULL, "%s", e.msg);
    return m;
}

static double figure(const struct model *m, const char *key)
{
    const struct json *j = json_get(json_get(m->metrics, "pruned"), key);
    ck_assert_msg(j != NULL, "%s", key);
    return json_number(j);
}

/* On how many training rows each unit is on. */
static size_t count(const struct model *m, size_t on[UNITS])
{
    struct rows rows = {0};
    struct recipe *r = parse(RECIPE(""));
    struct dataset *d = blobs(300, 1);
    struct team *team = team_new(1);
    ck_assert(!rows_init(&rows, r, d, NULL, r->seed, &e));
    size_t n = rows.n_training;
    ck_assert(!measure_units(m, d, rows.training, n, team, on, &e));
    team_free(team);
    rows_fini(&rows);
    recipe_free(r);
    return n;
}

START_TEST(units_that_are_rarely_on_go)
{
    size_t on[UNITS], kept[2] = {0};
    struct model *whole = train(RECIPE(""));
    struct model *less = train(PRUNED("0.5"));
    size_t n = count(whole, on);
    for (size_t i = 0; i < UNITS; i++)
        kept[i >= 12] += 2 * on[i] >= n;
    ck_assert_msg(kept[0] > 0 && kept[0] < 12, "%zu kept", kept[0]);
    ck_assert_msg(kept[1] > 0 && kept[1] < 8, "%zu kept", kept[1]);
    ck_assert_uint_eq(layer_units(&less->layers[0]), kept[0]);
    ck_assert_uint_eq(layer_units(&less->layers[1]), kept[1]);
    near(figure(less, "units_before"), UNITS, 0);
    near(figure(less, "units"), (double)(kept[0] + kept[1]), 0);
    near(figure(less, "rows"), (double)n, 0);
    near(figure(less, "below"), 0.5, 0);
    ck_assert(figure(less, "loss") > figure(less, "loss_before"));
    ck_assert_ptr_null(json_get(whole->metrics, "pruned"));
    ck_assert_ptr_nonnull(json_get(less->metrics, "validation"));
    ck_assert_ptr_nonnull(less->lineage);
    model_free(less);
    model_free(whole);
}
END_TEST

START_TEST(units_that_are_never_on_cost_nothing)
{
    size_t on[UNITS], used = 0;
    struct model *whole = train(RECIPE(""));
    struct model *same = train(PRUNED("1e-9"));
    count(whole, on);
    for (size_t i = 0; i < UNITS; i++)
        used += on[i] > 0;
    ck_assert_uint_lt(used, UNITS);
    near(figure(same, "units"), (double)used, 0);
    near(figure(same, "loss"), figure(same, "loss_before"), 1e-6);
    model_free(same);
    model_free(whole);
}
END_TEST

/* The bytes of the model's file, for mem_free. */
static char *bytes_of(const struct model *m, const char *folder, size_t *n)
{
    const char *path = tmp_path(folder, "m.safetensors");
    ck_assert_msg(!model_save(m, path, &e), "%s", e.msg);
    char *bytes = file_read(path, (size_t)1 << 24, n, &e);
    ck_assert_msg(bytes != NULL, "%s", e.msg);
    return bytes;
}

/* Within an epoch, and after the last one, when only pruning is left. */
START_TEST(a_stopped_training_ends_in_the_same_bytes)
{
    const size_t stops[] = {20, EPOCHS * (BATCHES + 1)};
    size_t n, k;
    char *folder = tmp_folder();
    const char *checkpoint = tmp_path(folder, "c");
    struct model *whole = train(PRUNED("0.5"));
    char *want = bytes_of(whole, folder, &n);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_ptr_null(
            try_train(PRUNED("0.5"), checkpoint, false, stops[i]));
        ck_assert_int_eq(e.code, ERR_CONFLICT);
        struct model *m = try_train(PRUNED("0.5"), checkpoint, true, SIZE_MAX);
        ck_assert_msg(m != NULL, "%s", e.msg);
        char *got = bytes_of(m, folder, &k);
        ck_assert_uint_eq(k, n);
        ck_assert_mem_eq(got, want, n);
        mem_free(got);
        model_free(m);
    }
    mem_free(want);
    model_free(whole);
    tmp_remove(folder);
}
END_TEST

START_TEST(leaving_nothing_is_refused)
{
    ck_assert_ptr_null(try_train(PRUNED("1"), NULL, false, SIZE_MAX));
    ck_assert_int_eq(e.code, ERR_CONFLICT);
    ck_assert_msg(strstr(e.msg, "prune: layers[") != NULL, "%s", e.msg);
    ck_assert_msg(strstr(e.msg, "lower prune.below") != NULL, "%s", e.msg);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    struct rows rows = {0};
    struct recipe *r = parse(PRUNED("0.5"));
    struct dataset *d = blobs(300, 1);
    struct model *m = train(RECIPE(""));
    struct team *team = team_new(1);
    struct json *figures = NULL;
    ck_assert(!rows_init(&rows, r, d, NULL, r->seed, &e));
    for (size_t n = 0;; n++) {
        mem_fail_after(n);
        enum err_code code = pruning_run(&m, r, d, &rows, team, &figures, &e);
        mem_fail_after(SIZE_MAX);
        if (!code) {
            ck_assert_uint_gt(n, 20);
            break;
        }
        ck_assert_msg(code == ERR_NO_MEMORY, "%zu: %s", n, e.msg);
    }
    json_free(figures);
    model_free(m);
    team_free(team);
    rows_fini(&rows);
    recipe_free(r);
}
END_TEST

Suite *suite_pruning(void);
Suite *suite_pruning(void)
{
    Suite *s = suite_create("pruning");
    TCase *t = tcase_create("at the end of a training");
    tcase_add_test(t, units_that_are_rarely_on_go);
    tcase_add_test(t, units_that_are_never_on_cost_nothing);
    tcase_add_test(t, a_stopped_training_ends_in_the_same_bytes);
    tcase_add_test(t, leaving_nothing_is_refused);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return s;
}
