/* Measures against a model whose answers are known, and class names. */
#include "lib/base/mem.h"
#include "lib/train/classes.h"
#include "lib/train/measure.h"
#include "tests/support/blobs.h"
#include "tests/support/near.h"

#include <check.h>
#include <math.h>
#include <string.h>

static struct err e;

static struct model *make(const char *config)
{
    struct json *j = json_parse(config, strlen(config), &e);
    ck_assert_msg(j != NULL, "%s", e.msg);
    struct model *m = model_new(j, NULL, 3, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    ck_assert(!params_allocate(&m->params, &e));
    json_free(j);
    return m;
}

static float *values(struct model *m, const char *name)
{
    struct param *p = params_find(&m->params, name);
    ck_assert_ptr_nonnull(p);
    return p->value;
}

#define NET(decoder)                                                           \
    "{\"input\":{\"shape\":[3]},\"layers\":[{\"operator\":\"dense\","          \
    "\"units\":4,\"encoder\":{\"kind\":\"feedforward\"},"                      \
    "\"structure\":{\"kind\":\"l1\",\"lambda\":1},\"decoder\":" decoder "}]"

/* z = (x, 0), x^ = x / 2, scores = 10 z/|z|: the class is the largest input,
 * and the fourth unit is dead. */
static struct model *known(void)
{
    struct model *m = make(NET("true") ",\"classifier\":{\"input\":\"code\"}}");
    for (size_t i = 0; i < 3; i++) {
        values(m, "layers.0.encoder.weight")[i * 3 + i] = 1;
        values(m, "layers.0.decoder.weight")[i * 4 + i] = 0.5f;
        values(m, "classifier.weight")[i * 4 + i] = 10;
    }
    return m;
}

static float rows[] = {1, 0, 0, 0, 2, 0, 0, 0, 0, 3, 4, 0};
static int32_t labels[] = {0, 2, 1, DATASET_NO_LABEL};

static struct dataset known_rows(void)
{
    return (struct dataset){.n = 4,
                            .row_size = 3,
                            .rank = 1,
                            .shape = {3},
                            .floats = rows,
                            .labels = labels,
                            .n_classes = 3};
}

static struct measures measure(const struct model *m, const struct dataset *d,
                               const uint32_t *index, size_t n, size_t threads)
{
    struct measures out;
    struct team *team = team_new(threads);
    ck_assert_msg(!measure_model(m, d, index, n, team, &out, &e), "%s", e.msg);
    team_free(team);
    return out;
}

START_TEST(every_figure_is_what_the_rows_say)
{
    struct model *m = known();
    struct dataset d = known_rows();
    struct measures got = measure(m, &d, NULL, 4, 1);
    double sure = exp(10) / (exp(10) + 2), unsure = 1 / (exp(10) + 2);
    ck_assert_uint_eq(got.rows, 4);
    ck_assert_uint_eq(got.labelled, 3);
    ck_assert_uint_eq(got.wrong, 2); /* the zero row is taken for class 0 */
    near(got.error, 2.0 / 3, 1e-12);
    near(got.loss, -(log(sure) + log(unsure) + log(1.0 / 3)) / 3, 1e-5);
    near(got.relative_error, 0.5, 1e-6); /* the zero row does not count */
    near(got.active, 1, 1e-12);
    ck_assert_uint_eq(got.units, 4);
    ck_assert_uint_eq(got.dead, 2);
    model_free(m);
}
END_TEST

START_TEST(an_index_chooses_rows)
{
    const uint32_t index[] = {3, 0};
    struct model *m = known();
    struct dataset d = known_rows();
    struct measures got = measure(m, &d, index, 2, 2);
    ck_assert_uint_eq(got.rows, 2);
    ck_assert_uint_eq(got.labelled, 1);
    near(got.error, 0, 0);
    near(got.active, 1.5, 1e-12);
    model_free(m);
}
END_TEST

START_TEST(units_are_counted_layer_after_layer)
{
    static const size_t want[] = {2, 2, 1, 0, 2, 1};
    static float more[] = {1, 0, 0, 0, 2, 0, 0, 0, 0, 3, 4, 5};
    struct model *m =
        make("{\"input\":{\"shape\":[3]},\"layers\":[{\"operator\":\"dense\","
             "\"units\":4,\"encoder\":{\"kind\":\"feedforward\"},"
             "\"structure\":{\"kind\":\"l1\"}},{\"operator\":\"dense\","
             "\"units\":2,\"encoder\":{\"kind\":\"feedforward\"},"
             "\"structure\":{\"kind\":\"l1\"}}]}");
    struct dataset d = known_rows();
    for (size_t i = 0; i < 3; i++)
        values(m, "layers.0.encoder.weight")[i * 3 + i] = 1;
    values(m, "layers.1.encoder.weight")[0] = 1;     /* as unit 0 */
    values(m, "layers.1.encoder.weight")[4 + 2] = 1; /* as unit 2 */
    d.floats = more;
    for (size_t threads = 1; threads < 4; threads++) {
        size_t on[6] = {9, 9, 9, 9, 9, 9};
        struct team *team = team_new(threads);
        ck_assert_msg(!measure_units(m, &d, NULL, 4, team, on, &e), "%s",
                      e.msg);
        for (size_t i = 0; i < 6; i++)
            ck_assert_uint_eq(on[i], want[i]);
        team_free(team);
    }
    model_free(m);
}
END_TEST

START_TEST(what_cannot_be_measured_is_null)
{
    struct model *m = make(NET("false") "}");
    struct dataset d = known_rows();
    struct measures got = measure(m, &d, NULL, 4, 1);
    ck_assert(isnan(got.error) && isnan(got.loss) && isnan(got.relative_error));
    struct json *j = measures_json(&got);
    struct buf b;
    buf_init(&b, 1000);
    json_print(&b, j);
    ck_assert_str_eq(b.data, "{\"rows\":4,\"error\":null,\"loss\":null,"
                             "\"relative_error\":null,\"active_units\":0,"
                             "\"active_share\":0,\"dead_units\":4}");
    buf_fini(&b);
    json_free(j);
    model_free(m);
}
END_TEST

START_TEST(the_size_of_the_team_changes_nothing)
{
    static float many[2000 * 3];
    struct model *m = known();
    struct loss_weights w = {.reconstruction = 1, .structure = 0.3f};
    struct dataset d = {
        .n = 2000, .row_size = 3, .rank = 1, .shape = {3}, .floats = many};
    double first = 0;
    struct measures one;
    for (size_t i = 0; i < 6000; i++)
        many[i] = (float)(i * 7919 % 1000) / 1000.0f;
    one = measure(m, &d, NULL, 2000, 1);
    for (size_t threads = 1; threads <= 5; threads++) {
        struct measures got = measure(m, &d, NULL, 2000, threads);
        struct team *team = team_new(threads);
        double mean;
        ck_assert(got.relative_error == one.relative_error);
        ck_assert(got.active == one.active);
        ck_assert(!measure_loss(m, &w, &d, NULL, 2000, 0, team, &mean, &e));
        first = threads == 1 ? mean : first;
        ck_assert(mean == first);
        team_free(team);
    }
    ck_assert(first > 0);
    model_free(m);
}
END_TEST

START_TEST(rows_and_labels_that_do_not_suit_are_refused)
{
    struct model *m = known();
    struct dataset d = known_rows();
    struct measures out;
    struct team *team = team_new(2);
    labels[2] = 3;
    ck_assert_int_eq(measure_model(m, &d, NULL, 4, team, &out, &e), ERR_SHAPE);
    ck_assert_msg(strstr(e.msg, "row 2") != NULL, "%s", e.msg);
    d.row_size = 4;
    ck_assert_int_eq(measure_model(m, &d, NULL, 3, team, &out, &e), ERR_SHAPE);
    team_free(team);
    model_free(m);
}
END_TEST

/* ---- class names ---- */

static const char *const names[] = {"cat", "dog", "owl"};

static struct dataset named(const char *first, const char *second)
{
    static int32_t own[] = {0, 1, DATASET_NO_LABEL, 0};
    const int32_t start[] = {0, 1, DATASET_NO_LABEL, 0};
    struct dataset d = {.n = 4, .labels = own, .n_classes = 2};
    memcpy(own, start, sizeof start);
    d.classes = mem_array(2, sizeof *d.classes);
    ck_assert_ptr_nonnull(d.classes);
    d.classes[0] = mem_text(first);
    d.classes[1] = mem_text(second);
    return d;
}

START_TEST(labels_follow_their_names)
{
    struct dataset d = named("owl", "cat");
    ck_assert(!classes_match(&d, names, 3, &e));
    ck_assert_int_eq(d.labels[0], 2);
    ck_assert_int_eq(d.labels[1], 0);
    ck_assert_int_eq(d.labels[2], DATASET_NO_LABEL);
    ck_assert_ptr_null(d.classes);
    ck_assert_uint_eq(d.n_classes, 3);
}
END_TEST

START_TEST(a_name_that_the_model_has_not_is_refused)
{
    struct dataset d = named("owl", "cow");
    ck_assert_int_eq(classes_match(&d, names, 3, &e), ERR_SHAPE);
    ck_assert_msg(strstr(e.msg, "\"cow\"") != NULL, "%s", e.msg);
    ck_assert_int_eq(d.labels[1], 1);
    for (size_t i = 0; i < 2; i++)
        mem_free(d.classes[i]);
    mem_free(d.classes);
}
END_TEST

START_TEST(numbered_classes_must_be_the_models)
{
    int32_t own[] = {0, 3};
    struct dataset d = {.n = 2, .labels = own, .n_classes = 4};
    ck_assert_int_eq(classes_match(&d, names, 3, &e), ERR_SHAPE);
    d.n_classes = 3;
    ck_assert(!classes_match(&d, names, 3, &e));
}
END_TEST

Suite *suite_measure(void);
Suite *suite_measure(void)
{
    Suite *s = suite_create("measure");
    TCase *figures = tcase_create("figures");
    TCase *classes = tcase_create("class names");
    tcase_add_test(figures, every_figure_is_what_the_rows_say);
    tcase_add_test(figures, an_index_chooses_rows);
    tcase_add_test(figures, units_are_counted_layer_after_layer);
    tcase_add_test(figures, what_cannot_be_measured_is_null);
    tcase_add_test(figures, the_size_of_the_team_changes_nothing);
    tcase_add_test(figures, rows_and_labels_that_do_not_suit_are_refused);
    tcase_add_test(classes, labels_follow_their_names);
    tcase_add_test(classes, a_name_that_the_model_has_not_is_refused);
    tcase_add_test(classes, numbered_classes_must_be_the_models);
    suite_add_tcase(s, figures);
    suite_add_tcase(s, classes);
    return s;
}
