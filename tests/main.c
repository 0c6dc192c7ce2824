/* All suites, by hand, from the bottom of the tree up: in this order the first
 * failure is the telling one. CK_RUN_SUITE=name runs one of them.
 */
#include "lib/math/start.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
#define SUITES(X)                                                             \
    X(err) X(mem) X(arena) X(buf) X(utf8) X(clock) X(rng) X(json_check)        \
    X(json_scan) X(json_floats) X(json) X(file) X(lock) X(team) X(log)         \
    X(math) X(simd) X(lanes) X(eigen) X(convolution) X(fields) X(safetensors)  \
    X(npy) X(idx) X(outer) X(product) X(npz) X(onnx) X(csv) X(image)           \
    X(canvas) X(dataset) X(dataset_labels) X(photographs) X(hierarchy)         \
    X(pools) X(groups) X(groups_codes) X(windows) X(windows_rule)              \
    X(windows_emit) X(tree) X(lateral) X(lateral_codes) X(gaussian) X(conv2d)  \
    X(local2d) X(axes) X(preprocess) X(preprocess_pictures) X(solver)          \
    X(iterative) X(model) X(prune) X(grow) X(rehearsal) X(emit) X(model_onnx)  \
    X(orientation) X(pinwheels) X(atoms) X(render) X(gradients) X(predict)     \
    X(optimiser) X(recipe) X(measure) X(rows) X(layers) X(keep) X(distort)     \
    X(trainer) X(tune) X(pruning) X(repository) X(registry) X(cost)            \
    X(executor) X(tensor_json) X(routes) X(samples) X(jobs) X(problem)         \
    X(infer) X(infer_options) X(infer_formats) X(mask) X(models) X(pending)    \
    X(samples_forms) X(labels) X(fine_tunes) X(events) X(versions) X(learner)  \
    X(learner_restart) X(stream) X(samples_label) X(samples_evict) X(store)    \
    X(store_crash) X(store_damage) X(job_rows) X(starts) X(exchange)           \
    X(samples_json) X(events_live) X(gate) X(oip_request) X(oip_infer)         \
    X(oip_metadata) X(predict_route) X(gzip) X(histogram) X(process) X(usage)  \
    X(account) X(watch) X(meters) X(metrics) X(access) X(setting) X(config)    \
    X(manual) X(completion) X(registry_load) X(registry_unload)                \
    X(learner_load) X(etag) X(repository_open) X(statistics) X(coding)         \
    X(cors) X(frame) X(exchange_coded) X(oip_sizes) X(oip_extensions) X(pace)  \
    X(tokens) X(guard)
/* clang-format on */

#define X(name) Suite *suite_##name(void);
SUITES(X)
#undef X

int main(void)
{
    struct err e;
    if (math_start(&e))
        fprintf(stderr, "%s\n", e.msg);
    SRunner *runner = srunner_create(suite_create("sparsed"));
#define X(name) srunner_add_suite(runner, suite_##name());
    SUITES(X)
#undef X
    srunner_run_all(runner, CK_ENV);
    int run = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (run == 0) {
        fprintf(stderr, "no test has run: is there a suite of that name?\n");
        return EXIT_FAILURE;
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
