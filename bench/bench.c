/* bench: how fast a model encodes and trains, as ratios within one run.
 *
 *   bench MODEL.safetensors IMAGES   (an IDX file, or any --data path)
 *
 * Each row is measured in alternation with its peer (A B A B ...), so a machine
 * whose speed drifts does not favour one; printed are medians of the rounds,
 * their spread, and the median of the ratios round by round.
 */
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/data/dataset.h"
#include "lib/math/blas.h"
#include "lib/math/start.h"
#include "lib/model/model_file.h"
#include "lib/train/loss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 15, ROWS = 512 };

struct bench {
    struct model *packed, *plain; /* the same weights */
    float *x;                     /* (ROWS, inputs) */
    int32_t labels[ROWS];
    float *grads;
    struct arena memory;
    struct err e;
};

typedef void (*work)(struct bench *b, size_t rows);

static void die(const struct err *e)
{
    fprintf(stderr, "bench: %s\n", e->msg);
    exit(EXIT_FAILURE);
}

static void classify(struct bench *b, const struct model *m, size_t rows,
                     size_t batch)
{
    size_t inputs = model_inputs(m);
    struct model_options options = {0};
    for (size_t i = 0; i + batch <= rows; i += batch) {
        struct pass p;
        arena_reset(&b->memory);
        if (model_encode(m, &p, b->x + i * inputs, batch, &options, &b->memory,
                         &b->e) ||
            model_classify(m, &p, &b->memory, &b->e))
            die(&b->e);
    }
}

static void sparse_one(struct bench *b, size_t rows)
{
    classify(b, b->packed, rows, 1);
}

static void dense_one(struct bench *b, size_t rows)
{
    classify(b, b->plain, rows, 1);
}

static void sparse_batch(struct bench *b, size_t rows)
{
    classify(b, b->packed, rows, 128);
}

static void dense_batch(struct bench *b, size_t rows)
{
    classify(b, b->plain, rows, 128);
}

/* The products alone that one training batch cannot do without, as dense
 * sgemm: forward E, (T-1) S, D; backward twice that. */
static void products(struct bench *b, size_t rows)
{
    const struct layer *l = model_top(b->plain);
    size_t m = layer_inputs(l), n = layer_units(l), T = l->encoder.steps;
    arena_reset(&b->memory);
    float *z = arena_zeroed(&b->memory, 128 * (m + n), sizeof *z);
    for (size_t i = 0; i + 128 <= rows; i += 128)
        for (size_t pass = 0; pass < 3; pass++) {
            for (size_t k = 0; k < 2; k++)
                blas_gemm(z, BLAS_PLAIN, b->x + i * m, BLAS_TRANSPOSED,
                          l->enc.weight->value, 128, n, m, 1, 0);
            for (size_t t = 1; t < T && l->rec.kind; t++)
                blas_gemm(z, BLAS_PLAIN, b->x + i * m, BLAS_TRANSPOSED,
                          l->rec.weight->value, 128, n, n, 1, 0);
        }
}

static void training(struct bench *b, size_t rows)
{
    struct loss_weights w = {
        .reconstruction = 1, .structure = 1, .classification = 1};
    struct loss_sums sums = {0};
    for (size_t i = 0; i + 128 <= rows; i += 128) {
        arena_reset(&b->memory);
        struct loss_rows batch = {.B = 128,
                                  .x = b->x + i * model_inputs(b->plain),
                                  .labels = b->labels + i};
        if (loss_run(b->plain, &w, &batch, 1, b->grads, &sums, &b->memory,
                     &b->e))
            die(&b->e);
    }
}

static double time_us(struct bench *b, work run, size_t rows)
{
    nsec start = clock_thread_ns();
    run(b, rows);
    return (double)(clock_thread_ns() - start) / 1e3 / (double)rows;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void row(struct bench *b, const char *name, work ours, work peer)
{
    double a[ROUNDS], c[ROUNDS], ratio[ROUNDS];
    time_us(b, ours, ROWS);
    time_us(b, peer, ROWS);
    for (size_t i = 0; i < ROUNDS; i++) {
        a[i] = time_us(b, ours, ROWS);
        c[i] = time_us(b, peer, ROWS);
        ratio[i] = c[i] / a[i];
    }
    qsort(a, ROUNDS, sizeof *a, ascending);
    qsort(c, ROUNDS, sizeof *c, ascending);
    qsort(ratio, ROUNDS, sizeof *ratio, ascending);
    printf("| %s | %.1f (%.1f-%.1f) | %.1f (%.1f-%.1f) | %.2f (%.2f-%.2f) "
           "|\n",
           name, a[ROUNDS / 2], a[0], a[ROUNDS - 1], c[ROUNDS / 2], c[0],
           c[ROUNDS - 1], ratio[ROUNDS / 2], ratio[0], ratio[ROUNDS - 1]);
    fflush(stdout);
}

static void load(struct bench *b, const char *path, const char *data)
{
    struct dataset_want want = {.split = DATASET_TEST};
    uint32_t index[ROWS];
    b->packed = model_load(path, &b->e);
    b->plain = b->packed ? model_copy(b->packed, &b->e) : NULL;
    if (!b->plain || model_prepare(b->packed, &b->e))
        die(&b->e);
    want.rank = b->plain->input_rank;
    memcpy(want.shape, b->plain->input_shape, sizeof want.shape);
    struct dataset *d = dataset_load(data, &want, &b->e);
    if (!d)
        die(&b->e);
    for (size_t i = 0; i < ROWS; i++) {
        index[i] = (uint32_t)(i % d->n);
        b->labels[i] = d->labels ? d->labels[index[i]] : DATASET_NO_LABEL;
    }
    b->x = mem_must(ROWS * model_inputs(b->plain), sizeof *b->x);
    b->grads = mem_must(b->plain->params.total, sizeof *b->grads);
    dataset_rows(d, index, ROWS, b->plain->low, b->plain->high, b->x);
    dataset_free(d);
}

int main(int argc, char **argv)
{
    static struct bench b;
    if (argc != 3) {
        fprintf(stderr, "usage: bench MODEL DATA\n");
        return 2;
    }
    if (math_start(&b.e))
        fprintf(stderr, "bench: %s\n", b.e.msg);
    arena_init(&b.memory, SIZE_MAX);
    load(&b, argv[1], argv[2]);
    printf("Microseconds a row, one thread, median (least-most) of %d rounds "
           "of %d rows; %s.\n\n",
           ROUNDS, ROWS, blas_name());
    printf("| row | sparsed | peer | peer / sparsed |\n|---|---|---|---|\n");
    row(&b, "classify one at a time; peer: dense products", sparse_one,
        dense_one);
    row(&b, "classify 128 at a time; peer: dense products", sparse_batch,
        dense_batch);
    row(&b, "train, batch 128; peer: its dense products alone", training,
        products);
    arena_fini(&b.memory);
    mem_free(b.x);
    mem_free(b.grads);
    model_free(b.packed);
    model_free(b.plain);
    return EXIT_SUCCESS;
}
