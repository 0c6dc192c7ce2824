/* Which models become ONNX files, and that a failure leaves none. What stands
 * in the files is judged by tests/lib/data/test_onnx.c and
 * tests/interop/test_onnx.py.
 */
#include "lib/model/model_onnx.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "tests/support/compositions.h"
#include "tests/support/tmp.h"

#include <check.h>
#include <string.h>

static char *folder;
static const char *path;
static struct err e;
static struct model *m;
static struct model_onnx_options options = {.name = "model"};

static void setup(void)
{
    folder = tmp_folder();
    path = tmp_path(folder, "a.onnx");
    m = NULL;
}

static void teardown(void)
{
    model_free(m);
    tmp_remove(folder);
}

START_TEST(every_composition_is_written_or_refused_with_the_reason)
{
    m = composition_model((size_t)_i);
    const struct layer *top = model_top(m);
    bool goes = top->encoder.kind->emit != NULL;
    ck_assert_int_eq(model_save_onnx(m, path, &options, &e),
                     goes ? ERR_OK : ERR_CONFLICT);
    ck_assert(file_is_regular(path) == goes);
    if (!goes)
        ck_assert_msg(strstr(e.msg, top->encoder.kind->name) != NULL, "%s",
                      e.msg);
}
END_TEST

START_TEST(the_same_model_gives_the_same_bytes)
{
    size_t length[2];
    char *bytes[2];
    m = composition_whitened();
    for (size_t i = 0; i < 2; i++) {
        ck_assert(!model_save_onnx(m, path, &options, &e));
        bytes[i] = file_read(path, 1 << 20, &length[i], &e);
        ck_assert(bytes[i] != NULL);
    }
    ck_assert_uint_eq(length[0], length[1]);
    ck_assert(!memcmp(bytes[0], bytes[1], length[0]));
    mem_free(bytes[0]);
    mem_free(bytes[1]);
}
END_TEST

/* A file of before stays, whatever allocation fails. */
START_TEST(memory_that_is_out_leaves_the_old_file)
{
    enum err_code code = ERR_NO_MEMORY;
    tmp_write(folder, "a.onnx", "old", 3);
    m = composition_model(0);
    size_t n = 0;
    for (; code; n++) {
        size_t length;
        mem_fail_after(n);
        code = model_save_onnx(m, path, &options, &e);
        mem_fail_after(SIZE_MAX);
        char *bytes = file_read(path, 1 << 20, &length, &e);
        ck_assert(bytes && (!code || !strcmp(bytes, "old")));
        mem_free(bytes);
        if (code)
            ck_assert_int_eq(code, ERR_NO_MEMORY);
        ck_assert_uint_lt(n, 1000);
    }
    ck_assert_uint_gt(n, 2);
}
END_TEST

START_TEST(an_output_that_the_model_has_not_is_refused)
{
    struct model_onnx_options wanted = {.name = "model",
                                        .outputs = 1u << MODEL_PROBABILITIES};
    m = composition_model(0);
    m->classifier.present = false;
    ck_assert_int_eq(model_save_onnx(m, path, &wanted, &e), ERR_CONFLICT);
    ck_assert_msg(strstr(e.msg, "probabilities") != NULL, "%s", e.msg);
    ck_assert(!model_save_onnx(m, path, &options, &e));
    m->classifier.present = true;
    ck_assert(!model_save_onnx(m, path, &wanted, &e));
}
END_TEST

Suite *suite_model_onnx(void);
Suite *suite_model_onnx(void)
{
    Suite *s = suite_create("model_onnx");
    TCase *t = tcase_create("save");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t,
                        every_composition_is_written_or_refused_with_the_reason,
                        0, (int)compositions_count());
    tcase_add_test(t, the_same_model_gives_the_same_bytes);
    tcase_add_test(t, memory_that_is_out_leaves_the_old_file);
    tcase_add_test(t, an_output_that_the_model_has_not_is_refused);
    suite_add_tcase(s, t);
    return s;
}
