/* Tuning small models: what is learned and what is kept, every composition,
 * the same bytes however often it was stopped, and what it refuses.
 */
#include "lib/train/tune.h"
#include "tests/support/blobs.h"
#include "tests/support/compositions.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 120, KEPT = 120 };

static struct err e;
static const char *const numerals[] = {"0", "1", "2", "3"};

/* Samples of all three blobs, every fourth held out. */
struct fixture {
    struct model *parent;
    struct dataset samples;
    float x[SAMPLES * BLOBS_INPUTS];
    int32_t labels[SAMPLES];
    bool held_out[SAMPLES];
    struct tune_data data;
};
static struct fixture f;

static struct model *new_parent(size_t classes)
{
    const char *text = "{\"input\":{\"shape\":[12]},\"layers\":[{"
                       "\"operator\":\"dense\",\"units\":16,"
                       "\"encoder\":{\"kind\":\"recurrent\",\"steps\":3},"
                       "\"structure\":{\"kind\":\"l1\",\"lambda\":0.02}}],"
                       "\"classifier\":{\"input\":\"code\"}}";
    struct json *config = json_parse(text, strlen(text), &e);
    struct model *m = model_new(config, NULL, classes, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    json_free(config);
    ck_assert(!model_start(m, 1, blobs(200, 9)->floats, 200, &e));
    return m;
}

/* Rows of the blobs that the parent knows, one in five held out. */
static void keep_rows(struct model *m, size_t n, uint64_t seed)
{
    struct dataset *d = blobs(BLOBS_MAX_ROWS, seed);
    size_t at = 0;
    ck_assert(!rehearsal_init(&m->rehearsal, n, BLOBS_INPUTS, &e));
    for (size_t i = 0; i < d->n && at < n; i++) {
        if ((size_t)d->labels[i] >= m->classifier.classes)
            continue;
        for (size_t k = 0; k < BLOBS_INPUTS; k++) {
            float v = d->floats[i * BLOBS_INPUTS + k];
            v = v < 0 ? 0 : v > 1 ? 1 : v;
            m->rehearsal.inputs[at * BLOBS_INPUTS + k] =
                (uint8_t)lroundf(255 * v);
        }
        m->rehearsal.labels[at] = d->labels[i];
        m->rehearsal.held_out[at] = at % 5 == 0;
        at++;
    }
    ck_assert_uint_eq(at, n);
}

static void take_samples(uint64_t seed)
{
    struct dataset *d = blobs(SAMPLES, seed);
    f.samples = *d;
    memcpy(f.x, d->floats, sizeof f.x);
    memcpy(f.labels, d->labels, sizeof f.labels);
    f.samples.floats = f.x;
    f.samples.labels = f.labels;
    f.samples.n_classes = 4;
    f.samples.hash = 0;
    for (size_t i = 0; i < SAMPLES; i++)
        f.held_out[i] = i % 4 == 0;
    f.data = (struct tune_data){
        .samples = &f.samples, .held_out = f.held_out, .names = numerals};
}

static struct tune_options options_of(size_t epochs)
{
    return (struct tune_options){
        .epochs = epochs, .threads = 1, .seed = 3, .learning_rate = 0.01};
}

/* A parent that knows blobs 0 and 1 well. */
static void setup(void)
{
    struct tune_options options = options_of(10);
    struct tune_result r;
    const char *training =
        "{\"batch\":16,\"phase\":{\"weights\":{\"reconstruction\":1,"
        "\"structure\":1,\"classification\":1},"
        "\"optimiser\":{\"kind\":\"adam\",\"rate\":0.01}}}";
    struct model *fresh = new_parent(2);
    fresh->training = json_parse(training, strlen(training), &e);
    ck_assert(fresh->training != NULL);
    keep_rows(fresh, KEPT, 5);
    take_samples(1);
    for (size_t i = 0; i < SAMPLES; i++)
        if (f.labels[i] == 2)
            f.labels[i] = DATASET_NO_LABEL;
    ck_assert_msg(!tune_run(fresh, &f.data, &options, &r, &e), "%s", e.msg);
    f.parent = r.model;
    r.model = NULL;
    tune_result_fini(&r);
    model_free(fresh);
    take_samples(2);
}

static void teardown(void)
{
    model_free(f.parent);
}

static void tune(const struct tune_options *options, struct tune_result *r)
{
    ck_assert_msg(!tune_run(f.parent, &f.data, options, r, &e), "%s", e.msg);
}

static double figure(const struct json *j, const char *label, const char *key)
{
    const struct json *part = j;
    if (label)
        part = json_get(json_get(j, "labels"), label);
    const struct json *value = json_get(part, key);
    ck_assert_msg(value && json_is_number(value), "%s of %s", key,
                  label ? label : "all");
    return json_number(value);
}

/* ---- what is learned ---- */

START_TEST(a_label_never_seen_adds_a_class_and_old_ones_are_kept)
{
    struct tune_options options = options_of(12);
    struct tune_result r;
    tune(&options, &r);
    ck_assert_msg(r.better, "%s", r.reason);
    ck_assert_uint_eq(r.model->classifier.classes, 3);
    ck_assert_str_eq(r.model->classes[2], "2");
    ck_assert(figure(r.before, "2", "error") == 1);
    ck_assert(figure(r.after, "2", "error") <= 0.1);
    ck_assert(figure(r.after, "0", "error") <= 0.1);
    ck_assert(figure(r.after, NULL, "error") <= 0.1);
    ck_assert_uint_eq(r.model->rehearsal.n, KEPT);
    tune_result_fini(&r);
}
END_TEST

START_TEST(old_classes_are_kept_without_samples_of_them)
{
    struct tune_options options = options_of(12);
    struct tune_result r;
    size_t n = 0;
    for (size_t i = 0; i < SAMPLES; i++)
        if (f.labels[i] == 2) {
            memmove(f.x + n * BLOBS_INPUTS, f.x + i * BLOBS_INPUTS,
                    BLOBS_INPUTS * sizeof *f.x);
            f.held_out[n] = n % 4 == 0;
            f.labels[n++] = 2;
        }
    f.samples.n = n;
    tune(&options, &r);
    ck_assert_msg(r.better, "%s", r.reason);
    ck_assert(figure(r.after, "0", "error") <= 0.1);
    ck_assert(figure(r.after, "1", "error") <= 0.1);
    ck_assert(figure(r.after, "2", "error") <= 0.1);
    tune_result_fini(&r);
}
END_TEST

START_TEST(wrong_labels_do_not_pass_the_gate)
{
    struct tune_options options = options_of(12);
    struct tune_result r;
    for (size_t i = 0; i < SAMPLES; i++)
        f.labels[i] = f.labels[i] == 0 ? 1 : DATASET_NO_LABEL;
    tune(&options, &r);
    ck_assert_msg(!r.better, "%s", r.reason);
    ck_assert_uint_gt(strlen(r.reason), 10);
    tune_result_fini(&r);
}
END_TEST

START_TEST(rows_without_labels_train_the_other_terms)
{
    struct tune_options options = options_of(6);
    struct tune_result r;
    f.samples.labels = NULL;
    tune(&options, &r);
    ck_assert_uint_eq(r.model->classifier.classes, 2);
    ck_assert(figure(r.after, NULL, "loss") <= figure(r.before, NULL, "loss"));
    ck_assert(strstr(r.reason, "loss") || strstr(r.reason, "label"));
    tune_result_fini(&r);
}
END_TEST

START_TEST(a_child_is_never_worse_on_held_out_rows)
{
    /* A rate at which little can be learned: the parent itself stays. */
    struct tune_options options = options_of(2);
    struct tune_result r;
    options.learning_rate = 3;
    for (size_t i = 0; i < SAMPLES; i++)
        if (f.labels[i] == 2)
            f.labels[i] = 0;
    enum err_code code = tune_run(f.parent, &f.data, &options, &r, &e);
    if (!code) {
        ck_assert(figure(r.after, NULL, "error") <=
                  figure(r.before, NULL, "error"));
        tune_result_fini(&r);
    } else {
        ck_assert_int_eq(code, ERR_INTERNAL);
    }
}
END_TEST

START_TEST(test_rows_of_the_operator_are_judged_too)
{
    struct tune_options options = options_of(12);
    struct tune_result r;
    struct dataset test = *blobs(90, 4);
    int32_t labels[90];
    /* Labels that contradict the samples: nothing can pass. */
    for (size_t i = 0; i < 90; i++)
        labels[i] = (test.labels[i] + 1) % 3;
    test.labels = labels;
    f.data.test = &test;
    tune(&options, &r);
    ck_assert(!r.better);
    ck_assert(json_get(r.before, "test") && json_get(r.after, "test"));
    tune_result_fini(&r);
}
END_TEST

/* ---- every composition ---- */

START_TEST(every_composition_can_be_tuned)
{
    struct model *m = composition_model((size_t)_i);
    float x[40 * COMPOSITION_INPUTS];
    int labels[40];
    int32_t classes[40];
    bool held_out[40];
    struct tune_options options = options_of(2);
    struct tune_result r;
    options.learning_rate = 1e-4;
    composition_rows(x, labels, 40, 2);
    for (size_t i = 0; i < 40; i++) {
        classes[i] = i % 4 == 3 ? 3 : labels[i];
        held_out[i] = i % 5 == 0;
    }
    struct dataset samples = {.n = 40,
                              .row_size = COMPOSITION_INPUTS,
                              .floats = x,
                              .labels = classes,
                              .n_classes = 4};
    struct tune_data data = {
        .samples = &samples, .held_out = held_out, .names = numerals};
    ck_assert_msg(!tune_run(m, &data, &options, &r, &e), "%s: %s",
                  composition_name((size_t)_i), e.msg);
    ck_assert_uint_eq(r.model->classifier.classes, COMPOSITION_CLASSES + 1);
    tune_result_fini(&r);
    model_free(m);
}
END_TEST

START_TEST(preprocessing_stays_the_parents)
{
    struct model *m = composition_whitened();
    float x[40 * COMPOSITION_INPUTS];
    int labels[40];
    int32_t classes[40];
    struct tune_options options = options_of(2);
    struct tune_result r;
    composition_rows(x, labels, 40, 2);
    for (size_t i = 0; i < 40; i++)
        classes[i] = labels[i];
    struct dataset samples = {.n = 40,
                              .row_size = COMPOSITION_INPUTS,
                              .floats = x,
                              .labels = classes,
                              .n_classes = 3};
    struct tune_data data = {.samples = &samples, .names = numerals};
    ck_assert_msg(!tune_run(m, &data, &options, &r, &e), "%s", e.msg);
    for (size_t i = 0; i < m->params.n; i++) {
        const struct param *p = &m->params.list[i];
        const struct param *q = &r.model->params.list[i];
        if (strstr(p->name, "preprocess"))
            ck_assert_mem_eq(p->value, q->value, p->count * sizeof(float));
    }
    /* Without held-out rows nothing says that it is better. */
    ck_assert(!r.better);
    tune_result_fini(&r);
    model_free(m);
}
END_TEST

/* ---- the same run ---- */

static bool stop_at(void *arg, const struct train_progress *p)
{
    size_t *left = arg;
    (void)p;
    return (*left)-- > 1;
}

static void same_bytes(const struct model *a, const struct model *b)
{
    ck_assert_uint_eq(a->params.total, b->params.total);
    ck_assert_mem_eq(a->params.values, b->params.values,
                     a->params.total * sizeof(float));
}

START_TEST(the_same_run_gives_the_same_bytes_however_often_it_stops)
{
    char *folder = tmp_folder();
    struct tune_options options = options_of(5);
    struct tune_result whole, r;
    size_t stops = 0;
    tune(&options, &whole);
    options.checkpoint = tmp_path(folder, "c");
    options.resume = true;
    options.progress = stop_at;
    for (;;) {
        size_t left = 80; /* more than an epoch has batches */
        options.arg = &left;
        if (!tune_run(f.parent, &f.data, &options, &r, &e))
            break;
        ck_assert_int_eq(e.code, ERR_CONFLICT);
        ck_assert_str_eq(e.msg, "stopped");
        ck_assert_uint_lt(stops++, 20);
    }
    ck_assert_uint_gt(stops, 0);
    same_bytes(whole.model, r.model);
    ck_assert_str_eq(whole.reason, r.reason);
    tune_result_fini(&whole);
    tune_result_fini(&r);
    tmp_remove(folder);
}
END_TEST

/* ---- what is refused ---- */

static void refuse(enum err_code code, const char *says)
{
    struct tune_options options = options_of(2);
    struct tune_result r;
    ck_assert_int_eq(tune_run(f.parent, &f.data, &options, &r, &e), code);
    ck_assert_msg(strstr(e.msg, says) != NULL, "%s", e.msg);
    ck_assert(r.model == NULL);
}

START_TEST(nothing_to_learn_from_is_refused)
{
    f.samples.n = 0;
    refuse(ERR_SHAPE, "0 samples");
    f.samples.n = SAMPLES;
    memset(f.held_out, 1, sizeof f.held_out);
    f.samples.labels = NULL;
    refuse(ERR_SHAPE, "held out");
}
END_TEST

START_TEST(rows_of_another_size_are_refused)
{
    f.samples.row_size = 11;
    refuse(ERR_SHAPE, "11 numbers");
}
END_TEST

START_TEST(a_loss_that_grows_tenfold_stops_the_run)
{
    struct tune_options options = options_of(12);
    struct tune_result r;
    const char *text =
        "{\"phase\":{\"weights\":{\"reconstruction\":1,\"structure\":1},"
        "\"optimiser\":{\"kind\":\"sgd\",\"rate\":1}}}";
    json_free(f.parent->training);
    f.parent->training = json_parse(text, strlen(text), &e);
    options.learning_rate = 900;
    enum err_code code = tune_run(f.parent, &f.data, &options, &r, &e);
    ck_assert_msg(code == ERR_INTERNAL, "%d %s", (int)code,
                  code ? e.msg : r.reason);
    ck_assert_msg(strstr(e.msg, "rate") != NULL, "%s", e.msg);
    ck_assert_msg(strstr(e.msg, "epoch") != NULL, "%s", e.msg);
}
END_TEST

START_TEST(training_settings_that_do_not_suit_are_refused)
{
    const char *text = "{\"phase\":{\"weights\":{\"classification\":1},"
                       "\"optimiser\":{\"kind\":\"none\",\"rate\":1}}}";
    json_free(f.parent->training);
    f.parent->training = json_parse(text, strlen(text), &e);
    refuse(ERR_CORRUPT, "training");
}
END_TEST

Suite *suite_tune(void)
{
    Suite *s = suite_create("tune");
    TCase *t = tcase_create("blobs");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_label_never_seen_adds_a_class_and_old_ones_are_kept);
    tcase_add_test(t, old_classes_are_kept_without_samples_of_them);
    tcase_add_test(t, wrong_labels_do_not_pass_the_gate);
    tcase_add_test(t, rows_without_labels_train_the_other_terms);
    tcase_add_test(t, a_child_is_never_worse_on_held_out_rows);
    tcase_add_test(t, test_rows_of_the_operator_are_judged_too);
    tcase_add_test(t, the_same_run_gives_the_same_bytes_however_often_it_stops);
    tcase_add_test(t, nothing_to_learn_from_is_refused);
    tcase_add_test(t, rows_of_another_size_are_refused);
    tcase_add_test(t, a_loss_that_grows_tenfold_stops_the_run);
    tcase_add_test(t, training_settings_that_do_not_suit_are_refused);
    suite_add_tcase(s, t);
    t = tcase_create("compositions");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, every_composition_can_be_tuned, 0,
                        (int)compositions_count());
    tcase_add_test(t, preprocessing_stays_the_parents);
    suite_add_tcase(s, t);
    return s;
}
