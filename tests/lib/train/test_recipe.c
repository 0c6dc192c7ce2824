/* Recipes: what a good one means, and that each bad member is named. */
#include "lib/train/recipe.h"
#include "lib/train/schedule.h"
#include "tests/support/near.h"

#include <check.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LAYER                                                                  \
    "{\"operator\":\"dense\",\"units\":8,"                                     \
    "\"encoder\":{\"kind\":\"recurrent\",\"steps\":3},"                        \
    "\"structure\":{\"kind\":\"l1\",\"lambda\":0.1}}"

static const char good[] =
    "{\"data\":\"mnist\",\"seed\":5,\"validation\":10,\"batch\":4,"
    "\"classes\":[\"no\",\"yes\"],\"patches\":{\"count\":900},"
    "\"model\":{\"input\":{\"shape\":[2,3]},\"layers\":[" LAYER "],"
    "\"classifier\":{\"input\":\"code\"}},"
    "\"rates\":{\"weight\":0.5,\"encoder.weight\":0.25},"
    "\"bounds\":{\"decoder.weight\":2},"
    "\"start\":{\"samples\":7},"
    "\"prune\":{\"below\":0.25},"
    "\"rehearsal\":{\"rows\":60},"
    "\"phases\":["
    "{\"name\":\"first\",\"epochs\":3,\"weights\":{\"structure\":1},"
    "\"optimiser\":{\"kind\":\"sgd\",\"rate\":0.1,\"momentum\":0.9},"
    "\"train\":[\"layers.0.encoder\"]},"
    "{\"epochs\":2,\"weights\":{\"reconstruction\":1,\"classification\":0.5},"
    "\"optimiser\":{\"rate\":0.01,\"clip\":3,\"project_every\":5},"
    "\"schedule\":{\"kind\":\"cosine\",\"warmup\":0.5},\"patience\":4}]}";

static struct err e;

static struct recipe *parse(const char *text)
{
    struct recipe *r = recipe_parse(text, strlen(text), &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    return r;
}

START_TEST(every_member_is_read)
{
    struct recipe *r = parse(good);
    ck_assert_str_eq(r->data, "mnist");
    ck_assert_uint_eq(r->seed, 5);
    ck_assert_uint_eq(r->validation_rows, 10);
    ck_assert_uint_eq(r->batch, 4);
    ck_assert_uint_eq(r->patches, 900);
    ck_assert_uint_eq(r->n_classes, 2);
    ck_assert_str_eq(r->classes[1], "yes");
    ck_assert_uint_eq(r->input_rank, 2);
    ck_assert_uint_eq(r->input_shape[1], 3);
    ck_assert(r->classifies);
    ck_assert_uint_eq(r->start_samples, 7);
    near(r->prune_below, 0.25, 0);
    ck_assert_uint_eq(r->rehearsal_rows, 60);
    ck_assert_uint_eq(r->n_phases, 2);
    const struct recipe_phase *p = &r->phases[0];
    ck_assert_str_eq(p->name, "first");
    ck_assert_uint_eq(p->epochs, 3);
    ck_assert_int_eq(p->optimiser.kind, OPTIMISER_SGD);
    near(p->optimiser.momentum, 0.9, 1e-9);
    ck_assert_int_eq(p->measure, RECIPE_LOSS);
    ck_assert_str_eq(p->train[0], "layers.0.encoder");
    ck_assert_ptr_null(p->train[1]);
    p = &r->phases[1];
    ck_assert_int_eq(p->optimiser.kind, OPTIMISER_ADAM);
    near(p->optimiser.beta2, 0.999, 1e-9);
    near(p->optimiser.clip, 3, 0);
    ck_assert_uint_eq(p->optimiser.project_every, 5);
    ck_assert_int_eq(p->schedule, SCHEDULE_COSINE);
    ck_assert_uint_eq(p->patience, 4);
    ck_assert_int_eq(p->measure, RECIPE_ERROR);
    recipe_free(r);
}
END_TEST

START_TEST(the_hash_is_of_the_bytes)
{
    char other[sizeof good + 1];
    struct recipe *a = parse(good), *b = parse(good);
    snprintf(other, sizeof other, "%s ", good);
    struct recipe *c = parse(other);
    ck_assert(a->hash == b->hash);
    ck_assert(a->hash != c->hash);
    recipe_free(a);
    recipe_free(b);
    recipe_free(c);
}
END_TEST

START_TEST(policies_reach_the_rows_that_end_so)
{
    struct recipe *r = parse(good);
    struct model *m = model_new(r->model, r->classes, r->n_classes, &e);
    ck_assert_ptr_nonnull(m);
    ck_assert(!recipe_set_policies(r, &m->params, &e));
    near(params_find(&m->params, "layers.0.encoder.weight")->rate, 0.25, 0);
    near(params_find(&m->params, "layers.0.decoder.weight")->rate, 0.5, 0);
    near(params_find(&m->params, "classifier.weight")->rate, 0.5, 0);
    near(params_find(&m->params, "layers.0.encoder.bias")->rate, 1.0 / 3, 1e-6);
    near(params_find(&m->params, "layers.0.decoder.weight")->bound, 2, 0);
    near(params_find(&m->params, "classifier.weight")->bound, 5, 0);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(a_learned_matrix_has_a_rate_and_a_bound)
{
    static const char text[] =
        "{\"model\":{\"input\":{\"shape\":[6]},\"layers\":[{"
        "\"operator\":\"dense\",\"units\":8,"
        "\"encoder\":{\"kind\":\"feedforward\"},\"structure\":{"
        "\"kind\":\"lateral\",\"pattern\":\"all\",\"strength\":0.1,"
        "\"learned\":true}}]},"
        "\"rates\":{\"structure.inhibition\":0.05},"
        "\"bounds\":{\"structure.inhibition\":0.3},"
        "\"phases\":[{\"epochs\":1,\"weights\":{\"structure\":1},"
        "\"optimiser\":{\"rate\":0.1}}]}";
    struct recipe *r = parse(text);
    struct model *m = model_new(r->model, NULL, 0, &e);
    ck_assert_ptr_nonnull(m);
    const struct param *S =
        params_find(&m->params, "layers.0.structure.inhibition");
    near(S->rate, 1, 0);
    near(S->bound, 0.5, 1e-6);
    ck_assert(!recipe_set_policies(r, &m->params, &e));
    near(S->rate, 0.05, 1e-6);
    near(S->bound, 0.3, 1e-6);
    ck_assert_int_eq(S->sign, -1);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(a_phase_trains_what_begins_so)
{
    bool trained[PARAM_MAX];
    struct recipe *r = parse(good);
    struct model *m = model_new(r->model, r->classes, r->n_classes, &e);
    ck_assert_ptr_nonnull(m);
    for (size_t phase = 0; phase < 2; phase++) {
        recipe_pick_trained(&r->phases[phase], &m->params, trained);
        for (size_t i = 0; i < m->params.n; i++) {
            const char *name = m->params.list[i].name;
            bool encoder = strstr(name, "layers.0.encoder") != NULL;
            ck_assert_msg(trained[i] == (phase == 1 || encoder), "%s", name);
        }
    }
    model_free(m);
    recipe_free(r);
}
END_TEST

/* `good` with the first `from` replaced must be refused by a message that
 * contains `want`. */
static const struct {
    const char *from, *to, *want;
} bad[] = {
    {"\"seed\":5", "\"sed\":5", "sed"},
    {"\"seed\":5", "\"seed\":-1", "seed"},
    {"\"seed\":5", "\"seed\":1e16", "seed"},
    {"\"data\":\"mnist\"", "\"data\":3", "data"},
    {"\"validation\":10", "\"validation\":0.5", "validation"},
    {"\"validation\":10", "\"validation\":0", "phases[1].patience"},
    {"\"batch\":4", "\"batch\":0", "batch"},
    {"\"batch\":4", "\"batch\":65537", "batch"},
    {"[\"no\",\"yes\"]", "[\"no\"]", "classes"},
    {"[\"no\",\"yes\"]", "[\"no\",1]", "classes[1]"},
    {"\"count\":900", "\"count\":0", "patches.count"},
    {"\"count\":900", "\"count\":10000001", "patches.count"},
    {"\"count\":900", "", "patches.count: missing"},
    {"\"count\":900", "\"counts\":900", "patches.counts"},
    {"{\"count\":900}", "900", "patches: must be an object"},
    {"\"model\"", "\"modell\"", "modell"},
    {"\"shape\":[2,3]", "\"shape\":[2,0]", "input.shape[1]"},
    {"\"dense\"", "\"dens\"", "model: layers[0]"},
    {"\"rates\":{\"weight\":0.5", "\"rates\":{\"weight\":\"x\"",
     "rates.weight"},
    {"\"rates\":{\"weight\":0.5", "\"rates\":{\"weight\":-0.5", "rates.weight"},
    {"\"rates\":{\"weight\"", "\"rates\":{\"eight\"", "rates.eight"},
    {"\"bounds\":{\"decoder.weight\"", "\"bounds\":{\"decode.weight\"",
     "bounds.decode.weight"},
    {"\"bounds\":{\"decoder.weight\"", "\"bounds\":{\"encoder.bias\"",
     "bounds.encoder.bias"},
    {"\"bounds\":{\"decoder.weight\":2", "\"bounds\":{\"decoder.weight\":0",
     "bounds.decoder.weight"},
    {"\"samples\":7", "\"samples\":-7", "start.samples"},
    {"\"samples\":7", "\"lean\":7", "start.lean"},
    {"\"below\":0.25", "\"below\":0", "prune.below"},
    {"\"below\":0.25", "\"below\":1.5", "prune.below"},
    {"\"below\":0.25", "\"under\":0.25", "prune.under"},
    {"\"below\":0.25", "", "prune.below: missing"},
    {"{\"below\":0.25}", "0.25", "prune: must be an object"},
    {"\"rows\":60", "\"rows\":-1", "rehearsal.rows"},
    {"\"rows\":60", "\"rows\":1.5", "rehearsal.rows"},
    {"\"rows\":60", "\"rows\":1048577", "rehearsal.rows"},
    {"\"rows\":60", "\"row\":60", "rehearsal.row"},
    {"\"rows\":60", "", "rehearsal.rows: missing"},
    {"{\"rows\":60}", "60", "rehearsal: must be an object"},
    {"{\"kind\":\"l1\",\"lambda\":0.1}",
     "{\"kind\":\"lateral\",\"strength\":1,\"pattern\":\"grid\",\"height\":2,"
     "\"width\":4,\"near\":0,\"far\":1}",
     "prune: layers[0]: the units of a grid cannot be pruned"},
    {"{\"kind\":\"l1\",\"lambda\":0.1}",
     "{\"kind\":\"lateral\",\"strength\":-1,\"pattern\":\"all\"}",
     "model: layers[0].structure.strength"},
    {"\"phases\":[", "\"phases\":[7,", "phases[0]"},
    {"\"epochs\":3,", "", "phases[0].epochs"},
    {"\"epochs\":3,", "\"epochs\":0,", "phases[0].epochs"},
    {"\"epochs\":3,", "\"epoch\":3,", "phases[0].epoch"},
    {"{\"structure\":1}", "{\"structure\":0}", "phases[0].weights"},
    {"{\"structure\":1}", "{\"struct\":1}", "phases[0].weights.struct"},
    {"{\"structure\":1}", "[1]", "phases[0].weights"},
    {"{\"structure\":1}", "{\"predict\":1}", "phases[0].target: missing"},
    {"{\"structure\":1}", "{\"structure\":1},\"target\":{}",
     "phases[0].target"},
    {"{\"structure\":1}", "{\"predict\":1},\"target\":{\"step\":3}",
     "phases[0].target.step"},
    {"{\"structure\":1}", "{\"predict\":1},\"target\":{\"method\":\"x\"}",
     "phases[0].target.method"},
    {"{\"structure\":1}", "{\"adversarial\":1}",
     "phases[0].weights.adversarial_radius"},
    {"\"classification\":0.5", "\"adversarial\":1,\"adversarial_radius\":-1",
     "phases[1].weights.adversarial_radius"},
    {",\"classifier\":{\"input\":\"code\"}", "", "phases[1].weights"},
    {"\"kind\":\"sgd\"", "\"kind\":\"sdg\"", "phases[0].optimiser.kind"},
    {"\"rate\":0.1", "\"rate\":0", "phases[0].optimiser.rate"},
    {"\"rate\":0.1,", "", "phases[0].optimiser.rate"},
    {"\"momentum\":0.9", "\"momentum\":1", "phases[0].optimiser.momentum"},
    {"\"momentum\":0.9", "\"beta1\":0.9", "phases[0].optimiser.beta1"},
    {"\"clip\":3", "\"momentum\":0.9", "phases[1].optimiser.momentum"},
    {"\"project_every\":5", "\"project_every\":0",
     "phases[1].optimiser.project_every"},
    {"\"cosine\"", "\"sine\"", "phases[1].schedule.kind"},
    {"\"warmup\":0.5", "\"warmup\":3", "phases[1].schedule.warmup"},
    {"\"warmup\":0.5", "\"decay\":1", "phases[1].schedule.decay"},
    {"[\"layers.0.encoder\"]", "[\"layers.0.enc\"]", "phases[0].train[0]"},
    {"[\"layers.0.encoder\"]", "[]", "phases[0].train"},
    {"[\"layers.0.encoder\"]", "[{}]", "phases[0].train[0]"},
    {"\"patience\":4", "\"measure\":\"fun\"", "phases[1].measure"},
};

START_TEST(a_bad_member_is_named)
{
    char text[2 * sizeof good];
    const char *at = strstr(good, bad[_i].from);
    ck_assert_ptr_nonnull(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, bad[_i].to,
             at + strlen(bad[_i].from));
    struct recipe *r = recipe_parse(text, strlen(text), &e);
    ck_assert_msg(r == NULL, "taken: %s", text);
    ck_assert_msg(e.code == ERR_INVALID, "%s: %s", err_name(e.code), e.msg);
    ck_assert_msg(strstr(e.msg, bad[_i].want) != NULL, "want \"%s\" in \"%s\"",
                  bad[_i].want, e.msg);
}
END_TEST

/* In a stack the gradient stops at whichever layer passes none on. */
START_TEST(an_adversarial_term_needs_encoders_with_a_gradient)
{
    static const char net[] = LAYER;
    static const char coding[] =
        "{\"operator\":\"dense\",\"units\":8,"
        "\"encoder\":{\"kind\":\"iterative\"},"
        "\"structure\":{\"kind\":\"l1\",\"lambda\":0.1}}";
    static const struct {
        const char *lower, *upper, *radius, *want;
    } cases[] = {{net, net, "1", NULL},
                 {coding, net, "1", "layers[0]"},
                 {net, coding, "1", "layers[1]"},
                 {net, coding, "0", "radius"}};
    char text[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text,
                 "{\"model\":{\"input\":{\"shape\":[6]},\"layers\":[%s,%s],"
                 "\"classifier\":{\"input\":\"code\"}},\"phases\":["
                 "{\"epochs\":1,\"weights\":{\"classification\":1,"
                 "\"adversarial\":1,\"adversarial_radius\":%s},"
                 "\"optimiser\":{\"rate\":0.1}}]}",
                 cases[i].lower, cases[i].upper, cases[i].radius);
        struct recipe *r = recipe_parse(text, strlen(text), &e);
        ck_assert_msg((r == NULL) == (cases[i].want != NULL), "%s", text);
        if (!r) {
            ck_assert_int_eq(e.code, ERR_INVALID);
            ck_assert_ptr_nonnull(
                strstr(e.msg, "phases[0].weights.adversarial"));
            ck_assert_ptr_nonnull(strstr(e.msg, cases[i].want));
        }
        recipe_free(r);
    }
}
END_TEST

/* One target serves all layers; where nothing is said, each structure has a
 * standard method of its own. */
START_TEST(a_target_suits_the_structures_of_all_layers)
{
    static const struct {
        const char *upper, *target, *want;
    } cases[] = {
        {"{\"kind\":\"l1\",\"lambda\":0.1}", "", NULL},
        {"{\"kind\":\"lateral\",\"strength\":1,\"pattern\":\"all\"}", "",
         "phases[0].target.method: missing: layers[1]"},
        {"{\"kind\":\"lateral\",\"strength\":1,\"pattern\":\"all\"}",
         "\"method\":\"descent\"", NULL},
        {"{\"kind\":\"lateral\",\"strength\":1,\"pattern\":\"all\"}",
         "\"method\":\"fista\"", "phases[0].target.method: \"fista\" needs"},
    };
    char text[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text,
                 "{\"model\":{\"input\":{\"shape\":[6]},\"layers\":[" LAYER
                 ",{\"operator\":\"dense\",\"units\":8,\"encoder\":{"
                 "\"kind\":\"recurrent\",\"steps\":3},\"structure\":%s}]},"
                 "\"phases\":[{\"epochs\":1,\"weights\":{\"predict\":1},"
                 "\"target\":{%s},\"optimiser\":{\"rate\":0.1}}]}",
                 cases[i].upper, cases[i].target);
        struct recipe *r = recipe_parse(text, strlen(text), &e);
        ck_assert_msg((r == NULL) == (cases[i].want != NULL), "%s", text);
        ck_assert(r || e.code == ERR_INVALID);
        ck_assert_msg(r || strstr(e.msg, cases[i].want), "%s", e.msg);
        recipe_free(r);
    }
}
END_TEST

START_TEST(text_that_is_no_recipe_is_refused)
{
    const char *const texts[] = {"",       "[]", "{}", "{\"model\":{}}",
                                 "{\"a\"", "7"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_ptr_null(recipe_parse(texts[i], strlen(texts[i]), &e));
        ck_assert_int_eq(e.code, ERR_INVALID);
    }
    ck_assert_ptr_null(recipe_load("/nowhere/recipe.json", &e));
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
}
END_TEST

START_TEST(the_shipped_recipes_are_good)
{
    const char *const patterns[] = {"models/*/recipe.json",
                                    "bench/recipes/*.json",
                                    "tests/data/recipes/*.json"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        glob_t found;
        ck_assert_int_eq(glob(patterns[i], 0, NULL, &found), 0);
        for (size_t k = 0; k < found.gl_pathc; k++) {
            struct recipe *r = recipe_load(found.gl_pathv[k], &e);
            ck_assert_msg(r != NULL, "%s", e.msg);
            recipe_free(r);
        }
        globfree(&found);
    }
}
END_TEST

START_TEST(the_cosine_rises_then_falls_to_0)
{
    struct recipe_phase p = {.epochs = 10,
                             .optimiser = {.rate = 2},
                             .schedule = SCHEDULE_COSINE,
                             .warmup_epochs = 2};
    near(schedule_rate(&p, 0, 5), 0.2, 1e-12);
    near(schedule_rate(&p, 9, 5), 2, 1e-12);
    near(schedule_rate(&p, 10, 5), 2, 1e-12);
    near(schedule_rate(&p, 30, 5), 1, 1e-12);
    near(schedule_rate(&p, 50, 5), 0, 1e-12);
}
END_TEST

START_TEST(other_schedules_stay_or_fall_by_the_step)
{
    struct recipe_phase p = {
        .epochs = 10, .optimiser = {.rate = 2}, .decay = 0.5};
    p.schedule = SCHEDULE_CONSTANT;
    near(schedule_rate(&p, 0, 5), 2, 0);
    near(schedule_rate(&p, 49, 5), 2, 0);
    p.schedule = SCHEDULE_INVERSE;
    near(schedule_rate(&p, 0, 5), 2, 0);
    near(schedule_rate(&p, 6, 5), 0.5, 1e-12);
}
END_TEST

Suite *suite_recipe(void);
Suite *suite_recipe(void)
{
    Suite *s = suite_create("recipe");
    TCase *reading = tcase_create("reading");
    TCase *refusing = tcase_create("refusing");
    TCase *schedule = tcase_create("schedules");
    tcase_add_test(reading, every_member_is_read);
    tcase_add_test(reading, the_hash_is_of_the_bytes);
    tcase_add_test(reading, policies_reach_the_rows_that_end_so);
    tcase_add_test(reading, a_learned_matrix_has_a_rate_and_a_bound);
    tcase_add_test(reading, a_phase_trains_what_begins_so);
    tcase_add_test(reading, the_shipped_recipes_are_good);
    tcase_add_loop_test(refusing, a_bad_member_is_named, 0,
                        sizeof bad / sizeof *bad);
    tcase_add_test(refusing,
                   an_adversarial_term_needs_encoders_with_a_gradient);
    tcase_add_test(refusing, a_target_suits_the_structures_of_all_layers);
    tcase_add_test(refusing, text_that_is_no_recipe_is_refused);
    tcase_add_test(schedule, the_cosine_rises_then_falls_to_0);
    tcase_add_test(schedule, other_schedules_stay_or_fall_by_the_step);
    suite_add_tcase(s, reading);
    suite_add_tcase(s, refusing);
    suite_add_tcase(s, schedule);
    return s;
}
