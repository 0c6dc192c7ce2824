/* Training small models whole: that it learns, that the same run gives the
 * same bytes however often it was stopped, and what it refuses.
 */
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/model/model_file.h"
#include "lib/train/trainer.h"
#include "tests/support/blobs.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define HEAD                                                                   \
    "{\"seed\":3,\"validation\":50,\"batch\":16,"                              \
    "\"model\":{\"input\":{\"shape\":[12]},\"layers\":[{"                      \
    "\"operator\":\"dense\",\"units\":16,"                                     \
    "\"encoder\":{\"kind\":\"recurrent\",\"steps\":3},"                        \
    "\"structure\":{\"kind\":\"l1\",\"lambda\":0.02}}],"                       \
    "\"classifier\":{\"input\":\"code\"}},"                                    \
    "\"phases\":["
#define FIRST                                                                  \
    "{\"name\":\"alone\",\"epochs\":3,"                                        \
    "\"weights\":{\"reconstruction\":1,\"structure\":1},"                      \
    "\"optimiser\":{\"kind\":\"sgd\",\"rate\":0.2,\"momentum\":0.9,"           \
    "\"clip\":2},\"train\":[\"layers\"]}"
#define JOINT                                                                  \
    "{\"name\":\"joint\",\"epochs\":4,"                                        \
    "\"weights\":{\"reconstruction\":1,\"structure\":1,"                       \
    "\"classification\":1,\"adversarial\":0.5,\"adversarial_radius\":0.1},"    \
    "\"optimiser\":{\"kind\":\"adam\",\"rate\":0.01,\"project_every\":3},"     \
    "\"schedule\":{\"kind\":\"cosine\",\"warmup\":1}}"

static const char two_phases[] = HEAD FIRST "," JOINT "]}";

/* A noisy code on a plain one, with the same phases. */
#define NOISY                                                                  \
    "{\"seed\":3,\"validation\":50,\"batch\":16,"                              \
    "\"model\":{\"input\":{\"shape\":[12]},\"layers\":[{"                      \
    "\"operator\":\"dense\",\"units\":10,"                                     \
    "\"encoder\":{\"kind\":\"feedforward\"},"                                  \
    "\"structure\":{\"kind\":\"l1\"}},{"                                       \
    "\"operator\":\"dense\",\"units\":6,"                                      \
    "\"encoder\":{\"kind\":\"feedforward\",\"nonlinearity\":\"identity\"},"    \
    "\"structure\":{\"kind\":\"gaussian\",\"lambda\":0.01}}],"                 \
    "\"classifier\":{\"input\":\"code\"}},"                                    \
    "\"phases\":["

static const char noisy[] = NOISY FIRST "," JOINT "]}";
static const char *const recipes[] = {two_phases, noisy};
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

static struct err e;

/* What a run told, and when it is to be stopped. */
struct watch {
    size_t calls, stop_at; /* progress calls; 0: never */
    size_t epochs;
    double first_loss, last_loss, best_error;
};

static bool on_progress(void *arg, const struct train_progress *p)
{
    struct watch *w = arg;
    w->calls++;
    if (p->epoch_done) {
        double loss = p->loss.total / (double)p->loss.rows;
        ck_assert_uint_eq(p->row, p->rows);
        if (w->epochs++ == 0)
            w->first_loss = loss;
        w->last_loss = loss;
        w->best_error = fmin(w->best_error, p->validation.error);
    }
    return w->calls != w->stop_at;
}

static struct recipe *parse(const char *text)
{
    struct recipe *r = recipe_parse(text, strlen(text), &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    return r;
}

/* NULL if the run was stopped or failed: then e says why. */
static struct model *train(const char *text, const struct dataset *d,
                           const char *checkpoint, bool resume, size_t threads,
                           struct watch *w)
{
    struct recipe *r = parse(text);
    w->best_error = 2;
    struct train_options options = {.threads = threads,
                                    .seed = r->seed,
                                    .checkpoint = checkpoint,
                                    .resume = resume,
                                    .progress = on_progress,
                                    .arg = w};
    struct model *m = train_run(r, d, &options, &e);
    recipe_free(r);
    return m;
}

static struct model *must_train(const char *text, size_t threads)
{
    struct watch w = {0};
    struct model *m = train(text, blobs(300, 1), NULL, false, threads, &w);
    ck_assert_msg(m != NULL, "%s", e.msg);
    return m;
}

/* The bytes of the model's file, for mem_free. */
static char *bytes_of(const struct model *m, const char *folder, size_t *n)
{
    const char *path = tmp_path(folder, "m.safetensors");
    ck_assert_msg(!model_save(m, path, &e), "%s", e.msg);
    char *bytes = file_read(path, (size_t)1 << 24, n, &e);
    ck_assert_msg(bytes != NULL, "%s", e.msg);
    return bytes;
}

static bool same_file(const struct model *a, const struct model *b,
                      const char *folder)
{
    size_t n, k;
    char *one = bytes_of(a, folder, &n), *two = bytes_of(b, folder, &k);
    bool same = n == k && memcmp(one, two, n) == 0;
    mem_free(one);
    mem_free(two);
    return same;
}

/* ---- learning ---- */

START_TEST(training_lowers_the_loss_and_the_error)
{
    struct watch w = {0};
    const struct dataset *d = blobs(300, 1);
    struct model *m = train(HEAD JOINT "]}", d, NULL, false, 2, &w);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_uint_eq(w.epochs, 4);
    ck_assert_msg(w.last_loss < 0.7 * w.first_loss, "%g then %g", w.first_loss,
                  w.last_loss);
    const struct json *v = json_get(m->metrics, "validation");
    ck_assert_ptr_nonnull(v);
    near(json_number(json_get(v, "rows")), 50, 0);
    ck_assert_msg(json_number(json_get(v, "error")) < 0.15, "error %g",
                  json_number(json_get(v, "error")));
    ck_assert_str_eq(m->classes[2], "2");
    model_free(m);
}
END_TEST

START_TEST(the_model_says_where_it_comes_from)
{
    char want[20];
    struct recipe *r = parse(two_phases);
    struct model *m = must_train(two_phases, 2);
    snprintf(want, sizeof want, "%016llx", (unsigned long long)r->hash);
    ck_assert_str_eq(json_text(json_get(m->lineage, "recipe")), want);
    ck_assert_uint_eq(strlen(json_text(json_get(m->lineage, "data"))), 16);
    near(json_number(json_get(m->lineage, "seed")), 3, 0);
    near(json_number(json_get(m->lineage, "threads")), 2, 0);
    ck_assert_ptr_nonnull(json_get(m->lineage, "program"));
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(frozen_parameters_stay_to_the_bit)
{
    static const char more[] =
        HEAD FIRST ",{\"epochs\":2,\"weights\":{\"classification\":1},"
                   "\"optimiser\":{\"rate\":0.01},"
                   "\"train\":[\"classifier\"]}]}";
    struct model *before = must_train(HEAD FIRST "]}", 1);
    struct model *after = must_train(more, 1);
    size_t moved = 0;
    for (size_t i = 0; i < before->params.n; i++) {
        const struct param *p = &before->params.list[i];
        const struct param *q = &after->params.list[i];
        bool same = memcmp(p->value, q->value, p->count * sizeof(float)) == 0;
        bool frozen = strncmp(p->name, "layers.", 7) == 0;
        ck_assert_msg(!frozen || same, "%s moved", p->name);
        moved += !same;
    }
    ck_assert_uint_eq(moved, 2);
    model_free(before);
    model_free(after);
}
END_TEST

START_TEST(the_best_epoch_is_kept_and_patience_ends_a_phase)
{
    /* A rate so high that epochs get better and worse. */
    static const char wild[] =
        HEAD "{\"epochs\":60,\"weights\":{\"classification\":1},"
             "\"optimiser\":{\"rate\":0.3},\"patience\":3}]}";
    struct watch w = {0};
    struct model *m = train(wild, blobs(300, 1), NULL, false, 1, &w);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_uint_ge(w.epochs, 4);
    ck_assert_uint_lt(w.epochs, 60);
    const struct json *v = json_get(m->metrics, "validation");
    near(json_number(json_get(v, "error")), w.best_error, 1e-12);
    model_free(m);
}
END_TEST

START_TEST(without_validation_rows_the_last_epoch_counts)
{
    char text[sizeof two_phases];
    struct watch w = {0};
    snprintf(text, sizeof text, "%s", two_phases);
    memcpy(strstr(text, ":50"), ":0 ", 3);
    struct model *m = train(text, blobs(300, 1), NULL, false, 1, &w);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_ptr_null(json_get(m->metrics, "validation"));
    model_free(m);
}
END_TEST

/* ---- the same bytes ---- */

START_TEST(the_same_seed_and_threads_give_the_same_bytes)
{
    char *folder = tmp_folder();
    for (size_t threads = 1; threads <= 3; threads++) {
        struct model *a = must_train(recipes[_i], threads);
        struct model *b = must_train(recipes[_i], threads);
        ck_assert(same_file(a, b, folder));
        model_free(a);
        model_free(b);
    }
    tmp_remove(folder);
}
END_TEST

START_TEST(more_threads_than_rows_of_a_batch_work)
{
    struct model *few = must_train(HEAD FIRST "]}", 1);
    struct model *many = must_train(HEAD FIRST "]}", 20);
    /* Other orders of addition, the same training. */
    near_all(many->params.values, few->params.values, few->params.total, 1e-4);
    model_free(few);
    model_free(many);
}
END_TEST

/* Nothing but noise leads from the reconstruction to the variances. */
START_TEST(noisy_codes_are_drawn_in_training)
{
    static const char drawn[] =
        NOISY "{\"epochs\":1,\"weights\":{\"reconstruction\":1},"
              "\"optimiser\":{\"rate\":0.01}}]}";
    struct model *m = must_train(drawn, 2);
    const struct param *p = params_find(&m->params, "layers.1.encoder.weight");
    size_t moved = 0;
    for (size_t k = p->count / 2; k < p->count; k++)
        moved += p->value[k] != 0.0f;
    ck_assert_uint_gt(moved, p->count / 4);
    model_free(m);
}
END_TEST

/* Every place where a run can be stopped: within epochs, after each one,
 * between the phases, after the last. */
START_TEST(a_stopped_run_ends_in_the_same_bytes)
{
    enum { CALLS = 7 * (16 + 1) }; /* epochs of 16 batches and their end */
    char *folder = tmp_folder();
    const char *checkpoint = tmp_path(folder, "c");
    struct model *whole = must_train(recipes[_i], 2);
    for (size_t stop = 1; stop <= CALLS; stop += stop % 17 == 0 ? 1 : 8) {
        struct watch w = {.stop_at = stop};
        struct dataset *d = blobs(300, 1);
        remove(checkpoint);
        struct model *m = train(recipes[_i], d, checkpoint, false, 2, &w);
        ck_assert_ptr_null(m);
        ck_assert_int_eq(e.code, ERR_CONFLICT);
        w.stop_at = 0;
        m = train(recipes[_i], d, checkpoint, true, 2, &w);
        ck_assert_msg(m != NULL, "%s", e.msg);
        ck_assert_msg(same_file(whole, m, folder), "stopped at %zu", stop);
        ck_assert_uint_eq(w.epochs, 7);
        model_free(m);
    }
    model_free(whole);
    tmp_remove(folder);
}
END_TEST

START_TEST(a_run_stopped_after_every_epoch_ends_in_the_same_bytes)
{
    char *folder = tmp_folder();
    const char *checkpoint = tmp_path(folder, "c");
    struct model *whole = must_train(recipes[_i], 2), *m = NULL;
    size_t runs = 0;
    while (!m) {
        struct watch w = {.stop_at = 17};
        m = train(recipes[_i], blobs(300, 1), checkpoint, runs++ > 0, 2, &w);
        ck_assert_msg(m || e.code == ERR_CONFLICT, "%s", e.msg);
        ck_assert_uint_le(runs, 8);
    }
    ck_assert_uint_eq(runs, 8);
    ck_assert(same_file(whole, m, folder));
    model_free(m);
    model_free(whole);
    tmp_remove(folder);
}
END_TEST

START_TEST(a_stop_within_patience_is_counted_on)
{
    static const char wild[] =
        HEAD "{\"epochs\":40,\"weights\":{\"classification\":1},"
             "\"optimiser\":{\"rate\":0.3},\"patience\":3}," FIRST "]}";
    char *folder = tmp_folder();
    const char *checkpoint = tmp_path(folder, "c");
    struct model *whole = must_train(wild, 1), *m = NULL;
    for (size_t runs = 0; !m; runs++) {
        struct watch w = {.stop_at = 17};
        m = train(wild, blobs(300, 1), checkpoint, runs > 0, 1, &w);
        ck_assert_msg(m || e.code == ERR_CONFLICT, "%s", e.msg);
    }
    ck_assert(same_file(whole, m, folder));
    model_free(m);
    model_free(whole);
    tmp_remove(folder);
}
END_TEST

/* ---- refusing ---- */

START_TEST(every_allocation_may_fail)
{
    for (size_t n = 0;; n++) {
        struct watch w = {0};
        struct dataset *d = blobs(90, 1);
        struct recipe *r = parse(two_phases);
        struct train_options options = {
            .threads = 1, .seed = 1, .progress = on_progress, .arg = &w};
        mem_fail_after(n);
        struct model *m = train_run(r, d, &options, &e);
        mem_fail_after(SIZE_MAX);
        recipe_free(r);
        if (m) {
            model_free(m);
            ck_assert_uint_gt(n, 20);
            return;
        }
        ck_assert_msg(e.code == ERR_NO_MEMORY, "%zu: %s", n, e.msg);
    }
}
END_TEST

static void expect(struct model *m, enum err_code code, const char *want)
{
    ck_assert_ptr_null(m);
    ck_assert_msg(e.code == code, "%s: %s", err_name(e.code), e.msg);
    ck_assert_msg(strstr(e.msg, want) != NULL, "want \"%s\" in \"%s\"", want,
                  e.msg);
}

START_TEST(a_checkpoint_of_another_run_is_refused)
{
    char *folder = tmp_folder();
    const char *checkpoint = tmp_path(folder, "c");
    struct watch w = {.stop_at = 40}, none = {0};
    struct dataset *d = blobs(300, 1);
    ck_assert_ptr_null(train(two_phases, d, checkpoint, false, 2, &w));
    expect(train(two_phases, d, checkpoint, true, 1, &none), ERR_CONFLICT,
           "threads");
    expect(train(HEAD FIRST "]}", d, checkpoint, true, 2, &none), ERR_CONFLICT,
           "recipe");
    expect(train(two_phases, blobs(300, 2), checkpoint, true, 2, &none),
           ERR_CONFLICT, "data");
    struct recipe *r = parse(two_phases);
    struct train_options options = {
        .threads = 2, .seed = 4, .checkpoint = checkpoint, .resume = true};
    expect(train_run(r, blobs(300, 1), &options, &e), ERR_CONFLICT, "seed");
    recipe_free(r);
    tmp_remove(folder);
}
END_TEST

START_TEST(a_damaged_checkpoint_is_refused)
{
    char *folder = tmp_folder();
    const char *checkpoint = tmp_path(folder, "c");
    struct watch w = {.stop_at = 40}, none = {0};
    size_t n;
    ck_assert_ptr_null(
        train(two_phases, blobs(300, 1), checkpoint, false, 2, &w));
    char *bytes = file_read(checkpoint, (size_t)1 << 24, &n, &e);
    ck_assert_ptr_nonnull(bytes);
    tmp_write(folder, "c", bytes, n - 1);
    expect(train(two_phases, blobs(300, 1), checkpoint, true, 2, &none),
           ERR_CORRUPT, checkpoint);
    char *phase = strstr(bytes + 8, "\"phase\":\"");
    ck_assert_ptr_nonnull(phase);
    phase[9 + 15] = '7'; /* the last of its digits */
    tmp_write(folder, "c", bytes, n);
    expect(train(two_phases, blobs(300, 1), checkpoint, true, 2, &none),
           ERR_CORRUPT, "phase");
    phase[9 + 15] = 'x';
    tmp_write(folder, "c", bytes, n);
    expect(train(two_phases, blobs(300, 1), checkpoint, true, 2, &none),
           ERR_CORRUPT, "hexadecimal");
    mem_free(bytes);
    tmp_remove(folder);
}
END_TEST

START_TEST(a_run_that_diverges_says_where_and_leaves_its_checkpoint)
{
    static const char wild[] =
        HEAD FIRST ",{\"name\":\"wild\",\"epochs\":50,"
                   "\"weights\":{\"reconstruction\":1},"
                   "\"optimiser\":{\"kind\":\"sgd\",\"rate\":1000,"
                   "\"project_every\":1000},"
                   "\"train\":[\"layers.0.decoder\"]}]}";
    char *folder = tmp_folder();
    const char *checkpoint = tmp_path(folder, "c");
    struct watch w = {0};
    expect(train(wild, blobs(300, 1), checkpoint, false, 2, &w), ERR_INTERNAL,
           "phase 2 (wild), epoch");
    ck_assert(file_is_regular(checkpoint));
    tmp_remove(folder);
}
END_TEST

START_TEST(data_that_does_not_suit_the_recipe_is_refused)
{
    struct watch w = {0};
    struct dataset *d = blobs(50, 1);
    expect(train(two_phases, d, NULL, false, 1, &w), ERR_SHAPE, "validation");
    d = blobs(300, 1);
    d->labels = NULL;
    d->n_classes = 0;
    expect(train(two_phases, d, NULL, false, 1, &w), ERR_SHAPE, "classes");
    d->n_classes = 3;
    expect(train(two_phases, d, NULL, false, 1, &w), ERR_SHAPE, "labels");
    d = blobs(300, 1);
    d->row_size = 6;
    expect(train(two_phases, d, NULL, false, 1, &w), ERR_SHAPE, "12");
}
END_TEST

Suite *suite_trainer(void);
Suite *suite_trainer(void)
{
    Suite *s = suite_create("trainer");
    TCase *learning = tcase_create("learning");
    TCase *same = tcase_create("the same bytes");
    TCase *refusing = tcase_create("refusing");
    tcase_set_timeout(same, 60);
    tcase_add_test(learning, training_lowers_the_loss_and_the_error);
    tcase_add_test(learning, the_model_says_where_it_comes_from);
    tcase_add_test(learning, frozen_parameters_stay_to_the_bit);
    tcase_add_test(learning, the_best_epoch_is_kept_and_patience_ends_a_phase);
    tcase_add_test(learning, without_validation_rows_the_last_epoch_counts);
    tcase_add_test(same, noisy_codes_are_drawn_in_training);
    tcase_add_loop_test(same, the_same_seed_and_threads_give_the_same_bytes, 0,
                        RECIPES);
    tcase_add_test(same, more_threads_than_rows_of_a_batch_work);
    tcase_add_loop_test(same, a_stopped_run_ends_in_the_same_bytes, 0, RECIPES);
    tcase_add_loop_test(same,
                        a_run_stopped_after_every_epoch_ends_in_the_same_bytes,
                        0, RECIPES);
    tcase_add_test(same, a_stop_within_patience_is_counted_on);
    tcase_add_test(refusing, every_allocation_may_fail);
    tcase_add_test(refusing, a_checkpoint_of_another_run_is_refused);
    tcase_add_test(refusing, a_damaged_checkpoint_is_refused);
    tcase_add_test(refusing,
                   a_run_that_diverges_says_where_and_leaves_its_checkpoint);
    tcase_add_test(refusing, data_that_does_not_suit_the_recipe_is_refused);
    suite_add_tcase(s, learning);
    suite_add_tcase(s, same);
    suite_add_tcase(s, refusing);
    return s;
}
