/* What a trained model keeps: which rows, as which bytes, with which settings.
 */
#include "lib/train/keep.h"

#include "lib/base/mem.h"
#include "lib/train/trainer.h"
#include "tests/support/blobs.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { N = 300, VALIDATION = 50 };

static struct err e;

#define LAYER                                                                  \
    "{\"operator\":\"dense\",\"units\":6,"                                     \
    "\"encoder\":{\"kind\":\"feedforward\"},\"structure\":{\"kind\":\"l1\"}}"
#define CLASSIFIER ",\"classifier\":{\"input\":\"code\"}"

/* A recipe of 12 inputs with these members besides; one short phase. */
static struct recipe *parse_model(const char *members, const char *classifier)
{
    static char text[2048];
    snprintf(text, sizeof text,
             "{\"seed\":3,\"batch\":16,%s"
             "\"model\":{\"input\":{\"shape\":[12]},\"layers\":[" LAYER "]%s},"
             "\"phases\":[{\"name\":\"first\",\"epochs\":1,"
             "\"weights\":{\"reconstruction\":1},"
             "\"optimiser\":{\"kind\":\"sgd\",\"rate\":0.1}},"
             "{\"name\":\"last\",\"epochs\":2,"
             "\"weights\":{\"reconstruction\":1,\"structure\":0.5},"
             "\"optimiser\":{\"rate\":0.01}}]}",
             members, classifier);
    struct recipe *r = recipe_parse(text, strlen(text), &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    return r;
}

static struct recipe *parse(const char *members)
{
    return parse_model(members, CLASSIFIER);
}

static struct model *train(const struct recipe *r, const struct dataset *d,
                           uint64_t seed)
{
    struct train_options options = {.threads = 1, .seed = seed};
    struct model *m = train_run(r, d, &options, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    return m;
}

static uint8_t byte_by_hand(float x)
{
    double scaled = floor((double)x * 255 + 0.5);
    return (uint8_t)(scaled < 0 ? 0 : scaled > 255 ? 255 : scaled);
}

/* Which row of the data set row i of r is. */
static size_t find(const struct rehearsal *r, size_t i, const struct dataset *d)
{
    for (size_t row = 0; row < d->n; row++) {
        bool same = true;
        for (size_t k = 0; same && k < d->row_size; k++)
            same = r->inputs[i * r->size + k] ==
                   byte_by_hand(d->floats[row * d->row_size + k]);
        if (same)
            return row;
    }
    ck_abort_msg("row %zu is none of the data's", i);
}

/* How many rows have that label and flag. */
static size_t count(const struct rehearsal *r, int label, int held_out)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->labels[i] == label && r->held_out[i] == held_out;
    return n;
}

/* Every row is one of the data, none twice, flagged as the split says. */
static void check_rows(const struct rehearsal *r, const struct recipe *recipe,
                       const struct dataset *d, uint64_t seed)
{
    struct rows rows;
    bool validation[BLOBS_MAX_ROWS] = {false}, seen[BLOBS_MAX_ROWS] = {false};
    ck_assert(!rows_init(&rows, recipe, d, NULL, seed, &e));
    for (size_t i = 0; i < rows.n_validation; i++)
        validation[rows.validation[i]] = true;
    rows_fini(&rows);
    ck_assert_uint_eq(r->size, d->row_size);
    for (size_t i = 0; i < r->n; i++) {
        size_t row = find(r, i, d);
        ck_assert(!seen[row]);
        seen[row] = true;
        ck_assert_int_eq(r->held_out[i], validation[row]);
        if (r->labels[i] >= 0)
            ck_assert_int_eq(r->labels[i], d->labels[row]);
    }
}

/* ---- which rows ---- */

START_TEST(one_in_five_is_held_out_and_classes_are_even)
{
    struct recipe *r = parse("\"validation\":50,\"rehearsal\":{\"rows\":60},");
    struct dataset *d = blobs(N, 1);
    struct model *m = train(r, d, 3);
    ck_assert_uint_eq(m->rehearsal.n, 60);
    ck_assert_uint_eq(rehearsal_held_out(&m->rehearsal), 12);
    for (int c = 0; c < BLOBS_CLASSES; c++) {
        ck_assert_uint_eq(count(&m->rehearsal, c, 0), 16);
        ck_assert_uint_eq(count(&m->rehearsal, c, 1), 4);
    }
    check_rows(&m->rehearsal, r, d, 3);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(numbers_out_of_range_are_cut)
{
    struct recipe *r = parse("\"rehearsal\":{\"rows\":10},");
    struct dataset *d = blobs(10, 1);
    d->floats[0] = -3;
    d->floats[1] = 3;
    struct model *m = train(r, d, 3);
    size_t found = 0;
    for (size_t i = 0; i < 10; i++)
        if (find(&m->rehearsal, i, d) == 0) {
            found++;
            ck_assert_int_eq(m->rehearsal.inputs[i * 12], 0);
            ck_assert_int_eq(m->rehearsal.inputs[i * 12 + 1], 255);
        }
    ck_assert_uint_eq(found, 1);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(a_rare_class_gives_all_it_has)
{
    struct recipe *r = parse("\"rehearsal\":{\"rows\":60},");
    struct dataset *d = blobs(N, 1);
    for (size_t i = 0; i < N; i++)
        d->labels[i] = i < 4 ? 2 : (int32_t)(i % 2);
    struct model *m = train(r, d, 3);
    ck_assert_uint_eq(count(&m->rehearsal, 2, 0), 4);
    ck_assert_uint_eq(count(&m->rehearsal, 0, 0), 28);
    ck_assert_uint_eq(count(&m->rehearsal, 1, 0), 28);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(labels_that_training_did_not_see_are_not_kept)
{
    struct recipe *r = parse("\"validation\":50,\"labelled\":30,"
                             "\"rehearsal\":{\"rows\":60},");
    struct dataset *d = blobs(N, 1);
    struct model *m = train(r, d, 3);
    for (int c = 0; c < BLOBS_CLASSES; c++) {
        ck_assert_uint_eq(count(&m->rehearsal, c, 0), 10);
        ck_assert_uint_eq(count(&m->rehearsal, c, 1), 4);
    }
    ck_assert_uint_eq(count(&m->rehearsal, -1, 0), 18);
    check_rows(&m->rehearsal, r, d, 3);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(without_a_classifier_rows_have_no_label)
{
    struct recipe *r =
        parse_model("\"validation\":50,\"rehearsal\":{\"rows\":20},", "");
    struct dataset *d = blobs(N, 1);
    struct model *m = train(r, d, 3);
    ck_assert_uint_eq(count(&m->rehearsal, -1, 0), 16);
    ck_assert_uint_eq(count(&m->rehearsal, -1, 1), 4);
    check_rows(&m->rehearsal, r, d, 3);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(few_rows_are_all_kept_and_none_is_held_out_without_validation)
{
    struct recipe *r = parse("");
    struct dataset *d = blobs(N, 1);
    struct model *m = train(r, d, 3);
    ck_assert_uint_eq(m->rehearsal.n, N);
    ck_assert_uint_eq(rehearsal_held_out(&m->rehearsal), 0);
    check_rows(&m->rehearsal, r, d, 3);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(a_recipe_may_want_none)
{
    struct recipe *r = parse("\"rehearsal\":{\"rows\":0},");
    struct model *m = train(r, blobs(N, 1), 3);
    ck_assert_uint_eq(m->rehearsal.n, 0);
    ck_assert_ptr_nonnull(m->training);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(the_seed_alone_decides)
{
    struct recipe *r = parse("\"validation\":50,\"rehearsal\":{\"rows\":60},");
    struct model *a = train(r, blobs(N, 1), 3), *b = train(r, blobs(N, 1), 3);
    struct model *c = train(r, blobs(N, 1), 4);
    size_t bytes = a->rehearsal.n * a->rehearsal.size;
    ck_assert_mem_eq(a->rehearsal.inputs, b->rehearsal.inputs, bytes);
    ck_assert_mem_ne(a->rehearsal.inputs, c->rehearsal.inputs, bytes);
    model_free(a);
    model_free(b);
    model_free(c);
    recipe_free(r);
}
END_TEST

/* ---- how many ---- */

enum { WIDE = 200000, WIDE_ROWS = 8 };

/* How many of 8 rows of 200,000 bytes are kept. */
static size_t kept_of_wide(const char *members)
{
    static uint8_t bytes[WIDE_ROWS * WIDE];
    static char text[1024];
    struct dataset d = {.n = WIDE_ROWS,
                        .row_size = WIDE,
                        .rank = 1,
                        .shape = {WIDE},
                        .bytes = bytes};
    struct rows rows;
    snprintf(text, sizeof text,
             "{%s\"model\":{\"input\":{\"shape\":[%d],\"range\":[-1,1]},"
             "\"layers\":[" LAYER "]},\"phases\":[{\"epochs\":1,"
             "\"weights\":{\"reconstruction\":1},\"optimiser\":{\"rate\":1}}]}",
             members, WIDE);
    struct recipe *r = recipe_parse(text, strlen(text), &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i / WIDE + i % 7);
    struct model *m = model_new(r->model, NULL, 0, &e);
    ck_assert_msg(m && !rows_init(&rows, r, &d, NULL, 1, &e), "%s", e.msg);
    ck_assert_msg(!keep_add(m, r, &d, &rows, &e), "%s", e.msg);
    size_t n = m->rehearsal.n;
    for (size_t i = 0; i < n; i++)
        ck_assert_mem_eq(m->rehearsal.inputs + i * WIDE,
                         bytes + rows.training[i] * WIDE, WIDE);
    rows_fini(&rows);
    model_free(m);
    recipe_free(r);
    return n;
}

START_TEST(bytes_are_bounded_and_pixels_are_kept_as_they_are)
{
    ck_assert_uint_eq(kept_of_wide(""), 2);
    ck_assert_uint_eq(kept_of_wide("\"rehearsal\":{\"rows\":4},"), 4);
    ck_assert_uint_eq(kept_of_wide("\"rehearsal\":{\"rows\":1000},"), 5);
}
END_TEST

/* ---- settings ---- */

START_TEST(settings_are_those_of_the_recipe)
{
    struct recipe *r = parse("\"rates\":{\"encoder.weight\":0.5,"
                             "\"decoder.weight\":2},"
                             "\"bounds\":{\"decoder.weight\":1.5},");
    struct model *m = train(r, blobs(N, 1), 3);
    const struct json *t = m->training, *phase = json_get(t, "phase");
    ck_assert(json_number(json_get(t, "batch")) == 16);
    ck_assert(json_number(json_get(json_get(t, "rates"), "encoder.weight")) ==
              0.5);
    ck_assert(json_number(json_get(json_get(t, "bounds"), "decoder.weight")) ==
              1.5);
    ck_assert_str_eq(json_text(json_get(phase, "name")), "last");
    ck_assert(json_number(json_get(json_get(phase, "weights"), "structure")) ==
              0.5);
    model_free(m);
    recipe_free(r);
}
END_TEST

START_TEST(settings_of_decoders_go_with_them)
{
    struct recipe *r = parse("\"rates\":{\"encoder.weight\":0.5,"
                             "\"decoder.weight\":2},"
                             "\"bounds\":{\"decoder.weight\":1.5},"
                             "\"drop_decoders\":true,");
    struct model *m = train(r, blobs(N, 1), 3);
    const struct json *rates = json_get(m->training, "rates");
    ck_assert_ptr_nonnull(json_get(rates, "encoder.weight"));
    ck_assert_ptr_null(json_get(rates, "decoder.weight"));
    ck_assert_ptr_null(json_first(json_get(m->training, "bounds")));
    model_free(m);
    recipe_free(r);
}
END_TEST

/* ---- later ---- */

START_TEST(what_is_added_later_is_what_training_would_have_kept)
{
    struct recipe *r = parse("\"validation\":50,\"labelled\":30,"
                             "\"rehearsal\":{\"rows\":60},");
    struct dataset *d = blobs(N, 1);
    struct model *want = train(r, d, 9), *m = model_copy(want, &e);
    const struct rehearsal *a = &want->rehearsal, *b = &m->rehearsal;
    rehearsal_fini(&m->rehearsal);
    json_free(m->training);
    m->training = NULL;
    ck_assert_msg(!keep_add_later(m, r, d, &e), "%s", e.msg);
    ck_assert_uint_eq(b->n, a->n);
    ck_assert_mem_eq(b->inputs, a->inputs, a->n * a->size);
    ck_assert_mem_eq(b->labels, a->labels, a->n * sizeof *a->labels);
    ck_assert_mem_eq(b->held_out, a->held_out, a->n);
    ck_assert_mem_eq(m->params.values, want->params.values,
                     m->params.total * sizeof *m->params.values);
    ck_assert(json_number(json_get(m->training, "batch")) == 16);
    model_free(m);
    model_free(want);
    recipe_free(r);
}
END_TEST

static void refused(struct model *m, const struct recipe *r,
                    const struct dataset *d, const char *words)
{
    ck_assert_int_eq(keep_add_later(m, r, d, &e), ERR_CONFLICT);
    ck_assert_msg(strstr(e.msg, words) != NULL, "%s", e.msg);
}

START_TEST(only_the_lineage_s_own_recipe_and_data_will_do)
{
    struct recipe *r = parse(""), *other = parse("\"validation\":50,");
    struct dataset *d = blobs(N, 1);
    struct model *m = train(r, d, 3);
    refused(m, other, d, "another recipe");
    d = blobs(N, 2);
    refused(m, r, d, "other data");
    d = blobs(N, 1);
    json_set(m->lineage, "parent", json_new_number(1));
    refused(m, r, d, "does not say");
    json_set(m->lineage, "parent", json_new_null());
    json_remove(m->lineage, "seed");
    refused(m, r, d, "does not say");
    json_set(m->lineage, "seed", json_new_number(-1));
    ck_assert_int_eq(keep_add_later(m, r, d, &e), ERR_INVALID);
    json_free(m->lineage);
    m->lineage = NULL;
    refused(m, r, d, "does not say");
    ck_assert_uint_eq(m->rehearsal.n, N);
    model_free(m);
    recipe_free(r);
    recipe_free(other);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    struct recipe *r = parse("\"validation\":50,\"labelled\":30,");
    struct dataset *d = blobs(N, 1);
    struct model *m = train(r, d, 3);
    for (size_t n = 0;; n++) {
        mem_fail_after(n);
        enum err_code code = keep_add_later(m, r, d, &e);
        mem_fail_after(SIZE_MAX);
        if (!code) {
            ck_assert_uint_gt(n, 10);
            break;
        }
        ck_assert_msg(code == ERR_NO_MEMORY, "%zu: %s", n, e.msg);
    }
    ck_assert_uint_eq(m->rehearsal.n, N);
    model_free(m);
    recipe_free(r);
}
END_TEST

Suite *suite_keep(void);
Suite *suite_keep(void)
{
    Suite *s = suite_create("keep");
    TCase *rows = tcase_create("rows");
    TCase *settings = tcase_create("settings");
    TCase *later = tcase_create("later");
    tcase_add_test(rows, one_in_five_is_held_out_and_classes_are_even);
    tcase_add_test(rows, numbers_out_of_range_are_cut);
    tcase_add_test(rows, a_rare_class_gives_all_it_has);
    tcase_add_test(rows, labels_that_training_did_not_see_are_not_kept);
    tcase_add_test(rows, without_a_classifier_rows_have_no_label);
    tcase_add_test(
        rows, few_rows_are_all_kept_and_none_is_held_out_without_validation);
    tcase_add_test(rows, a_recipe_may_want_none);
    tcase_add_test(rows, the_seed_alone_decides);
    tcase_add_test(rows, bytes_are_bounded_and_pixels_are_kept_as_they_are);
    tcase_add_test(settings, settings_are_those_of_the_recipe);
    tcase_add_test(settings, settings_of_decoders_go_with_them);
    tcase_add_test(later, what_is_added_later_is_what_training_would_have_kept);
    tcase_add_test(later, only_the_lineage_s_own_recipe_and_data_will_do);
    tcase_add_test(later, every_allocation_may_fail);
    suite_add_tcase(s, rows);
    suite_add_tcase(s, settings);
    suite_add_tcase(s, later);
    return s;
}
