/* What a model file keeps for later training: rows to go over again, and the
 * settings of training; and files that lie about them.
 */
#include "lib/model/rehearsal.h"

#include "lib/base/mem.h"
#include "lib/data/safetensors.h"
#include "lib/model/model_file.h"
#include "lib/model/prune.h"
#include "lib/model/strip.h"
#include "tests/support/compositions.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <string.h>

enum { ROWS = 4, BYTES = ROWS * COMPOSITION_INPUTS, MOST = 80 };

static struct err e;

/* With rows whose numbers tell them apart, and settings. */
static struct model *make(size_t i)
{
    struct model *m = composition_model(i);
    m->training = json_new_object();
    json_set(m->training, "batch", json_new_number(16));
    ck_assert(!rehearsal_init(&m->rehearsal, ROWS, COMPOSITION_INPUTS, &e));
    for (size_t k = 0; k < BYTES; k++)
        m->rehearsal.inputs[k] = (uint8_t)(k * 11);
    for (size_t k = 0; k < ROWS; k++) {
        m->rehearsal.labels[k] = (int32_t)k - 1;
        m->rehearsal.held_out[k] = k % 2;
    }
    return m;
}

static void same_facts(const struct model *got, const struct model *want)
{
    const struct rehearsal *a = &got->rehearsal, *b = &want->rehearsal;
    ck_assert_uint_eq(a->n, ROWS);
    ck_assert_uint_eq(a->size, COMPOSITION_INPUTS);
    ck_assert_mem_eq(a->inputs, b->inputs, BYTES);
    ck_assert_mem_eq(a->labels, b->labels, ROWS * sizeof *a->labels);
    ck_assert_mem_eq(a->held_out, b->held_out, ROWS);
    ck_assert(a->inputs != b->inputs);
    ck_assert(json_number(json_get(got->training, "batch")) == 16);
}

START_TEST(the_file_keeps_rows_and_settings)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct model *m = make((size_t)_i);
    ck_assert_msg(!model_save(m, path, &e), "%s", e.msg);
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    same_facts(back, m);
    model_free(back);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

START_TEST(copies_and_smaller_models_keep_them)
{
    bool keep[64], drop[MODEL_MAX_LAYERS] = {true, true};
    struct model *m = make(0), *copy = model_copy(m, &e);
    ck_assert_uint_le(layer_units(&m->layers[0]), 64);
    for (size_t i = 0; i < layer_units(&m->layers[0]); i++)
        keep[i] = i > 0;
    struct model *pruned = model_prune(m, 0, keep, &e);
    struct model *stripped = model_drop_decoders(m, drop, &e);
    ck_assert_msg(copy && pruned && stripped, "%s", e.msg);
    same_facts(copy, m);
    same_facts(pruned, m);
    same_facts(stripped, m);
    model_free(copy);
    model_free(pruned);
    model_free(stripped);
    model_free(m);
}
END_TEST

START_TEST(a_file_without_them_is_valid)
{
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct model *m = composition_model(0);
    ck_assert_msg(!model_save(m, path, &e), "%s", e.msg);
    struct safetensors *file = safetensors_open(path, &e);
    ck_assert_ptr_null(safetensors_find(file, "rehearsal.inputs"));
    ck_assert_ptr_null(safetensors_meta(file, "training"));
    safetensors_close(file);
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    ck_assert_uint_eq(back->rehearsal.n, 0);
    ck_assert_ptr_null(back->training);
    model_free(back);
    model_free(m);
    tmp_remove(folder);
}
END_TEST

START_TEST(every_allocation_of_a_copy_may_fail)
{
    struct model *m = make(0);
    for (size_t n = 0;; n++) {
        mem_fail_after(n);
        struct model *copy = model_copy(m, &e);
        mem_fail_after(SIZE_MAX);
        if (copy) {
            same_facts(copy, m);
            model_free(copy);
            break;
        }
        ck_assert_msg(e.code == ERR_NO_MEMORY, "%zu: %s", n, e.msg);
    }
    model_free(m);
}
END_TEST

START_TEST(there_is_a_limit)
{
    struct rehearsal r;
    ck_assert_int_eq(rehearsal_init(&r, REHEARSAL_MAX_ROWS + 1, 1, &e),
                     ERR_TOO_LARGE);
    ck_assert_ptr_null(r.inputs);
    ck_assert_int_eq(rehearsal_init(&r, 3, SIZE_MAX, &e), ERR_NO_MEMORY);
    rehearsal_fini(&r);
}
END_TEST

/* ---- files that lie ---- */

/* A good file's tensors, to be changed; they are written with the good file's
 * config, and "training" as `training` says it. */
struct forgery {
    struct st_tensor tensors[MOST];
    size_t n;
    const char *training;
};

static struct st_tensor *find(struct forgery *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->tensors[i].name, name) == 0)
            return &f->tensors[i];
    ck_abort_msg("no tensor %s", name);
}

static void drop(struct forgery *f, const char *name)
{
    *find(f, name) = f->tensors[f->n - 1];
    f->n--;
}

static void drop_inputs(struct forgery *f)
{
    drop(f, "rehearsal.inputs");
}

static void drop_labels(struct forgery *f)
{
    drop(f, "rehearsal.labels");
}

static void drop_flags(struct forgery *f)
{
    drop(f, "rehearsal.held_out");
}

static void fewer_labels(struct forgery *f)
{
    find(f, "rehearsal.labels")->shape[0]--;
}

static void fewer_flags(struct forgery *f)
{
    find(f, "rehearsal.held_out")->shape[0]--;
}

static void other_shape(struct forgery *f)
{
    struct st_tensor *t = find(f, "rehearsal.inputs");
    ck_assert_uint_eq(t->rank, 3);
    t->shape[1] = 3;
    t->shape[2] = 2;
}

static void flat_rows(struct forgery *f)
{
    struct st_tensor *t = find(f, "rehearsal.inputs");
    t->rank = 2;
    t->shape[1] = COMPOSITION_INPUTS;
}

static void no_rows(struct forgery *f)
{
    find(f, "rehearsal.inputs")->shape[0] = 0;
    find(f, "rehearsal.labels")->shape[0] = 0;
    find(f, "rehearsal.held_out")->shape[0] = 0;
}

static void too_many_rows(struct forgery *f)
{
    static const uint8_t zeros[REHEARSAL_MAX_ROWS + 1];
    drop_inputs(f);
    drop_labels(f);
    find(f, "rehearsal.held_out")->shape[0] = REHEARSAL_MAX_ROWS + 1;
    find(f, "rehearsal.held_out")->data = zeros;
}

static void a_single_number(struct forgery *f)
{
    find(f, "rehearsal.labels")->rank = 0;
}

static void signed_inputs(struct forgery *f)
{
    find(f, "rehearsal.inputs")->type = ST_I8;
}

static void wide_flags(struct forgery *f)
{
    static const int32_t zeros[ROWS];
    find(f, "rehearsal.held_out")->type = ST_I32;
    find(f, "rehearsal.held_out")->data = zeros;
}

static void unsigned_labels(struct forgery *f)
{
    find(f, "rehearsal.labels")->type = ST_U32;
}

static void label_too_high(struct forgery *f)
{
    static const int32_t labels[ROWS] = {0, 0, COMPOSITION_CLASSES, 0};
    find(f, "rehearsal.labels")->data = labels;
}

static void label_too_low(struct forgery *f)
{
    static const int32_t labels[ROWS] = {0, -2, 0, 0};
    find(f, "rehearsal.labels")->data = labels;
}

static void odd_flag(struct forgery *f)
{
    static const uint8_t flags[ROWS] = {0, 1, 0, 2};
    find(f, "rehearsal.held_out")->data = flags;
}

static void training_not_json(struct forgery *f)
{
    f->training = "{";
}

static void training_no_object(struct forgery *f)
{
    f->training = "[1]";
}

static const struct {
    void (*change)(struct forgery *f);
    const char *words;
} forgeries[] = {
    {drop_inputs, "rehearsal.inputs is missing"},
    {drop_labels, "rehearsal.labels is missing"},
    {drop_flags, "rehearsal.held_out is missing"},
    {fewer_labels, "tensor rehearsal."},
    {fewer_flags, "tensor rehearsal."},
    {other_shape, "rehearsal.inputs has not"},
    {flat_rows, "rehearsal.inputs has not"},
    {no_rows, "rehearsal: 0 rows"},
    {too_many_rows, "rehearsal: 1048577 rows"},
    {a_single_number, "rehearsal.labels has not"},
    {signed_inputs, "rehearsal.inputs has not"},
    {wide_flags, "rehearsal.held_out has not"},
    {unsigned_labels, "rehearsal.labels has not"},
    {label_too_high, "rehearsal.labels[2]: 3 is none of 3 classes"},
    {label_too_low, "rehearsal.labels[1]: -2"},
    {odd_flag, "rehearsal.held_out[3]: 2 is not 0 or 1"},
    {training_not_json, "\"training\" is not JSON"},
    {training_no_object, "\"training\" must be an object"},
};

/* The good file at `from` with a change, written to `to`. */
static void forge(const char *from, const char *to,
                  void (*change)(struct forgery *f))
{
    static struct forgery f;
    struct safetensors *file = safetensors_open(from, &e);
    ck_assert_msg(file != NULL, "%s", e.msg);
    f = (struct forgery){.n = safetensors_count(file),
                         .training = safetensors_meta(file, "training")};
    ck_assert_uint_le(f.n, MOST);
    for (size_t i = 0; i < f.n; i++)
        f.tensors[i] = *safetensors_at(file, i);
    change(&f);
    const struct st_meta meta[] = {
        {"format", safetensors_meta(file, "format")},
        {"config", safetensors_meta(file, "config")},
        {"classes", safetensors_meta(file, "classes")},
        {"training", f.training}};
    ck_assert_msg(!safetensors_write(to, f.tensors, f.n, meta, 4, &e), "%s",
                  e.msg);
    safetensors_close(file);
}

static void keep_all(struct forgery *f)
{
    (void)f;
}

START_TEST(a_file_that_lies_is_refused)
{
    char *folder = tmp_folder();
    const char *good = tmp_path(folder, "m"), *bad = tmp_path(folder, "bad");
    struct model *m = make(0);
    ck_assert_msg(!model_save(m, good, &e), "%s", e.msg);
    model_free(m);
    forge(good, bad, keep_all);
    m = model_load(bad, &e);
    ck_assert_msg(m != NULL, "%s", e.msg);
    model_free(m);
    forge(good, bad, forgeries[_i].change);
    ck_assert_ptr_null(model_load(bad, &e));
    ck_assert_int_eq(e.code, ERR_CORRUPT);
    ck_assert_msg(strstr(e.msg, forgeries[_i].words) != NULL, "%s", e.msg);
    tmp_remove(folder);
}
END_TEST

START_TEST(a_model_without_classes_has_rows_without_labels)
{
    static const char text[] =
        "{\"input\":{\"shape\":[2]},\"layers\":[{\"operator\":\"dense\","
        "\"units\":4,\"encoder\":{\"kind\":\"feedforward\"},"
        "\"structure\":{\"kind\":\"l1\"}}]}";
    char *folder = tmp_folder();
    const char *path = tmp_path(folder, "m");
    struct json *j = json_parse(text, strlen(text), &e);
    struct model *m = model_new(j, NULL, 0, &e);
    ck_assert_msg(m && !params_allocate(&m->params, &e), "%s", e.msg);
    ck_assert(!rehearsal_init(&m->rehearsal, 1, 2, &e));
    m->rehearsal.labels[0] = -1;
    ck_assert(!model_save(m, path, &e));
    struct model *back = model_load(path, &e);
    ck_assert_msg(back != NULL, "%s", e.msg);
    ck_assert_uint_eq(back->rehearsal.n, 1);
    model_free(back);
    m->rehearsal.labels[0] = 0;
    ck_assert(!model_save(m, path, &e));
    ck_assert_ptr_null(model_load(path, &e));
    ck_assert_msg(strstr(e.msg, "0 is none of 0 classes") != NULL, "%s", e.msg);
    model_free(m);
    json_free(j);
    tmp_remove(folder);
}
END_TEST

Suite *suite_rehearsal(void);
Suite *suite_rehearsal(void)
{
    Suite *s = suite_create("rehearsal");
    TCase *t = tcase_create("kept");
    tcase_add_loop_test(t, the_file_keeps_rows_and_settings, 0,
                        (int)compositions_count());
    tcase_add_test(t, copies_and_smaller_models_keep_them);
    tcase_add_test(t, a_file_without_them_is_valid);
    tcase_add_test(t, every_allocation_of_a_copy_may_fail);
    tcase_add_test(t, there_is_a_limit);
    suite_add_tcase(s, t);
    TCase *bad = tcase_create("refused");
    tcase_add_loop_test(bad, a_file_that_lies_is_refused, 0,
                        (int)(sizeof forgeries / sizeof *forgeries));
    tcase_add_test(bad, a_model_without_classes_has_rows_without_labels);
    suite_add_tcase(s, bad);
    return s;
}
