/* Training layer by layer: what a phase runs, teaches and leaves alone, what
 * each layer starts from, and which recipes of stacks are refused.
 */
#include "lib/base/rng.h"
#include "lib/train/measure.h"
#include "lib/train/trainer.h"
#include "tests/support/blobs.h"
#include "tests/support/compositions.h"
#include "tests/support/near.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5 };

static struct err e;
static float rows[ROWS * COMPOSITION_INPUTS];
static int labels[ROWS];

/* ---- the loss ---- */

static void run_loss(const struct model *m, const struct loss_weights *w,
                     float *grads, struct loss_sums *sums)
{
    struct arena memory;
    struct loss_rows all = {.B = ROWS, .x = rows, .labels = labels, .noise = 7};
    *sums = (struct loss_sums){0};
    arena_init(&memory, SIZE_MAX);
    ck_assert_msg(!loss_run(m, w, &all, 1, grads, sums, &memory, &e), "%s",
                  e.msg);
    arena_fini(&memory);
}

static const struct loss_weights everything = {.reconstruction = 0.8f,
                                               .structure = 0.9f,
                                               .classification = 0.7f,
                                               .adversarial = 0.5f,
                                               .adversarial_radius = 0.1f};

/* Of the composition m, with and without something that is not trained. */
static void check_fixed(const struct model *m, size_t fixed, const char *name)
{
    struct loss_weights w = everything;
    struct loss_sums with, without;
    float *all = calloc(m->params.total, sizeof *all);
    float *some = calloc(m->params.total, sizeof *some);
    run_loss(m, &w, all, &with);
    w.fixed[fixed] = true;
    run_loss(m, &w, some, &without);
    ck_assert(with.total == without.total);
    for (size_t i = 0; i < m->params.n; i++) {
        const struct param *p = &m->params.list[i];
        for (size_t k = p->offset; k < p->offset + p->count; k++) {
            float want = p->layer == fixed ? 0.0f : all[k];
            ck_assert_msg(some[k] == want, "%s\nwith %zu fixed, %s: %g not %g",
                          name, fixed, p->name, (double)some[k], (double)want);
        }
    }
    free(all);
    free(some);
}

START_TEST(what_is_not_trained_changes_no_other_gradient)
{
    struct model *m = composition_model((size_t)_i);
    composition_rows(rows, labels, ROWS, 3);
    for (size_t fixed = 0; fixed <= m->n_layers; fixed++)
        check_fixed(m, fixed, composition_name((size_t)_i));
    model_free(m);
}
END_TEST

/* The terms of the layers one by one are those of all. */
START_TEST(the_layers_own_terms_add_up)
{
    struct loss_weights w = {.reconstruction = 0.8f, .structure = 0.9f};
    struct model *m = composition_model((size_t)_i);
    struct loss_sums all, one;
    double total = 0;
    float *sum = calloc(m->params.total, sizeof *sum);
    float *grads = calloc(m->params.total, sizeof *grads);
    composition_rows(rows, labels, ROWS, 3);
    run_loss(m, &w, grads, &all);
    for (size_t i = 0; i < m->n_layers; i++) {
        for (size_t k = 0; k < m->n_layers; k++)
            w.silent[k] = k != i;
        run_loss(m, &w, sum, &one);
        total += one.total;
        ck_assert_uint_eq(loss_model(m, &w).n_layers, i + 1);
        ck_assert(i + 1 == m->n_layers || one.labelled == 0);
    }
    ck_assert_double_eq_tol(total, all.total, 1e-6 * all.total);
    near_all(sum, grads, m->params.total, 1e-4);
    free(sum);
    free(grads);
    model_free(m);
}
END_TEST

START_TEST(a_lower_layers_loss_does_not_look_at_the_upper_one)
{
    struct loss_weights w = {.reconstruction = 1, .silent = {false, true}};
    struct loss_sums before, after;
    struct model *m = composition_model((size_t)_i);
    composition_rows(rows, labels, ROWS, 3);
    run_loss(m, &w, NULL, &before);
    for (size_t k = 0; k < m->params.n && m->n_layers > 1; k++)
        if (m->params.list[k].layer > 0)
            m->params.list[k].value[0] = NAN;
    run_loss(m, &w, NULL, &after);
    ck_assert(before.total == after.total);
    model_free(m);
}
END_TEST

/* ---- recipes ---- */

#define LAYER(units, up)                                                       \
    "{\"operator\":\"dense\",\"units\":" units ",\"up\":\"" up "\","           \
    "\"encoder\":{\"kind\":\"feedforward\",\"gain\":true},"                    \
    "\"structure\":{\"kind\":\"groups\",\"lambda\":0.02,\"blocks\":2}}"
#define PHASE(name, layers, weights, train)                                    \
    "{\"name\":\"" name "\",\"epochs\":2," layers "\"weights\":{" weights      \
    "}," train "\"optimiser\":{\"rate\":0.01}}"
#define OWN "\"reconstruction\":1,\"structure\":1"
#define LOWER                                                                  \
    PHASE("lower", "\"layers\":[0],", OWN, "\"train\":[\"layers.0\"],")
#define UPPER                                                                  \
    PHASE("upper", "\"layers\":[1],", OWN, "\"train\":[\"layers.1\"],")
#define CLASSES                                                                \
    PHASE("classes", "\"layers\":[],", "\"classification\":1",                 \
          "\"train\":[\"classifier\"],")
#define HEAD(more)                                                             \
    "{\"seed\":3,\"validation\":50,\"batch\":16," more                         \
    "\"model\":{\"input\":{\"shape\":[12]},"                                   \
    "\"layers\":[" LAYER("16", "pooled") "," LAYER(                            \
        "10", "code") "],"                                                     \
                      "\"classifier\":{\"input\":\"pooled\"}},\"phases\":["

static const char good[] = HEAD("") LOWER "," UPPER "," CLASSES "]}";

static const struct {
    const char *from, *to, *want;
} bad[] = {
    {"\"layers\":[0],", "\"layers\":[2],",
     "phases[0].layers: each element must be the index of a layer, 0 to 1"},
    {"\"layers\":[0],", "\"layers\":[0.5],", "phases[0].layers"},
    {"\"layers\":[0],", "\"layers\":[-1],", "phases[0].layers"},
    {"\"layers\":[0],", "\"layers\":[\"0\"],", "phases[0].layers"},
    {"\"layers\":[0],", "\"layers\":0,", "phases[0].layers: must be an array"},
    {"\"layers\":[0],", "\"layers\":[],", "phases[0].layers: is empty"},
    {"[\"layers.0\"]", "[\"layers.2\"]", "phases[0].train[0]: no parameter"},
    {"[\"layers.0\"]", "[\"layers.1\"]",
     "phases[0].train[0]: nothing that counts in this phase depends on "
     "\"layers.1\": it runs layers 0 to 0 only"},
    {"[\"layers.0\"]", "[\"classifier\"]", "phases[0].train[0]: nothing"},
    {"\"layers\":[0],", "\"layers\":[0],\"measure\":\"error\",",
     "phases[0].measure: \"error\" needs the top layer, layers[1]"},
    {UPPER ",", "", "phases: none trains layers[1] (8 -> 10)"},
    {LOWER ",", "", "phases: none trains layers[0] (12 -> 16)"},
    {"," CLASSES, "", "phases: none trains the classifier"},
    {"\"layers\":[0],", "\"layers\":[0],\"rows\":\"some\",",
     "phases[0].rows: must be one of \"all\", \"labelled\""},
    {"\"batch\":16", "\"batch\":16,\"labelled\":0", "labelled"},
    {"\"batch\":16", "\"batch\":16,\"drop_decoders\":[2]",
     "drop_decoders: each element"},
    {"\"batch\":16", "\"batch\":16,\"drop_decoders\":\"all\"",
     "drop_decoders: must be true or an array"},
    {"{\"kind\":\"feedforward\",\"gain\":true}", "{\"kind\":\"iterative\"}",
     "drop_decoders: layers[0]: encoder \"iterative\" infers through"},
    {"\"units\":16,", "\"units\":16,\"decoder\":false,",
     "drop_decoders: layers[0] has no decoder"},
    {"\"up\":\"code\"", "\"up\":\"pools\"", "model: layers[1].up: must be"},
    {"\"blocks\":2}},{", "\"blocks\":3}},{", "model: layers[0].structure"},
};

/* The i-th bad recipe; dropping decoders is asked for where it must fail. */
static const char *bad_recipe(size_t i)
{
    static char text[4 * sizeof good];
    static char base[2 * sizeof good];
    const char *drop = strstr(bad[i].want, "drop_decoders: layers") != NULL
                           ? "{\"drop_decoders\":[0],"
                           : "{";
    snprintf(base, sizeof base, "%s%s", drop, good + 1);
    const char *at = strstr(base, bad[i].from);
    ck_assert_msg(at != NULL, "%s", bad[i].from);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - base), base, bad[i].to,
             at + strlen(bad[i].from));
    return text;
}

START_TEST(a_stack_that_cannot_be_is_refused)
{
    const char *text = bad_recipe((size_t)_i);
    struct recipe *r = recipe_parse(text, strlen(text), &e);
    ck_assert_msg(r == NULL, "taken: %s", text);
    ck_assert_msg(e.code == ERR_INVALID, "%s: %s", err_name(e.code), e.msg);
    ck_assert_msg(strstr(e.msg, bad[_i].want) != NULL, "want \"%s\" in \"%s\"",
                  bad[_i].want, e.msg);
}
END_TEST

START_TEST(a_phase_knows_how_far_up_it_goes_and_what_it_trains)
{
    struct recipe *r = recipe_parse(good, strlen(good), &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    const size_t reach[] = {1, 3, 3};
    const bool fixed[][3] = {
        {false, true, true}, {true, false, true}, {true, true, false}};
    for (size_t i = 0; i < 3; i++) {
        const struct recipe_phase *p = &r->phases[i];
        ck_assert_uint_eq(p->reach, reach[i]);
        for (size_t k = 0; k < 3; k++)
            ck_assert(p->weights.fixed[k] == fixed[i][k]);
        ck_assert(p->weights.silent[0] == (i != 0));
        ck_assert(p->weights.silent[1] == (i != 1));
    }
    recipe_free(r);
}
END_TEST

/* ---- training ---- */

struct watch {
    size_t stop_at, calls; /* progress calls; 0: never stops */
    struct measures last[4];
};

static bool on_progress(void *arg, const struct train_progress *p)
{
    struct watch *w = arg;
    if (p->epoch_done)
        w->last[p->phase_index] = p->validation;
    return ++w->calls != w->stop_at;
}

static struct model *train(const char *text, const char *checkpoint,
                           struct watch *w)
{
    struct recipe *r = recipe_parse(text, strlen(text), &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    struct train_options options = {.threads = 2,
                                    .seed = r->seed,
                                    .checkpoint = checkpoint,
                                    .resume = true,
                                    .progress = on_progress,
                                    .arg = w};
    struct model *m = train_run(r, blobs(300, 1), &options, &e);
    recipe_free(r);
    return m;
}

static struct model *must_train(const char *text)
{
    struct watch w = {0};
    struct model *m = train(text, NULL, &w);
    ck_assert_msg(m != NULL, "%s", e.msg);
    return m;
}

static bool same_values(const struct model *a, const struct model *b,
                        const char *beginning)
{
    for (size_t i = 0; i < a->params.n; i++) {
        const struct param *p = &a->params.list[i], *q = &b->params.list[i];
        if (strncmp(p->name, beginning, strlen(beginning)) == 0 &&
            memcmp(p->value, q->value, p->count * sizeof *p->value) != 0)
            return false;
    }
    return true;
}

START_TEST(each_phase_teaches_its_layer_only)
{
    static const char two[] = HEAD("") LOWER
        "," UPPER "," PHASE("more", "\"layers\":[1],", OWN,
                            "\"train\":[\"layers.1\"],") "," CLASSES "]}";
    struct model *whole = must_train(good), *longer = must_train(two);
    ck_assert(same_values(whole, longer, "layers.0"));
    ck_assert(!same_values(whole, longer, "layers.1"));
    model_free(whole);
    model_free(longer);
}
END_TEST

START_TEST(a_lower_phase_is_measured_at_its_layer)
{
    struct watch w = {0};
    struct model *m = train(good, NULL, &w);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_uint_eq(w.last[0].units, 16);
    ck_assert_uint_eq(w.last[0].labelled, 0);
    ck_assert(w.last[0].relative_error < 0.6);
    ck_assert_uint_eq(w.last[1].units, 10);
    ck_assert_uint_eq(w.last[2].labelled, 50);
    model_free(m);
}
END_TEST

/* An atom starts leaning on a row of what the layer below, trained by then,
 * makes of the samples: with other values below it starts elsewhere. */
START_TEST(an_upper_layer_starts_from_what_the_trained_one_below_makes)
{
    static const char still[] = HEAD("") LOWER
        ","
        "{\"layers\":[1],\"epochs\":1,\"weights\":{" OWN "},"
        "\"train\":[\"layers.1\"],"
        "\"optimiser\":{\"kind\":\"sgd\",\"rate\":1e-12}}," CLASSES "]}";
    static const char other[] =
        HEAD("") "{\"layers\":[0],\"epochs\":1,\"weights\":{" OWN "},"
                 "\"train\":[\"layers.0\"],\"optimiser\":{\"rate\":1e-12}},"
                 "{\"layers\":[1],\"epochs\":1,\"weights\":{" OWN "},"
                 "\"train\":[\"layers.1\"],"
                 "\"optimiser\":{\"kind\":\"sgd\",\"rate\":1e-12}}," CLASSES
                 "]}";
    struct model *a = must_train(still), *b = must_train(other);
    struct recipe *r = recipe_parse(still, strlen(still), &e);
    struct model *again = model_copy(a, &e);
    float samples[50 * BLOBS_INPUTS];
    struct rng rng = rng_make(1, "samples", 0);
    for (size_t i = 0; i < 50 * BLOBS_INPUTS; i++)
        samples[i] = rng_uniform(&rng, 0, 1);
    ck_assert(!same_values(a, b, "layers.0"));
    ck_assert(!same_values(a, b, "layers.1.decoder"));
    /* The upper layer alone, the lower one to the bit as it was. */
    ck_assert(!model_start_layers(again, 1, 2, 9, samples, 50, &e));
    ck_assert(same_values(a, again, "layers.0"));
    ck_assert(!same_values(a, again, "layers.1"));
    ck_assert(!same_values(a, again, "classifier"));
    model_free(again);
    model_free(a);
    model_free(b);
    recipe_free(r);
}
END_TEST

START_TEST(a_stack_stopped_anywhere_ends_in_the_same_bytes)
{
    char *folder = tmp_folder();
    const char *checkpoint = tmp_path(folder, "c");
    struct model *whole = must_train(good);
    for (size_t stop = 5; stop <= 6 * 17; stop += stop % 17 == 0 ? 1 : 4) {
        struct watch w = {.stop_at = stop}, on = {0};
        remove(checkpoint);
        ck_assert_ptr_null(train(good, checkpoint, &w));
        struct model *m = train(good, checkpoint, &on);
        ck_assert_msg(m != NULL, "%s", e.msg);
        ck_assert_mem_eq(m->params.values, whole->params.values,
                         m->params.total * sizeof(float));
        model_free(m);
    }
    model_free(whole);
    tmp_remove(folder);
}
END_TEST

START_TEST(dropped_decoders_leave_codes_and_classes_as_they_are)
{
    static const char dropped[] =
        HEAD("\"drop_decoders\":true,") LOWER "," UPPER "," CLASSES "]}";
    static const char one[] =
        HEAD("\"drop_decoders\":[0],") LOWER "," UPPER "," CLASSES "]}";
    struct model *all = must_train(good), *none = must_train(dropped);
    struct model *upper = must_train(one);
    ck_assert(model_draws(all, 1));
    ck_assert_ptr_null(none->layers[0].dec.kind);
    ck_assert_ptr_null(none->layers[1].dec.kind);
    ck_assert_ptr_null(params_find(&none->params, "layers.0.decoder.weight"));
    ck_assert_ptr_null(upper->layers[0].dec.kind);
    ck_assert_ptr_nonnull(upper->layers[1].dec.kind);
    for (size_t i = 0; i < none->params.n; i++) {
        const struct param *p = &none->params.list[i];
        const struct param *q = params_find(&all->params, p->name);
        ck_assert_mem_eq(p->value, q->value, p->count * sizeof *p->value);
    }
    const struct json *v = json_get(none->metrics, "validation");
    const struct json *w = json_get(all->metrics, "validation");
    near(json_number(json_get(v, "error")), json_number(json_get(w, "error")),
         0);
    ck_assert_ptr_null(json_get(v, "relative_error"));
    ck_assert_ptr_nonnull(json_get(w, "relative_error"));
    model_free(all);
    model_free(none);
    model_free(upper);
}
END_TEST

/* With three labels the classes cannot be learned as well as with all. */
START_TEST(hidden_labels_are_not_learned_from)
{
#define FEW(more, rows)                                                        \
    HEAD(more)                                                                 \
    "{" rows "\"epochs\":40,\"weights\":{\"classification\":1},"               \
    "\"optimiser\":{\"rate\":0.01}}]}"
    struct model *all = must_train(FEW("", ""));
    struct model *few = must_train(FEW("\"labelled\":3,", ""));
    struct model *alone =
        must_train(FEW("\"labelled\":3,", "\"rows\":\"labelled\","));
    double errors[3];
    const struct model *const models[] = {all, few, alone};
    for (size_t i = 0; i < 3; i++) {
        const struct json *v = json_get(models[i]->metrics, "validation");
        near(json_number(json_get(v, "rows")), 50, 0);
        errors[i] = json_number(json_get(v, "error"));
    }
    ck_assert_msg(errors[0] < errors[1] && errors[0] < errors[2],
                  "%g with all, %g and %g with three labels", errors[0],
                  errors[1], errors[2]);
    ck_assert(!same_values(few, alone, "classifier"));
    model_free(all);
    model_free(few);
    model_free(alone);
}
END_TEST

Suite *suite_layers(void);
Suite *suite_layers(void)
{
    Suite *s = suite_create("layers");
    TCase *loss = tcase_create("loss"), *refusing = tcase_create("refusing");
    TCase *training = tcase_create("training");
    tcase_set_timeout(loss, 60);
    tcase_add_loop_test(loss, what_is_not_trained_changes_no_other_gradient, 0,
                        (int)compositions_count());
    tcase_add_loop_test(loss, the_layers_own_terms_add_up, 0,
                        (int)compositions_count());
    tcase_add_loop_test(loss,
                        a_lower_layers_loss_does_not_look_at_the_upper_one, 0,
                        (int)compositions_count());
    tcase_add_loop_test(refusing, a_stack_that_cannot_be_is_refused, 0,
                        sizeof bad / sizeof *bad);
    tcase_add_test(training,
                   a_phase_knows_how_far_up_it_goes_and_what_it_trains);
    tcase_add_test(training, each_phase_teaches_its_layer_only);
    tcase_add_test(training, a_lower_phase_is_measured_at_its_layer);
    tcase_add_test(training,
                   an_upper_layer_starts_from_what_the_trained_one_below_makes);
    tcase_add_test(training, a_stack_stopped_anywhere_ends_in_the_same_bytes);
    tcase_add_test(training,
                   dropped_decoders_leave_codes_and_classes_as_they_are);
    tcase_add_test(training, hidden_labels_are_not_learned_from);
    suite_add_tcase(s, loss);
    suite_add_tcase(s, refusing);
    suite_add_tcase(s, training);
    return s;
}
