/* train: our side of the training rows, which bench/peers/train.py asks for one
 * round at a time, so that both sides take turns within one run.
 *
 *   train FOLDER DATA THREADS    config.json, weights (float32, all tensors one
 *                                after another); any --data path
 *
 * Each line of the input is what to do, and how many steps of it:
 *
 *   start N    back to the weights; "ok"
 *   losses N   N steps: the mean loss of each, and the share of units on
 *   time N     N steps: the microseconds a row that they took
 *   products N the dense products of N steps alone, on one thread: the same
 */
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/math/blas.h"
#include "lib/math/start.h"
#include "lib/train/stepper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 128 };

static const struct loss_weights weights = {
    .reconstruction = 1, .structure = 1, .classification = 0.06f};
static const struct optimiser_settings settings = {
    .kind = OPTIMISER_SGD, .momentum = 0.9, .project_every = 5};
static const double rate = 0.02;

struct bench {
    struct model *m;
    struct dataset *d;
    struct team *team;
    struct stepper *stepper;
    struct optimiser optimiser;
    float *start; /* the weights to go back to */
    bool trained[PARAM_MAX];
    size_t next; /* row of the data */
    struct err e;
};

static void die(const char *what)
{
    fprintf(stderr, "train: %s\n", what);
    exit(EXIT_FAILURE);
}

static void load(struct bench *b, const char *folder, const char *data)
{
    char path[512];
    struct dataset_want want = {.split = DATASET_TRAIN};
    snprintf(path, sizeof path, "%s/config.json", folder);
    struct json *j = json_parse_file(path, 1 << 16, &b->e);
    b->m = j ? model_new(j, NULL, 10, &b->e) : NULL;
    if (!b->m || params_allocate(&b->m->params, &b->e))
        die(b->e.msg);
    json_free(j);
    size_t total = b->m->params.total;
    b->start = mem_must(total, sizeof *b->start);
    snprintf(path, sizeof path, "%s/weights", folder);
    FILE *f = fopen(path, "rb");
    if (!f || fread(b->start, sizeof *b->start, total, f) != total)
        die(path);
    fclose(f);
    want.rank = b->m->input_rank;
    memcpy(want.shape, b->m->input_shape, sizeof want.shape);
    b->d = dataset_load(data, &want, &b->e);
    if (!b->d || b->d->n < ROWS)
        die(b->d ? "too few rows" : b->e.msg);
}

static void start(struct bench *b)
{
    size_t total = b->m->params.total;
    memcpy(b->m->params.values, b->start, total * sizeof *b->start);
    memset(b->optimiser.first, 0, total * sizeof *b->start);
    b->optimiser.steps = b->next = 0;
}

/* One step on the next rows of the data, in their order. */
static void step(struct bench *b, struct loss_sums *sums)
{
    uint32_t index[ROWS];
    struct step s = {.weights = &weights,
                     .optimiser = &b->optimiser,
                     .trained = b->trained,
                     .rate = rate,
                     .index = index,
                     .n = ROWS};
    if (b->next + ROWS > b->d->n)
        b->next = 0;
    for (size_t i = 0; i < ROWS; i++)
        index[i] = (uint32_t)(b->next++);
    if (stepper_run(b->stepper, &s, sums, &b->e))
        die(b->e.msg);
}

static void losses(struct bench *b, size_t steps)
{
    struct loss_sums sums = {0};
    for (size_t i = 0; i < steps; i++) {
        sums = (struct loss_sums){0};
        step(b, &sums);
        printf("%.9g ", sums.total / ROWS);
    }
    printf("%.4f\n",
           sums.active / (double)(ROWS * layer_units(model_top(b->m))));
}

/* What one batch cannot do without where nothing is sparse: forward E, T - 1
 * times S, and D; backward twice that. */
static void products(const struct bench *b, float *out)
{
    const struct layer *l = model_top(b->m);
    size_t m = layer_inputs(l), n = layer_units(l), T = l->encoder.steps;
    for (size_t pass = 0; pass < 3; pass++) {
        for (size_t k = 0; k < 2; k++)
            blas_gemm(out, BLAS_PLAIN, out + ROWS * m, BLAS_TRANSPOSED,
                      l->enc.weight->value, ROWS, n, m, 1, 0);
        for (size_t t = 1; t < T && l->rec.kind; t++)
            blas_gemm(out, BLAS_PLAIN, out + ROWS * m, BLAS_TRANSPOSED,
                      l->rec.weight->value, ROWS, n, n, 1, 0);
    }
}

static void run_products(struct bench *b, size_t steps)
{
    const struct layer *l = model_top(b->m);
    size_t wide = layer_inputs(l) + layer_units(l);
    float *out = mem_must(2 * ROWS * wide, sizeof *out);
    for (size_t i = 0; i < steps; i++)
        products(b, out);
    mem_free(out);
}

static void take_time(struct bench *b, bool ours, size_t steps)
{
    struct loss_sums sums = {0};
    usec begun = clock_now();
    if (ours)
        for (size_t i = 0; i < steps; i++)
            step(b, &sums);
    else
        run_products(b, steps);
    printf("%.3f\n", (double)(clock_now() - begun) / (double)(steps * ROWS));
}

static void answer(struct bench *b, const char *what, size_t steps)
{
    if (strcmp(what, "start") == 0) {
        start(b);
        puts("ok");
    } else if (strcmp(what, "losses") == 0) {
        losses(b, steps);
    } else {
        take_time(b, strcmp(what, "time") == 0, steps);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench b;
    char line[64];
    if (argc != 4) {
        fprintf(stderr, "usage: train FOLDER DATA THREADS\n");
        return 2;
    }
    if (math_start(&b.e))
        fprintf(stderr, "train: %s\n", b.e.msg);
    load(&b, argv[1], argv[2]);
    for (size_t i = 0; i < b.m->params.n; i++)
        b.trained[i] = true;
    b.team = team_new(strtoul(argv[3], NULL, 10));
    if (!b.team)
        die("out of memory");
    b.stepper = stepper_new(b.m, b.d, b.team, ROWS, &b.e);
    if (!b.stepper ||
        optimiser_init(&b.optimiser, &settings, b.m->params.total, &b.e))
        die(b.e.msg);
    start(&b);
    while (fgets(line, sizeof line, stdin)) {
        char *steps = strchr(line, ' ');
        if (!steps)
            die("a line is a word and a number");
        *steps++ = 0;
        answer(&b, line, strtoul(steps, NULL, 10));
    }
    stepper_free(b.stepper);
    optimiser_fini(&b.optimiser);
    team_free(b.team);
    dataset_free(b.d);
    mem_free(b.start);
    model_free(b.m);
    return EXIT_SUCCESS;
}
