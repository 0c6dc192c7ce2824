/* encode: a whole model at work, codes, pools and classes, which
 * bench/peers/models.py asks for one round at a time, so that both sides take
 * turns within one run.
 *
 *   encode MODEL INPUTS FOLDER    float32 rows in; codes, pools and
 *                                 probabilities go into FOLDER, alike
 *
 * Each line of the input is "ROWS TIMES": how many rows a call takes, and how
 * many calls; the answer is the microseconds of processor time a row that they
 * took. "check" writes the results of all rows instead.
 */
#include "lib/base/mem.h"
#include "lib/math/start.h"
#include "lib/model/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench {
    struct model *model;
    float *x; /* (rows,inputs) */
    size_t rows;
    struct pass pass; /* the last one, in memory */
    struct arena memory;
    struct err e;
};

static void die(const char *what)
{
    fprintf(stderr, "encode: %s\n", what);
    exit(EXIT_FAILURE);
}

static void load(struct bench *b, const char *model, const char *inputs)
{
    char path[512];
    if (model_find_file(path, sizeof path, model, &b->e) ||
        !(b->model = model_load(path, &b->e)) || model_prepare(b->model, &b->e))
        die(b->e.msg);
    FILE *f = fopen(inputs, "rb");
    if (!f || fseek(f, 0, SEEK_END))
        die(inputs);
    size_t size = model_inputs(b->model) * sizeof *b->x;
    b->rows = (size_t)ftell(f) / size;
    rewind(f);
    b->x = mem_must(b->rows, size);
    if (b->rows == 0 || fread(b->x, size, b->rows, f) != b->rows)
        die(inputs);
    fclose(f);
}

/* Codes of all layers, pools of the top one, classes where it has some. */
static void encode(struct bench *b, size_t first, size_t rows)
{
    const struct model *m = b->model;
    struct model_options options = {0};
    arena_reset(&b->memory);
    if (model_encode(m, &b->pass, b->x + first * model_inputs(m), rows,
                     &options, &b->memory, &b->e) ||
        model_pool(m, &b->pass, m->n_layers - 1, &b->memory, &b->e) ||
        (m->classifier.present &&
         model_classify(m, &b->pass, &b->memory, &b->e)))
        die(b->e.msg);
}

static void write_floats(const char *folder, const char *name, const float *x,
                         size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(x, sizeof *x, n, f) != n || fclose(f))
        die(path);
}

static void check(struct bench *b, const char *folder)
{
    const struct model *m = b->model;
    const struct layer_pass *top = &b->pass.layers[m->n_layers - 1];
    encode(b, 0, b->rows);
    write_floats(folder, "codes", top->z, b->rows * layer_units(model_top(m)));
    write_floats(folder, "pools", top->v, b->rows * layer_groups(model_top(m)));
    if (m->classifier.present)
        write_floats(folder, "probabilities", b->pass.probabilities,
                     b->rows * m->classifier.classes);
    puts("done");
}

static double used_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void work(struct bench *b, size_t rows, size_t times)
{
    if (rows == 0 || rows > b->rows || times == 0)
        die("ROWS: more than there are");
    size_t places = b->rows - rows + 1;
    double start = used_us();
    for (size_t i = 0; i < times; i++)
        encode(b, i * rows % places, rows);
    printf("%.3f\n", (used_us() - start) / (double)(rows * times));
}

int main(int argc, char **argv)
{
    static struct bench b;
    char line[64];
    if (argc != 4) {
        fprintf(stderr, "usage: encode MODEL INPUTS FOLDER\n");
        return 2;
    }
    if (math_start(&b.e))
        fprintf(stderr, "encode: %s\n", b.e.msg);
    arena_init(&b.memory, SIZE_MAX);
    load(&b, argv[1], argv[2]);
    while (fgets(line, sizeof line, stdin)) {
        char *end;
        size_t rows = strtoul(line, &end, 10);
        if (end == line)
            check(&b, argv[3]);
        else
            work(&b, rows, strtoul(end, NULL, 10));
        fflush(stdout);
    }
    arena_fini(&b.memory);
    mem_free(b.x);
    model_free(b.model);
    return EXIT_SUCCESS;
}
