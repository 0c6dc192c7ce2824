/* Writes what test_onnx.py compares: for each composition that the axes allow,
 * and some preprocessing, a folder's N.onnx, N.input and N.code, N.groups,
 * N.reconstruction, N.probabilities (little-endian float32), or N.refused with
 * the reason; N.config has its text.
 *
 *   onnx_models FOLDER
 */
#include "lib/model/model_onnx.h"
#include "tests/support/compositions.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 5 };

static const char *const steps[] = {
    "", "{\"op\":\"whiten\"},{\"op\":\"unit_norm\"}",
    "{\"op\":\"whiten_filter\"}",
    "{\"op\":\"whiten_filter\",\"power\":2},"
    "{\"op\":\"local_contrast\",\"sigma\":1},{\"op\":\"unit_norm\"}"};

static const char *folder;
static struct err e;

static void put(size_t i, const char *ending, const void *bytes, size_t length)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%zu.%s", folder, i, ending);
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(bytes, 1, length, f) == length && !fclose(f));
}

static void put_answers(size_t i, const struct model *m, const float *x)
{
    struct model_options options = {0};
    struct arena memory;
    struct pass p;
    float drawn[ROWS * COMPOSITION_INPUTS];
    size_t top = m->n_layers - 1;
    arena_init(&memory, SIZE_MAX);
    ck_assert(!model_encode(m, &p, x, ROWS, &options, &memory, &e));
    ck_assert(!model_pool(m, &p, top, &memory, &e));
    ck_assert(!model_classify(m, &p, &memory, &e));
    ck_assert(!model_reconstruct(m, &p, top, drawn, NULL, &memory, &e));
    put(i, "code", p.layers[top].z,
        ROWS * layer_units(model_top(m)) * sizeof(float));
    put(i, "groups", p.layers[top].v,
        ROWS * layer_groups(model_top(m)) * sizeof(float));
    put(i, "reconstruction", drawn, sizeof drawn);
    put(i, "probabilities", p.probabilities,
        ROWS * m->classifier.classes * sizeof(float));
    arena_fini(&memory);
}

static void put_model(size_t i, struct model *m)
{
    float x[ROWS * COMPOSITION_INPUTS];
    char path[4096];
    struct model_onnx_options options = {.name = "composition", .version = i};
    struct buf config;
    buf_init(&config, 1 << 16);
    json_print(&config, m->config);
    put(i, "config", config.data, config.length);
    buf_fini(&config);
    composition_rows(x, NULL, ROWS, (unsigned)i);
    snprintf(path, sizeof path, "%s/%zu.onnx", folder, i);
    if (model_save_onnx(m, path, &options, &e)) {
        ck_assert_int_eq(e.code, ERR_CONFLICT);
        put(i, "refused", e.msg, strlen(e.msg));
    } else {
        put(i, "input", x, sizeof x);
        put_answers(i, m, x);
    }
    model_free(m);
}

/* The compositions are made with Check's asserts, which live in a test. */
START_TEST(models_are_written)
{
    size_t n = compositions_count();
    for (size_t i = 0; i < n; i++)
        put_model(i, composition_model(i));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        put_model(n + i, composition_preprocessed(steps[i]));
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    folder = argv[1];
    Suite *suite = suite_create("onnx_models");
    TCase *t = tcase_create("write");
    tcase_add_test(t, models_are_written);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
