/* Learning to predict the codes of a solver: the encoder's gradient, the
 * decoder's, and a training that shows it. */
#include "lib/train/loss.h"
#include "lib/train/recipe.h"
#include "lib/train/trainer.h"
#include "tests/support/compositions.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5, UNITS = 8 };

static float rows[ROWS * COMPOSITION_INPUTS];
static struct err e;

static const struct solver target = {
    .method = SOLVER_FISTA, .steps = 1000, .tolerance = 1e-6f};

static struct model *model_of(const char *encoder)
{
    char text[512];
    float samples[4 * COMPOSITION_INPUTS];
    snprintf(text, sizeof text,
             "{\"input\":{\"shape\":[2,3]},\"layers\":[{\"operator\":\"dense\","
             "\"units\":%d,\"encoder\":{%s},"
             "\"structure\":{\"kind\":\"l1\",\"lambda\":0.1}}]}",
             UNITS, encoder);
    struct json *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s", e.msg);
    struct model *m = model_new(j, NULL, 0, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    json_free(j);
    composition_rows(samples, NULL, 4, 2);
    ck_assert(!model_start(m, 1, samples, 4, &e));
    return m;
}

static const char learner[] =
    "\"kind\":\"recurrent\",\"nonlinearity\":\"shrink\",\"steps\":3";

static struct loss_sums loss_of(const struct model *m,
                                const struct loss_weights *w, float *grads)
{
    struct arena memory;
    struct loss_sums sums = {0};
    arena_init(&memory, SIZE_MAX);
    composition_rows(rows, NULL, ROWS, 3);
    struct loss_rows all = {.B = ROWS, .x = rows};
    ck_assert_msg(!loss_run(m, w, &all, 1, grads, &sums, &memory, &e), "%s",
                  e.msg);
    arena_fini(&memory);
    return sums;
}

START_TEST(the_encoder_is_drawn_to_the_code_of_the_solver)
{
    struct loss_weights w = {.predict = 0.7f, .target = target};
    struct model *m = model_of(learner);
    float *grads = calloc(m->params.total, sizeof *grads);
    loss_of(m, &w, grads);
    size_t moving = 0;
    for (size_t i = 0; i < m->params.n; i++) {
        struct param *p = &m->params.list[i];
        for (size_t k = 0; k < p->count; k++) {
            float old = p->value[k], got = grads[p->offset + k];
            if (strstr(p->name, "decoder")) { /* z* is held: no part in it */
                ck_assert(got == 0.0f);
                continue;
            }
            p->value[k] = old + 1e-3f;
            double above = loss_of(m, &w, NULL).total;
            p->value[k] = old - 1e-3f;
            double below = loss_of(m, &w, NULL).total;
            p->value[k] = old;
            moving += fabsf(got) > 1e-3f;
            near((double)got, (above - below) / 2e-3, 4e-3);
        }
    }
    ck_assert_uint_gt(moving, 20);
    free(grads);
    model_free(m);
}
END_TEST

START_TEST(the_decoder_learns_from_the_code_of_the_solver)
{
    struct loss_weights w = {
        .reconstruction = 1, .structure = 1, .predict = 0.7f, .target = target};
    struct loss_weights plain = {.reconstruction = 1, .structure = 1};
    struct model *a = model_of(learner);
    struct model *b =
        model_of("\"kind\":\"iterative\",\"steps\":1000,\"tolerance\":1e-6");
    const struct param *da = a->layers[0].dec.weight,
                       *db = b->layers[0].dec.weight;
    memcpy(db->value, da->value, da->count * sizeof *da->value);
    float *ga = calloc(a->params.total, sizeof *ga);
    float *gb = calloc(b->params.total, sizeof *gb);
    struct loss_sums sa = loss_of(a, &w, ga), sb = loss_of(b, &plain, gb);
    near(sa.reconstruction, sb.reconstruction, 1e-5);
    near(sa.structure, sb.structure, 1e-5);
    near(sa.total,
         sa.reconstruction + sa.structure + (double)w.predict * sa.predict,
         1e-5);
    ck_assert_double_gt(sa.predict, 0.01);
    near_all(ga + da->offset, gb + db->offset, da->count, 1e-5);
    free(ga);
    free(gb);
    model_free(a);
    model_free(b);
}
END_TEST

static bool first_and_last(void *arg, const struct train_progress *p)
{
    double *distance = arg;
    if (p->epoch_done && p->epoch == 1)
        distance[0] = p->loss.predict / (double)p->loss.rows;
    if (p->epoch_done)
        distance[1] = p->loss.predict / (double)p->loss.rows;
    return true;
}

START_TEST(training_brings_the_codes_together)
{
    static const char text[] =
        "{\"batch\":20,\"model\":{\"input\":{\"shape\":[2,3]},\"layers\":[{"
        "\"operator\":\"dense\",\"units\":8,\"encoder\":{"
        "\"kind\":\"recurrent\",\"nonlinearity\":\"shrink\",\"steps\":3},"
        "\"structure\":{\"kind\":\"l1\",\"lambda\":0.1}}]},"
        "\"bounds\":{\"encoder.weight\":10},"
        "\"phases\":[{\"epochs\":40,\"weights\":{\"predict\":1},"
        "\"target\":{\"steps\":500},\"train\":[\"layers.0.encoder\"],"
        "\"optimiser\":{\"rate\":0.01}}]}";
    double distance[2];
    static float x[200 * COMPOSITION_INPUTS];
    struct dataset d = {
        .n = 200, .row_size = COMPOSITION_INPUTS, .rank = 2, .floats = x};
    struct train_options options = {
        .threads = 2, .seed = 1, .progress = first_and_last, .arg = distance};
    d.shape[0] = 2;
    d.shape[1] = 3;
    composition_rows(x, NULL, 200, 4);
    struct recipe *r = recipe_parse(text, sizeof text - 1, &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    struct model *m = train_run(r, &d, &options, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert_msg(distance[1] < 0.2 * distance[0], "from %g to %g", distance[0],
                  distance[1]);
    model_free(m);
    recipe_free(r);
}
END_TEST

Suite *suite_predict(void);
Suite *suite_predict(void)
{
    Suite *s = suite_create("predict");
    TCase *t = tcase_create("the codes of a solver");
    tcase_add_test(t, the_encoder_is_drawn_to_the_code_of_the_solver);
    tcase_add_test(t, the_decoder_learns_from_the_code_of_the_solver);
    tcase_add_test(t, training_brings_the_codes_together);
    suite_add_tcase(s, t);
    return s;
}
